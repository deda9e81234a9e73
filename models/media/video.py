"""Videos as a stream of frames with exact timestamps, through PyAV.

Frames come in presentation order, nothing is resampled, dropped for speed or repeated. The rule for
timestamps: a frame without one takes the timestamp before it plus the stream's nominal frame
duration; a frame whose timestamp does not lie after the one before it (repeated or running
backwards) takes the one before it plus one tick. So timestamps always rise and name a frame. Both
repairs are counted in `problems`.

A packet that cannot be decoded, and a picture that the decoder marks as damaged, yields no frame:
both are counted in `problems`, and reading goes on behind them.
"""

from __future__ import annotations

import contextlib
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.media.frames import Frame, Picture, Unreadable

# Text is "decoded" as terminal art by FFmpeg, and subtitles have no pictures either.
NOT_RECORDINGS = frozenset({"tty", "srt", "ass", "webvtt", "concat", "ffmetadata"})
SEEK_AFTER_S = 10.0
# Headers round the length and count the last frame's own duration: less than this is no loss.
LOST_END_S = 1.0


@dataclass(frozen=True)
class Orientation:
    """How stored pictures are turned for display: mirrored first, then quarter turns clockwise."""

    quarter_turns: int
    mirrored: bool

    @property
    def rotation(self) -> int:
        """Clockwise turn in degrees: 0, 90, 180 or 270."""
        return self.quarter_turns * 90

    def display(self, picture: Picture) -> Picture:
        """The stored picture as it is displayed."""
        if self.mirrored:
            picture = picture[:, ::-1]
        if self.quarter_turns:
            picture = np.rot90(picture, -self.quarter_turns)
        return np.ascontiguousarray(picture)


UPRIGHT = Orientation(0, mirrored=False)


