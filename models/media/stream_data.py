"""What cameras and encoders hide among the pictures of a stream, taken out of its packets.

In H.264 and HEVC these are the messages of registered and unregistered user data (SEI payloads 4
and 5: device strings, places, captions); in MJPEG the segments of each picture. Nothing that a
decoder predicts from is touched, so pictures decode to the same values. Structure after ITU-T H.264
(7.3.2.3, 7.4.1.1) and H.265 (7.3.5).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

from models.media.picture_tags import jpeg_without_tags, stated_turn
from models.media.tags import NotCopied

USER_DATA = frozenset({4, 5})
# A segment is no longer than this, and EXIF comes among the first.
HEAD = 1 << 17
START = re.compile(rb"\x00\x00\x01")

Clean = Callable[[bytes], bytes]


def cleaner(codec: str, extradata: bytes | None) -> Clean:
    """A function that takes user data out of a packet of this codec; raises NotCopied itself.

    The packet comes back unchanged where there is none and for codecs not named above.
    """
    if codec == "mjpeg":
        return _mjpeg
    if codec in ("h264", "hevc"):
        wide = codec == "hevc"
        # An avcC or hvcC box begins with its version; Annex B begins with zeros.
        if extradata and extradata[0] == 1 and len(extradata) > (21 if wide else 4):
            size = (extradata[21 if wide else 4] & 3) + 1
            return lambda packet: _prefixed(packet, size, wide)
        return lambda packet: _annex_b(packet, wide)
    return lambda packet: packet


def clean_header(codec: str, extradata: bytes | None) -> bytes | None:
    """The codec's header of a stream without user data, which HEVC encoders put there, too."""
    if not extradata or codec not in ("h264", "hevc"):
        return extradata
    if extradata[0] != 1:
        return _annex_b(extradata, codec == "hevc")
    return _hvcc(extradata) if codec == "hevc" and len(extradata) > 22 else extradata


def _hvcc(box: bytes) -> bytes:
    """An hvcC box (ISO/IEC 14496-15, 8.3.3.1) without user data; empty lists are left out."""
    lists: list[bytes] = []
    at = 23
    for _ in range(box[22]):
        kind, units = box[at : at + 1], []
        count = int.from_bytes(box[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            size = int.from_bytes(box[at : at + 2], "big")
            units.append(_unit(box[at + 2 : at + 2 + size], wide=True))
            at += 2 + size
        kept = [len(unit).to_bytes(2, "big") + unit for unit in units if unit]
        if kept:
            lists.append(kind + len(kept).to_bytes(2, "big") + b"".join(kept))
    return box[:22] + bytes((len(lists),)) + b"".join(lists)


def _mjpeg(packet: bytes) -> bytes:
    try:
        # FFmpeg turns a picture as its EXIF block says, so that this part of it has to stay.
        turn = stated_turn(packet) if b"Exif\0" in packet[:HEAD] else 1
        return jpeg_without_tags(packet, turn, fields=True)[0]
    except (IndexError, OSError, struct.error, SyntaxError, ValueError) as error:
        raise NotCopied(
            "A picture of the film is damaged, so what is hidden in it cannot be told from the "
            "picture; no public copy can be made."
        ) from error


def _prefixed(packet: bytes, size: int, wide: bool) -> bytes:
    kept: list[bytes] = []
    changed, at = False, 0
    while at + size <= len(packet):
        end = at + size + int.from_bytes(packet[at : at + size], "big")
        unit = packet[at + size : end]
        clean = _unit(unit, wide)
        if clean is unit or end > len(packet):
            kept.append(packet[at:end])
        else:
            changed = True
            if clean:
                kept.append(len(clean).to_bytes(size, "big") + clean)
        at = end
    return b"".join(kept) if changed else packet


def _annex_b(packet: bytes, wide: bool) -> bytes:
    starts = [match.end() for match in START.finditer(packet)]
    if not starts:
        return packet
    kept, changed = [packet[: starts[0] - 3]], False
    for start, following in zip(starts, [*(s - 3 for s in starts[1:]), len(packet)], strict=True):
        unit = packet[start:following]
        clean = _unit(unit, wide)
        changed |= clean is not unit
        if clean:
            kept.append(b"\0\0\1" + clean)
    return b"".join(kept) if changed else packet


def _unit(unit: bytes, wide: bool) -> bytes:
    """A NAL unit without user data: itself where it has none, empty where it has nothing else."""
    head = 2 if wide else 1
    if len(unit) <= head:
        return unit
    kind = unit[0] >> 1 & 0x3F if wide else unit[0] & 0x1F
    if kind not in ((39, 40) if wide else (6,)):
        return unit
    plain = re.sub(rb"\x00\x00\x03", b"\0\0", unit[head:])
    messages = list(_messages(plain))
    kept = [whole for payload, whole in messages if payload not in USER_DATA]
    if len(kept) == len(messages):
        return unit
    if not kept:
        return b""
    # An escape byte again where the payload would look like a start code.
    escaped = re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\0\0\3", b"".join(kept) + b"\x80")
    return unit[:head] + escaped


def _messages(plain: bytes) -> Iterator[tuple[int, bytes]]:
    """Payload type and whole bytes of each message of an SEI unit."""
    at, end = 0, len(plain.rstrip(b"\0")) - 1
    while at < end:
        start, values = at, []
        for _ in range(2):
            value = 0
            while at < end and plain[at] == 0xFF:
                value, at = value + 255, at + 1
            values.append(value + plain[at])
            at += 1
        at += values[1]
        yield values[0], plain[start:at]
