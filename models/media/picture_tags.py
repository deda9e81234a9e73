"""Pictures without their private tags, the stored pixels untouched byte for byte.

What is kept is listed here, so that whatever a camera invents is left out: of JPEG the coding
segments, JFIF (without its small picture), Adobe's and the colour profile; of PNG and WebP the
chunks that make the picture; of TIFF see `models.media.tiff_tags`. BMP has no room for tags. The
turn for display is kept as an EXIF block that holds nothing else.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator

from PIL import ExifTags, Image

from models.media.tags import Kind, NotCopied, PrivateTag, kind_of
from models.media.tiff_tags import tiff_without_tags

Cleaned = tuple[bytes, tuple[PrivateTag, ...]]

DAMAGED = "The picture is damaged or cut off, so no public copy of it can be made; send it again."
PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs cICP hIST sPLT".split()
    + b"acTL fcTL fdAT".split()
)
WEBP_KEPT = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
EXIF_FLAG, XMP_FLAG = 0x08, 0x04
# Tags that say how the block is laid out or how the picture is shown, which is nobody's secret.
HARMLESS = frozenset({0x0112, 0x8769, 0x8825, 0xA005, 0x011A, 0x011B, 0x0128, 0x0213})
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def without_tags(data: bytes) -> Cleaned:
    """The file of a picture without private tags, and the tags that were left out.

    Takes the content of a JPEG, PNG, WebP, TIFF or BMP file; raises NotCopied for others and where
    the file cannot be taken apart.
    """
    try:
        if data.startswith(b"BM"):
            return data, ()
        if data.startswith(TIFF):
            return tiff_without_tags(data)
        turn = stated_turn(data)
        if data.startswith(b"\xff\xd8"):
            return jpeg_without_tags(data, turn)
        if data.startswith(b"\x89PNG"):
            return _png(data, turn)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data, turn)
    except (IndexError, struct.error, OSError, SyntaxError, ValueError) as error:
        raise NotCopied(DAMAGED) from error
    raise NotCopied("Public copies are made of JPEG, PNG, TIFF, WebP and BMP; convert the picture.")


def stated_turn(data: bytes) -> int:
    """The EXIF orientation, 1..8, as the reader of pictures understands it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data)) as picture:
            stated = picture.getexif().get(ExifTags.Base.Orientation, 1)
    return stated if stated in range(1, 9) else 1


