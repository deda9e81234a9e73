from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.media import Unreadable, frame_times, open_media, probe, read_frames
from models.media.video import rising

Find = Callable[[str], Path]
Write = Callable[..., Path]

# file: codec, displayed width, height, rotation, frames
ODD_VIDEOS = {
    "av1_video.mkv": ("av1", 640, 360, 0, 125),
    "h264_10bits.mp4": ("h264", 200, 200, 0, 30),
    "h265_10bits.mp4": ("hevc", 200, 200, 0, 30),
    "h265_video.mp4": ("hevc", 128, 128, 0, 10),
    "unordered.mov": ("h264", 50, 50, 0, 4),
    "video_0.mov": ("h264", 568, 320, 0, 3),
    "video_90.mov": ("h264", 320, 568, 90, 3),
    "video_180.mov": ("h264", 568, 320, 180, 3),
    "video_270.mov": ("h264", 320, 568, 270, 3),
}


def test_every_odd_file_has_its_expectation(real: Find) -> None:
    files = {file.name for file in real("videos-odd").iterdir() if "LICENSE" not in file.name}
    assert files == ODD_VIDEOS.keys() | {"corrupted.mp4"}


@pytest.mark.parametrize("name", ODD_VIDEOS)
def test_every_odd_video_is_read_upright_and_whole(name: str, real: Find) -> None:
    codec, width, height, rotation, count = ODD_VIDEOS[name]
    facts = probe(real(f"videos-odd/{name}"))
    assert (facts.codec, facts.width, facts.height) == (codec, width, height)
    assert (facts.rotation, facts.frame_count) == (rotation, count)
    assert facts.problems == ()
    assert facts.kind == "video"
    assert not facts.variable_rate
    assert "FFmpeg" in facts.decoder


@pytest.mark.parametrize("name", ODD_VIDEOS)
def test_frames_of_odd_videos_rise_in_time_and_agree_in_shape(name: str, real: Find) -> None:
    with open_media(real(f"videos-odd/{name}")) as media:
        times = []
        for frame in media:
            assert frame.image.dtype == frame.luma.dtype == np.uint8
            assert frame.image.shape == (*frame.luma.shape, 3)
            assert frame.luma.shape == (media.height, media.width)
            times.append(frame.time_s)
            assert frame.index == len(times) - 1
    assert times == sorted(set(times))


def test_luma_agrees_with_the_picture_in_8_and_10_bits(real: Find) -> None:
    for name in ("h264_10bits.mp4", "video_90.mov", "av1_video.mkv"):
        with open_media(real(f"videos-odd/{name}")) as media:
            frame = next(iter(media))
            grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY).astype(float)
            assert np.corrcoef(grey.ravel(), frame.luma.astype(float).ravel())[0, 1] > 0.97


def test_a_corrupted_video_yields_what_is_readable_and_says_what_is_not(real: Find) -> None:
    facts = probe(real("videos-odd/corrupted.mp4"))
    assert 40 <= facts.frame_count < 50
    assert len(facts.problems) == 1
    assert "damaged" in facts.problems[0]
    assert "near 3." in facts.problems[0]
    pts = frame_times(real("videos-odd/corrupted.mp4"))
    assert pts[-1] == 49 * 1024


def test_reading_a_corrupted_video_twice_gives_the_same_pixels(real: Find) -> None:
    def digest() -> str:
        sums = hashlib.sha256()
        with open_media(real("videos-odd/corrupted.mp4")) as media:
            for frame in media:
                sums.update(frame.luma.tobytes())
        return sums.hexdigest()

    assert digest() == digest()


def test_timestamps_of_a_variable_rate_are_exact(uneven: Path) -> None:
    assert frame_times(uneven) == [0, 40, 80, 200, 210, 300, *range(340, 621, 40)]
    facts = probe(uneven)
    assert facts.variable_rate
    assert facts.time_base == (1, 1000)
    assert facts.grayscale
    assert facts.first_pts == 0


def test_frames_come_in_presentation_order_despite_b_frames(uneven: Path) -> None:
    with open_media(uneven) as media:
        levels = [int(frame.image.mean()) for frame in media]
    assert levels == sorted(levels)
    assert len(set(levels)) == len(levels)


