"""Read scores: whoever has the token may."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from amgs.core.errors import NotFound
from amgs.core.models import Job
from amgs.files.models import Upload
from amgs.registry.models import ModelVersion
from amgs.scoring import contributing, corrections, extras
from amgs.scoring import partial as standing
from amgs.scoring.keeping import gone_sentence
from amgs.scoring.leaving import notes_of_score
from amgs.scoring.models import ToolRun
from amgs.scoring.rescoring import selectable
from curation.model_version import WITHDRAWN

MEDIA_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".bin": "application/octet-stream",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
SHOWN = ("player.mp4", "player.webm")
"""Files that a page shows in place; pictures and columns are, too."""
SHOWN_KINDS = (".jpg", ".png", ".bin")


def by_token(token: str, *, even_gone: bool = False) -> ToolRun:
    """Return the run with this token; raises ``NotFound``, also where it was deleted.

    With ``even_gone`` a deleted one is returned, too.
    """
    found = (
        ToolRun.objects.select_related("job", "upload", "model_version", "rescored_from")
        .defer(*ModelVersion.heavy())
        .filter(token=token, tool="score")
        .first()
    )
    if found is None:
        raise NotFound("There is no score at this address; the link may be cut off or revoked.")
    if not even_gone and (found.deleted_at or found.delete_asked_at):
        raise NotFound(gone_sentence(found))
    return found


def of_person(user: Any) -> QuerySet[ToolRun]:
    """Return a person's own scores, newest first, without their curves."""
    return (
        ToolRun.objects.select_related("job", "upload", "model_version")
        .defer(*ModelVersion.heavy())
        .filter(user=user, tool="score", deleted_at=None, delete_asked_at=None)
        .order_by("-pk")
    )


def job_summary(row: ToolRun) -> dict[str, Any]:
    """Return how far a score is; before its job exists, what its upload waits for."""
    if row.job is not None:
        return standing.job_json(row)
    upload = row.upload
    refused = upload is not None and upload.state in {
        Upload.State.REFUSED,
        Upload.State.DISCARDED,
    }
    return {
        "id": None,
        "state": Job.State.FAILED.value if refused else Job.State.QUEUED.value,
        "progress": 0.0,
        "note": "" if refused else "the upload is being checked",
        "error": (upload.refusal or "The upload was discarded.") if refused and upload else "",
    }


def score_json(row: ToolRun) -> dict[str, Any]:
    """Return a score: progress, then result, provenance and the names of its files."""
    return {
        "token": row.token,
        "name": row.name,
        "created_at": row.created_at,
        "job": job_summary(row),
        "partial": None if row.result else standing.partial_json(row),
        "result": row.result or None,
        "provenance": row.provenance or None,
        "files": {name: f"/api/scores/{row.token}/files/{name}" for name in sorted(row.outputs)},
    }


def score_detail(row: ToolRun) -> dict[str, Any]:
    """Return a score with the notes on its model's data, and its second scores by other versions.

    ``versions`` are those by which it may be scored again.
    """
    return score_json(row) | {
        "notes": [asdict(note) for note in notes_of_score(row)],
        "rescored_from": row.rescored_from.token if row.rescored_from else None,
        "rescored": rescored(row),
        "versions": versions(row),
        "extras": extras.summary(row),
        "corrections": corrections.acts(row),
        "contributed": contributing.standing(row) is not None,
        "sum": derived_sum(row.result),
        "methods": methods(row),
    }


def derived_sum(result: dict[str, Any]) -> dict[str, Any] | None:
    """Return the sum of the units that the scale counts, with its top; ``None`` without a score."""
    from models.result import sum_of_result, top_of_sum
    from models.scale import load_scale

    if not result:
        return None
    scale = load_scale()
    return {
        "value": sum_of_result(result, scale),
        "top": top_of_sum(scale),
        "units": [unit.key for unit in scale.units if unit.in_sum],
    }


def methods(row: ToolRun, *, corrections_used: bool = False) -> list[str]:
    """Return the sentences for a methods section; none where nothing could be read."""
    from models.methods import methods_sentences
    from models.scale import load_scale

    if row.result.get("outcome") not in ("scored", "no_scorable_frames"):
        return []
    return methods_sentences(
        row.result,
        row.provenance,
        load_scale(),
        corrected_frames=len(corrections.counted(row)),
        corrections_used=corrections_used,
    )


def rescored(row: ToolRun) -> list[dict[str, Any]]:
    """Return the second scores of a run, newest first: address, model, how far it is, score."""
    rows = (
        row.rescored.select_related("job", "upload", "model_version")
        .defer(*ModelVersion.heavy())
        .order_by("-pk")
    )
    named = {version.public_id: version.identifier for version in selectable()}
    return [
        {
            "token": one.token,
            "model": one.provenance.get("model") or named.get(one.parameters["model"], ""),
            "state": job_summary(one)["state"],
            "score": one.result.get("score"),
            "created_at": one.created_at,
        }
        for one in rows
    ]


def versions(row: ToolRun) -> list[dict[str, Any]]:
    """Return the versions by which a run may be scored again, newest first."""
    first = row.rescored_from or row
    known = {one.provenance.get("bundle_digest") for one in (row, first)}
    return [
        {"model": one.identifier, "id": one.public_id, "state": one.state, "phantom": one.phantom}
        for one in selectable()
        if one.digest not in known
    ]


def file_address(row: ToolRun, name: str) -> str:
    """Return a signed address of one output; raises ``NotFound``."""
    from pathlib import PurePosixPath

    from amgs.files.storage import get_storage

    key = row.outputs.get(name) or extras.key_of(row, name)
    if key is None:
        raise NotFound(f"This score has no file '{name}'.")
    suffix = PurePosixPath(name).suffix
    version = row.model_version
    # The bytes stay those that were given; the name says what became of the model.
    gone = version is not None and version.state == WITHDRAWN
    saved = f"WITHDRAWN-{version.identifier}-{name}" if version and gone else name
    return get_storage().sign_get(
        key,
        settings.STORAGE_ADDRESS_SECONDS,
        filename=None if suffix in SHOWN_KINDS or name in SHOWN else saved,
        media_type=MEDIA_TYPES.get(suffix),
    )
