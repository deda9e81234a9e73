"""What a lab and a curator see of the checks: pictures, answers, and why a version came back."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

SHAPES = (
    ("desktop", {"width": 1280, "height": 800}, "light"),
    ("desktop-dark", {"width": 1280, "height": 800}, "dark"),
    ("phone", {"width": 390, "height": 844}, "dark"),
)
AXE = "() => axe.run(document, {resultTypes: ['violations']})"


@pytest.fixture
def axe():
    """Return the script of axe."""
    from django.conf import settings

    return (settings.NODE_MODULES / "axe-core" / "axe.min.js").read_text()


def ref(version) -> str:
    """Return how addresses name a version."""
    return version.identifier.replace("/", ".")


def lettered(path):
    """Return a copy of a clip with a caption burned in, as a camera program would."""
    import av
    import cv2

    from models.media import open_media

    target = path.with_name(f"caption-{path.name}")
    with open_media(path) as media, av.open(str(target), "w") as new:
        stream = None
        for frame in media:
            image = frame.image.copy()
            cv2.putText(
                image, "Carprofen 24 h", (12, 34), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255,) * 3, 2
            )
            if stream is None:
                stream = new.add_stream("mpeg4", rate=25)
                stream.width, stream.height = image.shape[1] // 2 * 2, image.shape[0] // 2 * 2
                stream.pix_fmt, stream.bit_rate = "yuv420p", 8_000_000
            image = image[: stream.height, : stream.width]
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                new.mux(packet)
        for packet in stream.encode():
            new.mux(packet)
    return target.read_bytes()


@pytest.fixture
def told(story, phantom_clip):
    """Make a draft with a caption in one of its films and without a licence."""
    from amgs.repository import services

    alice = story.person("Alice Arber", lab="Harbour")
    cora = story.person("Cora Costa", "curator")
    version = story.dataset(alice, "Grimace after laparotomy", animals=1, licence="")
    upload = story.send(alice, "caption.mp4", lettered(phantom_clip(41)), "recording")
    services.add_recording(
        by=alice,
        version=version,
        upload=upload,
        name="caption.mp4",
        animal="m1",
        observation="after",
    )
    story.run_jobs()
    return alice, cora, version


def test_a_draft_is_checked_answered_refused_and_mended(
    told, story, worker, open_page, picture, axe
):
    alice, cora, version = told
    page = open_page(alice)
    page.goto(f"/datasets/{ref(version)}/submit")
    page.get_by_text("fault would send this version back").wait_for(timeout=90_000)
    text = page.locator("#check-burned_in_text")
    shown = text.locator(".shown-frames img")
    assert shown.count() == 1
    assert shown.evaluate("image => image.complete || image.decode().then(() => true)")
    text.get_by_text("Answer", exact=True).first.click()
    text.locator("textarea").fill("The caption is of the camera and tells nothing.")
    text.get_by_text("Saved").wait_for()
    picture(page, "precheck")

    page.get_by_role("button", name="Submit for review").click()
    page.get_by_text("The checks asked for changes").wait_for(timeout=90_000)
    page.get_by_role("link", name="What has to change").click()
    page.get_by_role("heading", name="To mend").wait_for()
    assert "No licence is chosen" in page.locator("#check-licence").inner_text()
    assert "tells nothing" in page.locator("#check-burned_in_text").inner_text()
    for name, viewport, scheme in SHAPES:
        shaped = open_page(alice, viewport=viewport, color_scheme=scheme)
        shaped.goto(f"/datasets/{ref(version)}/refusal")
        check(shaped, axe, viewport)
        picture(shaped, f"refusal-{name}")

    page.get_by_role("button", name="Open as a draft again").click()
    page.get_by_role("link", name="Edit the draft").wait_for()
    from amgs.repository import services

    version.refresh_from_db()
    services.update_version(by=alice, version=version, licence="CC0-1.0")
    page.goto(f"/datasets/{ref(version)}/submit")
    since = page.locator("section", has_text="Since changes were asked for").last
    since.get_by_text("Mended").wait_for(timeout=90_000)
    assert "Licence" in since.inner_text()
    answer = page.locator("#check-burned_in_text textarea")
    assert answer.input_value() == "The caption is of the camera and tells nothing."
    for name, viewport, scheme in SHAPES:
        shaped = open_page(alice, viewport=viewport, color_scheme=scheme)
        shaped.goto(f"/datasets/{ref(version)}/submit")
        shaped.locator("#check-burned_in_text").wait_for()
        check(shaped, axe, viewport)
        picture(shaped, f"submit-{name}")

    page.get_by_role("button", name="Submit for review").click()
    page.get_by_text("screened", exact=True).first.wait_for(timeout=90_000)
    for name, viewport, scheme in SHAPES:
        office = open_page(cora, viewport=viewport, color_scheme=scheme)
        office.goto(f"/review/{ref(version)}/")
        row = office.locator("#check-burned_in_text")
        assert "tells nothing" in row.inner_text()
        assert row.locator(".shown-frames img").count() == 1
        check(office, axe, viewport)
        picture(office, f"review-{name}")


def check(page, axe, viewport) -> None:
    """Fail where axe finds something, or the page is wider than the screen."""
    page.evaluate(axe)
    found = page.evaluate(AXE)["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
