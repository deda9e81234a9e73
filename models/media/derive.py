"""Public copies: what others than the lab get of a recording, the same pictures and nothing else.

Films are copied packet by packet into a container of the same kind, without decoding: the stream of
pictures alone, its user data taken out (`models.media.stream_data`), no sound, no further streams,
no metadata, the turn for display kept. Pictures keep their stored pixels (`picture_tags`).

The rule: a copy is compared with its original before it is handed out. Of a film every packet must
come back under the same presentation timestamp with the same content, and the first frame must
decode to the same values and the same way up; of pictures every pixel must. Where that fails, as in
containers that repack streams, the copy is refused with a reason; nothing is coded anew in silence.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from models.media.frames import Unreadable
from models.media.picture_tags import without_tags
from models.media.private_tags import private_tags
from models.media.stills import Stills, is_picture
from models.media.stream_data import Clean, clean_header, cleaner
from models.media.tags import NotCopied, PrivateTag
from models.media.video import Video

Progress = Callable[[float], None]
# Presentation time (in AVI the packet's only time), key frame, not shown, digest of the content.
_Mark = tuple[int | None, bool, bool, bytes]


@dataclass(frozen=True)
class Derived:
    """A public copy: its SHA-256, that of the private original, its bytes, and what was left out.

    `packets` counts the stored pictures of a film, or is 1; `cleaned` counts those of which hidden
    data were taken out, the stream's header included. `left_out` names the tags that the original
    carried, without values.
    """

    sha256: str
    original: str
    size: int
    kind: Literal["film", "picture"]
    packets: int
    cleaned: int
    left_out: tuple[PrivateTag, ...]


def public_copy(source: Path, target: Path, progress: Progress | None = None) -> Derived:
    """Write the public copy of a film or picture; `target` appears only when it is whole.

    `progress` hears the share done, 0..1. Raises Unreadable where the source is no recording, and
    NotCopied where no copy can be made that is the same; then nothing is left at `target`. Of a
    folder of pictures each file is copied by itself.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix=".public-", dir=target.parent)
        )
        made = Path(folder) / f"copy{source.suffix}"
        if is_picture(source):
            packets, cleaned = 1, 0
            left_out = _picture(source, made)
        else:
            packets, cleaned = _film(source, made, progress or (lambda share: None))
            left_out = private_tags(source)
            if cleaned:
                hidden = PrivateTag("stream", "user data among the pictures", "packets")
                left_out = (*left_out, hidden)
        if found := private_tags(made):
            raise NotCopied(
                f"A copy of {source.name} would still carry “{found[0].name}”; convert the file."
            )
        derived = Derived(
            sha256=_digest(made),
            original=_digest(source),
            size=made.stat().st_size,
            kind="picture" if is_picture(source) else "film",
            packets=packets,
            cleaned=cleaned,
            left_out=left_out,
        )
        made.replace(target)
    return derived


def _picture(source: Path, made: Path) -> tuple[PrivateTag, ...]:
    data, tags = without_tags(source.read_bytes())
    made.write_bytes(data)
    with Stills(source) as old, Stills(made) as new:
        pairs = itertools.zip_longest(old, new)
        same = all(
            a and b and a.pts == b.pts and np.array_equal(a.image, b.image) for a, b in pairs
        )
    if not same:
        raise NotCopied(f"A copy of {source.name} would show other pixels; save it as PNG.")
    return tuple(sorted(set(tags)))


def _film(source: Path, made: Path, progress: Progress) -> tuple[int, int]:
    """Copy the pictures of a film and compare; return packets, and packets cleaned."""
    try:
        span = _needed(source)
        with _opened(source) as (old, stream):
            codec, header = _codec(stream), stream.codec_context.extradata
            clean, fresh = cleaner(codec, header), clean_header(codec, header)
            written, cleaned = _written(old, stream, span, made, (fresh, clean), progress)
            cleaned += fresh != header
        with _opened(made) as (new, copied):
            if copied.codec_context.extradata != fresh and fresh is not None:
                raise _refusal(source, "its container would change the header of the pictures")
            read = [_mark(packet, bytes(packet)) for packet in _packets(new, copied)]
    except (av.error.FFmpegError, ValueError) as error:
        raise _refusal(source, "its container cannot be written here") from error
    if read != written:
        raise _refusal(source, "its container would change timestamps or pictures")
    if _first(source) != _first(made):
        raise _refusal(source, "its first picture would be shown in another way")
    return len(written), cleaned


