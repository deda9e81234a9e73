"""Record on a phone: film, keep, next animal, offline, closed and opened again, sent, scored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE = 240_000
AXE = "() => axe.run(document, {resultTypes: ['violations']})"
SHELL_KEPT = "() => navigator.serviceWorker.ready.then(() => true)"
CACHED = """async () => {
  const found = [];
  for (const name of await caches.keys()) {
    for (const request of await (await caches.open(name)).keys()) {
      found.push(new URL(request.url).pathname);
    }
  }
  return found;
}"""


def as_camera(clip: Path, out: Path) -> Path:
    """Write a clip as motion JPEG, which Chromium's false camera plays again and again."""
    import av

    with av.open(str(clip)) as source, av.open(str(out), "w", format="mjpeg") as target:
        film = source.streams.video[0]
        stream = target.add_stream("mjpeg", rate=film.average_rate)
        stream.width, stream.height, stream.pix_fmt = film.width, film.height, "yuvj420p"
        stream.options = {"qmin": "2", "qmax": "4"}
        for frame in source.decode(film):
            picture = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")
            target.mux(stream.encode(picture))
        target.mux(stream.encode(None))
    return out


@pytest.fixture(scope="module")
def camera_browser(browser, phantom_clip, tmp_path_factory) -> Iterator[Any]:
    """A browser whose camera films a rendered mouse."""
    from deploy.local_stack import browser as program

    clip = as_camera(phantom_clip(1), tmp_path_factory.mktemp("camera") / "mouse.mjpeg")
    flags = [
        *program.FLAGS,
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={clip}",
    ]
    made = browser.browser_type.launch(executable_path=str(program.find()), args=flags)
    yield made
    made.close()


@pytest.fixture
def phone(camera_browser, live_server) -> Iterator[Callable[..., Any]]:
    """Open a page in a browser with a camera; what the browser complains of fails the test."""
    contexts = []
    complaints: list[str] = []

    def make(viewport: dict[str, int] = PHONE, **options: Any) -> Any:
        options = {"base_url": live_server.url, "viewport": viewport} | options
        context = camera_browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(30_000)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def serving(settings) -> None:
    """Let the shipped model serve."""
    from django.core.management import call_command

    settings.SHIPPED_MODEL = configured.ROOT / "models" / "bundles" / "phantom"
    call_command("register_shipped", at_start=True)


def film(page: Any, animal: str, time: str) -> None:
    """Film one clip of about three seconds and stop at its preview."""
    page.get_by_label("Animal", exact=True).fill(animal)
    page.get_by_label("Time point").fill(time)
    page.get_by_role("button", name="Record", exact=True).click()
    page.locator("#left", has_text=re.compile(r"2[0-7] s left")).wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Keep").wait_for()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_clips_are_kept_offline_and_scored_when_there_is_a_connection(
    serving, worker, phone, picture, viewport
):
    width = viewport["width"]
    page = phone(viewport, is_mobile=viewport == PHONE, has_touch=viewport == PHONE)
    context = page.context
    page.goto("/record/")
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_text("Type the id of the animal first").wait_for()
    picture(page, f"record-start-{width}")
    page.get_by_role("button", name="Switch the camera on").click()
    page.locator("#viewfinder", has_text=re.compile("face", re.IGNORECASE)).wait_for()
    picture(page, f"record-ready-{width}")
    page.evaluate(SHELL_KEPT)

    film(page, "m1", "baseline")
    page.wait_for_function("() => document.getElementById('shot').readyState >= 2")
    picture(page, f"record-look-{width}")
    page.get_by_role("button", name="Film again").click()
    film(page, "m1", "baseline")
    page.get_by_role("button", name="Keep").click()
    page.get_by_text("Kept: m1, baseline.").wait_for()
    page.get_by_role("link", name="See its score: m1, baseline").wait_for(timeout=PATIENCE)

    # In the animal room there is no connection: the second clip waits, also while the page is shut.
    context.set_offline(True)
    page.get_by_role("button", name="Next animal").click()
    assert page.get_by_label("Animal", exact=True).input_value() == ""
    assert page.get_by_label("Time point").input_value() == "baseline"
    film(page, "m2", "4 h")
    page.get_by_role("button", name="Keep").click()
    page.locator("#clips .clip[data-state=waiting]").wait_for()
    page.locator("#offline").wait_for()
    picture(page, f"record-waits-{width}")
    page.close()
    page = context.new_page()
    page.goto("/record/")
    page.locator("#clips .clip[data-state=waiting]", has_text="m2, 4 h").wait_for()
    page.get_by_text("1 waits for a connection").wait_for()

    context.set_offline(False)
    link = page.get_by_role("link", name="See its score: m2, 4 h")
    link.wait_for(timeout=PATIENCE)
    assert page.locator("#clips .clip[data-state=sent]").count() == 2
    picture(page, f"record-sent-{width}")
    link.click()
    page.wait_for_url(re.compile(r"/score/[^/]+/$"))
    page.get_by_role("heading", name="m2, 4 h").wait_for()
    page.get_by_text("not a welfare, veterinary or humane-endpoint decision").filter(
        visible=True
    ).first.wait_for()
    page.locator("#score-progress").wait_for(state="detached", timeout=PATIENCE)
    page.get_by_role("heading", name="m2, 4 h").wait_for()
    picture(page, f"record-result-{width}")

    # Nothing of a person is kept for later: no result, no answer of the API, no session's page.
    kept = page.evaluate(CACHED)
    assert "/record/" in kept
    assert "/score/" in kept
    assert not [path for path in kept if path.startswith("/api/")]
    # The finder that looks for the face is kept; it is the same for everybody.
    assert not [path for path in kept if re.match(r"/score/(?!on-device/).", path)]


def test_a_clip_is_not_lost_where_the_browser_has_no_room(serving, phone, picture):
    page = phone()
    page.add_init_script(
        """IDBObjectStore.prototype.put = function () {
          throw new DOMException("full", "QuotaExceededError");
        };
        navigator.storage.estimate = async () => ({quota: 10_000_000, usage: 9_000_000});"""
    )
    page.goto("/record/")
    page.get_by_role("button", name="Switch the camera on").click()
    page.locator("#viewfinder").wait_for()
    film(page, "m1", "baseline")
    page.get_by_role("button", name="Keep").click()
    page.get_by_text("This browser has no room to keep this clip. It is still here").wait_for()
    picture(page, "record-full-390")
    with page.expect_download() as saved:
        page.get_by_role("link", name="save it as a file").click()
    assert saved.value.suggested_filename.startswith("m1, baseline.")
    assert Path(saved.value.path()).stat().st_size > 1000
    assert page.get_by_role("button", name="Keep").is_enabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_phase(serving, phone, scheme):
    axe = (configured.NODE_MODULES / "axe-core" / "axe.min.js").read_text()
    viewport = DESKTOP if scheme == "light" else PHONE
    page = phone(viewport, bypass_csp=True, color_scheme=scheme)
    page.goto("/record/")

    def clean(phase: str) -> None:
        page.locator(f"#record[data-phase={phase}]").wait_for()
        page.evaluate(axe)
        found = [
            f"{phase}: {row['id']} {row['nodes'][0]['html'][:200]}"
            for row in page.evaluate(AXE)["violations"]
        ]
        assert not found, "\n".join(found)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    clean("off")
    page.get_by_role("button", name="Switch the camera on").click()
    clean("ready")
    film(page, "m1", "baseline")
    clean("looking")
    page.get_by_role("button", name="Keep").click()
    clean("kept")
