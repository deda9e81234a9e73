"""The audit: a random sample of graded frames, rated blind before a version is decided on."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum

from amgs.core.jobs import enqueue
from amgs.repository.models import (
    Frame,
    LabelImport,
    ObservationScore,
    Permission,
    Rating,
    Version,
)
from amgs.review.models import Assignment, Audit, Task
from curation.asking import STATE, UNITS, VIEW
from curation.sampling import AUDIT_FRAMES, FrameInfo, audit_sample

RATERS_PER_FRAME = 2
RATERS_OF_OBSERVATIONS = 3
"""Blind raters of other labs beside the score a lab gave to a whole observation."""
CUT_CLIPS = "review.cut_clips"


def graded_frames(version: Version) -> QuerySet[Frame]:
    """Return the frames of a version that came with grades that are to be seen."""
    return Frame.objects.filter(
        recording__versions=version,
        ratings__source=Rating.Source.SHEET,
        ratings__label_import__status=LabelImport.Status.DONE,
        ratings__label_import__versions=version,
    ).distinct()


def scored_observations(version: Version) -> bool:
    """Return whether a version came with scores of whole observations."""
    return ObservationScore.objects.filter(
        label_import__versions=version, label_import__status=LabelImport.Status.DONE
    ).exists()


def start_audit(*, version: Version) -> Audit | None:
    """Draw the audit sample of a version and put its frames into the queue of the raters.

    Only where the owner lets raters of other labs see them. The frames that came with grades, or,
    where scores of observations came alone, those we drew ourselves, for more raters. Where the
    version was in review before, ratings already given stay and the sample is filled up.
    """
    if not version.permissions.filter(kind=Permission.Kind.OUTSIDE_RATERS).exists():
        return None
    found, raters = graded_frames(version), RATERS_PER_FRAME
    if not found.exists() and scored_observations(version):
        found = Frame.objects.filter(recording__versions=version, drawn=True)
        raters = RATERS_OF_OBSERVATIONS
    frames = {row.public_id: row for row in found.select_related("recording__observation__animal")}
    if not frames:
        return None
    audit, _ = Audit.objects.get_or_create(
        version=version,
        defaults={"seed": secrets.randbits(62), "raters_per_frame": raters},
    )
    audit.tasks.filter(taken=0, closed=True).exclude(kind=STATE).delete()
    Task.objects.filter(audit=audit).exclude(kind=STATE, clip_key="").update(closed=False)
    held = set(audit.tasks.filter(kind=UNITS).values_list("frame__public_id", flat=True))
    infos = [
        FrameInfo(public_id, *_place(row))
        for public_id, row in frames.items()
        if public_id not in held
    ]
    drawn = audit_sample(infos, max(0, AUDIT_FRAMES - len(held)), audit.seed)
    _ask(audit, version, [frames[public_id] for public_id in drawn])
    if audit.tasks.filter(kind=STATE, clip_key="").exists():
        enqueue(CUT_CLIPS, subject=audit, key=audit.public_id, audit=audit.public_id)
    return audit


def _ask(audit: Audit, version: Version, frames: Sequence[Frame]) -> None:
    """Put frames before the raters: their units, their view and, of films, the state."""
    # Uniform over all audits at once, so that datasets, animals and times come shuffled.
    order = random.Random(audit.seed)  # noqa: S311  (to be repeatable is the point)
    tasks = [
        Task(
            audit=audit,
            frame=frame,
            lab_id=version.dataset.lab_id,
            dataset_id=version.dataset_id,
            kind=kind,
            priority=order.random(),
            wanted=audit.raters_per_frame,
            closed=kind == STATE,
        )
        for kind in (UNITS, VIEW, STATE)
        for frame in frames
        if kind != STATE or frame.recording.media.get("kind") == "video"
    ]
    Task.objects.bulk_create(tasks, ignore_conflicts=True)


def _place(frame: Frame) -> tuple[str, str]:
    """Return the observation and the animal of a frame; a recording without one is its own."""
    observation = frame.recording.observation
    if observation is None:
        return frame.recording.public_id, frame.recording.public_id
    return observation.public_id, observation.animal.public_id


def close_audit(*, version: Version) -> None:
    """Take the frames of a version out of the queue; what is open is asked of nobody any more."""
    close(Task.objects.filter(audit__version=version, closed=False))


def close(tasks: QuerySet[Task]) -> None:
    """Ask these tasks of nobody any more; what was answered stays."""
    Assignment.objects.filter(task__in=tasks, rated_at=None, freed_at=None, discarded="").delete()
    tasks.update(closed=True, taken=F("finished"))


def ratings_of(audit: Audit) -> QuerySet[Rating]:
    """Return the ratings the raters of an audit gave."""
    return Rating.objects.filter(
        frame__tasks__audit=audit, frame__tasks__kind=UNITS, source=Rating.Source.AUDIT
    )


def progress(audit: Audit) -> dict[str, Any]:
    """Return how far an audit is: frames, finished frames, ratings (of whole frames)."""
    told = audit.tasks.filter(kind=UNITS).aggregate(
        frames=Count("pk"),
        frames_finished=Count("pk", filter=Q(finished__gte=F("wanted"))),
        ratings=Sum("finished", default=0),
        ratings_wanted=Sum("wanted", default=0),
    )
    return {**told, "raters_per_frame": audit.raters_per_frame}
