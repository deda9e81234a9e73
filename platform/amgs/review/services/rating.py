"""Rating blind: the next frame, its grades, or why it was put aside.

A rater is given a frame under a neutral name and nothing else. Nobody is given frames of their
own lab or of a dataset whose page they opened, and only the owner's permission puts a frame into
the queue at all (``audits.start_audit``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from amgs.accounts.models import User
from amgs.core import policy
from amgs.core.errors import Conflict, NotFound, Refused
from amgs.core.jobs import enqueue
from amgs.files.storage import get_storage
from amgs.repository.models import Dataset, Frame, Rating
from amgs.repository.services.labels import declares
from amgs.review.models import Assignment, Audit, AuditFrame, Seen
from models.scale import load_scale

HELD_FOR = timedelta(minutes=15)
AGREEMENT = "review.update_agreement"
# Ratings come in quickly; agreement is computed once for those of so many seconds.
AGREEMENT_AFTER = timedelta(seconds=2)
# Two raters may reach for the same frame; the second simply takes the next one.
TRIES = 5
_OPEN = {"rated_at": None, "freed_at": None, "discarded": ""}


def waiting_for(rater: User) -> QuerySet[AuditFrame]:
    """Return the frames a rater may be given, unordered; one look into one index when sliced."""
    mine = Assignment.objects.filter(audit_frame=OuterRef("pk"), rater=rater, freed_at=None)
    rated = Rating.objects.filter(frame=OuterRef("frame"), rater=rater, source=Rating.Source.AUDIT)
    return (
        AuditFrame.objects.filter(
            ~Exists(mine), ~Exists(rated), closed=False, taken__lt=F("wanted")
        )
        .exclude(lab__in=rater.lab_ids)
        .exclude(dataset__in=Seen.objects.filter(user=rater).values("dataset"))
    )


def next_assignment(*, rater: User, beside: Sequence[str] = ()) -> Assignment | None:
    """Give a rater the next frame: one they hold already, or else the first that waits.

    ``beside`` are ids of assignments on the rater's screen now, so that a page can fetch the next
    one ahead. Returns ``None`` where nothing waits for this rater.
    """
    policy.require(rater, "rate_frames")
    now = timezone.now()
    free_expired(now)
    held = (
        Assignment.objects.filter(rater=rater, audit_frame__closed=False, **_OPEN)
        .exclude(public_id__in=beside)
        .select_related("audit_frame__frame")
        .order_by("pk")
        .first()
    )
    if held is not None:
        return held
    for _ in range(TRIES):
        taken = _take(rater, now)
        if taken is not False:
            return taken
    return None


@transaction.atomic
def _take(rater: User, now: datetime) -> Assignment | bool | None:
    """Take the first waiting frame; ``None``: none waits, ``False``: another was faster."""
    waiting = waiting_for(rater).order_by("priority")
    # Where the database can, rows that another rater is taking at this moment are jumped over;
    # when those are the only ones left, wait for them instead of saying that nothing waits.
    frame = waiting.select_for_update(skip_locked=True).first() or waiting.first()
    if frame is None:
        return None
    return _hold(frame, rater, now)


def _hold(frame: AuditFrame, rater: User, now: datetime) -> Assignment | bool:
    """Reserve one place on a frame for a rater; ``False`` where no place is left."""
    if not AuditFrame.objects.filter(pk=frame.pk, closed=False, taken__lt=F("wanted")).update(
        taken=F("taken") + 1
    ):
        return False
    assignment, _ = Assignment.objects.update_or_create(
        audit_frame=frame,
        rater=rater,
        defaults={"expires_at": now + HELD_FOR, "freed_at": None},
    )
    return assignment


def free_expired(now: datetime) -> int:
    """Free assignments whose time ran out, so that somebody else may rate the frame."""
    expired = list(
        Assignment.objects.filter(expires_at__lt=now, **_OPEN).values_list("pk", flat=True)[:200]
    )
    return sum(_free(pk, now) for pk in expired)


@transaction.atomic
def _free(pk: int, now: datetime) -> int:
    if not Assignment.objects.filter(pk=pk, **_OPEN).update(freed_at=now):
        return 0
    AuditFrame.objects.filter(assignments=pk, taken__gt=F("finished")).update(taken=F("taken") - 1)
    return 1


def find_assignment(rater: User, public_id: str) -> Assignment:
    """Return an assignment of this rater; raises ``NotFound`` for anybody else's."""
    row = (
        Assignment.objects.select_related("audit_frame__frame", "audit_frame__audit")
        .filter(public_id=public_id, rater=rater)
        .first()
    )
    if row is None:
        raise NotFound("This frame was not given to you; ask for the next one.")
    return row


