"""Videos as a stream of frames with exact timestamps, through PyAV.

Frames come in presentation order, nothing is resampled, dropped for speed or repeated. The rule for
timestamps: a frame without one takes the timestamp before it plus the stream's nominal frame
duration; a frame whose timestamp does not lie after the one before it (repeated or running
backwards) takes the one before it plus one tick. So timestamps always rise and name a frame. Both
repairs are counted in `problems`.

A packet that cannot be decoded, and a picture that the decoder marks as damaged, yields no frame:
both are counted in `problems`, and reading goes on behind them.

A part of a film is read from the key frame before it. Where its frames could differ from those of
the whole film (damage, timestamps that need repair, a file that cannot be searched) the film is
read from its first frame instead, so that a part never depends on how it was reached.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal

import av
import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.media import planes
from models.media.frames import Frame, Unreadable
from models.media.reading import Reading, Report

FrameStream = Generator[Frame, None, None]

# Nearer to the first frame than this the film is read from there: then places are known.
SEEK_AFTER_S = 2.0
# Files are searched by decoding time, and some loosely: how far before the wanted time to try.
STEPS_BACK_S = (0.0, 1.0, 10.0)
# Key frames are rarely further apart; wanted frames nearer than this are reached by decoding on.
NEAR_S = 10.0
# Headers round the length and count the last frame's own duration: less than this is no loss.
LOST_END_S = 1.0


class _Doubtful(Exception):
    """Reading a part of the film could give other frames than reading the whole."""


class Video:
    """A video opened for reading; read it as often as you like, close it at the end.

    `threads` decode it (None: as `decoding_threads` says).
    """

    kind: Literal["video", "stills"] = "video"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.path = path
        self.threads = threads
        self._report = Report()
        # What the facts are read from is also read first: opening takes as long as six pictures.
        reading = Reading(path, threads)
        self._readings = {reading}
        self._unused = [reading]
        try:
            self._describe(reading)
        except BaseException:
            reading.close()
            raise
        self.orientation = planes.UPRIGHT
        self.width = 0
        self.height = 0
        self.interlaced = False

    def _describe(self, reading: Reading) -> None:
        container, stream = reading.container, reading.stream
        self.container_name = container.format.name
        self.stream = stream.index
        self.time_base = _pair(stream.time_base or Fraction(1, 1000))
        self.metadata = {**container.metadata, **stream.metadata}
        self.has_audio = bool(container.streams.audio)
        self.stated_s = _stated_length(container, stream)
        self.codec = stream.codec_context.codec.canonical_name
        self.pixel_format = stream.codec_context.pix_fmt or "unknown"
        self.decoder = (
            f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}, {stream.codec_context.name}"
        )
        rate = stream.guessed_rate or stream.average_rate or Fraction(25)
        self.nominal_gap = max(1, round(1 / rate / Fraction(*self.time_base)))
        self._starts = stream.start_time or 0
        self._tick_s = self.time_base[0] / self.time_base[1]

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every file handle that reading opened, also where another thread is reading."""
        self._unused.clear()
        for reading in tuple(self._readings):
            reading.close()

    def __iter__(self) -> Iterator[Frame]:
        """Every readable frame from the first; raises Unreadable where there is none at all."""
        return self._whole()

    def _whole(self) -> FrameStream:
        index, previous, first = 0, None, None
        with self._reading() as reading:
            for decoded in self._complete(reading.pictures(), reading):
                pts, repair = rising(decoded.pts, previous, self.nominal_gap)
                if repair is not None:
                    reading.report.counts[repair] += 1
                yield self._frame(decoded, index, pts)
                index, previous = index + 1, pts
                first = pts if first is None else first
        if index == 0:
            raise Unreadable(
                f"No picture of {self.path.name} could be decoded; send the original file of the "
                "camera, or convert it to H.264 in an MP4 file."
            )
        read_s = ((previous or 0) - (first or 0)) * Fraction(*self.time_base)
        if self.stated_s is not None and self.stated_s - read_s > LOST_END_S:
            reading.report.counts["cut"] += 1

    def between(self, start_s: float, end_s: float) -> Iterator[Frame]:
        """The frames with start_s ≤ time < end_s, the very ones that iterating gives.

        `index` is -1 where their place in the film was not counted. Raises Unreadable where no
        picture can be decoded, as far as the film is read.
        """
        if start_s >= end_s:
            return
        last: int | None = None
        target = math.floor(max(start_s / self._tick_s, self._starts))
        with contextlib.suppress(_Doubtful), contextlib.closing(self._reached(target)) as frames:
            for frame in frames:
                if frame.time_s >= end_s:
                    return
                if frame.time_s >= start_s:
                    last = frame.pts
                    yield frame
            return
        with contextlib.closing(self._whole()) as frames:
            for frame in frames:
                if frame.time_s >= end_s:
                    return
                if frame.time_s >= start_s and (last is None or frame.pts > last):
                    yield frame

    def scattered(self, wanted: Iterable[int]) -> Iterator[Frame]:
        """The frames with these timestamps in their order, as far as there are any.

        `index` is -1 where their place in the film was not counted. Long stretches between wanted
        frames are jumped over, and nothing behind the last is decoded.
        """
        left = deque(sorted(set(wanted)))
        with contextlib.suppress(_Doubtful):
            yield from self._picked(left)
            return
        with contextlib.closing(self._whole()) as frames:
            yield from _taken(frames, left)

    def _picked(self, left: deque[int]) -> Iterator[Frame]:
        """Take what can be had from `left` by jumping; raises _Doubtful."""
        at: int | None = None
        while left:
            with contextlib.closing(self._reached(left[0])) as frames:
                first = next(frames, None)
                # Where key frames are further apart than wanted frames, jumping goes backwards.
                jumping = first is not None and (at is None or first.pts > at)
                following = frames if first is None else itertools.chain([first], frames)
                reach = round(NEAR_S / self._tick_s) if jumping else None
                for frame in _taken(following, left, reach):
                    at = frame.pts
                    yield frame

    def _reached(self, target: int) -> FrameStream:
        """Frames from a key frame at or before a timestamp on; raises _Doubtful."""
        if (target - self._starts) * self._tick_s <= SEEK_AFTER_S:
            yield from self._whole()
            return
        for back_s in STEPS_BACK_S:
            with self._reading() as reading:
                pictures = _from_key(reading, target - round(back_s / self._tick_s), target)
                if pictures is not None:
                    yield from self._undoubted(pictures, reading)
                    return
        raise _Doubtful

    def _complete(self, pictures: Iterator[VideoFrame], reading: Reading) -> Iterator[VideoFrame]:
        """The pictures, then those that threads kept back at a damaged end, read by one alone."""
        count, last = 0, None
        for decoded in pictures:
            count, last = count + 1, decoded.pts
            yield decoded
        if not reading.unfinished:
            return
        reading.report.since = last
        if last is not None:
            with self._reading(1, reading.report) as tail:
                found = _from_key(tail, last, last)
                if found is not None:
                    yield from (one for one in found if one.pts is not None and one.pts > last)
                    return
        with self._reading(1, reading.report) as tail:
            # No key frame before it, or no timestamps: count what was given already.
            yield from itertools.islice(tail.pictures(), count, None)

    def _undoubted(self, pictures: Iterator[VideoFrame], reading: Reading) -> Iterator[Frame]:
        start = previous = None
        for decoded in self._complete(pictures, reading):
            pts = decoded.pts
            start = pts if start is None else start
            if pts is None or start is None or reading.report.damaged_from(start):
                raise _Doubtful
            if previous is not None and pts <= previous:
                raise _Doubtful
            yield self._frame(decoded, -1, pts)
            previous = pts
        if start is None or reading.report.damaged_from(start):
            raise _Doubtful

    @property
    def starts_s(self) -> float:
        """The second at which the film states that it begins."""
        return self._starts * self._tick_s

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences about what the last reading could not make sense of."""
        return self._report.sentences(Fraction(*self.time_base))

    @contextlib.contextmanager
    def _reading(
        self, threads: int | None = None, report: Report | None = None
    ) -> Iterator[Reading]:
        reading = None
        if threads is None and report is None:
            # Another thread may take it or close the film at this moment.
            with contextlib.suppress(IndexError):
                reading = self._unused.pop()
        if reading is None:
            reading = Reading(self.path, threads or self.threads, report)
            self._readings.add(reading)
        self._report = reading.report
        try:
            yield reading
        finally:
            self._readings.discard(reading)
            reading.close()

    def _frame(self, decoded: VideoFrame, index: int, pts: int) -> Frame:
        if not self.width:
            self.orientation = planes.orientation(decoded)
            turned = self.orientation.quarter_turns % 2
            size = (decoded.width, decoded.height)
            self.width, self.height = size[::-1] if turned else size
            self.pixel_format = decoded.format.name
        self.interlaced |= decoded.interlaced_frame
        display = self.orientation.display
        return Frame(
            index=index,
            pts=pts,
            time_base=self.time_base,
            stream=self.stream,
            to_image=lambda: display(planes.rgb(decoded)),
            to_luma=lambda: display(planes.luma(decoded)),
        )


def rising(pts: int | None, previous: int | None, gap: int) -> tuple[int, str | None]:
    """The timestamp a frame is given and, where it is not its own, whether `missing` or `repeated`.

    All in ticks of the time base: `previous` is the timestamp given to the frame before, `gap` the
    nominal duration of a frame. The first frame without a timestamp gets 0.
    """
    if pts is None:
        return (0 if previous is None else previous + gap), "missing"
    if previous is not None and pts <= previous:
        return previous + 1, "repeated"
    return pts, None


def _from_key(reading: Reading, pts: int, target: int) -> Iterator[VideoFrame] | None:
    """Its pictures from a key frame at or before `target`, None where a search for `pts` fails."""
    try:
        reading.seek(pts)
    except av.error.FFmpegError:
        return None
    pictures = reading.pictures()
    # Pictures shown before the key frame lean on ones that were jumped over.
    key = next((one for one in pictures if one.key_frame), None)
    if key is None or key.pts is None or key.pts > target:
        return None
    return itertools.chain([key], pictures)


def _taken(frames: Iterable[Frame], left: deque[int], reach: int | None = None) -> Iterator[Frame]:
    """Frames whose timestamps lead `left`, until it is empty or the next is `reach` ticks away."""
    for frame in frames:
        if frame.pts < left[0]:
            continue
        while left and left[0] < frame.pts:
            left.popleft()  # no frame has it
        if left and left[0] == frame.pts:
            left.popleft()
            yield frame
        if not left or (reach is not None and left[0] - frame.pts > reach):
            return
    left.clear()


def _pair(value: Fraction) -> tuple[int, int]:
    return value.numerator, value.denominator


def _stated_length(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        # FFmpeg shortens the length of an AVI that was cut off, but not the header's frame count.
        ticks = max(stream.duration, stream.frames if container.format.name == "avi" else 0)
        return float(ticks * stream.time_base)
    # The container's length may be that of its sound.
    if container.duration and len(container.streams) == 1:
        return float(Fraction(container.duration, av.time_base))
    return None
