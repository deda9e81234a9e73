"""Delete a study, bring it back, and clear away what nobody brought back.

For ``UNDO_FOR`` a deleted study is hidden and holds all it held, its scores, too. Its locked plans
and changes are entries of the log that only grows: deletion and return are entries beside them, so
a study that comes back has the history it had.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from amgs.core import jobs, policy
from amgs.core.base import SYSTEM, Actor
from amgs.core.decisions import history, record
from amgs.core.errors import Conflict, NotFound, Refused
from amgs.core.jobs import ACTIVE, Context, job
from amgs.core.models import Job
from amgs.files.storage import get_storage
from amgs.scoring.keeping import contributed_blobs
from amgs.scoring.models import Study, StudyAnalysis, StudyEntry, ToolRun
from amgs.scoring.studies import open_study
from amgs.scoring.study_plans import LOCK
from curation.leaving import UNDO_FOR, undo_refusal
from curation.study_leaving import StudyCounts, consequences_of_study

DELETE, RESTORE, CLEAR = "delete", "restore", "clear_deleted"
MARGIN = timedelta(hours=1)
AT_ONCE = 100
"""Studies that one sweep clears away."""


def counts_of(study: Study) -> StudyCounts:
    """Count what hangs on a study now."""
    done = StudyAnalysis.objects.filter(study=study, job__state=Job.State.DONE)
    files = [len(outputs) for outputs in done.values_list("outputs", flat=True)]
    held = _scores_of(study)
    return StudyCounts(
        rows=study.entries.count(),
        locked_plans=history(study).filter(action=LOCK).count(),
        analyses=len(files),
        files=sum(files),
        under_way=StudyAnalysis.objects.filter(study=study, job__state__in=ACTIVE).count(),
        shared=bool(study.share_token),
        log_entries=history(study).count(),
        scores=held.count(),
        scores_due=_held_by_it_alone(study, held).count(),
        score_days=settings.SCORE_KEPT_DAYS,
    )


def _scores_of(study: Study) -> QuerySet[ToolRun]:
    rows = StudyEntry.objects.filter(study=study)
    held = Q(pk__in=rows.values("run")) | Q(pk__in=rows.values("replacement"))
    return ToolRun.objects.filter(held, deleted_at=None)


def _held_by_it_alone(study: Study, scores: QuerySet[ToolRun]) -> QuerySet[ToolRun]:
    """Return the scores that go once the study is cleared away (``scoring.keeping.due``)."""
    cleared = timezone.now() + UNDO_FOR
    others = StudyEntry.objects.exclude(study=study)
    return (
        scores.filter(created_at__lt=cleared - timedelta(days=settings.SCORE_KEPT_DAYS))
        .exclude(pk__in=others.exclude(run=None).values("run"))
        .exclude(pk__in=others.exclude(replacement=None).values("replacement"))
        .exclude(pk__in=ToolRun.objects.filter(blob__in=contributed_blobs()).values("pk"))
    )


def told_deletion(study: Study) -> list[dict[str, Any]]:
    """Return what a deletion would take away and what stays, with the numbers of now."""
    return [
        {"key": one.key, "number": one.number, "sentence": one.sentence, "stays": one.stays}
        for one in consequences_of_study(counts_of(study))
    ]


@transaction.atomic
def delete_study(*, by: Actor, study: Study) -> None:
    """Delete a study; for ``UNDO_FOR`` its owner can bring it back as it was.

    An analysis under way is stopped. Raises ``NotFound`` where it is deleted already.
    """
    study = open_study(by, study)
    told = told_deletion(study)
    for row in StudyAnalysis.objects.filter(study=study, job__state__in=ACTIVE):
        if row.job is not None:
            with contextlib.suppress(Refused):  # it ended meanwhile
                jobs.cancel(row.job)
    Study.objects.filter(pk=study.pk).update(deleted_at=timezone.now())
    record(study, DELETE, by=by, facts={"consequences": told})


def deleted_studies(user: Any) -> QuerySet[Study]:
    """Return a person's deleted studies that are there still, newest first."""
    rows = Study.objects.filter(owner=user, deleted_at__isnull=False)
    return rows.select_related("owner").annotate(rows=Count("entries")).order_by("-pk")


def deleted_study_row(study: Study) -> dict[str, Any]:
    """Return a deleted study as a line of the list."""
    deleted_at = study.deleted_at
    count = getattr(study, "rows", None)
    return {
        "id": study.public_id,
        "title": study.title,
        "rows": study.entries.count() if count is None else count,
        "deleted_at": deleted_at,
        "until": deleted_at + UNDO_FOR if deleted_at else None,
    }


def find_deleted(public_id: str, user: Any) -> Study:
    """Return a deleted study of this person; raises ``NotFound``."""
    found = deleted_studies(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such study among those you deleted.")
    return found


@transaction.atomic
def restore_study(*, by: Actor, study: Study) -> Study:
    """Bring a deleted study back with everything it held, its link included.

    Raises ``Refused`` where its time is over, ``Conflict`` where somebody was faster.
    """
    policy.require(by, "scoring.edit_study", study)
    row = Study.objects.select_for_update().filter(pk=study.pk).first()
    if row is None or row.deleted_at is None:
        raise Conflict("It was brought back or cleared away meanwhile; reload the page.")
    if sentence := undo_refusal(row.deleted_at, timezone.now()):
        raise Refused(sentence)
    facts = {"deleted_at": row.deleted_at.isoformat(timespec="seconds")}
    row.deleted_at = None
    row.save(update_fields=["deleted_at"])
    record(row, RESTORE, by=by, facts=facts)
    return row


def goings(study: Study) -> list[dict[str, Any]]:
    """Return when a study was deleted and brought back, oldest first, as the log has it."""
    words = {DELETE: "Deleted", RESTORE: "Brought back"}
    return [
        {
            "action": row.action,
            "at": row.at,
            "by": row.actor_name,
            "decision": row.number,
            "sentence": f"{words[row.action]} by {row.actor_name}.",
        }
        for row in history(study).filter(action__in=words)
    ]


@job("quick", limit=timedelta(minutes=10), every=timedelta(hours=6))
def clear_deleted_studies(context: Context) -> Mapping[str, int]:
    """Delete for good the studies that nobody brought back in time, with the files of theirs."""
    done = {"studies": 0, "files": 0}
    # Later than a return is refused, so that clocks that differ make no difference.
    late = Study.objects.filter(deleted_at__lt=timezone.now() - UNDO_FOR - MARGIN).order_by("pk")
    for study in late[:AT_ONCE]:
        # Storage first: should this end here, the next sweep finds the row and goes on.
        files = 0
        for row in StudyAnalysis.objects.filter(study=study).only("outputs"):
            for key in row.outputs.values():
                get_storage().delete(key)
                files += 1
                context.progress(0.5, f"{done['studies']} studies deleted")
        context.save_progress()
        with transaction.atomic():
            facts = {"rows": study.entries.count(), "files": files}
            record(study, CLEAR, by=SYSTEM, facts=facts)
            study.delete()
        done["studies"] += 1
        done["files"] += files
    return done
