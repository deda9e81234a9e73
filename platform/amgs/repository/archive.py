"""A version as a zip, made while it is sent: nothing is stored twice, memory stays flat."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from amgs.core.base import Actor
from amgs.files.storage import chunks, get_storage
from amgs.repository import queries
from amgs.repository.citing import cited
from amgs.repository.models import Recording, Version
from amgs.repository.ratings_table import COLUMNS, Pieces, as_csv
from amgs.repository.rules import is_of_own_lab
from curation.citing import Cited, bibtex, ris, sentence
from curation.licences import described

README = """\
{citation}

Licence: {licence}
{notes}
recordings/      the recordings; manifest.json names the SHA-256 of each
ratings.csv      one row per rater, frame and action unit; manifest.json explains its columns
dataset.json     the metadata: groups, animals, observations
CITATION.bib, CITATION.ris   for reference managers
"""


class Changed(Exception):
    """A stored file is no longer what its digest says; the archive must not be finished."""


@dataclass(frozen=True)
class Held:
    """Where the file of a recording is that a person may have."""

    key: str
    size: int
    sha256: str
    derived_from: str | None
    """SHA-256 of the original, where this is the copy for others."""


def held(actor: Actor, version: Version, row: Recording) -> Held | str:
    """Return what this person may have of a recording, or the sentence why there is nothing."""
    if row.blob is None or row.blob.deleted_at is not None:
        return "It was not stored." if row.blob is None else "It was deleted."
    if is_of_own_lab(actor, version):
        return Held(row.blob.key, row.blob.size, row.blob.sha256, None)
    public = row.public
    if "key" not in public:
        return str(public.get("refusal") or "The copy for others is still being made.")
    return Held(public["key"], public["size"], public["sha256"], public["original"])


def place(row: Recording) -> str:
    """Return the path of a recording inside of an archive: never outside of its folder."""
    parts = PurePosixPath(PureWindowsPath(row.name).as_posix()).parts
    kept = [part for part in parts if part not in {"..", ".", "/"} and ":" not in part]
    name = "/".join(kept) or row.public_id
    return f"recordings/{name}" if name == row.name else f"recordings/{row.public_id}/{name}"


def manifest(
    actor: Actor, version: Version, about: Cited, files: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Return what a version holds: licence, citation, and every file with size and SHA-256.

    ``files`` are those beside the recordings, as the archive has written them.
    """
    found: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    for row in queries.recording_rows(version).order_by("pk").iterator(chunk_size=500):
        file = held(actor, version, row)
        if isinstance(file, str):
            left_out.append({"name": row.name, "why": file})
            continue
        found.append(
            {
                "path": place(row),
                "recording": row.public_id,
                "size": file.size,
                "sha256": file.sha256,
                "derived_from": file.derived_from,
            }
        )
    licence = described(version.licence)
    return {
        "version": version.identifier,
        "state": version.state,
        "doi": version.doi or None,
        "url": about.url,
        "citation": sentence(about),
        "licence": {"identifier": version.licence, "title": licence.title, "url": licence.url},
        "phantom": version.dataset.phantom,
        "notes": list(about.notes),
        "files": [*found, *files],
        "left_out": left_out,
        "columns": {name: meaning for name, (_, meaning) in COLUMNS.items()},
    }


def archive(actor: Actor, version: Version) -> Iterator[bytes]:
    """Yield a version as a zip; the manifest comes last, when every digest is known.

    Every file is compared with its digest while it is sent; raises ``Changed`` where one differs,
    so that nobody takes a damaged archive for a whole one.
    """
    about = cited(version)
    sink = Pieces()
    written: list[dict[str, Any]] = []
    day = (version.published_at or version.created_at).timetuple()[:6]
    with zipfile.ZipFile(sink, "w", allowZip64=True) as target:  # type: ignore[arg-type]

        def add(path: str, data: Iterable[bytes], packed: bool) -> Iterator[bytes]:
            entry = zipfile.ZipInfo(path, day)
            entry.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            entry.external_attr = 0o644 << 16
            digest, size = hashlib.sha256(), 0
            with target.open(entry, "w", force_zip64=True) as file:
                for chunk in data:
                    digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
                    yield sink.take()
            written.append({"path": path, "size": size, "sha256": digest.hexdigest()})
            yield sink.take()

        for path, text in _texts(actor, version, about).items():
            yield from add(path, [text.encode()], packed=True)
        yield from add("ratings.csv", as_csv(actor, version), packed=True)
        beside = list(written)
        for row in queries.recording_rows(version).order_by("pk").iterator(chunk_size=200):
            file = held(actor, version, row)
            if isinstance(file, str):
                continue
            with get_storage().open(file.key) as stream:
                yield from add(place(row), chunks(stream), packed=False)
            if written[-1]["sha256"] != file.sha256:
                raise Changed(f"'{row.name}' of {version.identifier} changed in the storage")
        said = json.dumps(manifest(actor, version, about, beside), indent=1, ensure_ascii=False)
        yield from add("manifest.json", [said.encode()], packed=True)
    yield sink.take()


def _texts(actor: Actor, version: Version, about: Cited) -> dict[str, str]:
    licence = described(version.licence)
    terms = f"{licence.title} {licence.url}".strip() or "none was given"
    notes = "".join(f"{note}\n" for note in about.notes)
    design = {
        "identifier": version.identifier,
        "title": version.title,
        "description": version.description,
        "licence": version.licence,
        "ethics": version.ethics,
        "funder": version.funder,
        "phantom": version.dataset.phantom,
        "metadata": version.metadata,
        "contributors": version.contributors,
        "design": queries.design(actor, version),
    }
    return {
        "README.txt": README.format(
            citation=sentence(about),
            licence=terms,
            notes=notes,
        ),
        "CITATION.bib": bibtex(about),
        "CITATION.ris": ris(about),
        "dataset.json": json.dumps(design, indent=1, ensure_ascii=False),
    }
