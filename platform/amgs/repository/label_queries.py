"""What pages and the API read of label files: an import with its look, its rows, its problems."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from amgs.core.models import Job
from amgs.core.spreadsheets import plain_cell
from amgs.files.storage import get_storage
from amgs.repository.models import (
    FaceBox,
    LabelImport,
    LandmarkSet,
    ObservationScore,
    PictureClass,
    ProgramScore,
    Recording,
    Version,
)
from amgs.repository.queries import Json, label_row, label_rows
from amgs.repository.rules import is_of_own_lab
from amgs.repository.services.labels import DECLARED, LOOK, declares, is_stale
from amgs.repository.services.recordings import READ_LABELS

PARQUET = "application/vnd.apache.parquet"


def label_page(user: Any, version: Version, row: LabelImport) -> Json:
    """Return everything about one label file: answers, look with pictures, and its job.

    What the file itself says stays with its lab: it may name animals.
    """
    own = is_of_own_lab(user, version)
    look = dict(row.look) if own else {}
    look["lines"] = [{**line, "picture": _shown(line["picture"])} for line in look.get("lines", [])]
    declared = {key: declares(row, version.metadata, key) for key in DECLARED}
    return label_row(row) | {
        "mapping": row.mapping,
        "places": row.places if own else {},
        "look": look if row.look and own else None,
        "declared_in_effect": {key: value for key, value in declared.items() if value},
        "looking": state_of(row)["looking"],
        "job": job_of(row),
    }


def _shown(key: str, media_type: str = "image/jpeg") -> str | None:
    if not key:
        return None
    return get_storage().sign_get(key, settings.STORAGE_ADDRESS_SECONDS, media_type=media_type)


MOST_SHOWN = 100


def history(version: Version) -> list[Json]:
    """Return the newest label files of a version as lists show them, newest first.

    Each with ``looking`` (its answers are being looked at), ``ready`` (nothing is asked) and
    ``was_read`` (it can be redone).
    """
    rows = label_rows(version).select_related("blob").order_by("-pk")[:MOST_SHOWN]
    return [label_row(row) | state_of(row) for row in rows]


def progress_of(shown: list[Json]) -> dict[str, Json]:
    """Return how far each file of a list is that is being looked at or read, by its public id."""
    busy = [row["id"] for row in shown if row["status"] == "pending" or row["looking"]]
    if not busy:
        return {}
    going = Job.objects.filter(
        subject__in=busy, kind__in=[LOOK, READ_LABELS], state=Job.State.RUNNING
    )
    return {row.subject: {"progress": row.progress, "note": row.note} for row in going}


def state_of(row: LabelImport) -> dict[str, bool]:
    """Return where a file stands; asks the database for nothing."""
    looking = row.status == LabelImport.Status.OPEN and is_stale(row)
    ready = row.status == LabelImport.Status.OPEN and not looking and not row.look["refusal"]
    return {"looking": looking, "ready": ready, "was_read": bool(row.digest)}


def job_of(row: LabelImport) -> str | None:
    """Return the public id of the job that looks at or reads a file, or did so last."""
    found = Job.objects.filter(subject=row.public_id, kind__in=[LOOK, READ_LABELS])
    return found.order_by("-pk").values_list("public_id", flat=True).first()


def recording_names(version: Version) -> list[str]:
    """Return the names of the readable recordings, for saying which one a file means."""
    rows = Recording.objects.filter(versions=version, status=Recording.Status.READY)
    return list(rows.order_by("name").values_list("name", flat=True))


def problems_csv(row: LabelImport) -> str:
    """Return the problems of an import as CSV: file, row, column, sentence."""
    problems = label_row(row)["problems"]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", "row", "column", "sentence"])
    if row.refusal:
        table.writerow([plain_cell(row.name), "", "", plain_cell(row.refusal)])
    for one in problems:
        cells = (one.get(key) for key in ("file", "row", "column", "sentence"))
        table.writerow(["" if cell is None else plain_cell(cell) for cell in cells])
    return text.getvalue()


# Rows of the kinds that are no ratings -------------------------------------------------------

Shown = tuple[QuerySet[Any], Callable[[Any], Json]]


def imported(user: Any, version: Version, row: LabelImport, kind: str) -> Shown | None:
    """Return the rows of one kind and how each is shown; None where there is no such kind."""
    found = _KINDS.get(kind)
    if found is None:
        return None
    model, related, show = found
    own = is_of_own_lab(user, version)
    rows = model.objects.visible().filter(label_import=row).select_related(*related)
    return rows, lambda one: show(one, own)


def _observation_score(row: ObservationScore, own: bool) -> Json:
    animal = row.observation.animal
    return {
        "id": row.public_id,
        "animal": animal.name if own else animal.pseudonym,
        "observation": row.observation.name,
        "rater": row.rater_name,
        "unit": row.unit or None,
        "kind": row.kind,
        "score": row.score,
        "pictures": row.pictures,
    }


def _program_score(row: ProgramScore, own: bool) -> Json:
    return {
        "id": row.public_id,
        "recording": row.recording.name,
        "program": row.program,
        "number": row.number,
        "time_s": row.time_s,
        "unit": row.unit,
        "grade": row.grade,
        "reason": row.reason,
        "confidence": row.confidence,
    }


def _box(row: FaceBox, own: bool) -> Json:
    return {
        "id": row.public_id,
        "recording": row.frame.recording.name,
        "number": row.frame.number,
        "box": [row.left, row.top, row.right, row.bottom],
    }


def _class(row: PictureClass, own: bool) -> Json:
    return {
        "id": row.public_id,
        "recording": row.frame.recording.name,
        "number": row.frame.number,
        "label": row.label,
    }


def _landmarks(row: LandmarkSet, own: bool) -> Json:
    return {
        "id": row.public_id,
        "recording": row.recording.name,
        # What a tracking program calls an animal may be its name.
        "animal": row.animal if own else "",
        "rater": row.rater_name,
        "by_program": row.by_program,
        "points": row.points,
        "frames": row.frames,
        "url": _shown(row.key, PARQUET) if own else None,
    }


_KINDS: dict[str, tuple[Any, tuple[str, ...], Callable[[Any, bool], Json]]] = {
    "observation_scores": (ObservationScore, ("observation__animal",), _observation_score),
    "program_scores": (ProgramScore, ("recording",), _program_score),
    "boxes": (FaceBox, ("frame__recording",), _box),
    "classes": (PictureClass, ("frame__recording",), _class),
    "landmarks": (LandmarkSet, ("recording",), _landmarks),
}
KINDS = tuple(_KINDS)