class Video:
    """A video opened for reading; iterate it as often as you like, close it at the end."""

    kind: Literal["video", "stills"] = "video"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open = contextlib.ExitStack()
        container, stream = self._opened()
        try:
            self.container_name = container.format.name
            self.stream = stream.index
            self.time_base = _pair(stream.time_base or Fraction(1, 1000))
            self.metadata = {**container.metadata, **stream.metadata}
            self.has_audio = bool(container.streams.audio)
            self.stated_s = _stated_length(container, stream)
            self.codec = stream.codec_context.codec.canonical_name
            self.pixel_format = stream.codec_context.pix_fmt or "unknown"
            self.decoder = (
                f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}, "
                f"{stream.codec_context.name}"
            )
            rate = stream.guessed_rate or stream.average_rate or Fraction(25)
            self.nominal_gap = max(1, round(1 / rate / Fraction(*self.time_base)))
        finally:
            container.close()
        self.orientation = UPRIGHT
        self.width = 0
        self.height = 0
        self._counts: Counter[str] = Counter()
        self._first_damage_s: float | None = None

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
        """Close every file handle that reading opened."""
        self._open.close()

    def __iter__(self) -> Iterator[Frame]:
        """Every readable frame from the first; raises Unreadable where there is none at all."""
        self._counts.clear()
        self._first_damage_s = None
        container, stream = self._opened()
        self._open.callback(container.close)
        index, previous, first = 0, None, None
        try:
            for decoded in self._decoded(container, stream):
                pts = self._rising(decoded.pts, previous)
                self._measure(decoded)
                yield self._frame(decoded, index, pts)
                index, previous = index + 1, pts
                first = pts if first is None else first
        finally:
            container.close()
        if index == 0:
            raise Unreadable(
                f"No picture of {self.path.name} could be decoded; send the original file of the "
                "camera, or convert it to H.264 in an MP4 file."
            )
        read_s = ((previous or 0) - (first or 0)) * Fraction(*self.time_base)
        if self.stated_s is not None and self.stated_s - read_s > LOST_END_S:
            self._counts["cut"] += 1

    def from_key_frame(self, pts: int) -> Iterator[VideoFrame]:
        """Decoded frames from the last key frame at or before `pts`, less the undecodable."""
        container, stream = self._opened()
        self._open.callback(container.close)
        try:
            container.seek(pts, stream=stream, backward=True, any_frame=False)
            first: int | None = None
            for decoded in self._decoded(container, stream):
                if first is None and decoded.key_frame:
                    first = decoded.pts
                # Pictures displayed before the key frame lean on ones that were jumped over.
                if first is not None and decoded.pts is not None and decoded.pts >= first:
                    self._measure(decoded)
                    yield decoded
        finally:
            container.close()

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences about what the last reading could not make sense of."""
        sentences = []
        counts = self._counts
        if counts["packets"] or counts["pictures"]:
            lost = counts["packets"] + counts["pictures"]
            sentences.append(
                f"The file is damaged: {lost} {'frame' if lost == 1 else 'frames'} could not be "
                f"decoded, the first near {self._first_damage_s or 0.0:.2f} s."
            )
        if counts["cut"]:
            sentences.append(
                "The file ends early: what lies behind the last readable frame is lost."
            )
        if counts["missing"]:
            sentences.append(
                f"{counts['missing']} frames had no timestamp; it was set from the frame rate."
            )
        if counts["repeated"]:
            sentences.append(
                f"{counts['repeated']} frames repeated an earlier timestamp; each was set one tick "
                "after the frame before it."
            )
        return tuple(sentences)

    def _opened(self) -> tuple[InputContainer, VideoStream]:
        name = self.path.name
        try:
            container = av.open(str(self.path), metadata_errors="replace")
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
            stream.thread_type = "AUTO"
        except BaseException:
            container.close()
            raise
        return container, stream

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:
                # The demuxer cannot find its way on: flush what the decoder still holds.
                self._counts["cut"] += 1
                yield from self._sound(self._decode_one(lambda: stream.codec_context.decode(None)))
                return
            at = packet.pts
            if packet.is_corrupt:
                self._note_damage(at)
            yield from self._sound(self._decode_one(packet.decode, at))

    def _decode_one(
        self, decode: Callable[[], list[VideoFrame]], at: int | None = None
    ) -> list[VideoFrame]:
        try:
            return decode()
        except av.error.FFmpegError:
            self._counts["packets"] += 1
            self._note_damage(at)
            return []

    def _sound(self, decoded: list[VideoFrame]) -> Iterator[VideoFrame]:
        for frame in decoded:
            if frame.is_corrupt:
                self._counts["pictures"] += 1
                self._note_damage(frame.pts)
            else:
                yield frame

    def _note_damage(self, pts: int | None) -> None:
        if self._first_damage_s is None and pts is not None:
            self._first_damage_s = float(pts * Fraction(*self.time_base))

    def _rising(self, pts: int | None, previous: int | None) -> int:
        if pts is None:
            self._counts["missing"] += 1
            return 0 if previous is None else previous + self.nominal_gap
        if previous is not None and pts <= previous:
            self._counts["repeated"] += 1
            return previous + 1
        return pts

    def _measure(self, decoded: VideoFrame) -> None:
        if self.width:
            return
        self.orientation = _orientation(decoded)
        turned = self.orientation.quarter_turns % 2
        size = (decoded.width, decoded.height)
        self.width, self.height = size[::-1] if turned else size
        self.pixel_format = decoded.format.name

    def _frame(self, decoded: VideoFrame, index: int, pts: int) -> Frame:
        display = self.orientation.display
        return Frame(
            index=index,
            pts=pts,
            time_base=self.time_base,
            stream=self.stream,
            to_image=lambda: display(_converted(decoded, "rgb24")),
            to_luma=lambda: display(_luma(decoded)),
        )


def read_video_frames(path: Path, wanted: set[int]) -> dict[int, Frame]:
    """The frames with these timestamps, as far as they exist (see `read_frames`)."""
    found: dict[int, Frame] = {}
    with Video(path) as video:
        late = SEEK_AFTER_S / float(Fraction(*video.time_base))
        if min(wanted) > late:
            # Their place in the film is unknown after a jump, so only the picture is used.
            with contextlib.suppress(av.error.FFmpegError):
                for decoded in video.from_key_frame(min(wanted)):
                    pts = decoded.pts
                    if pts in wanted and pts not in found:
                        found[pts] = _held(video._frame(decoded, -1, pts))
                    if len(found) == len(wanted):
                        return found
        for frame in video:
            if frame.pts in wanted:
                found[frame.pts] = _held(frame)
            if frame.pts >= max(wanted):
                break
    return found


def _held(frame: Frame) -> Frame:
    # Convert now and drop the decoder's own buffers, which are several times larger.
    image, luma = frame.image, frame.luma
    return Frame(
        index=frame.index,
        pts=frame.pts,
        time_base=frame.time_base,
        stream=frame.stream,
        to_image=lambda: image,
        to_luma=lambda: luma,
    )


def _pair(value: Fraction) -> tuple[int, int]:
    return value.numerator, value.denominator


def _stated_length(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # The container's length may be that of its sound.
    if container.duration and len(container.streams) == 1:
        return float(Fraction(container.duration, av.time_base))
    return None


def _orientation(decoded: VideoFrame) -> Orientation:
    matrix = decoded.side_data.get(SideDataType.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("9i", bytes(matrix))
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    # The first row says where the stored x axis points on the screen (y down, so b > 0 turns
    # clockwise).
    if abs(a) >= abs(b):
        return Orientation(0 if a > 0 else 2, mirrored)
    return Orientation(1 if b > 0 else 3, mirrored)


def _luma(decoded: VideoFrame) -> Picture:
    form = decoded.format
    planar = form.name.startswith(("yuv", "gray", "nv", "gbr")) and not form.name.startswith("yuyv")
    if form.is_rgb or not planar or form.name.endswith("be"):
        return _converted(decoded, "gray")
    plane = decoded.planes[0]
    bits = form.components[0].bits
    if bits <= 8:
        rows = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
        return rows[:, : plane.width]
    wide = np.frombuffer(bytes(plane), np.uint16).reshape(plane.height, plane.line_size // 2)
    return (wide[:, : plane.width] >> (bits - 8)).astype(np.uint8)


def _converted(decoded: VideoFrame, form: str) -> Picture:
    return np.asarray(decoded.to_ndarray(format=form), np.uint8)
