"""Frames decoded ahead: reading goes on in a thread of its own while the caller works.

FFmpeg decodes without Python's lock, so that a caller in ONNX Runtime, OpenCV or numpy and the
decoder share the cores. At most `depth` frames wait; a slow caller stops the decoder.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable

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
    """Frames waiting for the caller, bounded, with the error that ended them."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._waiting: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._ended = self._left = False
        self._error: BaseException | None = None

    def has_room(self) -> bool:
        """Wait until another frame may be decoded; no, once the caller has left."""
        with self._changed:
            self._changed.wait_for(lambda: self._left or len(self._waiting) < self._depth)
            return not self._left

    def put(self, frame: Frame) -> None:
        with self._changed:
            if not self._left:
                self._waiting.append(frame)
                self._changed.notify_all()

    def end(self, error: BaseException | None) -> None:
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def take(self) -> Frame | None:
        """The next frame, None behind the last; raises what ended the reading."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if self._waiting:
                frame = self._waiting.popleft()
                self._changed.notify_all()
                return frame
            error, self._error = self._error, None
        if error is not None:
            raise error
        return None

    def leave(self) -> None:
        with self._changed:
            self._left = True
            self._waiting.clear()
            self._changed.notify_all()


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
