"""The audit: a random sample of graded frames, rated blind before a version is decided on."""

from __future__ import annotations

import random
import secrets
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum

from amgs.repository.models import Frame, LabelImport, Permission, Rating, Version
from amgs.review.models import Assignment, Audit, AuditFrame
from curation.sampling import AUDIT_FRAMES, FrameInfo, audit_sample

RATERS_PER_FRAME = 2


def graded_frames(version: Version) -> QuerySet[Frame]:
    """Return the frames of a version that came with grades that are to be seen."""
    return Frame.objects.filter(
        recording__versions=version,
        ratings__source=Rating.Source.SHEET,
        ratings__label_import__status=LabelImport.Status.DONE,
        ratings__label_import__versions=version,
    ).distinct()


def start_audit(*, version: Version) -> Audit | None:
    """Draw the audit sample of a version and put its frames into the queue of the raters.

    Only where frames came with grades and the owner lets raters of other labs see them. Where
    the version was in review before, ratings already given stay and the sample is filled up.
    """
    if not version.permissions.filter(kind=Permission.Kind.OUTSIDE_RATERS).exists():
        return None
    frames = {
        row.public_id: row
        for row in graded_frames(version).select_related("recording__observation__animal")
    }
    if not frames:
        return None
    audit, _ = Audit.objects.get_or_create(
        version=version,
        defaults={"seed": secrets.randbits(62), "raters_per_frame": RATERS_PER_FRAME},
    )
    audit.frames.filter(taken=0, closed=True).delete()
    AuditFrame.objects.filter(audit=audit).update(closed=False)
    held = set(audit.frames.values_list("frame__public_id", flat=True))
    infos = [
        FrameInfo(public_id, *_place(row))
        for public_id, row in frames.items()
        if public_id not in held
    ]
    drawn = audit_sample(infos, max(0, AUDIT_FRAMES - len(held)), audit.seed)
    # Uniform over all audits at once, so that datasets, animals and times come shuffled.
    order = random.Random(audit.seed)  # noqa: S311  (to be repeatable is the point)
    AuditFrame.objects.bulk_create(
        AuditFrame(
            audit=audit,
            frame=frames[public_id],
            lab_id=version.dataset.lab_id,
            dataset_id=version.dataset_id,
            priority=order.random(),
            wanted=audit.raters_per_frame,
        )
        for public_id in drawn
    )
    return audit


def _place(frame: Frame) -> tuple[str, str]:
    """Return the observation and the animal of a frame; a recording without one is its own."""
    observation = frame.recording.observation
    if observation is None:
        return frame.recording.public_id, frame.recording.public_id
    return observation.public_id, observation.animal.public_id


def close_audit(*, version: Version) -> None:
    """Take the frames of a version out of the queue; what is open is asked of nobody any more."""
    rows = AuditFrame.objects.filter(audit__version=version, closed=False)
    Assignment.objects.filter(
        audit_frame__in=rows, rated_at=None, freed_at=None, discarded=""
    ).delete()
    rows.update(closed=True, taken=F("finished"))


def ratings_of(audit: Audit) -> QuerySet[Rating]:
    """Return the ratings the raters of an audit gave."""
    return Rating.objects.filter(frame__audit_frames__audit=audit, source=Rating.Source.AUDIT)


def progress(audit: Audit) -> dict[str, Any]:
    """Return how far an audit is: frames, finished frames, ratings (of whole frames)."""
    told = audit.frames.aggregate(
        frames=Count("pk"),
        frames_finished=Count("pk", filter=Q(finished__gte=F("wanted"))),
        ratings=Sum("finished", default=0),
        ratings_wanted=Sum("wanted", default=0),
    )
    return {**told, "raters_per_frame": audit.raters_per_frame}
