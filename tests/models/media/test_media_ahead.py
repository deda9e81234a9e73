"""Frames decoded ahead: the same frames, a bounded number of them, and no thread left behind."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.media import Frame, Unreadable, decoded_ahead, open_media
from models.media.ahead import DEPTH, FEWEST, NICER
from models.media.video import Video

Write = Callable[..., Path]
NAME = "frames-decoded-ahead"


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == NAME]


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory, film: Write) -> Path:
    return film(tmp_path_factory.mktemp("ahead") / "long.mp4", range(0, 12_000, 40))


class Source:
    """Frames that count how far they were asked for and note their end."""

    def __init__(self, error: Exception | None = None) -> None:
        self.made = 0
        self.closed = threading.Event()
        self.error = error

    def __iter__(self) -> Iterator[Any]:
        try:
            for number in range(100):
                if number == 10 and self.error is not None:
                    raise self.error
                self.made += 1
                yield number
        finally:
            self.closed.set()


@pytest.mark.parametrize("depth", [1, 2, 8, 1000])
def test_the_frames_are_those_of_plain_reading(long: Path, depth: int) -> None:
    with open_media(long) as media:
        plain = [(frame.index, frame.pts, frame.luma.tobytes()) for frame in media]
        ahead = [
            (frame.index, frame.pts, frame.luma.tobytes()) for frame in decoded_ahead(media, depth)
        ]
        part = [frame.pts for frame in decoded_ahead(media.between(5.0, 6.0), depth)]
        assert part == [frame.pts for frame in media.between(5.0, 6.0)]
    assert ahead == plain


def test_no_more_than_the_depth_is_decoded_ahead() -> None:
    source = Source()
    frames = decoded_ahead(source, 3)  # type: ignore[arg-type]
    assert source.made == 0
    for taken, _ in enumerate(frames, start=1):
        assert source.made <= taken + 3
    assert source.made == 100


def test_the_number_of_held_frames_is_bounded(long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: weakref.WeakSet[Frame] = weakref.WeakSet()
    made = Video._frame

    def counted(self: Video, *given: Any) -> Frame:
        frame = made(self, *given)
        alive.add(frame)
        return frame

    monkeypatch.setattr(Video, "_frame", counted)
    most = 0
    with open_media(long) as media:
        for frame in decoded_ahead(media, 4):
            assert frame.luma.size
            most = max(most, len(alive))
    # Four wait, one is in the caller's hand, one was just decoded.
    assert most <= 6


@pytest.mark.parametrize(("height", "most"), [(24, DEPTH), (1080, 13), (4320, FEWEST)])
def test_fewer_large_pictures_wait(height: int, most: int) -> None:
    class Film:
        made = 0

        def __iter__(self) -> Iterator[Frame]:
            luma = np.zeros((height, height * 16 // 9), np.uint8)
            for index in range(40):
                self.made += 1
                yield Frame(index, index, (1, 30), 0, lambda: luma, lambda: luma)

    film = Film()
    frames = decoded_ahead(film)
    for taken, _ in enumerate(frames, start=1):
        assert film.made <= taken + most
        if taken == 2:
            patience = time.monotonic() + 20
            while film.made < taken + most and time.monotonic() < patience:
                time.sleep(0.01)
            assert film.made == taken + most
    assert film.made == 40


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_reading_gives_way_to_its_caller() -> None:
    def niceness() -> Iterator[Any]:
        yield os.getpriority(os.PRIO_PROCESS, 0)

    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert list(decoded_ahead(niceness(), 1)) == [min(before + NICER, 19)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_what_reading_raises_comes_behind_the_frames_before_it() -> None:
    source = Source(Unreadable("The film is no film."))
    seen: list[Any] = []
    with pytest.raises(Unreadable, match="no film"):
        seen.extend(decoded_ahead(source, 4))  # type: ignore[arg-type]
    assert seen == list(range(10))
    assert source.closed.is_set()


def test_a_recording_without_pictures_is_refused_here_too(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG broken")
    with open_media(tmp_path / "a.png") as media, pytest.raises(Unreadable, match="not recognised"):
        list(decoded_ahead(media))


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_closing_early_ends_the_thread_and_the_reading(taken: int) -> None:
    source = Source()
    frames = decoded_ahead(source, 2)  # type: ignore[arg-type]
    for _ in range(taken):
        next(frames)
    frames.close()
    assert source.closed.is_set() or taken == 0
    assert next(frames, None) is None


def test_leaving_a_loop_early_ends_the_thread_and_the_reading(long: Path) -> None:
    with open_media(long) as media:
        for frame in decoded_ahead(media, 3):
            if frame.index == 2:
                break
        del frame
        gc.collect()
        assert isinstance(media, Video)
        assert not media._readings


def test_an_error_of_the_caller_ends_the_thread() -> None:
    source = Source()

    def work() -> None:
        for frame in decoded_ahead(source, 2):  # type: ignore[arg-type]
            raise KeyError(frame)

    with pytest.raises(KeyError):
        work()
    assert source.closed.is_set()


def test_closing_the_recording_meanwhile_is_an_error_and_no_crash(long: Path) -> None:
    media = open_media(long)
    frames = decoded_ahead(media, 2)
    next(frames)
    media.close()
    with pytest.raises(ValueError, match="closed"):
        list(frames)


def test_several_films_are_read_at_once(long: Path) -> None:
    with open_media(long) as one, open_media(long) as other:
        pairs = list(zip(decoded_ahead(one), decoded_ahead(other), strict=True))
    assert len(pairs) == 300
    assert all(left.pts == right.pts for left, right in pairs)


def test_a_depth_of_nothing_is_refused(uneven: Path) -> None:
    with open_media(uneven) as media, pytest.raises(ValueError, match="at least 1 frame"):
        decoded_ahead(media, 0)
