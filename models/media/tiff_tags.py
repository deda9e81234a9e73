"""TIFF files without their private tags.

A new file is laid out that holds, page by page, the tags that decoding needs and the strips or
tiles byte for byte. Everything else (EXIF, places, XMP, texts, a microscope maker's blocks, smaller
pictures in sub-directories, bytes that no page points to) is not taken along.
Layout after TIFF 6.0 (Adobe, 1992) and the BigTIFF design of libtiff.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from mmap import mmap

from PIL import ExifTags

from models.media.tags import NotCopied, PrivateTag, kind_of

# Bytes of one value by field type.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
STRIPS, STRIP_SIZES, TILES, TILE_SIZES = 273, 279, 324, 325
COMPRESSION, OLD_JPEG = 259, 6
SUB_DIRECTORIES = 330
# Geometry, sample layout, coding, colour, turn for display, resolution, colour profile.
KEPT = frozenset(
    (
        *range(254, 260),
        *(262, 263, 264, 265, 266, 274, 277, 278, 280, 281, 282, 283, 284, 290, 291, 292, 293, 296),
        *(297, 301, 317, 318, 319, 320, 321, 322, 323, 332, 334, 338, 339, 340, 341, 342, 347),
        *(529, 530, 531, 532, 34675),
    )
)
MOST_PAGES = 1_000_000


@dataclass(frozen=True)
class _Form:
    """Byte order and widths of a file: classic TIFF or BigTIFF."""

    order: str
    big: bool

    @property
    def word(self) -> str:
        return "Q" if self.big else "I"

    @property
    def entry(self) -> str:
        return f"{self.order}HH{self.word}"

    @property
    def inline(self) -> int:
        return 8 if self.big else 4

    @property
    def entry_size(self) -> int:
        return 4 + 2 * self.inline

    @property
    def count(self) -> str:
        return self.order + ("Q" if self.big else "H")


@dataclass(frozen=True)
class _Entry:
    tag: int
    kind: int
    count: int
    value: bytes


def tiff_without_tags(data: bytes) -> tuple[bytes, tuple[PrivateTag, ...]]:
    """The file of a TIFF picture or stack without private tags, and the tags left out.

    Raises NotCopied for the obsolete coding “old-style JPEG”, and ValueError or struct.error where
    the file is damaged.
    """
    form = _form(data)
    made = bytearray(data[: 16 if form.big else 8])
    link = form.inline
    tags: dict[PrivateTag, None] = {}
    for entries in _pages(data, form):
        tags |= dict.fromkeys(_private(entries))
        link = _append(made, data, form, entries, link)
    return bytes(made), tuple(tags)


def tiff_tags(data: bytes | mmap) -> tuple[PrivateTag, ...]:
    """The private tags of a TIFF picture or stack, without reading its pictures.

    Raises ValueError or struct.error where the file is damaged.
    """
    pages = _pages(data, _form(data))
    return tuple({tag: None for entries in pages for tag in _private(entries)})


def _form(data: bytes | mmap) -> _Form:
    return _Form("<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+"))


def _pages(data: bytes | mmap, form: _Form) -> Iterator[list[_Entry]]:
    (at,) = struct.unpack_from(form.order + form.word, data, form.inline)
    seen: set[int] = set()
    while at:
        if at in seen or len(seen) > MOST_PAGES:
            raise ValueError("the pages run in a circle")
        seen.add(at)
        entries, at = _directory(data, form, at)
        yield entries


def _directory(data: bytes | mmap, form: _Form, at: int) -> tuple[list[_Entry], int]:
    """The entries of a page and the place of the next one, 0 behind the last."""
    (count,) = struct.unpack_from(form.count, data, at)
    at += struct.calcsize(form.count)
    entries = []
    for place in range(at, at + count * form.entry_size, form.entry_size):
        tag, kind, number = struct.unpack_from(form.entry, data, place)
        size = SIZES.get(kind, 1) * number
        where = place + 4 + form.inline
        if size > form.inline:
            (where,) = struct.unpack_from(form.order + form.word, data, where)
        value = data[where : where + size]
        if len(value) != size and tag in KEPT:
            raise ValueError("a value lies behind the end of the file")
        entries.append(_Entry(tag, kind, number, value))
    end = at + count * form.entry_size
    (following,) = struct.unpack_from(form.order + form.word, data, end)
    return entries, int(following)


def _private(entries: Sequence[_Entry]) -> list[PrivateTag]:
    tags = []
    for entry in entries:
        if entry.tag in KEPT or entry.tag in (STRIPS, STRIP_SIZES, TILES, TILE_SIZES):
            continue
        name = ExifTags.TAGS.get(entry.tag, f"tag {entry.tag}")
        if entry.tag == SUB_DIRECTORIES:
            tags.append(PrivateTag("stream", "smaller pictures", "TIFF"))
        else:
            tags.append(PrivateTag(kind_of(name), name, "TIFF"))
    return tags


def _append(made: bytearray, data: bytes, form: _Form, entries: Sequence[_Entry], link: int) -> int:
    """Lay out a page at the end of `made`, name it at `link`; return where it names the next."""
    held = {entry.tag: entry for entry in entries}
    if COMPRESSION in held and _numbers(form, held[COMPRESSION]) == [OLD_JPEG]:
        raise NotCopied(
            "The picture is stored as “old-style JPEG” in TIFF, of which no public copy can be "
            "made without coding it anew; save it as PNG."
        )
    kept = [entry for entry in entries if entry.tag in KEPT]
    for places, sizes in ((STRIPS, STRIP_SIZES), (TILES, TILE_SIZES)):
        if places not in held:
            continue
        if sizes not in held:
            raise NotCopied(
                "The TIFF file does not state the sizes of its strips, so no public copy can be "
                "made; save it anew, as TIFF or PNG."
            )
        starts, lengths = _numbers(form, held[places]), _numbers(form, held[sizes])
        fresh = []
        for start, length in zip(starts, lengths, strict=True):
            # Not checked for its length: a strip that is cut off stays cut off.
            fresh.append(len(made))
            made += data[start : start + length]
            made += b"\0" * (len(made) % 2)
        kept.append(held[sizes])
        value = struct.pack(f"{form.order}{len(fresh)}{form.word}", *fresh)
        kept.append(_Entry(places, 16 if form.big else 4, len(fresh), value))
    packed = []
    for entry in sorted(kept, key=lambda entry: entry.tag):
        value = entry.value
        if len(value) > form.inline:
            value = struct.pack(form.order + form.word, len(made))
            made += entry.value + b"\0" * (len(entry.value) % 2)
        head = struct.pack(form.entry, entry.tag, entry.kind, entry.count)
        packed.append(head + value.ljust(form.inline, b"\0"))
    struct.pack_into(form.order + form.word, made, link, len(made))
    made += struct.pack(form.count, len(packed)) + b"".join(packed)
    made += b"\0" * form.inline
    return len(made) - form.inline


def _numbers(form: _Form, entry: _Entry) -> list[int]:
    code = CODES.get(entry.kind)
    if code is None:
        raise ValueError("offsets of a kind that none can be")
    return list(struct.unpack(f"{form.order}{entry.count}{code}", entry.value))
