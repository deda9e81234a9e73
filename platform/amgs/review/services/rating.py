"""Rating blind: the answers to one frame, taking them back, putting a frame aside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from amgs.accounts.models import User
from amgs.core import policy
from amgs.core.errors import Conflict, NotFound, Refused
from amgs.core.jobs import enqueue
from amgs.repository.models import Rating
from amgs.review.models import Assignment, Audit, Judgement, Seen, Task
from amgs.review.services.blindness import mark_seen, picked_by_chance
from amgs.review.services.gold import settle
from amgs.review.services.queue import HELD_FOR, OPEN, frame_of, hold
from curation.asking import UNITS, NoAnswer, read_choice, read_units
from models.scale import load_scale

AGREEMENT = "review.update_agreement"
# Ratings come in quickly; agreement is computed once for those of so many seconds.
AGREEMENT_AFTER = timedelta(seconds=20)
TAKEN_BACK_WITHIN = timedelta(minutes=10)
LONGEST_S = 3600.0
VIEWING = {"zoom": (1.0, 16.0), "contrast": (0.25, 4.0), "width": (1.0, 20000.0)}
"""What is kept of how a picture was looked at; `width` is that of the whole picture unzoomed, in
pixels of the page."""
_NOT_YOURS = "This frame was not given to you; ask for the next one."


def read_answers(assignment: Assignment, given: Any) -> Any:
    """Return the checked answers: (grade, reason) per unit, or one word; refuses with the field."""
    scale = load_scale()
    try:
        if assignment.kind == UNITS:
            told = given if isinstance(given, Mapping) else {}
            return read_units(told, scale, assignment.units)
        return read_choice(assignment.kind, given, scale)
    except NoAnswer as problem:
        raise Refused(problem.sentence, field=problem.field) from problem


@transaction.atomic
def rate(
    *,
    assignment: Assignment,
    by: User,
    grades: Any,
    seconds: float | None = None,
    viewing: Mapping[str, Any] | None = None,
    flag: str = "",
) -> Assignment:
    """Commit a rater's answers to one frame; the same answers sent twice are stored once.

    ``grades`` are those of all units, or the one word of a state or view task; ``seconds`` the
    time the rater took; ``viewing`` zoom and contrast; ``flag`` why somebody should look at the
    frame. A frame whose time ran out is still taken while a place is left on it.
    """
    policy.require(by, "rate_frames")
    answers = read_answers(assignment, grades)
    if assignment.rater_id != by.pk:
        raise NotFound(_NOT_YOURS)
    audit = _locked_audit(assignment)
    row = Assignment.objects.select_related("task__frame", "gold__frame").get(pk=assignment.pk)
    told = grades if isinstance(grades, str) else dict(grades)
    if row.rated_at is not None:
        if row.answers == told:
            return row
        raise Refused("You rated this frame already, and what was committed stays.")
    if row.discarded:
        raise Refused("You put this frame aside; ask for the next one.")
    _still_asked(row, by)
    now = timezone.now()
    if row.freed_at is not None:
        _hold_again(row, by)
    row.rated_at, row.answers = now, told
    row.seconds = None if seconds is None else min(max(float(seconds), 0.0), LONGEST_S)
    row.viewing, row.flag = _viewing(viewing or {}), flag.strip()[:200]
    changed = Assignment.objects.filter(pk=row.pk, **OPEN).update(
        rated_at=now,
        answers=told,
        seconds=row.seconds,
        viewing=row.viewing,
        flag=row.flag,
    )
    if not changed:
        raise Conflict("This frame was committed in another window.")
    if row.task is not None and not row.repeat:
        _count(row.task, row, by, answers)
        if audit is not None:
            ask_for_agreement(audit)
    elif row.gold is not None and row.gold.training:
        settle(by, row.kind)
    return row


def _locked_audit(assignment: Assignment) -> Audit | None:
    """Return the audit a rating counts for; the lock orders it with the job that counts them."""
    task = assignment.task
    if task is None or task.audit_id is None:
        return None
    return Audit.objects.select_for_update().get(pk=task.audit_id)


def _still_asked(row: Assignment, by: User) -> None:
    seen = Seen.objects.filter(user=by, dataset=row.asked.dataset_id)
    if row.asked.over or seen.exists():
        raise Refused("This frame is no longer to be rated; ask for the next one.")


def _hold_again(row: Assignment, by: User) -> None:
    now = timezone.now()
    if row.task is None or row.repeat:
        Assignment.objects.filter(pk=row.pk).update(freed_at=None, expires_at=now + HELD_FOR)
    elif not hold(row.task, by, now):
        raise Refused("Others have rated this frame meanwhile; ask for the next one.")


def _viewing(given: Mapping[str, Any]) -> dict[str, float]:
    kept = {}
    for name, (low, high) in VIEWING.items():
        value = given.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            kept[name] = round(min(max(float(value), low), high), 3)
    return kept


def _count(task: Task, row: Assignment, by: User, answers: Any) -> None:
    """Store what counts: one rating per unit, or the one word of the other kinds."""
    by_chance = task.purpose != Task.Purpose.CHOSEN and picked_by_chance(task.frame)
    if task.kind == UNITS:
        Rating.objects.bulk_create(
            Rating(
                frame=task.frame,
                unit=unit,
                grade=grade,
                reason=reason,
                rater=by,
                rater_name=by.public_id,
                seconds=row.seconds,
                source=Rating.Source.AUDIT,
                random_share=by_chance,
            )
            for unit, (grade, reason) in answers.items()
        )
    else:
        Judgement.objects.create(
            frame=task.frame,
            kind=task.kind,
            answer=answers,
            rater=by,
            rater_name=by.public_id,
            random_share=by_chance,
        )
    Task.objects.filter(pk=task.pk).update(finished=F("finished") + 1)


@transaction.atomic
def take_back(*, assignment: Assignment, by: User) -> Assignment:
    """Undo the last committed frame, so that it can be answered again.

    Within ten minutes, only the newest of its kind, and never where the agreed grades were shown.
    """
    policy.require(by, "rate_frames")
    if assignment.rater_id != by.pk:
        raise NotFound(_NOT_YOURS)
    audit = _locked_audit(assignment)
    row = Assignment.objects.select_related("task", "gold").get(pk=assignment.pk)
    if row.rated_at is None:
        return row
    newest = (
        Assignment.objects.filter(rater=by, kind=row.kind, rated_at__isnull=False)
        .order_by("-rated_at", "-pk")
        .first()
    )
    now = timezone.now()
    if newest != row or now - row.rated_at > TAKEN_BACK_WITHIN:
        raise Refused("Only the last frame can be taken back, and only within ten minutes.")
    if row.gold is not None and row.gold.training:
        raise Refused("You were shown the agreed grades of this frame; it cannot be taken back.")
    _still_asked(row, by)
    if row.task is not None and not row.repeat:
        mine = {"frame": row.task.frame_id, "rater": by}
        if row.kind == UNITS:
            Rating.objects.filter(source=Rating.Source.AUDIT, **mine).delete()
        else:
            Judgement.objects.filter(kind=row.kind, **mine).delete()
        Task.objects.filter(pk=row.task_id).update(finished=F("finished") - 1)
    Assignment.objects.filter(pk=row.pk).update(
        rated_at=None, answers=None, seconds=None, viewing={}, flag="", expires_at=now + HELD_FOR
    )
    if audit is not None and not row.repeat:
        ask_for_agreement(audit)
    row.refresh_from_db()
    return row


def ask_for_agreement(audit: Audit) -> None:
    """Have the agreement computed: at once when the audit is complete, else in a moment."""
    waits = audit.tasks.filter(kind=UNITS, finished__lt=F("wanted"))
    complete = not waits.exists()
    enqueue(
        AGREEMENT,
        subject=audit,
        key=f"{audit.public_id}:complete" if complete else audit.public_id,
        after=timedelta(0) if complete else AGREEMENT_AFTER,
        audit=audit.public_id,
    )


@transaction.atomic
def discard(*, assignment: Assignment, by: User, why: str, recognised: bool = False) -> None:
    """Put a frame aside; somebody else will rate it.

    Who recognises the animal or the group is no longer blind to its dataset, and is given no
    frame of it again.
    """
    if assignment.rater_id != by.pk:
        raise NotFound(_NOT_YOURS)
    why = why.strip() or ("I recognise this animal or group" if recognised else "")
    if not why or len(why) > 100:
        raise Refused("Please say in at most 100 letters why you put it aside.", field="why")
    changed = Assignment.objects.filter(pk=assignment.pk, rated_at=None, discarded="").update(
        discarded=why
    )
    if not changed:
        raise Refused("This frame is rated or put aside already; ask for the next one.")
    if assignment.freed_at is None and not assignment.repeat:
        Task.objects.filter(pk=assignment.task_id, taken__gt=F("finished")).update(
            taken=F("taken") - 1
        )
    if recognised:
        mark_seen(user=by, dataset=frame_of(assignment).recording.dataset)
