"""One pass through a video file: pictures out, damage counted, closed from whatever thread.

A packet that cannot be decoded, and a picture that the decoder marks as damaged, yields nothing:
both are counted, and reading goes on behind them.

AVI states no time of presentation, only one per packet in the order of decoding. There the n-th
picture shown takes the n-th packet's time, which is what its cameras mean; a packet without content
is a picture that the camera dropped, and leaves a gap.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.codec.codec import Capabilities
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.media.frames import Unreadable

# Text is "decoded" as terminal art by FFmpeg, and subtitles have no pictures either.
NOT_RECORDINGS = frozenset({"tty", "srt", "ass", "webvtt", "concat", "ffmetadata"})
MPEG_STREAMS = frozenset({"mpeg", "mpegts"})
# Each thread of the decoder holds pictures of its own; a film needs no more than these.
MOST_THREADS = 8
LARGE = 2560 * 1440
"""Pixels of a picture from which on memory is dearer than time."""


class Report:
    """What one reading could not make sense of."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first_damage: int | None = None
        self.last_damage = float("-inf")
        self.since: int | None = None

    def note(self, kind: str | None, pts: int | None) -> None:
        """Damage near this timestamp (None: somewhere); counted where it cost a frame.

        What lies at `since` or before was noted by an earlier pass.
        """
        if self.since is not None and (pts is None or pts <= self.since):
            return
        if kind is not None:
            self.counts[kind] += 1
        self.last_damage = max(self.last_damage, float("inf") if pts is None else pts)
        if self.first_damage is None:
            self.first_damage = pts

    def damaged_from(self, pts: int) -> bool:
        """Whether anything may be damaged at this timestamp or later."""
        return self.last_damage >= pts

    def sentences(self, time_base: Fraction) -> tuple[str, ...]:
        """What to tell the owner of the file."""
        counts, sentences = self.counts, []
        lost = counts["packets"] + counts["pictures"]
        if lost:
            near_s = float((self.first_damage or 0) * time_base)
            sentences.append(
                f"The file is damaged: {_frames(lost)} could not be "
                f"decoded, the first near {near_s:.2f} s."
            )
        if counts["cut"]:
            sentences.append(
                "The file ends early: what lies behind the last readable frame is lost."
            )
        if counts["missing"]:
            sentences.append(
                f"{_frames(counts['missing'])} had no timestamp; it was set from the frame rate."
            )
        if counts["repeated"]:
            sentences.append(
                f"{_frames(counts['repeated'])} repeated an earlier timestamp; each was set one "
                "tick after the frame before it."
            )
        return tuple(sentences)


