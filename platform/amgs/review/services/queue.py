"""The queue of the raters: who is given which frame next, for how long, and freeing it.

A rater is given a frame under a neutral name and nothing else. Nobody is given frames of their
own lab or of a dataset whose page they opened, and only the owner's permission puts a frame into
the queue at all (``audits.start_audit``). Between the frames that count there are hidden ones:
gold, whose grades are agreed, and frames the rater has graded before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from amgs.accounts.models import Membership, User
from amgs.core import policy
from amgs.core.errors import NotFound, Refused
from amgs.core.prepared import Prepared
from amgs.files.storage import get_storage
from amgs.repository.models import Frame, Rating
from amgs.review.models import Assignment, Gold, Judgement, Seen, Standing, Task
from curation.asking import KINDS, REPEAT_AFTER_DAYS, UNITS, turn
from curation.qualifying import QUALIFYING_FRAMES

HELD_FOR = timedelta(minutes=15)
# Two raters may reach for the same frame; the second simply takes the next one.
TRIES = 5
OPEN: dict[str, Any] = {"rated_at": None, "freed_at": None, "discarded": ""}


def waiting_for(rater: User, kind: str = UNITS) -> QuerySet[Task]:
    """Return the tasks a rater may be given, unordered; one look into one index when sliced."""
    return _waiting(rater.pk, kind)


def _waiting(rater: Any, kind: str) -> QuerySet[Task]:
    mine = Assignment.objects.filter(task=OuterRef("pk"), rater=rater, freed_at=None)
    rows = Task.objects.filter(~Exists(mine), kind=kind, closed=False, taken__lt=F("wanted"))
    if kind == UNITS:
        rated: QuerySet[Any] = Rating.objects.filter(
            frame=OuterRef("frame"), rater=rater, source=Rating.Source.AUDIT
        )
    else:
        rated = Judgement.objects.filter(frame=OuterRef("frame"), kind=kind, rater=rater)
    return _not_known(rows.filter(~Exists(rated)), rater)


def golden_for(rater: User, kind: str, *, training: bool) -> QuerySet[Gold]:
    """Return the gold frames a rater may be given, unordered; none that they set themselves."""
    return _golden(rater.pk, kind, training)


def _golden(rater: Any, kind: str, training: bool) -> QuerySet[Gold]:
    rows = Gold.objects.filter(kind=kind, training=training, retired_at=None)
    return _not_known(rows.exclude(set_by=rater), rater)


def _not_known(rows: QuerySet[Any], rater: Any) -> QuerySet[Any]:
    seen = Seen.objects.filter(user=rater).values("dataset")
    own = Membership.objects.filter(user=rater).values("lab")
    return rows.exclude(lab__in=own).exclude(dataset__in=seen)


# Asked with every frame: their SQL is made once (see `amgs.core.prepared`).
_ask_open = Prepared(
    lambda shape, values: (
        Assignment.objects.filter(
            Q(task__closed=False) | Q(gold__retired_at=None, gold__isnull=False),
            rater=values["rater"],
            kind=shape["kind"],
            **OPEN,
        )
        .order_by("pk")
        .values_list("pk", "public_id", "expires_at")
    )
)
_ask_qualified = Prepared(
    lambda shape, values: Standing.objects.filter(
        rater=values["rater"], qualified_at__isnull=False
    ).values_list("pk")[:1]
)
_ask_training = Prepared(
    lambda shape, values: _golden(values["rater"], shape["kind"], training=True).values_list("pk")[
        :QUALIFYING_FRAMES
    ]
)
_ask_given = Prepared(
    lambda shape, values: (
        Assignment.objects.filter(rater=values["rater"], kind=shape["kind"], freed_at=None)
        .exclude(gold__training=True)
        .values("kind")
        .annotate(count=Count("pk"))
        .values_list("count")
    )
)
_ask_waiting = Prepared(
    lambda shape, values: (
        _waiting(values["rater"], shape["kind"])
        .order_by("priority")
        .select_for_update(skip_locked=shape["skip"])
        .values_list("pk")[:1]
    )
)


def in_training(rater: User, kind: str = UNITS) -> bool:
    """Return whether a rater is still learning: not qualified, though a training set is there."""
    if kind != UNITS or _ask_qualified({"rater": rater.pk}):
        return False
    return len(_ask_training({"rater": rater.pk}, kind=kind)) >= QUALIFYING_FRAMES


def next_assignment(
    *, rater: User, kind: str = UNITS, beside: Sequence[str] = ()
) -> Assignment | None:
    """Give a rater the next frame: one they hold already, or else the first that waits.

    ``beside`` are ids of assignments on the rater's screen now, so that a page can fetch the next
    ones ahead. Returns ``None`` where nothing waits for this rater.
    """
    policy.require(rater, "rate_frames")
    if kind not in KINDS:
        raise Refused(f"There are tasks of the kinds {', '.join(KINDS)}.", field="kind")
    now = timezone.now()
    on_screen = set(beside)
    for pk, public_id, ends in _ask_open({"rater": rater.pk}, kind=kind):
        if public_id in on_screen:
            continue
        if ends < now:
            free(pk, now)
        else:
            return Assignment.objects.select_related("task__frame", "gold__frame").get(pk=pk)
    if in_training(rater, kind):
        return _learn(rater, kind, now)
    hidden = _hidden(rater, kind, now)
    if hidden is not None:
        return hidden
    found = _first(rater, kind, now)
    if found is None and free_expired(now):
        # Only where nothing else waits, so that no other rater pays for looking.
        found = _first(rater, kind, now)
    return found


def _first(rater: User, kind: str, now: datetime) -> Assignment | None:
    for _ in range(TRIES):
        taken = _take(rater, kind, now)
        if taken is not False:
            return taken
    return None


def _learn(rater: User, kind: str, now: datetime) -> Assignment | None:
    """Give the frame of the training set that this rater has seen least often."""
    seen = Count("assignments", filter=Q(assignments__rater=rater, assignments__freed_at=None))
    held = Assignment.objects.filter(gold=OuterRef("pk"), rater=rater, **OPEN)
    gold = (
        golden_for(rater, kind, training=True)
        .filter(~Exists(held))
        .annotate(seen=seen)
        .order_by("seen", "priority")
        .first()
    )
    return None if gold is None else _give(rater, now, gold=gold)


def _hidden(rater: User, kind: str, now: datetime) -> Assignment | None:
    """Give a gold frame or one graded before, where it is the turn of one."""
    given = _ask_given({"rater": rater.pk}, kind=kind)
    what = turn(rater.public_id, given[0][0] if given else 0)
    if what == "gold":
        once = Assignment.objects.filter(gold=OuterRef("pk"), rater=rater)
        gold = (
            golden_for(rater, kind, training=False)
            .filter(~Exists(once))
            .order_by("priority")
            .first()
        )
        return None if gold is None else _give(rater, now, gold=gold)
    if what == "repeat":
        long_ago = now - timedelta(days=REPEAT_AFTER_DAYS)
        again = Assignment.objects.filter(task=OuterRef("task"), rater=rater, repeat=True)
        first = (
            Assignment.objects.filter(
                ~Exists(again), rater=rater, kind=kind, repeat=False, gold=None,
                rated_at__lt=long_ago, task__closed=False,
            )
            .exclude(task__dataset__in=Seen.objects.filter(user=rater).values("dataset"))
            .select_related("task")
            .order_by("rated_at")
            .first()
        )  # fmt: skip
        return None if first is None else _give(rater, now, task=first.task, repeat=True)
    return None


def _give(rater: User, now: datetime, **what: Any) -> Assignment:
    kind = (what.get("gold") or what["task"]).kind
    return Assignment.objects.create(rater=rater, kind=kind, expires_at=now + HELD_FOR, **what)


@transaction.atomic
def _take(rater: User, kind: str, now: datetime) -> Assignment | bool | None:
    """Take the first waiting task; ``None``: none waits, ``False``: another was faster."""
    # Where the database can, rows that another rater is taking at this moment are jumped over;
    # when those are the only ones left, wait for them instead of saying that nothing waits.
    found = _ask_waiting({"rater": rater.pk}, kind=kind, skip=True) or _ask_waiting(
        {"rater": rater.pk}, kind=kind, skip=False
    )
    if not found:
        return None
    return hold(Task.objects.select_related("frame").get(pk=found[0][0]), rater, now)


def hold(task: Task, rater: User, now: datetime) -> Assignment | bool:
    """Reserve one place on a task for a rater; ``False`` where no place is left.

    Inside a transaction: the row of the task is held, so nobody else makes the same assignment.
    """
    if not Task.objects.filter(pk=task.pk, closed=False, taken__lt=F("wanted")).update(
        taken=F("taken") + 1
    ):
        return False
    ends = now + HELD_FOR
    before = Assignment.objects.filter(task=task, rater=rater, repeat=False)
    if before.update(expires_at=ends, freed_at=None, kind=task.kind):
        return before.get()
    return Assignment.objects.create(task=task, rater=rater, kind=task.kind, expires_at=ends)


def free_expired(now: datetime) -> int:
    """Free assignments whose time ran out, so that somebody else may rate the frame."""
    expired = list(
        Assignment.objects.filter(expires_at__lt=now, **OPEN).values_list("pk", flat=True)[:200]
    )
    return sum(free(pk, now) for pk in expired)


@transaction.atomic
def free(pk: int, now: datetime) -> int:
    """Free one open assignment (primary key); returns how many that were."""
    if not Assignment.objects.filter(pk=pk, **OPEN).update(freed_at=now):
        return 0
    Task.objects.filter(
        assignments__in=Assignment.objects.filter(pk=pk, repeat=False), taken__gt=F("finished")
    ).update(taken=F("taken") - 1)
    return 1


def find_assignment(rater: User, public_id: str) -> Assignment:
    """Return an assignment of this rater; raises ``NotFound`` for anybody else's."""
    row = (
        Assignment.objects.select_related("task__frame", "gold__frame")
        .filter(public_id=public_id, rater=rater)
        .first()
    )
    if row is None:
        raise NotFound("This frame was not given to you; ask for the next one.")
    return row


def frame_of(assignment: Assignment) -> Frame:
    """Return the frame an assignment is about."""
    return assignment.asked.frame


def still_address(assignment: Assignment) -> str:
    """Return the signed address of the frame's still, under a name that tells nothing."""
    return get_storage().sign_get(
        frame_of(assignment).still_key,
        settings.STORAGE_ADDRESS_SECONDS,
        media_type="image/jpeg",
    )


def clip_address(assignment: Assignment) -> str | None:
    """Return the signed address of the silent clip of a state task, ``None`` for other kinds."""
    if assignment.task is None or not assignment.task.clip_key:
        return None
    return get_storage().sign_get(
        assignment.task.clip_key, settings.STORAGE_ADDRESS_SECONDS, media_type="video/mp4"
    )
