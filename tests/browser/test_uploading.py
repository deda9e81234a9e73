"""A browser sends a folder through the reverse proxy to a real S3 server, with a cut inside."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.service("browser"),
    pytest.mark.service("s3"),
    pytest.mark.service("nginx"),
    pytest.mark.django_db(transaction=True),
]
PART = 5 * 1024 * 1024
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

# What a browser hands a page when a folder is dropped on it; only people can drop real ones.
DROP = """() => {
  const file = (name) => ({
    isFile: true,
    fullPath: name,
    file: (done) => done(new File(["x"], name.split("/").pop())),
  });
  const folder = (name, ...inside) => {
    const some = [inside, []];
    const reader = { readEntries: (done) => done(some.shift()) };
    return { isFile: false, fullPath: name, createReader: () => reader };
  };
  const day = folder("/study/day 2", file("/study/day 2/b.mp4"));
  const tree = folder("/study", file("/study/a.mp4"), day);
  const event = new Event("drop", { cancelable: true });
  event.dataTransfer = { items: [{ webkitGetAsEntry: () => tree }], files: [] };
  document.getElementById("drop").dispatchEvent(event);
}"""


@pytest.fixture
def site(settings, live_server, s3_server, s3_url, start_proxy):
    """The site and its storage under one address, that of the reverse proxy."""
    proxy = start_proxy(
        site=live_server.url, storage=s3_server.facts["endpoint"], bucket=s3_server.facts["bucket"]
    )
    settings.STORAGE_URL = f"{s3_url}&public={proxy.url}"
    settings.SITE_URL = proxy.url
    settings.CSRF_TRUSTED_ORIGINS = [proxy.url]
    settings.UPLOAD_PART_BYTES = PART
    yield proxy.url
    from amgs.files.storage import get_storage

    for key in list(get_storage().list("")):
        get_storage().delete(key)


@pytest.fixture
def draft(story):
    """An empty draft of Alice's with one mouse at two time points."""
    from amgs.repository import services

    alice = story.person("Alice Arber", lab="Harbour")
    version = services.create_dataset(
        by=alice, lab=alice.labs.first(), title="Grimace after laparotomy", metadata={}
    )
    services.set_design(
        by=alice,
        version=version,
        groups=[],
        animals=[{"name": "m1", "sex": "female"}],
        observations=[
            {"animal": "m1", "name": name, "hours_after_procedure": hours}
            for name, hours in (("baseline", -24.0), ("after", 4.0))
        ],
    )
    return alice, version


@pytest.fixture
def films(tmp_path) -> dict[str, bytes]:
    """Write a folder as a lab keeps it: two days, notes beside the films, a hidden file."""
    chance = random.Random(1)
    files = {
        "day 1/m1-baseline.mp4": chance.randbytes(3 * PART + 17),
        "day 2/m1-after.mp4": chance.randbytes(2 * PART),
        "day 2/notes.txt": b"all well",
        "day 2/.m1.mp4": b"hidden",
    }
    for name, data in files.items():
        path = tmp_path / "study" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return {name: data for name, data in files.items() if len(data) > 1000}


def held(name: str) -> list[int]:
    """Return the parts of a file that the storage holds."""
    from amgs.files.models import Upload
    from amgs.files.queries import held_parts

    upload = Upload.objects.filter(name=name, state="open").first()
    return [part["part"] for part in held_parts(upload)] if upload else []


