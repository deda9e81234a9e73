"""Which private tags a recording carries: the names of what never leaves the lab."""

from __future__ import annotations

import struct
from mmap import ACCESS_READ, mmap
from pathlib import Path

from models.media.film_tags import film_tags
from models.media.picture_tags import TIFF, without_tags
from models.media.stills import is_picture, picture_files
from models.media.tags import NotCopied, PrivateTag, kind_of, tells_a_place
from models.media.tiff_tags import tiff_tags

__all__ = ["NotCopied", "PrivateTag", "kind_of", "private_tags", "tells_a_place"]


def private_tags(path: Path) -> tuple[PrivateTag, ...]:
    """The private tags of a film, a picture or a folder of pictures, sorted, each named once.

    Empty for a public copy. A picture that cannot be taken apart gives none, since no copy is made
    of it either. Raises Unreadable where a film cannot be opened.
    """
    if path.is_dir():
        return tuple(sorted({tag for file in picture_files(path) for tag in _of_picture(file)}))
    return _of_picture(path) if is_picture(path) else film_tags(path)


def _of_picture(path: Path) -> tuple[PrivateTag, ...]:
    try:
        with path.open("rb") as file:
            if file.read(4) in TIFF:
                # A stack may be larger than memory.
                with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                    return tuple(sorted(set(tiff_tags(data))))
        return tuple(sorted(set(without_tags(path.read_bytes())[1])))
    except (NotCopied, ValueError, struct.error):
        return ()