def _written(
    old: InputContainer,
    stream: VideoStream,
    span: tuple[int, int],
    made: Path,
    cleaned_by: tuple[bytes | None, Clean],
    progress: Progress,
) -> tuple[list[_Mark], int]:
    header, clean = cleaned_by
    name = _muxer(old, made)
    base = stream.time_base or Fraction(1, 1000)
    options = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}
    if name in ("mov", "mp4"):
        options |= {"movflags": "+faststart", "video_track_timescale": str(base.denominator)}
    marks: list[_Mark] = []
    cleaned = 0
    whole = max(1, old.size)
    with av.open(str(made), "w", format=name, options=options) as new:
        target = new.add_stream_from_template(stream, opaque=True)
        target.time_base = base
        # Raw pictures are told apart by this tag alone.
        target.codec_tag = stream.codec_tag
        if header is not None:
            target.codec_context.extradata = header
        for packet in itertools.islice(_packets(old, stream), *span):
            content = bytes(packet)
            # An empty packet marks a picture that the camera dropped.
            kept = clean(content) if content else content
            marks.append(_mark(packet, kept))
            if packet.pos:
                progress(min(1.0, packet.pos / whole))
            if kept != content:
                cleaned += 1
                packet = _with_content(packet, kept)
            packet.stream = target
            new.mux(packet)
    return marks, cleaned


def _needed(source: Path) -> tuple[int, int]:
    """The first packet that is needed to show the film, and the one behind the last.

    Trimming on a phone hides pictures by an edit list and leaves them in the file. Those before the
    last key frame in front of what is shown, and those behind it, are left out of the copy.
    """
    first, last = 0, 0
    shown = False
    with _opened(source) as (container, stream):
        for place, packet in enumerate(_packets(container, stream)):
            if packet.is_keyframe and packet.is_discard and not shown:
                first = place
            if not packet.is_discard:
                shown, last = True, place
    return (first, last + 1) if shown else (0, sys.maxsize)


def _with_content(packet: Packet[Any], content: bytes) -> Packet[Any]:
    fresh: Packet[Any] = Packet(content)
    fresh.pts, fresh.dts, fresh.duration = packet.pts, packet.dts, packet.duration
    fresh.time_base, fresh.is_keyframe = packet.time_base, packet.is_keyframe
    return fresh


def _mark(packet: Packet[Any], content: bytes) -> _Mark:
    time = packet.dts if packet.pts is None else packet.pts
    return time, packet.is_keyframe, packet.is_discard, hashlib.sha256(content).digest()


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    for packet in container.demux(stream):
        # The last one only tells the decoder that the film is over.
        if packet.size or packet.dts is not None:
            yield packet


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise Unreadable(f"{path.name} is not recognised as a video or a picture.") from error
    with container:
        stream = next(iter(container.streams.video), None)
        if stream is None or stream.codec_context is None:
            raise Unreadable(f"{path.name} has no video track that can be read.")
        yield container, stream


def _codec(stream: VideoStream) -> str:
    return str(stream.codec_context.codec.canonical_name)


def _muxer(container: InputContainer, made: Path) -> str:
    """The name of the muxer that writes what this container is."""
    name = container.format.name
    if name.startswith("mov,"):
        return "mov" if container.metadata.get("major_brand", "qt").startswith("qt") else "mp4"
    if name.startswith("matroska"):
        return "webm" if made.suffix.lower() == ".webm" else "matroska"
    return str(name)


def _first(path: Path) -> tuple[tuple[int, int], int, tuple[int, ...], bytes]:
    """Time base, time, shape and values of the first frame as it is shown."""
    with Video(path) as film, contextlib.closing(iter(film)) as frames:  # type: ignore[type-var]
        frame = next(frames)
        return film.time_base, frame.pts, frame.luma.shape, frame.luma.tobytes()


def _refusal(source: Path, why: str) -> NotCopied:
    return NotCopied(
        f"No public copy of {source.name} can be made without coding it anew: {why}. Publish the "
        "film as H.264 in MP4 instead."
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