def test_a_recording_can_be_iterated_again(uneven: Path) -> None:
    with open_media(uneven) as media:
        assert [frame.pts for frame in media] == [frame.pts for frame in media]


def test_single_frames_are_read_by_timestamp(
    uneven: Path, brightness: Callable[[int], int]
) -> None:
    frames = read_frames(uneven, [210, 80, 99])
    assert sorted(frames) == [80, 210]
    assert frames[210].index == 4
    assert abs(int(frames[210].image[:4].mean()) - brightness(4)) <= 3
    assert read_frames(uneven, []) == {}


@given(
    st.lists(st.one_of(st.none(), st.integers(-5, 200)), min_size=1, max_size=40),
    st.integers(1, 20),
)
def test_timestamps_always_rise_and_sound_ones_are_kept(found: list[int | None], gap: int) -> None:
    previous: int | None = None
    for pts in found:
        at, repair = rising(pts, previous, gap)
        assert previous is None or at > previous
        if pts is not None and (previous is None or pts > previous):
            assert (at, repair) == (pts, None)
        elif pts is None:
            assert (at, repair) == (0 if previous is None else previous + gap, "missing")
        else:
            assert (at, repair) == ((previous or 0) + 1, "repeated")
        previous = at


def test_repeated_timestamps_are_set_one_tick_later_and_reported(
    tmp_path: Path, film: Write, repacked: Write
) -> None:
    source = film(tmp_path / "even.mkv", range(0, 320, 40), "mjpeg", pix_fmt="yuvj420p")
    path = repacked(tmp_path / "odd.mkv", source, [0, 40, 40, 40, 120, 160, 160, 300])
    with open_media(path) as media:
        assert [frame.pts for frame in media] == [0, 40, 41, 42, 120, 160, 161, 300]
        assert media.problems == (
            "3 frames repeated an earlier timestamp; each was set one tick after the frame before "
            "it.",
        )
    assert sorted(read_frames(path, [41, 161, 162])) == [41, 161]


def test_missing_timestamps_are_set_from_the_frame_rate_and_reported(
    tmp_path: Path, film: Write
) -> None:
    path = film(tmp_path / "bare.h264", range(0, 480, 40))
    with open_media(path) as media:
        times = [frame.time_s for frame in media]
        assert times == pytest.approx([0.04 * n for n in range(12)])
        assert media.problems == ("12 frames had no timestamp; it was set from the frame rate.",)


def test_tags_that_tell_place_and_time_are_noticed(tmp_path: Path, film: Write) -> None:
    tags = {"location": "+47.37+008.54/", "creation_time": "2024-05-01T10:00:00Z"}
    path = film(tmp_path / "phone.mp4", [0, 40, 80], tags=tags)
    facts = probe(path)
    assert facts.has_location_tag
    assert facts.creation_time is not None
    assert facts.creation_time.startswith("2024-05-01")
    assert not facts.has_audio


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(Unreadable, match=r"a\.mp4 is empty"):
        probe(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", ["notes.mp4", "notes.txt", "notes.png", "notes.csv"])
def test_a_text_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("time,weight\n1,22.5\n" * 40, encoding="utf-8")
    with pytest.raises(Unreadable, match="notes") as refusal:
        probe(tmp_path / name)
    assert refusal.value.sentence.endswith((".", "file."))


def test_a_missing_codec_is_refused(tmp_path: Path, film: Write) -> None:
    path = film(tmp_path / "odd.mp4", [0, 40, 80])
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))
    with pytest.raises(Unreadable, match="codec"):
        probe(path)


def test_a_recording_with_sound_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "squeak.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(Unreadable, match="no video track"):
        probe(path)


def test_a_truncated_video_says_so_or_is_refused(tmp_path: Path, film: Write) -> None:
    path = film(tmp_path / "whole.mkv", range(0, 4000, 40))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    facts = probe(cut)
    assert 0 < facts.frame_count < 100
    assert any("ends early" in problem for problem in facts.problems)
    headless = film(tmp_path / "whole.mp4", [0, 40, 80])
    headless.write_bytes(headless.read_bytes()[:600])
    with pytest.raises(Unreadable):
        probe(headless)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no file"):
        probe(tmp_path / "gone.mp4")
