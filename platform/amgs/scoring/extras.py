"""What is made of a result when somebody looks at it or asks: film, saliency, workbook, corrected.

A page asks for the film and the saliency when it is opened for the first time, so that whoever
scores three hundred films by the API waits for none of them.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from amgs.core import jobs
from amgs.core.base import SYSTEM
from amgs.core.errors import Refused
from amgs.core.jobs import ACTIVE
from amgs.scoring import corrections
from amgs.scoring.models import Extra, ToolRun

PLAYER, EXPLANATION, WORKBOOK = "player", "explanation", "workbook"
ANNOTATED, CORRECTED = "annotated", "corrected"
TITLES = {
    PLAYER: "the film beside the chart",
    EXPLANATION: "what the grades rest on",
    WORKBOOK: "the Excel workbook",
    ANNOTATED: "the film with grades drawn on it",
    CORRECTED: "figures with corrections by hand",
}
RESTS_ON_CORRECTIONS = (WORKBOOK, CORRECTED)
GONE = "The file of this score is not there any more, so {what} cannot be made."


@transaction.atomic
def ask_for(*, run: ToolRun, what: str) -> Extra:
    """Ask that something be made of a result; what is there, or under way, is returned.

    Raises ``Refused`` where it cannot be made of this result.
    """
    if what not in TITLES:
        raise Refused(f"Nothing called '{what}' can be made; ask for one of {', '.join(TITLES)}.")
    run = ToolRun.objects.select_for_update().get(pk=run.pk)
    if sentence := refusal(run, what):
        raise Refused(sentence)
    rests_on = corrections.digest(run) if what in RESTS_ON_CORRECTIONS else ""
    made, fresh = Extra.objects.select_related("job").get_or_create(
        run=run, what=what, defaults={"rests_on": rests_on}
    )
    over = made.job is not None and made.job.state not in (*ACTIVE, "done")
    if not fresh and made.job is not None and not over and made.rests_on == rests_on:
        return made
    from amgs.scoring.making import make_extra

    if made.job is not None and made.job.state in ACTIVE:
        jobs.cancel(made.job)
    made.rests_on = rests_on
    made.job = jobs.enqueue(make_extra, by=run.user or SYSTEM, subject=run, extra=made.public_id)
    made.save(update_fields=["rests_on", "job"])
    return made


def refusal(run: ToolRun, what: str) -> str | None:
    """Return why something cannot be made of a result, or ``None``."""
    result = run.result
    if not result:
        return "This score is not ready yet; wait until it is."
    if "predictions.parquet" not in run.outputs:
        return f"There are no predictions in this result, so {TITLES[what]} cannot be made."
    gone = run.blob is None or run.blob.deleted_at is not None
    if gone and what in (PLAYER, EXPLANATION, ANNOTATED):
        return GONE.format(what=TITLES[what])
    if what == EXPLANATION and not result.get("best_frames"):
        return "No frame of this recording was graded, so there is nothing to explain."
    if what == CORRECTED and not corrections.counted(run):
        return "Nobody has corrected a grade of this score."
    return None


def summary(run: ToolRun) -> dict[str, dict[str, Any]]:
    """Return what was asked for, by its kind: state, progress, what to know, and its files."""
    rows = Extra.objects.select_related("job").filter(run=run)
    now = corrections.digest(run)
    return {
        row.what: {
            "state": row.job.state if row.job else "queued",
            "progress": row.job.progress if row.job else 0.0,
            "note": row.job.note if row.job else "",
            "error": row.job.error if row.job else "",
            "told": row.told,
            "files": {name: _address(run, name) for name in sorted(row.outputs)},
            "stale": row.what in RESTS_ON_CORRECTIONS and row.rests_on != now,
        }
        for row in rows
    }


def key_of(run: ToolRun, name: str) -> str | None:
    """Return the storage key of a file that was made of a result, or ``None``."""
    for row in Extra.objects.filter(run=run).only("outputs"):
        if name in row.outputs:
            return str(row.outputs[name])
    return None


def _address(run: ToolRun, name: str) -> str:
    return f"/api/scores/{run.token}/files/{name}"
