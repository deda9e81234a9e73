"""Frames decoded ahead: reading goes on in a thread of its own while the caller works.

FFmpeg decodes without Python's lock, so that a caller in ONNX Runtime, OpenCV or numpy and the
decoder share the cores. At most `depth` frames wait; a slow caller stops the decoder. Reading gives
way to the caller: whoever waits for nothing but the processor is the one who is behind.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from models.media.frames import Frame

DEPTH = 24
"""Most frames that wait: a caller takes a dozen at once and then is busy with them."""
ROOM = 40 * 2**20
"""Most bytes of pictures that wait, though FEWEST of them may."""
FEWEST = 8
NICER = 5
"""By how much reading is nicer than its caller, where threads have a priority of their own."""


def decoded_ahead(
    frames: Iterable[Frame], depth: int | None = None
) -> Generator[Frame, None, None]:
    """The frames of a recording, or of a part of one, with up to `depth` of them decoded ahead.

    Without a `depth` it is DEPTH, fewer of large pictures (ROOM).
    What reading raises is raised here, behind the frames before it. Ending, closing or dropping
    the iterator ends the thread and closes the reading. Raises ValueError for a depth below 1.
    """
    if depth is not None and depth < 1:
        raise ValueError(f"at least 1 frame is decoded ahead, not {depth}")
    return _taken(frames, depth)


def _taken(frames: Iterable[Frame], depth: int | None) -> Generator[Frame, None, None]:
    line = _Line(depth)
    # A daemon: a caller who never finishes must not keep the interpreter from ending.
    thread = threading.Thread(
        target=_fill, args=(frames, line), name="frames-decoded-ahead", daemon=True
    )
    thread.start()
    try:
        while (frame := line.take()) is not None:
            yield frame
    finally:
        line.leave()
        thread.join()


class _Line:
    """Frames waiting for the caller, bounded, with the error that ended them.

    Two queues of C: frames one way, leave to decode another one the other way. A condition of
    Python's would cost as much per frame as looking at it.
    """

    def __init__(self, depth: int | None) -> None:
        self._frames: SimpleQueue[Frame | _End] = SimpleQueue()
        self._room: SimpleQueue[bool] = SimpleQueue()
        self._left = False
        self._sized = depth is not None
        self._widen(FEWEST if depth is None else depth)

    def _widen(self, more: int) -> None:
        for _ in range(more):
            self._room.put(True)

    def has_room(self) -> bool:
        """Wait until another frame may be decoded; no, once the caller has left."""
        return self._room.get() and not self._left

    def put(self, frame: Frame) -> None:
        if not self._sized:
            self._sized = True
            self._widen(min(ROOM // _bytes(frame), DEPTH) - FEWEST)
        if not self._left:
            self._frames.put(frame)

    def end(self, error: BaseException | None) -> None:
        self._frames.put(_End(error))

    def take(self) -> Frame | None:
        """The next frame, None behind the last; raises what ended the reading."""
        given = self._frames.get()
        if not isinstance(given, _End):
            self._room.put(True)
            return given
        if given.error is not None:
            raise given.error
        return None

    def leave(self) -> None:
        self._left = True
        self._room.put(False)
        with contextlib.suppress(Empty):
            while True:
                self._frames.get_nowait()


@dataclass(frozen=True)
class _End:
    error: BaseException | None


def _bytes(frame: Frame) -> int:
    """About how much a decoded picture takes: its brightness and half as much of colour."""
    return max(1, frame.luma.size * 3 // 2)


def _give_way() -> None:
    """Make this thread, and those that decoders start from it, nicer than the caller's."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, 0) + NICER)


def _fill(frames: Iterable[Frame], line: _Line) -> None:
    error: BaseException | None = None
    _give_way()
    try:
        source = iter(frames)
        try:
            # Asked before decoding, so that no more frames are held than promised.
            while line.has_room():
                frame = next(source, None)
                if frame is None:
                    break
                line.put(frame)
                del frame
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()
    except BaseException as caught:
        error = caught
    line.end(error)