def still_address(assignment: Assignment) -> str:
    """Return the signed address of the frame's still, under a name that tells nothing."""
    return get_storage().sign_get(
        assignment.audit_frame.frame.still_key,
        settings.STORAGE_ADDRESS_SECONDS,
        media_type="image/jpeg",
    )


def read_grades(grades: Mapping[str, Any]) -> dict[str, tuple[int | None, str]]:
    """Return (grade, reason) per unit; refuses, with the unit named, what is neither.

    Every unit of the scale needs a grade or ``{"reason": key}``: not scorable is an answer,
    silence is none.
    """
    scale = load_scale()
    for key in grades:
        if key not in scale.unit_keys:
            raise Refused(f"The scale has no unit '{key}'.", field=f"grades.{key}")
    found: dict[str, tuple[int | None, str]] = {}
    for unit in scale.units:
        field = f"grades.{unit.key}"
        if unit.key not in grades:
            raise Refused(
                f"{unit.title} is neither graded nor marked as not scorable.", field=field
            )
        answer = grades[unit.key]
        if isinstance(answer, Mapping):
            reason = answer.get("reason")
            if set(answer) != {"reason"} or reason not in scale.reason_keys:
                raise Refused(
                    f"{unit.title}: say why it is not scorable; choose one of "
                    f"{', '.join(scale.reason_keys)}.",
                    field=field,
                )
            found[unit.key] = (None, reason)
        elif isinstance(answer, bool) or not isinstance(answer, int):
            raise Refused(f"{unit.title} needs a grade from 0 to {unit.top_grade}.", field=field)
        elif not 0 <= answer <= unit.top_grade:
            raise Refused(
                f"{unit.title} is graded 0 to {unit.top_grade}, not {answer}.", field=field
            )
        else:
            found[unit.key] = (answer, "")
    return found


@transaction.atomic
def rate(
    *, assignment: Assignment, by: User, grades: Mapping[str, Any], seconds: float | None = None
) -> Assignment:
    """Commit a rater's grades of one frame; the same grades sent twice are stored once.

    ``seconds``: time the rater took. A frame whose time ran out is still taken while a place is
    left on it.
    """
    policy.require(by, "rate_frames")
    answers = read_grades(grades)
    if assignment.rater_id != by.pk:
        raise NotFound("This frame was not given to you; ask for the next one.")
    # The lock orders ratings with the job that counts them for the agreement.
    audit = Audit.objects.select_for_update().get(pk=assignment.audit_frame.audit_id)
    row = Assignment.objects.select_related("audit_frame__frame").get(pk=assignment.pk)
    frame = row.audit_frame
    if row.rated_at is not None:
        if _given(row, by) == answers:
            return row
        raise Refused("You rated this frame already, and what was committed stays.")
    if row.discarded:
        raise Refused("You put this frame aside; ask for the next one.")
    if frame.closed or Seen.objects.filter(user=by, dataset=frame.dataset_id).exists():
        raise Refused("This frame is no longer to be rated; ask for the next one.")
    now = timezone.now()
    if row.freed_at is not None and not _hold(frame, by, now):
        raise Refused("Others have rated this frame meanwhile; ask for the next one.")
    if not Assignment.objects.filter(pk=row.pk, **_OPEN).update(rated_at=now):
        raise Conflict("This frame was committed in another window.")
    row.rated_at = now
    random_share = _is_random_share(frame.frame)
    Rating.objects.bulk_create(
        Rating(
            frame=frame.frame,
            unit=unit,
            grade=grade,
            reason=reason,
            rater=by,
            rater_name=by.public_id,
            seconds=None if seconds is None else min(max(float(seconds), 0.0), 3600.0),
            source=Rating.Source.AUDIT,
            random_share=random_share,
        )
        for unit, (grade, reason) in answers.items()
    )
    AuditFrame.objects.filter(pk=frame.pk).update(finished=F("finished") + 1)
    ask_for_agreement(audit)
    return row


