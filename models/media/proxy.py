"""A film that every browser plays, where the original is none.

The rule for originals: a current browser plays H.264 in MP4 and VP8 or VP9 in WebM, all with 8 bits
and 4:2:0 colour, whole and not interlaced. QuickTime, Matroska, AVI, MPEG streams, HEVC, AV1 (which
older Safari lacks), 10 bits and every other coding need a proxy.

A proxy is H.264 in MP4, one picture for each readable frame at its own time, so that a number or a
time read off the player names the same frame in the original: the frame with timestamp `pts` is
shown (pts - first_pts) · time_base seconds after the start. It carries no sound and no tags.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.media.frames import Frame, Picture, Unreadable
from models.media.video import Video
from models.records import MediaFacts

LONGEST = 1280
CLIP_S = 10.0
"""Seconds of a film that tell the state of an animal."""
# Clocks finer than this do not fit into the header of an MP4 file.
FINEST = 2**31 - 1
FALLBACK = Fraction(1, 1_000_000)
EIGHT_BITS = frozenset({"yuv420p", "yuvj420p"})
# No B-frames, so that the first picture is shown at 0; a key frame every 50 for quick jumps.
ENCODER = {"preset": "veryfast", "crf": "23", "bf": "0", "g": "50", "threads": "1"}

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Proxy:
    """A proxy that was written: SHA-256, bytes, size in pixels, frames, and seconds per tick."""

    sha256: str
    size: int
    width: int
    height: int
    frame_count: int
    time_base: tuple[int, int]


def unplayable(path: Path, facts: MediaFacts) -> str | None:
    """Why a browser does not play a film, in one sentence; None where it does.

    Pictures need no proxy, so that they give None.
    """
    if facts.kind == "stills":
        return None
    reason = unplayable_stream(path, facts.container, facts.codec, facts.pixel_format)
    if reason is not None:
        return reason
    if facts.interlaced:
        return "The film is interlaced, which browsers show with combs."
    if facts.problems:
        return "Parts of the film cannot be read, and a browser may stop there."
    return None


def unplayable_stream(path: Path, container: str, codec: str, pixel_format: str) -> str | None:
    """The same from what the file says of itself, without reading its pictures."""
    with path.open("rb") as file:
        head = file.read(64)
    if head[4:8] == b"ftyp" and head[8:10] != b"qt":
        kind, codecs = "MP4", {"h264"}
    elif head.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in head:
        kind, codecs = "WebM", {"vp8", "vp9"}
    else:
        return f"Browsers do not play files of the kind {container.split(',')[0]}."
    if codec not in codecs:
        return f"Not every browser plays {codec} in {kind}."
    if pixel_format not in EIGHT_BITS:
        return f"Not every browser plays pictures stored as {pixel_format}."
    return None


def make_proxy(
    source: Path, target: Path, longest: int = LONGEST, progress: Progress | None = None
) -> Proxy:
    """Write a proxy of a film; `target` appears only when it is whole.

    At most `longest` pixels a side, even in both; `progress` hears the number of frames done.
    Raises Unreadable where no frame can be read, and then leaves nothing.
    """
    return _coded(source, target, longest, iter, progress)


def make_drawn(
    source: Path,
    target: Path,
    drawn: Callable[[Iterator[Frame]], Iterator[Frame]],
    progress: Progress | None = None,
    longest: int = LONGEST,
) -> Proxy:
    """Write a proxy of what `drawn` makes of the frames of a film; all of one size.

    Raises Unreadable as `make_proxy` does.
    """
    return _coded(source, target, longest, lambda film: drawn(iter(film)), progress)


def make_clip(
    source: Path, target: Path, middle_s: float, seconds: float = CLIP_S, longest: int = 640
) -> Proxy:
    """Write the seconds of a film round a moment as a proxy, silent and without tags.

    Shifted so that it begins with the film where the moment lies near its start. Raises Unreadable
    as `make_proxy` does.
    """
    start_s = max(0.0, middle_s - seconds / 2)

    def part(film: Video) -> Iterator[Frame]:
        return film.between(start_s, start_s + seconds)

    return _coded(source, target, longest, part, None)


def _coded(
    source: Path,
    target: Path,
    longest: int,
    frames: Callable[[Video], Iterator[Frame]],
    progress: Progress | None,
) -> Proxy:
    with tempfile.TemporaryDirectory(prefix=".proxy-", dir=target.parent) as folder:
        made = Path(folder) / "proxy.mp4"
        with Video(source) as film:
            base = Fraction(*film.time_base)
            # A clock of whole ticks: 1001/30000 becomes 1/30000.
            fine = base.denominator <= FINEST
            ticks = Fraction(1, base.denominator) if fine else FALLBACK
            options = {
                "fflags": "+bitexact",
                "movflags": "+faststart",
                "video_track_timescale": str(ticks.denominator),
            }
            with av.open(str(made), "w", format="mp4", options=options) as container:
                writer = _Writer(container, ticks, longest)
                for frame in frames(film):
                    writer.add(frame)
                    if progress is not None:
                        progress(writer.count)
                writer.end()
        if not writer.count:
            raise Unreadable(f"{source.name} has no picture at that time.")
        with made.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = made.stat().st_size
        made.replace(target)
    width, height = writer.shape
    return Proxy(digest, size, width, height, writer.count, (1, ticks.denominator))


class _Writer:
    """Frames into an encoder whose size is that of the first one."""

    def __init__(self, container: OutputContainer, ticks: Fraction, longest: int) -> None:
        self.container, self.ticks, self.longest = container, ticks, longest
        self.count, self.shape = 0, (0, 0)
        self.first = 0
        self.stream: VideoStream | None = None

    def add(self, frame: Frame) -> None:
        if self.stream is None:
            self.first = frame.pts
            self.shape = _even(frame.luma.shape, self.longest)
            self.stream = self.container.add_stream("libx264", options=dict(ENCODER))
            self.stream.codec_context.thread_count = 1
            self.stream.width, self.stream.height = self.shape
            self.stream.pix_fmt = "yuv420p"
            self.stream.time_base = self.stream.codec_context.time_base = self.ticks
        picture = VideoFrame.from_ndarray(_sized(frame.image, self.shape), format="rgb24")
        elapsed = (frame.pts - self.first) * Fraction(*frame.time_base)
        picture.pts, picture.time_base = round(elapsed / self.ticks), self.ticks
        self.container.mux(self.stream.encode(picture))
        self.count += 1

    def end(self) -> None:
        if self.stream is not None:
            self.container.mux(self.stream.encode())


def _even(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    """Width and height, both even, at most `longest`, from (height, width)."""
    scale = min(1.0, longest / max(shape))
    return max(2, int(shape[1] * scale) // 2 * 2), max(2, int(shape[0] * scale) // 2 * 2)


def _sized(image: Picture, size: tuple[int, int]) -> Picture:
    if image.shape[1::-1] == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
