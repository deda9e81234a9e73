"""A part of a film is what reading the whole gives there, however it was reached."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.media import Unreadable, open_media, read_frames
from models.media.reading import Reading

Write = Callable[..., Path]
Known = list[tuple[int, float, bytes]]
LONG = 300  # frames at 25 a second: 12 s, so that most of it is reached by jumping

FILMS: dict[str, tuple[str, dict[str, Any]]] = {
    "b-frames.mp4": ("libx264", {}),
    "b-frames.mkv": ("libx264", {"options": {"bf": "4", "b-pyramid": "normal"}}),
    "open-groups.mp4": ("libx264", {"options": {"x264-params": "open-gop=1:bframes=3:keyint=20"}}),
    "refreshed.mp4": ("libx264", {"options": {"x264-params": "intra-refresh=1:keyint=40"}}),
    "one-key-frame.mp4": ("libx264", {"options": {"g": "1000", "sc_threshold": "0"}}),
    "stream.ts": ("libx264", {}),
    "pieces.mp4": ("libx264", {"muxer": {"movflags": "frag_keyframe+empty_moov"}}),
    "hevc.mp4": ("libx265", {"options": {"x265-params": "bframes=3:keyint=30:open-gop=1"}}),
    "live.webm": ("libvpx-vp9", {"muxer": {"live": "1"}, "options": {"g": "30"}}),
    "hidden.webm": (
        "libvpx",
        {"options": {"g": "60", "auto-alt-ref": "1", "lag-in-frames": "8"}},
    ),
    "av1.mp4": ("libsvtav1", {"size": (64, 64), "options": {"g": "40"}}),
    "motion.avi": ("mjpeg", {"pix_fmt": "yuvj420p"}),
    "part2-b.avi": ("mpeg4", {"options": {"bf": "2"}}),
    "recorder.avi": ("libx264", {}),
    "bare.h264": ("libx264", {}),
    "disc.ts": ("mpeg2video", {"options": {"bf": "2", "g": "15"}}),
    "hevc.ts": ("libx265", {"options": {"x265-params": "bframes=3:keyint=30"}}),
    "disc.mpg": ("mpeg2video", {"options": {"bf": "2", "g": "15"}}),
}


def known(frames: Any) -> Known:
    return [(frame.pts, frame.time_s, frame.luma.tobytes()) for frame in frames]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, film: Write) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("ranges")

    def written(name: str) -> Path:
        path = folder / name
        if not path.exists():
            codec, more = FILMS[name]
            film(path, range(LONG), codec, time_base=Fraction(1, 25), **more)
        return path

    return written


@pytest.fixture(scope="module")
def b_frames(films: Callable[[str], Path]) -> tuple[Path, Known]:
    path = films("b-frames.mp4")
    with open_media(path) as media:
        return path, known(media)


@pytest.mark.parametrize("name", FILMS)
def test_the_parts_of_a_film_are_the_film(films: Callable[[str], Path], name: str) -> None:
    with open_media(films(name)) as media:
        whole = known(media)
        assert len(whole) == LONG
        start = whole[0][1]
        for cuts in ((3.0,), (0.5, 2.5, 7.0, 11.9), (6.02,)):
            edges = [-math.inf, *(start + cut for cut in cuts), math.inf]
            parts = [known(media.between(*edge)) for edge in itertools.pairwise(edges)]
            assert [frame for part in parts for frame in part] == whole, cuts
        times = [whole[at][0] for at in (2, 150, 151, 290)]
        found = list(media.scattered([*times, whole[-1][0] + 1]))
        assert known(found) == [whole[at] for at in (2, 150, 151, 290)]


@settings(max_examples=40)
@given(data=st.data())
def test_any_range_of_a_film_with_b_frames_is_that_part_of_it(
    b_frames: tuple[Path, Known], data: st.DataObject
) -> None:
    path, whole = b_frames
    start = data.draw(st.one_of(st.floats(-1.0, 13.0), st.sampled_from([one[1] for one in whole])))
    length = data.draw(st.floats(0.0, 3.0))
    with open_media(path, threads=data.draw(st.integers(2, 4))) as media:
        found = list(media.between(start, start + length))
    assert known(found) == [one for one in whole if start <= one[1] < start + length]
    for frame in found:
        assert frame.index in (-1, [one[0] for one in whole].index(frame.pts))


@settings(max_examples=25)
@given(wanted=st.sets(st.integers(-3, LONG + 3), max_size=8))
def test_scattered_frames_are_those_of_the_film(
    b_frames: tuple[Path, Known], wanted: set[int]
) -> None:
    path, whole = b_frames
    tick = whole[1][0] - whole[0][0]
    frames = read_frames(path, [number * tick for number in wanted])
    assert {pts: frame.luma.tobytes() for pts, frame in frames.items()} == {
        whole[number][0]: whole[number][2] for number in wanted if 0 <= number < LONG
    }


def test_the_place_of_a_frame_is_told_only_where_it_was_counted(
    b_frames: tuple[Path, Known],
) -> None:
    with open_media(b_frames[0]) as media:
        assert [frame.index for frame in media.between(0.0, 0.1)] == [0, 1, 2]
        assert {frame.index for frame in media.between(9.0, 9.5)} == {-1}
        assert not list(media.between(math.inf, math.inf))
        assert not list(media.between(20.0, math.inf))


def test_reading_far_into_a_film_decodes_no_more_than_from_the_key_frame_before(
    b_frames: tuple[Path, Known], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = b_frames
    decoded = []
    pictures = Reading.pictures

    def counted(self: Reading) -> Any:
        for picture in pictures(self):
            decoded.append(picture.pts)
            yield picture

    monkeypatch.setattr(Reading, "pictures", counted)
    with open_media(path) as media:
        assert len(list(media.between(8.0, 8.2))) == 5
    assert len(decoded) < 12 + 5 + 2
    decoded.clear()
    assert len(read_frames(path, [whole[1][0], whole[-2][0]])) == 2
    assert len(decoded) < 30


def test_a_film_with_one_key_frame_is_not_read_again_for_every_wanted_frame(
    tmp_path: Path, film: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(
        tmp_path / "a.mkv", range(0, 60_000, 100), options={"g": "9999", "sc_threshold": "0"}
    )
    opened = []
    begin = Reading.__init__

    def counted(self: Reading, *given: Any) -> None:
        opened.append(given)
        begin(self, *given)

    monkeypatch.setattr(Reading, "__init__", counted)
    frames = read_frames(path, [11_000, 23_000, 35_000, 47_000, 59_000])
    assert sorted(frames) == [11_000, 23_000, 35_000, 47_000, 59_000]
    assert len(opened) <= 4


def test_a_damaged_film_gives_the_same_frames_in_parts(real: Callable[[str], Path]) -> None:
    with open_media(real("videos-odd/corrupted.mp4")) as media:
        whole = known(media)
        problems = media.problems
        parts = known(media.between(0.0, 2.5)) + known(media.between(2.5, 10.0))
        assert parts == whole
        assert media.problems == problems
        late = [pts for pts, *_ in whole][-2:]
        assert [frame.pts for frame in media.scattered(late)] == late


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_frames_before_a_damaged_end_are_kept_whatever_the_number_of_threads(
    tmp_path: Path, film: Write, threads: int
) -> None:
    path = film(tmp_path / "a.mp4", range(0, 2400, 40), options={"crf": "1"})
    data = bytearray(path.read_bytes())
    with open_media(path) as media:
        whole = [frame.pts for frame in media]
    # The header comes first in what a camera writes last: find the packets and spoil one.
    import av

    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        spoiled = packets[-5]
        data[spoiled.pos : spoiled.pos + spoiled.size] = bytes(spoiled.size)
    path.write_bytes(data)
    with open_media(path, threads) as media:
        found = [frame.pts for frame in media]
        assert set(whole) - set(found) <= {spoiled.pts}
        assert found == sorted(found)
        assert len(media.problems) == 1
        assert "1 frame could" in media.problems[0]
        near = float(spoiled.pts * Fraction(*media.time_base))
        assert f"near {near:.2f} s" in media.problems[0]


def test_a_range_of_what_is_no_film_is_refused(tmp_path: Path, film: Write) -> None:
    path = film(tmp_path / "a.mp4", range(0, 4000, 40))
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    path.write_bytes(data[:start] + bytes(end - start) + data[end:])
    with open_media(path) as media, pytest.raises(Unreadable, match="could be decoded"):
        list(media.between(3.0, 3.5))


def test_no_thread_at_all_cannot_decode(uneven: Path) -> None:
    with pytest.raises(ValueError, match="1 thread or more, not 0"):
        open_media(uneven, threads=0)


def test_a_part_of_a_folder_is_read_without_the_other_pictures(tmp_path: Path) -> None:
    for number in range(6):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"\x89PNG broken")
    with open_media(tmp_path) as media:

        def seen(frames: Any) -> list[tuple[int, int, int]]:
            return [(frame.index, frame.pts, int(frame.luma[0, 0])) for frame in frames]

        assert seen(media.between(3.0, 5.0)) == [(-1, 3, 3), (-1, 4, 4)]
        assert media.problems == ()
        assert seen(media.between(-math.inf, 3.0)) == [(0, 0, 0), (1, 2, 2)]
        assert len(media.problems) == 1
        assert seen(media.scattered([5, 9, 2])) == [(-1, 2, 2), (-1, 5, 5)]


@pytest.mark.parametrize("first", [0, 2000])
def test_a_film_states_when_it_begins(tmp_path: Path, film: Write, first: int) -> None:
    stamps = [first + 40 * number for number in range(20)]
    path = film(tmp_path / "film.mkv", stamps, options={"bf": "0"})
    with open_media(path) as media:
        assert media.starts_s == pytest.approx(first / 1000, abs=0.001)
        assert next(iter(media)).time_s == pytest.approx(media.starts_s)