def _given(row: Assignment, by: User) -> dict[str, tuple[int | None, str]]:
    ratings = Rating.objects.filter(
        frame=row.audit_frame.frame_id, rater=by, source=Rating.Source.AUDIT
    )
    return {rating.unit: (rating.grade, rating.reason) for rating in ratings}


def _is_random_share(frame: Frame) -> bool:
    """Return whether a frame was picked by chance: here, or by the lab that says so of its sheet.

    The audit draws at random, but from frames that may have been chosen by eye.
    """
    return (
        frame.drawn
        or Rating.objects.filter(
            frame=frame, source=Rating.Source.SHEET, random_share=True
        ).exists()
    )


def ask_for_agreement(audit: Audit) -> None:
    """Have the agreement computed: at once when the audit is complete, else in a moment."""
    complete = not audit.frames.filter(finished__lt=F("wanted")).exists()
    enqueue(
        AGREEMENT,
        subject=audit,
        key=f"{audit.public_id}:complete" if complete else audit.public_id,
        after=timedelta(0) if complete else AGREEMENT_AFTER,
        audit=audit.public_id,
    )


@transaction.atomic
def discard(*, assignment: Assignment, by: User, why: str) -> None:
    """Put a frame aside (the rater recognises the animal, say); somebody else will rate it."""
    if assignment.rater_id != by.pk:
        raise NotFound("This frame was not given to you; ask for the next one.")
    why = why.strip()
    if not why or len(why) > 100:
        raise Refused("Please say in at most 100 letters why you put it aside.", field="why")
    changed = Assignment.objects.filter(pk=assignment.pk, rated_at=None, discarded="").update(
        discarded=why
    )
    if not changed:
        raise Refused("This frame is rated or put aside already; ask for the next one.")
    if assignment.freed_at is None:
        AuditFrame.objects.filter(pk=assignment.audit_frame_id, taken__gt=F("finished")).update(
            taken=F("taken") - 1
        )


@transaction.atomic
def mark_seen(*, user: Any, dataset: Dataset) -> None:
    """Remember that a person opened a dataset's page: they no longer rate its frames blind.

    Frames of it that they hold go back into the queue.
    """
    if not user.is_authenticated:
        return
    # What was seen stays seen, so that this process need not ask the database for every page.
    known = f"seen:{user.public_id}:{dataset.public_id}"
    if cache.get(known):
        return
    if Seen.objects.filter(user=user, dataset=dataset).exists():
        transaction.on_commit(lambda: cache.set(known, True, 3600))  # not what is rolled back
        return
    Seen.objects.bulk_create([Seen(user=user, dataset=dataset)], ignore_conflicts=True)
    now = timezone.now()
    held = Assignment.objects.filter(rater=user, audit_frame__dataset=dataset, **_OPEN)
    for pk in list(held.values_list("pk", flat=True)):
        _free(pk, now)


def counts_as_blind(rating: Rating, metadata: Mapping[str, Any]) -> bool:
    """Return whether a rating counts: given here, or on a sheet declared to be blind."""
    if rating.source == Rating.Source.AUDIT:
        return True
    return (
        rating.label_import is not None
        and declares(rating.label_import, metadata, "raters_blind") == "yes"
    )