class Reading:
    """An opened video; iterate `pictures` once, `close` at the end; raises Unreadable.

    `unfinished` says, at the end, that several threads may have kept pictures back: FFmpeg stops
    emptying its threads at the first error.
    """

    def __init__(
        self, path: Path, threads: int | None = None, report: Report | None = None
    ) -> None:
        self.container, self.stream = _opened(path, threads)
        self.report = report or Report()
        self.unfinished = False
        self._closed = False
        self._lock = threading.Lock()
        self._due = 0
        codec = self.stream.codec_context
        self._threads = codec.thread_count
        by_frame = codec.codec.capabilities & Capabilities.frame_threads
        self.by_order = self.container.format.name == "avi"
        self._times: deque[int] = deque()
        # An error comes out when the packet is that many places behind.
        self._sent: deque[int | None] = deque(maxlen=self._threads if by_frame else 1)

    def close(self) -> None:
        """Give the file back; waits for a packet that another thread is decoding."""
        with self._lock:
            self._closed = True
            self.container.close()

    def seek(self, pts: int) -> None:
        """Go to a key frame, as a rule the last one before; raises av.error.FFmpegError."""
        name, codec = self.container.format.name, self.stream.codec_context
        # In AVI, pictures shown before the key frame would be missing from the count. MPEG streams
        # have no time for each picture, and FFmpeg fills in others after a jump, save for codecs
        # whose times it never guesses.
        guessed = name in MPEG_STREAMS and codec.codec.canonical_name not in {"h264", "hevc"}
        if guessed or (self.by_order and codec.has_b_frames):
            raise av.error.InvalidDataError(0, "the file cannot be searched by presentation time")
        self.container.seek(pts, stream=self.stream, backward=True, any_frame=False)

    def pictures(self) -> Iterator[VideoFrame]:
        """The sound pictures in presentation order; raises ValueError once closed."""
        packets = self.container.demux(self.stream)
        ended = False
        while not ended:
            # Decoding must not meet a container that another thread closes meanwhile.
            with self._lock:
                if self._closed:
                    raise ValueError("reading from a recording that was closed")
                try:
                    packet = next(packets, None)
                except av.error.FFmpegError:
                    # The demuxer cannot find its way on: empty what the decoder still holds.
                    self.report.note("cut", None)
                    packet = None
                ended = packet is None or (packet.dts is None and packet.size == 0)
                if packet is None or ended:
                    decoded = self._emptied()
                elif packet.size == 0:
                    continue  # a camera's mark for a dropped picture, not the end of the film
                else:
                    decoded = self._decoded(packet)
            for picture in decoded:
                if self.by_order:
                    picture.pts = self._times.popleft() if self._times else None
                if picture.is_corrupt:
                    self.report.note("pictures", picture.pts)
                else:
                    yield picture

    def _decoded(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        self._sent.append(packet.dts if packet.pts is None else packet.pts)
        if self.by_order and packet.dts is not None:
            self._times.append(packet.dts)
        self._due += 1
        if packet.is_corrupt:
            self.report.note(None, packet.pts)
        try:
            decoded = packet.decode()
        except av.error.FFmpegError:
            self._due -= 1
            if self._times:
                self._times.popleft()
            self.report.note("packets", self._sent[0])
            return []
        self._due -= len(decoded)
        return decoded

    def _emptied(self) -> list[VideoFrame]:
        try:
            decoded = self.stream.codec_context.decode(None)
        except av.error.FFmpegError:
            decoded = []
            if self._threads == 1:
                self.report.note("packets", self._sent[-1] if self._sent else None)
        self.unfinished = self._threads > 1 and self._due > len(decoded)
        return decoded


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def decoding_threads(threads: int | None, pixels: int = 0) -> int:
    """How many threads decode pictures of so many pixels: those asked for, else three per usable
    core, one for LARGE pictures, at most MOST_THREADS.

    Three per core, because frames wait for those that they refer to: with one per core, the cores
    would wait with them. But each thread holds a picture or two. At least two, because the decoder
    mends damage a little differently when it has but one. Raises ValueError.
    """
    if threads is None:
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
        return max(2, min(cores if pixels > LARGE else 3 * cores, MOST_THREADS))
    if threads < 1:
        raise ValueError(f"decoding takes 1 thread or more, not {threads}")
    return threads


def _opened(path: Path, threads: int | None) -> tuple[InputContainer, VideoStream]:
    name = path.name
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise Unreadable(
            f"{name} is not recognised as a video or a picture; send the original file of the "
            "camera."
        ) from error
    try:
        if container.format.name in NOT_RECORDINGS:
            raise Unreadable(f"{name} holds text, not a video; send the file of the camera.")
        stream = next(iter(container.streams.video), None)
        if stream is None:
            raise Unreadable(
                f"{name} has no video track (perhaps it holds sound only); send the file with "
                "the pictures."
            )
        if stream.codec_context is None:
            raise Unreadable(
                f"The pictures of {name} are stored in a format (codec) that cannot be read "
                "here; convert it to H.264 in an MP4 file."
            )
        # Whole frames side by side where the codec can, else parts of one frame.
        stream.thread_type = "AUTO"
        pixels = stream.codec_context.width * stream.codec_context.height
        stream.codec_context.thread_count = decoding_threads(threads, pixels)
    except BaseException:
        container.close()
        raise
    return container, stream
