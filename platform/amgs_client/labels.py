"""A label file on its way into a dataset: look at it, answer what it asks, import it."""

from __future__ import annotations

import contextlib
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from amgs_client.client import Client, Json
from amgs_client.errors import SiteError
from amgs_client.uploading import Told, send_file

SHOWN = 20
PARTS = ("mapping", "places", "declared")
PATIENCE_S = 1800.0


def answers_of(path: Path | None) -> Json:
    """Return the answers in a JSON file: ``mapping``, ``places`` and ``declared``, all optional."""
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SiteError(f"'{path}' cannot be read as JSON: {error}.") from error
    strange = sorted(set(found) - set(PARTS)) if isinstance(found, dict) else ["no object"]
    if strange:
        raise SiteError(
            f"'{path}' holds '{strange[0]}'; answers are an object with {', '.join(PARTS)}."
        )
    return dict(found)


def look(
    client: Client, version: Json, path: Path, answers: Mapping[str, Any], told: Told | None = None
) -> Json:
    """Send a file (or a folder of pictures) and return it as the site would read it.

    A file that the dataset holds already is not sent into it a second time: its import comes back
    as it is, with the status ``done``.
    """
    with _file(path) as (file, name):
        upload = send_file(
            client.http,
            file,
            purpose="labels",
            target=version["id"],
            lab=version["lab"]["id"],
            name=name,
            told=told,
            wait=True,
        )
    row = client.look_at_labels(version["id"], upload, name)
    if row["status"] in ("open", "refused") and answers:
        client.answer_labels(row["id"], answers)
    return settled(client, row["id"])


def settled(client: Client, label_import: str) -> Json:
    """Return a label file once it is neither looked at nor read any more."""
    return client.wait_until(
        lambda: client.label_file(label_import),
        lambda row: row["status"] != "pending" and not row["looking"],
        PATIENCE_S,
        "Reading the file",
    )


@contextlib.contextmanager
def _file(path: Path) -> Iterator[tuple[Path, str]]:
    """Give a file as it is, and a folder as a zip archive of it."""
    if not path.is_dir():
        yield path, path.name
        return
    with tempfile.TemporaryDirectory(prefix="amgs-labels-") as folder:
        packed = Path(folder) / f"{path.resolve().name}.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for file in sorted(path.rglob("*")):
                if file.is_file() and not file.is_symlink():
                    # Without the time, the same folder gives the same archive.
                    entry = zipfile.ZipInfo(file.relative_to(path).as_posix())
                    archive.writestr(entry, file.read_bytes())
        yield packed, packed.name


def told_of(row: Json) -> Iterator[str]:
    """Yield what a look found, line by line."""
    seen = row["look"] or {}
    if seen.get("known"):
        yield f"{row['name']}: {seen['title']}"
    for header, what in seen.get("recognised", []):
        yield f"  {header or '(no header)'} → {what}"
    for question in seen.get("questions", []):
        yield f"  {'Confirm' if question['blocking'] else 'Check'}: {question['sentence']}"
        for value, words in question["choices"]:
            yield f"    {question['field']} = {value}: {words}"
    for kind, names in seen.get("names", {}).items():
        yield f"  {kind.replace('_', ' ')}: {names['found']} of {names['named']} found"
        for name, sentence in names["missing"][:SHOWN]:
            yield f"    {name}: {sentence}"
    for line in seen.get("lines", []):
        place = line["file"] + (f", frame {line['number']}" if line["number"] is not None else "")
        said = "; ".join(f"{title}: {what}" for title, what in line["meaning"] or line["raw"])
        yield f"  {place or 'row ' + str(line['row'])}  {said}"
    for note in seen.get("notes", []):
        yield f"  {note}"
    if counts := row["counts"] or seen.get("counts"):
        found = ", ".join(f"{number} {kind}".replace("_", " ") for kind, number in counts.items())
        yield f"  Read: {found}"


def problems_of(row: Json) -> Iterator[str]:
    """Yield the problems of a file with their places, the first of them where there are many."""
    problems = row["problems"]
    for one in problems[:SHOWN]:
        parts = [
            one["file"] or "",
            f"row {one['row']}" if one["row"] is not None else "",
            f"column {one['column']}" if one["column"] else "",
        ]
        place = ", ".join(part for part in parts if part)
        yield f"{place}: {one['sentence']}" if place else str(one["sentence"])
    if len(problems) > SHOWN:
        yield f"and {len(problems) - SHOWN} more problems"
