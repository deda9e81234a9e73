"""A zip archive of pictures in folders, unpacked to where it can be read like any folder.

Nothing is written outside of the folder, links are left packed, and of a picture only as much as
tells that it is one: what a class means is in the names.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from curation.labels.folders import MOST_FILES, PICTURES
from curation.labels.rows import UnknownFormat

HEAD = 4096
"""Bytes of a picture that are unpacked."""
MOST_OTHER_BYTES = 200 * 1024 * 1024
"""Of everything that is no picture, together."""
_ZIP = b"PK\x03\x04"


@contextlib.contextmanager
def unpacked(path: Path, name: str) -> Iterator[Path]:
    """Give the folder that a zip archive of pictures holds, or the path itself where it is none.

    A single folder round everything is taken off, so that the folders inside are the classes.
    Raises `UnknownFormat` for damaged archives and for those that hold too much.
    """
    with tempfile.TemporaryDirectory(prefix="amgs-labels-") as folder:
        packed = _is_zip(path) and _unpack_all(path, Path(folder), name)
        yield Path(folder) if packed else path


def _unpack_all(path: Path, folder: Path, name: str) -> bool:
    """Unpack an archive of pictures; false where it is something else."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _entries(archive, name)
            _unpack(archive, entries, folder, name)
            return bool(entries)
    except zipfile.BadZipFile:
        if not name.lower().endswith(".zip"):
            return False  # a workbook, whose reader says so
        raise UnknownFormat(f"{name} is a damaged zip archive; pack it again.") from None


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == _ZIP
    except (OSError, ValueError):
        return False


def _entries(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """Return place → entry; nothing where the archive is no folder of pictures."""
    files = [
        entry
        for entry in archive.infolist()
        if not entry.is_dir() and not stat.S_ISLNK(entry.external_attr >> 16)
    ]
    if any(entry.filename.startswith("xl/") for entry in files):
        return {}
    if not any(PurePosixPath(entry.filename).suffix.lower() in PICTURES for entry in files):
        return {}
    if len(files) > MOST_FILES:
        raise UnknownFormat(f"{name} holds over a million files; send a part of it.")
    found = {}
    for entry in files:
        place = PurePosixPath(entry.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or "\0" in entry.filename:
            raise UnknownFormat(f"{name} names files outside of itself; pack the folder again.")
        found[str(place)] = entry
    own = [PurePosixPath(place) for place in found if not place.startswith("__MACOSX/")]
    tops = {place.parts[0] for place in own}
    if len(tops) == 1 and all(len(place.parts) > 2 for place in own if not _is_hidden(place)):
        top = f"{tops.pop()}/"
        found = {place.removeprefix(top): entry for place, entry in found.items()}
    return found


def _is_hidden(place: PurePosixPath) -> bool:
    return place.name.startswith(".") or place.name in ("Thumbs.db", "desktop.ini")


def _unpack(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], folder: Path, name: str
) -> None:
    others = 0
    for place, entry in entries.items():
        picture = PurePosixPath(place).suffix.lower() in PICTURES
        others += 0 if picture else entry.file_size
        if others > MOST_OTHER_BYTES:
            raise UnknownFormat(f"{name} unpacks to more than 200 MB beside its pictures.")
        target = folder / place
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as packed, target.open("wb") as file:
                if picture:
                    file.write(packed.read(HEAD))
                else:
                    shutil.copyfileobj(packed, file)
        except (OSError, RuntimeError, EOFError, ValueError, zlib.error, zipfile.BadZipFile):
            # A password, a method of packing nobody else knows, a name no file can have.
            raise UnknownFormat(
                f"{place} of {name} cannot be unpacked; pack the folder again without a password."
            ) from None
