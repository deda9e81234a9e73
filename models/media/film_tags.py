"""Private tags of films: what the container, its streams and its boxes tell beside the pictures."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error

from models.media.frames import Unreadable
from models.media.tags import Kind, PrivateTag, kind_of

# Every muxer writes these, and they tell nothing of the lab.
HARMLESS = frozenset(
    (
        *("major_brand", "minor_version", "compatible_brands", "vendor_id", "language"),
        *("duration", "rotate", "bps", "number_of_frames", "number_of_bytes", "variant_bitrate"),
        "alpha_mode",
    )
)
MUXERS = ("Lavf", "Lavc", "VideoHandler", "SoundHandler")
TELEMETRY = frozenset({"gpmd", "camm", "djmd", "mett"})
# Boxes of MP4 and MOV whose content FFmpeg shows as metadata or that only lay out the file.
KNOWN_USER_DATA = frozenset({b"meta", b"name", b"hnti", b"cprt", b"loci"})
HOLDERS = frozenset({b"moov", b"trak", b"udta"})
PLACES = frozenset({b"gps ", b"GPS ", b"loci", b"GPMF", b"\xa9xyz"})
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
MOST_BOXES = 10_000


def film_tags(path: Path) -> tuple[PrivateTag, ...]:
    """The private tags of a film in a stable order; raises Unreadable where it cannot be opened.

    Reads headers only; what is hidden in packets is left to `models.media.stream_data`.
    """
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise Unreadable(f"{path.name} is not recognised as a video or a picture.") from error
    with container:
        tags = [*_named(container.metadata, "file")]
        pictures = next(iter(container.streams.video), None)
        for stream in container.streams:
            where = f"stream {stream.index}"
            if stream is not pictures:
                tags.append(_further(stream, where))
            tags += _named(stream.metadata, where)
        if container.chapters():
            tags.append(PrivateTag("text", "chapters", "file"))
        if container.format.name.startswith("mov,"):
            with path.open("rb") as file:
                tags += _boxes(file, 0, path.stat().st_size, b"", [MOST_BOXES])
    return tuple(sorted(set(tags)))


def _further(stream: Any, where: str) -> PrivateTag:
    if stream.type == "audio":
        return PrivateTag("sound", "sound track", where)
    tag = getattr(stream.codec_context, "codec_tag", "") or ""
    told = " ".join((tag, *stream.metadata.values())).lower()
    place = any(word in told for word in TELEMETRY) or "gopro met" in told
    kind: Kind = "location" if place else "stream"
    return PrivateTag(kind, f"{stream.type} track", where)


def _named(metadata: Mapping[str, str], where: str) -> Iterator[PrivateTag]:
    for name, value in metadata.items():
        lower = name.lower().removesuffix("-eng")
        if lower in HARMLESS or lower.startswith("_statistics") or value.startswith(MUXERS):
            continue
        yield PrivateTag(kind_of(name), name, where)


def _boxes(
    file: BinaryIO, at: int, end: int, holder: bytes, left: list[int]
) -> Iterator[PrivateTag]:
    """Boxes that FFmpeg passes over: XMP, a maker's own, places outside the usual ones."""
    while at + 8 <= end and left[0] > 0:
        left[0] -= 1
        file.seek(at)
        head = file.read(32)
        if len(head) < 8:
            return
        size, name = struct.unpack_from(">I4s", head)
        header = 8
        if size == 1 and len(head) >= 16:
            (size,), header = struct.unpack_from(">Q", head, 8), 16
        elif size == 0:
            size = end - at
        if size < header:
            return
        shown = name.decode("latin-1").strip()
        if name == b"uuid":
            xmp = head[header : header + 16] == XMP
            yield PrivateTag("owner" if xmp else "device", "XMP" if xmp else "uuid box", "boxes")
        elif name in PLACES:
            yield PrivateTag("location", f"box {shown}", "boxes")
        elif holder == b"udta" and name not in KNOWN_USER_DATA and not name.startswith(b"\xa9"):
            yield PrivateTag("device", f"box {shown}", "boxes")
        elif name in HOLDERS:
            yield from _boxes(file, at + header, min(end, at + size), name, left)
        at += size