def choose(page, folder: Path, viewport: dict[str, int], films: dict[str, bytes]) -> None:
    """Choose the folder, or on a telephone, which knows none, the files one by one."""
    if viewport == DESKTOP:
        page.locator("#folder").set_input_files(folder)
    else:
        page.locator("#files").set_input_files([folder / name for name in films])


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_folder_is_sent_over_a_connection_that_is_cut(
    site, draft, films, worker, open_page, tmp_path, viewport, picture
):
    from amgs.files.services import open_blob
    from amgs.repository.models import Recording

    alice, version = draft
    page = open_page(alice, viewport, base_url=site, is_mobile=viewport == PHONE)
    address = f"/datasets/{version.identifier.replace('/', '.')}/files"
    width = viewport["width"]
    put: list[str] = []

    def cut(route):
        """Let the first part of each file through; for all others the connection is gone."""
        part = route.request.url.partition("?")[0]
        if not part.endswith("/00001"):
            route.abort("connectionreset")
            return
        if part not in put:
            put.append(part)
        route.continue_()

    page.route(lambda url: "X-Amz-Signature" in url and "/uploads/" in url, cut)
    stored: list[str] = []
    page.on(
        "response",
        lambda answer: (
            stored.append(answer.url) if answer.request.method == "PUT" and answer.ok else None
        ),
    )
    page.goto(address)
    choose(page, tmp_path / "study", viewport, films)
    names = list(films) if viewport == DESKTOP else [name.partition("/")[2] for name in films]
    assert page.locator("#chosen li").count() == 2
    if viewport == DESKTOP:
        assert "notes.txt" in page.locator("#left-out").inner_text()
    picture(page, f"upload-chosen-{width}")
    page.get_by_role("button", name="Send").click()
    page.locator("#told", has_text="0 of 2 sent, 10 MB of 26 MB").wait_for(timeout=30_000)
    page.locator("#told", has_text="this goes on by itself").wait_for()
    # What was sent has not always been stored yet, and a pause stops what is still on its way.
    for _ in range(300):
        if len(stored) >= 2:
            break
        page.wait_for_timeout(100)
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused:").wait_for()
    picture(page, f"upload-cut-{width}", whole=False)
    assert held(names[0]) == held(names[1]) == [1]

    # The page is closed and opened again; the parts that came are not sent again.
    page.unroute_all()
    page.on(
        "request",
        lambda request: (
            put.append(request.url.partition("?")[0]) if request.method == "PUT" else None
        ),
    )
    page.reload()
    page.get_by_role("heading", name="Begun and not finished").wait_for()
    page.locator("#unfinished li").first.wait_for()
    picture(page, f"upload-unfinished-{width}")
    choose(page, tmp_path / "study", viewport, films)
    page.get_by_role("button", name="Send").click()
    page.locator("#told", has_text="2 of 2 sent").wait_for(timeout=30_000)
    page.locator("#chosen li").first.wait_for(state="detached", timeout=30_000)
    picture(page, f"upload-done-{width}")
    assert sorted(put) == sorted(set(put))  # each of them once
    assert len(put) == 6  # 4 parts and 2
    rows = {row.name: row for row in Recording.objects.select_related("blob", "observation")}
    assert set(rows) == set(names)
    for name, data in zip(names, films.values(), strict=True):
        with open_blob(rows[name].blob) as stream:
            assert stream.read() == data
    assert rows[names[0]].observation.name == "baseline"
    assert page.locator("#unfinished").is_hidden()


def test_an_upload_that_nobody_goes_on_with_is_discarded_on_the_page(
    site, draft, open_page, run_jobs
):
    from amgs.files import services
    from amgs.files.models import Upload

    alice, version = draft
    facts = {"name": "old.mp4", "size": 3 * PART, "purpose": "recording"}
    services.open_upload(user=alice, lab=alice.labs.first(), target=version.public_id, **facts)
    page = open_page(alice, base_url=site)
    page.goto(f"/datasets/{version.identifier.replace('/', '.')}/files")
    page.get_by_role("button", name="Discard old.mp4").click()
    page.locator("#unfinished").wait_for(state="hidden")
    assert Upload.objects.get().state == "discarded"


def test_a_dropped_folder_is_walked(site, draft, open_page):
    alice, version = draft
    page = open_page(alice, base_url=site)
    page.goto(f"/datasets/{version.identifier.replace('/', '.')}/files")
    page.evaluate(DROP)
    page.locator("#chosen li").nth(1).wait_for()
    assert page.locator("#chosen .name").all_inner_texts() == ["a.mp4", "day 2/b.mp4"]
    page.get_by_role("button", name="Leave a.mp4 out").click()
    assert page.locator("#chosen .name").all_inner_texts() == ["day 2/b.mp4"]
