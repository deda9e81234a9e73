"""What review does when data leave, come back, or a permission changes; and what it counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import F
from django.utils import timezone

from amgs.accounts import notices
from amgs.core.jobs import enqueue
from amgs.core.models import Decision, Job
from amgs.repository.consequences import counter
from amgs.repository.models import Frame, Version
from amgs.repository.steps import Step, follower
from amgs.review.acceptance import CONSENSUS
from amgs.review.facts import has_grades
from amgs.review.models import Assignment, Task
from amgs.review.services.audits import close, close_audit, start_audit
from amgs.review.training_queue import open_versions
from curation.asking import UNITS
from curation.dataset_version import IN_REVIEW

CLEAR_CLIPS = "review.clear_clips"


@follower("delete", "take_back_outside_raters")
def _close(step: Step, decision: Decision) -> None:
    """Give no frame of the version to anybody any more, and take back those on a screen."""
    close_audit(version=step.version)


@follower("withdraw", "retract", "take_back_outside_raters", "take_back_train")
def _leave_the_queue(step: Step, decision: Decision) -> None:
    """Rate no frame of the dataset for training any more, where no version of it allows that."""
    dataset = step.version.dataset
    if dataset.pk not in open_versions():
        close(Task.objects.filter(audit=None, dataset=dataset, closed=False))


@follower("delete", "withdraw")
def _drop_clips(step: Step, decision: Decision) -> None:
    """Have the films for raters deleted; they are cut anew where the version comes back."""
    version = step.version
    enqueue(
        CLEAR_CLIPS,
        subject=version,
        key=f"{version.public_id}:{decision.number}",
        version=version.public_id,
    )


@follower("restore", "give_outside_raters")
def _open(step: Step, decision: Decision) -> None:
    """Put the frames before the raters again where the version is under review."""
    if step.version.state == IN_REVIEW:
        start_audit(version=step.version)


@counter
def _what_waits(version: Version) -> Mapping[str, Any]:
    waiting = Task.objects.filter(audit__version=version, kind=UNITS, closed=False)
    held = Assignment.objects.filter(
        task__audit__version=version,
        task__closed=False,
        rated_at=None,
        freed_at=None,
        discarded="",
        expires_at__gt=timezone.now(),
    )
    graded = Frame.objects.filter(recording__versions=version, consensus__isnull=False)
    return {
        "waiting_frames": waiting.filter(finished__lt=F("wanted")).count(),
        "raters_now": held.values("rater").distinct().count(),
        "graded_frames": graded.distinct().count(),
    }


def needs_consensus(version: Version) -> bool:
    """Return whether grades of a version wait to be combined, some held back by its embargo."""
    if not has_grades(version):
        return False
    job = Job.objects.filter(kind=CONSENSUS, subject=version.public_id).order_by("-pk").first()
    return job is None or job.state != Job.State.DONE or bool(job.result.get("held_back"))


def tell_of_the_end(version: Version, why: str) -> None:
    """Tell the lab how its embargo ended: published, or the sentences of the checks."""
    name = version.identifier
    title = f"The embargo of {name} has ended" if not why else f"{name} was not published"
    text = (
        f"The embargo of {name} has ended. The checks passed once more, and it is published now, "
        "with what you allowed others to do.\n"
        if not why
        else f"The embargo of {name} has ended, but the checks do not pass any more:\n\n{why}\n\n"
        "It stays invisible to others. Open it as a draft again, mend this and submit it.\n"
    )
    notices.tell(notices.people(lab=version.dataset.lab), title=title, text=text, about=version)
