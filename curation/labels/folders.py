"""Pictures sorted into folders: the name of the folder is a class of the whole picture.

`pain/` and `no pain/` are classes, not grades: no unit grade is ever made of them.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from curation.labels.mapping import Format, Guess, Mapping
from curation.labels.rows import Labels, PictureClass, Skipped, UnknownFormat
from curation.labels.source import Source
from curation.problems import Problem

KEY, TITLE = "folders", "Pictures sorted into folders"
MOST_FILES = 1_000_000
_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*")
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
"""Endings of pictures."""


def recognises(source: Source, mapping: Mapping) -> Guess | None:
    """Whether folders of this folder hold pictures."""
    if source.kind != "folder":
        return None
    labels = read(source, mapping)
    if not labels.classes:
        return None
    counts = Counter(one.label for one in labels.classes)
    recognised = tuple(
        (label, f"class of {number} pictures") for label, number in sorted(counts.items())
    )
    return Guess(KEY, TITLE, 0.6, dataclasses.replace(mapping, format=KEY), recognised)


def read(source: Source, mapping: Mapping) -> Labels:
    """List the pictures with their folder; everything else is listed as skipped."""
    classes: list[PictureClass] = []
    skipped: list[Skipped] = []
    problems: list[Problem] = []
    for name in _files(source):
        base = name.rsplit("/", 1)[-1]
        if base.startswith("._"):
            skipped.append(Skipped(name, "A macOS side file and no picture."))
        elif base in (".DS_Store", "Thumbs.db", "desktop.ini"):
            skipped.append(Skipped(name, "A file of the operating system."))
        elif Path(base).suffix.lower() not in PICTURES:
            skipped.append(Skipped(name, "No picture; read it by itself if it holds labels."))
        elif "/" not in name:
            skipped.append(Skipped(name, "The picture lies in no folder that names a class."))
        elif not _is_picture(source.path / name):
            skipped.append(Skipped(name, "Its name is that of a picture, its content is not."))
            problems.append(
                Problem("The file is no picture that can be opened; it is left out.", file=name)
            )
        else:
            label = name.split("/", 1)[0]
            classes.append(PictureClass(name, mapping.columns.get(label, label)))
    return Labels(
        KEY,
        (),
        tuple(problems),
        classes=tuple(classes),
        skipped=tuple(skipped),
        notes=("Folders are classes of whole pictures; they are no grades of units.",),
    )


def _files(source: Source) -> Iterator[str]:
    count = 0
    for folder, below, files in os.walk(source.path, followlinks=False):
        below.sort()
        for file in sorted(files):
            count += 1
            if count > MOST_FILES:
                raise UnknownFormat(f"{source.name} holds over a million files; send a part of it.")
            yield (Path(folder) / file).relative_to(source.path).as_posix()


def _is_picture(path: Path) -> bool:
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head.startswith(_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


FORMAT = Format(KEY, TITLE, recognises, read)