def _turn_block(turn: int) -> bytes:
    """A TIFF block with the orientation alone."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, turn, 0, 0)


def jpeg_without_tags(data: bytes, turn: int = 1, *, fields: bool = False) -> Cleaned:
    """A JPEG picture without private segments; `turn` is its EXIF orientation.

    With `fields` a second picture may follow at once, as in interlaced MJPEG; otherwise whatever
    lies behind the first (a short film, a second picture) is left out. Raises ValueError where the
    segments make no sense.
    """
    kept, tags, at = [b"\xff\xd8"], [], 2
    if turn != 1:
        block = b"Exif\0\0" + _turn_block(turn)
        kept.append(b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block)
    while data[at : at + 2] != b"\xff\xd9":
        if data[at] != 0xFF:
            raise ValueError("no marker where one must be")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        size = struct.unpack_from(">H", data, at + 2)[0]
        body = data[at + 4 : at + 2 + size]
        found, instead = _segment(marker, body)
        tags += found
        if instead is not None:
            kept.append(bytes((0xFF, marker)) + struct.pack(">H", len(instead) + 2) + instead)
        at += 2 + size
        if marker == 0xDA:
            end = IN_SCAN.search(data, at)
            if end is None:
                # A camera's film may leave the last marker out; a picture may be cut off.
                kept.append(data[at:])
                return b"".join(kept), tuple(tags)
            kept.append(data[at : end.start()])
            at = end.start()
    kept.append(b"\xff\xd9")
    rest = data[at + 2 :]
    if fields and rest.startswith(b"\xff\xd8"):
        second, more = jpeg_without_tags(rest, fields=True)
        return b"".join([*kept, second]), (*tags, *more)
    if rest.strip(b"\0\xff"):
        tags.append(PrivateTag("stream", "data behind the picture", "JPEG"))
    return b"".join(kept), tuple(tags)


def _segment(marker: int, body: bytes) -> tuple[list[PrivateTag], bytes | None]:
    """What a segment tells, and what of it is kept (None: nothing)."""
    if marker == 0xFE:
        return [PrivateTag("text", "comment", "JPEG")], None
    if not 0xE0 <= marker <= 0xEF:
        return [], body
    if marker == 0xE0:
        if body.startswith(b"JFIF\0") and len(body) >= 14:
            small = [PrivateTag("stream", "small picture", "JFIF")] if len(body) > 14 else []
            return small, body[:12] + b"\0\0"
        if body.startswith(b"AVI1"):
            return [], body
    if (marker == 0xEE and body.startswith(b"Adobe")) or body.startswith(b"ICC_PROFILE\0"):
        return [], body
    if body.startswith(b"Exif\0"):
        return list(exif_tags(body[6:])), None
    if body.startswith((b"http://ns.adobe.com/xap/", b"http://ns.adobe.com/xmp/")):
        return [xmp_tag(body)], None
    if body.startswith(b"Photoshop 3.0"):
        return [PrivateTag("owner", "IPTC", "JPEG")], None
    return [PrivateTag("device", f"segment APP{marker - 0xE0}", "JPEG")], None


def _png(data: bytes, turn: int) -> Cleaned:
    kept = [data[:8]]
    tags: list[PrivateTag] = []
    for name, body in _png_chunks(data):
        if name in PNG_KEPT:
            kept.append(_png_chunk(name, body))
            if name == b"IHDR" and turn != 1:
                kept.append(_png_chunk(b"eXIf", _turn_block(turn)))
        elif name == b"eXIf":
            tags += exif_tags(body)
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            key = body.split(b"\0", 1)[0].decode("latin-1")
            tags.append(
                xmp_tag(body) if "xmp" in key else PrivateTag(kind_of(key), key, "PNG text")
            )
        else:
            kind: Kind = "time" if name == b"tIME" else "text"
            tags.append(PrivateTag(kind, f"chunk {name.decode('latin-1')}", "PNG"))
    end = data.find(b"IEND") + 8
    if data[end:].strip(b"\0"):
        tags.append(PrivateTag("stream", "data behind the picture", "PNG"))
    return b"".join(kept), tuple(tags)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, name = 8, b""
    while name != b"IEND":
        size, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        if len(body) != size:
            raise ValueError("a chunk is cut off")
        yield name, body
        at += 12 + size


def _png_chunk(name: bytes, body: bytes) -> bytes:
    check = zlib.crc32(name + body)
    return struct.pack(">I4s", len(body), name) + body + struct.pack(">I", check)


def _webp(data: bytes, turn: int) -> Cleaned:
    kept: list[tuple[bytes, bytes]] = []
    tags: list[PrivateTag] = []
    at, end = 12, 8 + int(struct.unpack_from("<I", data, 4)[0])
    while at + 8 <= min(end, len(data)):
        name, size = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + size]
        if len(body) != size:
            raise ValueError("a chunk is cut off")
        at += 8 + size + size % 2
        if name == b"VP8X":
            flags = body[0] & ~(EXIF_FLAG | XMP_FLAG) | (EXIF_FLAG if turn != 1 else 0)
            body = bytes((flags,)) + body[1:]
        if name in WEBP_KEPT:
            kept.append((name, body))
        elif name == b"EXIF":
            tags += exif_tags(body.removeprefix(b"Exif\0\0"))
        else:
            tags.append(xmp_tag(body) if name == b"XMP " else PrivateTag("text", "chunk", "WebP"))
    if data[end:].strip(b"\0"):
        tags.append(PrivateTag("stream", "data behind the picture", "WebP"))
    if turn != 1:
        kept.append((b"EXIF", _turn_block(turn)))
    chunks = b"".join(
        struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2) for name, body in kept
    )
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks, tuple(tags)


def exif_tags(block: bytes) -> Iterator[PrivateTag]:
    """The private tags of an EXIF block (a TIFF header and what follows)."""
    exif = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif.load(b"Exif\0\0" + block)
            found = [("EXIF", tag) for tag in exif if tag not in HARMLESS]
            for where, ifd in (("EXIF", ExifTags.IFD.Exif), ("GPS", ExifTags.IFD.GPSInfo)):
                found += [(where, tag) for tag in exif.get_ifd(ifd) if tag not in HARMLESS]
            with contextlib.suppress(KeyError):
                if exif.get_ifd(ExifTags.IFD.IFD1):
                    yield PrivateTag("stream", "small picture", "EXIF")
    except (OSError, SyntaxError, ValueError, struct.error):
        yield PrivateTag("text", "unreadable block", "EXIF")
        return
    for where, tag in found:
        names = ExifTags.GPSTAGS if where == "GPS" else ExifTags.TAGS
        name = names.get(tag, f"tag {tag}")
        # Texts apart, what the block holds beyond people and times are settings of the camera.
        text = any(word in name for word in ("Description", "Comment", "Title", "Subject"))
        kind = kind_of(name, "text" if text else "device")
        yield PrivateTag("location" if where == "GPS" else kind, name, where)


def xmp_tag(packet: bytes) -> PrivateTag:
    """An XMP packet, which tells a place where it names one, else whatever an editor wrote."""
    place = re.search(rb"gps|latitude|location|city|country", packet, re.IGNORECASE)
    return PrivateTag("location" if place else "owner", "XMP", "XMP")
