"""Private tags: what a file says beyond its pictures, as kinds and names, never as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["location", "device", "owner", "time", "text", "sound", "stream"]

# In this order: “GPSDateStamp” is a place before it is a time.
WORDS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("location", ("location", "gps", "xyz", "latitude", "longitude", "altitude", "loci", "geo")),
    ("owner", ("author", "artist", "owner", "copyright", "creator", "byline", "publisher", "user")),
    ("device", ("make", "model", "device", "serial", "lens", "camera", "firmware", "software")),
    ("device", ("encoder", "encoded", "vendor", "handler", "android", "product", "hostcomputer")),
    ("time", ("date", "time", "year")),
)


@dataclass(frozen=True, order=True)
class PrivateTag:
    """Something private that a file carries.

    `kind` is what it tells: a place, the device and its settings, people, a time, free text, the
    sound, or a further stream. `name` is the tag's name and `where` the part of the file that holds
    it, such as “EXIF” or “stream 1”. The value is left out on purpose: these are shown to people.
    """

    kind: Kind
    name: str
    where: str


class NotCopied(Exception):
    """A file of which no public copy can be made; `sentence` says why and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def kind_of(name: str, otherwise: Kind = "text") -> Kind:
    """What a tag of this name tells, judged by the words in it; `otherwise` where none is known."""
    lower = name.lower()
    for kind, words in WORDS:
        if any(word in lower for word in words):
            return kind
    return otherwise


def tells_a_place(tags: Iterable[PrivateTag]) -> bool:
    """Whether any of these tags says where a recording was made."""
    return any(tag.kind == "location" for tag in tags)
