"""Analyse a study: the locked plan on the table as it stands, by ``models.study``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction

from amgs.core import jobs
from amgs.core.base import Actor
from amgs.core.errors import Refused
from amgs.core.idempotency import once
from amgs.core.jobs import ACTIVE, Context, Finish, job
from amgs.files.storage import Missing, get_storage
from amgs.scoring.models import Study, StudyAnalysis, StudyEntry, ToolRun
from amgs.scoring.studies import MIXED, digest, entries_of, open_study, table_of
from amgs.scoring.study_plans import (
    Locked,
    changes_after_results,
    differs,
    lock_of,
    require_sound,
)

PREDICTIONS = "predictions.parquet"
MOST_TOLD = 50


@transaction.atomic
def ask_for_analysis(*, by: Actor, study: Study) -> StudyAnalysis:
    """Ask for the analysis of a study by its locked plan; one at a time per study.

    Raises ``Refused`` with every row that keeps it from being analysed.
    """
    study = open_study(by, study)
    locked = lock_of(study)
    if locked is None:
        raise Refused(
            "Lock the plan first: what is measured and by which cut-off is fixed before any "
            "result by group is shown.",
            field="plan",
        )
    require_sound(study, locked)
    if differs(study, locked):
        raise Refused(
            "The plan has changes that are not locked; lock them or take them back first.",
            field="plan",
        )
    waiting = StudyAnalysis.objects.filter(study=study, job__state__in=ACTIVE).first()
    if waiting is not None:
        return waiting
    entries = entries_of(study)
    require_ready(study, entries)
    table = table_of(entries)
    row = StudyAnalysis.objects.create(
        study=study,
        plan=told_plan(study, locked),
        table=table,
        table_digest=digest(table),
        model_version=study.model_version,
    )
    row.job = jobs.enqueue(analyse_study, by=by, subject=row, analysis=row.public_id)
    row.save(update_fields=["job"])
    return row


def ask_for_analysis_once(*, by: Actor, study: Study, key: str) -> tuple[StudyAnalysis, bool]:
    """Ask for the analysis once per idempotency key; return it and whether this call asked."""
    return once(
        who=by.public_id,
        act="analyse",
        key=key,
        body={"study": study.public_id},
        make=lambda: ask_for_analysis(by=by, study=study),
        find=lambda made: StudyAnalysis.objects.filter(public_id=made, study=study).first(),
    )


def require_ready(study: Study, entries: list[StudyEntry]) -> None:
    """Raise ``Refused`` with the rows that cannot be analysed yet, and why."""
    counted = [row for row in entries if not row.excluded]
    wrong, mixed = [], []
    if not counted:
        raise Refused("The table has no row that counts; add scores first.", field="table")
    for row in entries:
        if row.current is None:
            wrong.append(f"{row.name}: its score is not there any more; take the row out.")
        elif not row.excluded and row.current.model_version_id != study.model_version_id:
            mixed.append(f"{row.name} was scored by another version.")
        said = (("animal", row.animal), ("group", row.group), ("time", row.time_h))
        missing = [title for title, value in said if value in ("", None)]
        if missing:
            wrong.append(f"{row.name}: the {' and the '.join(missing)} is missing.")
    if mixed:
        version = study.model_version.identifier if study.model_version else "one version"
        raise Refused(
            f"Not every row has a score by {version} yet; wait until they are there, or score all "
            "with one version.",
            field=MIXED,
            details=[{"sentence": sentence} for sentence in mixed[:MOST_TOLD]],
        )
    if wrong:
        raise Refused(
            "The table is not complete: fill in what is missing; excluded rows need it, too, so "
            "that the exclusions can be told by group.",
            field="table",
            details=[{"sentence": sentence} for sentence in wrong[:MOST_TOLD]],
        )


def told_plan(study: Study, locked: Locked) -> dict[str, Any]:
    """Return the locked plan with what the report says of how it came about."""
    return {
        "number": locked.number,
        "digest": locked.digest,
        "locked_at": locked.at.isoformat(timespec="seconds"),
        "locked_by": locked.by,
        "why": locked.why,
        "plan": locked.plan,
        "changes": changes_after_results(study),
    }


def followed(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan as the analysis follows it, with what the log says of its making."""
    changes = [
        " ".join(
            part for part in (one["sentence"], one["why"] and f"Reason: “{one['why']}”") if part
        )
        for one in told["changes"]
    ]
    return told["plan"] | {"locked_on": told["locked_at"][:10], "changes": changes}


@job(queue="score", limit=timedelta(minutes=5))
def analyse_study(context: Context, analysis: str) -> Finish:
    """Bring the scores of a study together and tell its statistics."""
    from models.events import Refused as NoStudy
    from models.study import StudyPlan, run_study

    row = StudyAnalysis.objects.get(public_id=analysis)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = _rows(context, row, folder / "scores")
        out = folder / "out"
        out.mkdir()

        def told(share: float, sentence: str = "") -> None:
            context.progress(0.3 + 0.6 * share, sentence or "telling the statistics")

        try:
            plan = StudyPlan.from_json(followed(row.plan))
            report = run_study(rows, plan, out, on_progress=told)
        except NoStudy as refusal:
            raise Refused(refusal.sentence) from refusal
        context.progress(0.92, "keeping the files")
        outputs = _store(context, out)
    kept = json.loads(json.dumps(report))

    def apply() -> None:
        StudyAnalysis.objects.filter(pk=row.pk).update(report=kept, outputs=outputs)

    return Finish(result={"files": len(outputs)}, apply=apply)


def _rows(context: Context, row: StudyAnalysis, folder: Path) -> list[Any]:
    """Write what every score says into files and return the rows that name them."""
    from models.study import StudyRow

    folder.mkdir()
    tokens = [line["score"] for line in row.table]
    runs = {run.token: run for run in ToolRun.objects.filter(token__in=tokens)}
    rows = []
    for number, line in enumerate(row.table):
        run = runs.get(line["score"])
        if run is None:
            raise Refused(f"The score of {line['name']} is not there any more; take the row out.")
        place = folder / f"{number:04d}"
        place.mkdir()
        result = place / "result.json"
        whole = {"result": run.result, "provenance": run.provenance}
        result.write_text(json.dumps(whole), encoding="utf-8")
        rows.append(
            StudyRow(
                **line_of(line),
                result=result,
                predictions=_predictions(run.outputs, place),
            )
        )
        context.progress(0.3 * (number + 1) / len(row.table), f"{number + 1} scores read")
    return rows


def line_of(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of a kept table line, without the name of its score."""
    return {key: value for key, value in line.items() if key != "score"}


def _predictions(outputs: Mapping[str, str], place: Path) -> Path | None:
    key = outputs.get(PREDICTIONS)
    if key is None:
        return None
    try:
        return get_storage().download(key, place / PREDICTIONS)
    except Missing:
        return None


def _store(context: Context, folder: Path) -> dict[str, str]:
    """Put the files under this attempt's keys; return the keys by name."""
    storage, outputs = get_storage(), {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        outputs[name] = context.key(name)
        with path.open("rb") as stream:
            storage.put(outputs[name], stream, path.stat().st_size)
    return outputs
