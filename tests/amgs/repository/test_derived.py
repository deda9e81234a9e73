"""What is made of a recording that came in, and what of it others get."""

from __future__ import annotations

import io
import json

import av
import numpy as np
import pytest
from PIL import Image

from amgs.core import jobs
from amgs.core.models import Job
from amgs.files.storage import get_storage
from amgs.repository import queries, services
from amgs.repository.models import Recording
from models.media.likeness import Likeness, match
from models.records import from_json


def phone_film(path, suffix: str = "mov") -> bytes:
    """A film with a place and sound, as a phone writes it."""
    path = path / f"phone.{suffix}"
    with av.open(str(path), "w") as container:
        container.metadata["location"] = "+47.37+008.54/"
        pictures = container.add_stream("mpeg4", rate=25)
        pictures.codec_context.thread_count = 1
        pictures.width, pictures.height, pictures.pix_fmt = 96, 80, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(np.full((80, 96, 3), 7 * number, np.uint8))
            container.mux(pictures.encode(frame))
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
        heard.sample_rate = 8000
        container.mux(sound.encode(heard))
        container.mux(pictures.encode())
        container.mux(sound.encode())
    return path.read_bytes()


@pytest.fixture
def add(draft, send, run_jobs, alice):
    """Add a file to a draft of Alice's and let it be read; return the version and its row."""

    def added(name: str, data: bytes):
        version = draft(animals=1, grades=False)
        services.add_recording(
            by=alice,
            version=version,
            upload=send(alice, name, data, "recording"),
            name=name,
            animal="m1",
            observation="after",
        )
        run_jobs()
        return version, Recording.objects.get(name=name)

    return added


def stored(key: str) -> bytes:
    with get_storage().open(key) as stream:
        return stream.read()


def opened(data: bytes):
    return av.open(io.BytesIO(data))


def test_facts_name_the_finder_and_a_sheet_shows_the_whole_film(add, tmp_path):
    _, row = add("phone.mov", phone_film(tmp_path))
    assert row.status == "ready"
    assert row.media["finder"].endswith(", shipped")
    assert (row.media["faces_share"], row.media["view"]) == (0.0, "none")
    assert row.media["faces_looked"] == 30
    with Image.open(io.BytesIO(stored(row.contact_sheet_key))) as sheet:
        assert sheet.format == "JPEG"
        assert sheet.width == 4 * 240
    likeness = from_json(Likeness, json.loads(stored(row.likeness_key)))
    assert len(likeness.pictures) == 3
    assert match(likeness, likeness).distance == 0


def test_others_get_a_copy_without_place_and_sound_and_the_lab_keeps_the_original(
    add, tmp_path, alice
):
    version, row = add("phone.mov", phone_film(tmp_path))
    assert row.media["has_location_tag"]
    copy = stored(row.public["key"])
    assert b"+47.37" not in copy
    with opened(copy) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    left_out = {(kind, name) for kind, name, _ in row.public["left_out"]}
    assert {("location", "location"), ("sound", "sound track")} <= left_out
    assert row.public["original"] == row.blob.sha256 != row.public["sha256"]
    own = queries.recording_file(alice, version, row.public_id)
    assert (own["sha256"], own["derived_from"]) == (row.blob.sha256, None)


def test_a_film_that_browsers_do_not_play_gets_a_proxy_which_the_lab_sees(
    add, tmp_path, alice, bob
):
    version, row = add("phone.mov", phone_film(tmp_path))
    with opened(stored(row.proxy_key)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in container.decode(video=0)) == 30
    shown = queries.recording_row(alice, version, queries.recording_rows(version).get(pk=row.pk))
    assert shown["proxy"]
    assert shown["contact_sheet"]
    hidden = queries.recording_row(bob, version, queries.recording_rows(version).get(pk=row.pk))
    assert (hidden["proxy"], hidden["contact_sheet"]) == (None, None)
    assert hidden["media"] == {**shown["media"], "creation_time": None}
    assert (hidden["sha256"], hidden["derived_from"]) == (row.public["sha256"], row.blob.sha256)


def test_a_picture_is_copied_without_its_tags_and_needs_no_proxy(add):
    exif = Image.Exif()
    exif[0x010F] = "Phone Works"
    made = io.BytesIO()
    Image.fromarray(np.full((80, 96, 3), 120, np.uint8)).save(made, "JPEG", exif=exif)
    _, row = add("mouse.jpg", made.getvalue())
    assert row.proxy_key == ""
    assert b"Phone Works" not in stored(row.public["key"])
    assert row.public["left_out"] == [["device", "Make", "EXIF"]]


def test_a_copy_that_fails_for_good_says_so_and_the_recording_stays(add, tmp_path):
    _, row = add("phone.avi", phone_film(tmp_path, "avi"))
    job = Job.objects.get(kind="repository.derive_recording", subject=row.public_id)
    jobs.kinds()[job.kind].on_failure(job, "the disk is full")
    row.refresh_from_db()
    assert row.status == "ready"
    assert row.public["refusal"] == (
        "No copy of 'phone.avi' for others could be made (the disk is full)."
    )
    assert row.proxy_key
