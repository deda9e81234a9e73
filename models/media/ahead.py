"""Frames decoded ahead: reading goes on in a thread of its own while the caller works.

FFmpeg decodes without Python's lock, so that a caller in ONNX Runtime, OpenCV or numpy and the
decoder share the cores. At most `depth` frames wait; a slow caller stops the decoder.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from models.media.frames import Frame

DEPTH = 8


def decoded_ahead(frames: Iterable[Frame], depth: int = DEPTH) -> Generator[Frame, None, None]:
    """The frames of a recording, or of a part of one, with up to `depth` of them decoded ahead.

    What reading raises is raised here, behind the frames before it. Ending, closing or dropping
    the iterator ends the thread and closes the reading. Raises ValueError for a depth below 1.
    """
    if depth < 1:
        raise ValueError(f"at least 1 frame is decoded ahead, not {depth}")
    return _taken(frames, depth)


def _taken(frames: Iterable[Frame], depth: int) -> Generator[Frame, None, None]:
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

    def __init__(self, depth: int) -> None:
        self._frames: SimpleQueue[Frame | _End] = SimpleQueue()
        self._room: SimpleQueue[bool] = SimpleQueue()
        for _ in range(depth):
            self._room.put(True)
        self._left = False

    def has_room(self) -> bool:
        """Wait until another frame may be decoded; no, once the caller has left."""
        return self._room.get() and not self._left

    def put(self, frame: Frame) -> None:
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


def _fill(frames: Iterable[Frame], line: _Line) -> None:
    error: BaseException | None = None
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
