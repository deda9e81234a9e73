"""Proxies: H.264 in MP4, every frame at its own time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from models.media import Unreadable, open_media, probe
from models.media.private_tags import private_tags
from models.media.proxy import make_clip, make_proxy, unplayable

Find = Callable[[str], Path]
Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("name", "encoder", "pix_fmt", "why"),
    [
        ("fine.mp4", "libx264", "yuv420p", None),
        ("open.webm", "libvpx-vp9", "yuv420p", None),
        ("camera.mov", "libx264", "yuv420p", "files of the kind mov"),
        ("box.mkv", "libx264", "yuv420p", "files of the kind matroska"),
        ("recorder.avi", "mjpeg", "yuvj420p", "files of the kind avi"),
        ("deep.mp4", "libx264", "yuv420p10le", "yuv420p10le"),
        ("fine-colours.mp4", "libx264", "yuv444p", "yuv444p"),
        ("hevc.mp4", "libx265", "yuv420p", "hevc in MP4"),
        ("av1.webm", "libsvtav1", "yuv420p", "av1 in WebM"),
    ],
)
def test_what_a_browser_plays_is_told_by_rule(
    tmp_path: Path, film: Write, name: str, encoder: str, pix_fmt: str, why: str | None
) -> None:
    path = film(
        tmp_path / name,
        range(6),
        encoder,
        size=(64, 64),
        pix_fmt=pix_fmt,
        time_base=Fraction(1, 25),
    )
    said = unplayable(path, probe(path))
    if why is None:
        assert said is None
    else:
        assert said is not None
        assert why in said


def test_a_damaged_film_needs_a_proxy_and_pictures_do_not(real: Find) -> None:
    path = real("videos-odd/corrupted.mp4")
    said = unplayable(path, probe(path))
    assert said is not None
    assert "cannot be read" in said
    pictures = real("eye-closeups/velocity_frames")
    assert unplayable(pictures, probe(pictures)) is None


def test_a_proxy_shows_every_frame_at_its_own_uneven_time(
    tmp_path: Path, film: Write, brightness: Callable[[int], int]
) -> None:
    pts = [500, 540, 580, 700, 710, 800, 1340, 1380]
    source = film(tmp_path / "uneven.mkv", pts, size=(66, 50), tags={"location": "+47.37/"})
    heard: list[int] = []
    target = tmp_path / "proxy.mp4"
    proxy = make_proxy(source, target, progress=heard.append)
    facts = probe(target)
    assert unplayable(target, facts) is None
    assert private_tags(target) == ()
    assert heard == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (proxy.width, proxy.height, proxy.frame_count) == (66, 50, 8)
    assert proxy.time_base == facts.time_base == (1, 1000)
    assert proxy.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    assert proxy.size == target.stat().st_size
    with open_media(target) as media:
        frames = list(media)
    assert [frame.pts for frame in frames] == [at - 500 for at in pts]
    for number, frame in enumerate(frames):
        assert abs(int(np.median(frame.luma)) - (16 + brightness(number) * 219 / 255)) < 6
    # The index lies in front, so that playing begins before all is there.
    held = target.read_bytes()
    assert held.index(b"moov") < held.index(b"mdat")


@pytest.mark.parametrize("name", ["video_90.mov", "h265_10bits.mp4", "av1_video.mkv"])
def test_real_odd_films_get_a_proxy_of_the_same_frames(
    tmp_path: Path, real: Find, name: str
) -> None:
    source = real(f"videos-odd/{name}")
    proxy = make_proxy(source, tmp_path / "proxy.mp4", longest=160)
    assert max(proxy.width, proxy.height) <= 160
    with open_media(source) as old, open_media(tmp_path / "proxy.mp4") as new:
        before, after = list(old), list(new)
    assert proxy.frame_count == len(before) == len(after)
    start = before[0].time_s
    assert [f.time_s for f in after] == pytest.approx([f.time_s - start for f in before])
    # Upright without a flag: the same shape to the pixel that evenness costs.
    assert probe(tmp_path / "proxy.mp4").rotation == 0
    rows, columns = before[0].luma.shape
    assert proxy.width / proxy.height == pytest.approx(columns / rows, rel=0.04)


def test_sides_are_even_and_a_clock_of_odd_ticks_is_kept(tmp_path: Path, film: Write) -> None:
    source = film(
        tmp_path / "odd.avi",
        range(5),
        "rawvideo",
        size=(37, 21),
        pix_fmt="bgr24",
        time_base=Fraction(1001, 30000),
    )
    proxy = make_proxy(source, tmp_path / "proxy.mp4")
    assert (proxy.width, proxy.height) == (36, 20)
    with open_media(source) as old, open_media(tmp_path / "proxy.mp4") as new:
        assert [f.time_s for f in new] == pytest.approx([f.time_s for f in old], abs=1e-9)


def test_nothing_is_left_of_a_film_that_cannot_be_read(tmp_path: Path, film: Write) -> None:
    source = film(tmp_path / "film.mkv", [0, 40, 80])
    whole = source.read_bytes()
    with av.open(str(source)) as container:
        first = next(container.demux(video=0)).pos or 0
    source.write_bytes(whole[:first] + bytes(len(whole) - first))
    with pytest.raises(Unreadable):
        make_proxy(source, tmp_path / "proxy.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


@pytest.mark.parametrize(("middle_s", "first", "last"), [(4.0, 60, 99), (0.5, 0, 39)])
def test_a_clip_is_the_seconds_round_a_moment(
    tmp_path: Path,
    film: Write,
    middle_s: float,
    first: int,
    last: int,
) -> None:
    source = film(
        tmp_path / "film.mp4", range(120), "libx264", size=(128, 96), time_base=Fraction(1, 20)
    )
    made = make_clip(source, tmp_path / "clip.mp4", middle_s, seconds=2.0, longest=64)
    with open_media(tmp_path / "clip.mp4") as media:
        frames = [(frame.time_s, float(frame.luma.mean()), frame.luma.shape) for frame in media]
    assert len(frames) == made.frame_count == last - first + 1
    assert frames[0][0] == 0
    assert {shape for *_, shape in frames} == {(48, 64)}
    with open_media(source) as media:
        whole = [float(frame.luma.mean()) for frame in media]
    assert [mean for _, mean, _ in frames] == pytest.approx(whole[first : last + 1], abs=4)


def test_a_clip_beyond_the_end_is_refused(tmp_path: Path, film: Write) -> None:
    source = film(
        tmp_path / "film.mp4", range(20), "libx264", size=(64, 64), time_base=Fraction(1, 20)
    )
    with pytest.raises(Unreadable, match="no picture at that time"):
        make_clip(source, tmp_path / "clip.mp4", 60.0, seconds=2.0)
    assert not (tmp_path / "clip.mp4").exists()
