"""Read studies: tables, plans and results as pages and the API show them.

Before the plan is locked no figure of any score leaves this module: neither a score beside its
group nor how much of a group could be graded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet

from amgs.core.errors import NotFound
from amgs.core.models import Job
from amgs.registry.models import ModelVersion
from amgs.scoring.models import Study, StudyAnalysis, StudyEntry, ToolRun
from amgs.scoring.queries import job_summary
from amgs.scoring.rescoring import selectable
from amgs.scoring.studies import FIELDS, entries_of, results_were_seen
from amgs.scoring.study_keeping import goings
from amgs.scoring.study_plans import Locked, changes_after_results, differs, is_open, locks

MEDIA_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".zip": "application/zip",
}
SHOWN = {".svg", ".png"}
"""Files that a page shows in place; the others are saved."""


def studies_of(user: Any) -> QuerySet[Study]:
    """Return a person's studies, newest first, with how many rows each has."""
    rows = Study.objects.filter(owner=user, deleted_at=None).select_related("model_version")
    return rows.defer(*ModelVersion.heavy()).annotate(rows=Count("entries")).order_by("-pk")


def study_row(study: Study) -> dict[str, Any]:
    """Return a study as a line of the list."""
    version = study.model_version
    count = getattr(study, "rows", None)
    return {
        "id": study.public_id,
        "title": study.title,
        "created_at": study.created_at,
        "model": version.identifier if version else None,
        "phantom": bool(version and version.phantom),
        "rows": study.entries.count() if count is None else count,
    }


def study_detail(study: Study) -> dict[str, Any]:
    """Return a study with its plan, what was locked, and how far its analysis is."""
    locked = locks(study)
    asked = newest_asked(study)
    return study_row(study) | {
        "plan": study.plan or None,
        "locked": [locked_json(row) for row in locked],
        "plan_differs": differs(study, locked[-1] if locked else None),
        "results_seen": results_were_seen(study),
        "changes": changes_after_results(study),
        "goings": goings(study),
        "shared": f"/studies/shared/{study.share_token}/" if study.share_token else None,
        "waiting": waiting(entries_of(study), study.model_version),
        "versions": [
            {"model": one.identifier, "id": one.public_id, "phantom": one.phantom}
            for one in selectable()
        ],
        "analysis": {"id": asked.public_id, "job": _job(asked)} if asked else None,
    }


def locked_json(locked: Locked) -> dict[str, Any]:
    """Return a locked version of a plan."""
    return asdict(locked)


def _job(row: StudyAnalysis) -> dict[str, Any]:
    job = row.job
    return {
        "id": job.public_id if job else None,
        "state": job.state if job else Job.State.QUEUED.value,
        "progress": job.progress if job else 0.0,
        "note": job.note if job else "",
        "error": job.error if job else "",
    }


def waiting(entries: Iterable[StudyEntry], version: ModelVersion | None) -> dict[str, int]:
    """Return how many rows still get their score by the pinned version, and how many failed."""
    told = {"waiting": 0, "failed": 0, "done": 0}
    for row in entries:
        told[_state(row, version)] += 1
    return told


def _state(entry: StudyEntry, version: ModelVersion | None) -> str:
    run = entry.current
    if run is not None and run.model_version_id == getattr(version, "pk", None):
        return "done"
    again = entry.replacement
    if again is None:
        return "failed"
    return "failed" if job_summary(again)["state"] in ("failed", "cancelled") else "waiting"


def entries_json(study: Study) -> list[dict[str, Any]]:
    """Return the rows of the table; scores are in it only once the plan was locked."""
    opened = is_open(study)
    return [entry_json(row, study, opened) for row in entries_of(study)]


def entry_json(entry: StudyEntry, study: Study, opened: bool) -> dict[str, Any]:
    """Return one row; ``result`` is null until the plan was locked."""
    run: ToolRun | None = entry.current
    told = run.result if run and opened else None
    again = entry.replacement if entry.replacement is not run else None
    return {
        "id": entry.public_id,
        "name": entry.name,
        "score": run.token if run else None,
        "model": run.provenance.get("model", "") if run else "",
        "state": _state(entry, study.model_version),
        "job": job_summary(again) if again else None,
        **{key: getattr(entry, key) for key in FIELDS},
        "result": {key: told.get(key) for key in ("outcome", "score", "coverage")}
        if told
        else None,
    }


def newest_done(study: Study) -> StudyAnalysis | None:
    """Return the newest analysis that ended with results."""
    rows = StudyAnalysis.objects.filter(study=study, job__state=Job.State.DONE)
    return (
        rows.select_related("job", "model_version")
        .defer(*ModelVersion.heavy())
        .order_by("-pk")
        .first()
    )


def newest_asked(study: Study) -> StudyAnalysis | None:
    """Return the newest analysis that was asked for, whatever came of it."""
    rows = StudyAnalysis.objects.filter(study=study).select_related("job")
    return rows.defer("table", "report").order_by("-pk").first()


def analysis_of(study: Study, public_id: str = "") -> StudyAnalysis:
    """Return one analysis that is done, the newest unless named; raises ``NotFound``."""
    rows = StudyAnalysis.objects.filter(study=study, job__state=Job.State.DONE)
    if public_id:
        rows = rows.filter(public_id=public_id)
    found = (
        rows.select_related("job", "model_version")
        .defer(*ModelVersion.heavy())
        .order_by("-pk")
        .first()
    )
    if found is None:
        raise NotFound("There are no results yet; lock the plan and run the analysis.")
    return found


def results_json(row: StudyAnalysis, address: str) -> dict[str, Any]:
    """Return the results of an analysis; ``address`` is put before the name of each file."""
    from models.result import DISCLAIMER

    version = row.model_version
    return {
        "id": row.public_id,
        "made_at": row.job.finished_at if row.job else None,
        "plan": row.plan,
        "table_digest": row.table_digest,
        "model": version.identifier if version else None,
        "phantom": bool(version and version.phantom),
        "disclaimer": DISCLAIMER,
        "report": row.report,
        "files": {name: f"{address}{name}" for name in sorted(row.outputs)},
    }


def analysis_file(row: StudyAnalysis, name: str, *, save: bool = False) -> str:
    """Return a signed address of one file; raises ``NotFound``."""
    from amgs.files.storage import get_storage

    key = row.outputs.get(name)
    if key is None:
        raise NotFound(f"These results have no file '{name[:80]}'.")
    place = PurePosixPath(name)
    shown = place.suffix in SHOWN and not save
    return get_storage().sign_get(
        key,
        settings.STORAGE_ADDRESS_SECONDS,
        filename=None if shown else place.name,
        media_type=MEDIA_TYPES.get(place.suffix),
    )


def analysis_bytes(row: StudyAnalysis, name: str) -> bytes:
    """Return a small file of an analysis; raises ``NotFound``."""
    from amgs.files.storage import get_storage

    key = row.outputs.get(name)
    if key is None:
        raise NotFound(f"These results have no file '{name[:80]}'.")
    with get_storage().open(key) as stream:
        return stream.read()


def history_of(study: Study) -> list[StudyAnalysis]:
    """Return all analyses that are done, newest first, without what is in them."""
    rows = StudyAnalysis.objects.filter(study=study, job__state=Job.State.DONE)
    return list(rows.select_related("job").defer("table", "report").order_by("-pk"))
