"""Gold frames: setting and retiring them, what a learner is told, and who is qualified."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from amgs.accounts.models import User
from amgs.core import decisions, policy
from amgs.core.errors import Refused
from amgs.repository.models import Frame, Permission
from amgs.review.models import Assignment, Gold, Standing
from curation.asking import UNITS, NoAnswer, read_choice, read_units
from curation.qualifying import GoldAnswer, Qualification, qualification
from models.scale import load_scale


@transaction.atomic
def set_gold(
    *,
    by: User,
    frame: Frame,
    agreed: Any,
    kind: str = UNITS,
    training: bool = False,
    note: str = "",
) -> Gold:
    """Make a frame gold: its agreed answers are known, and raters are measured by them.

    ``agreed`` has the form of a rater's answers. Only frames whose lab lets raters outside it see
    them. A frame that is gold already gets the new answers.
    """
    policy.require(by, "set_gold")
    version = frame.recording.versions.filter(
        permissions__kind=Permission.Kind.OUTSIDE_RATERS
    ).first()
    if version is None:
        raise Refused("The lab of this frame does not let raters outside it see it.")
    scale = load_scale()
    try:
        if kind == UNITS:
            given = agreed if isinstance(agreed, Mapping) else {}
            kept: Any = {unit: grade for unit, (grade, _) in read_units(given, scale).items()}
        else:
            kept = {kind: read_choice(kind, agreed, scale)}
    except NoAnswer as problem:
        raise Refused(problem.sentence, field=problem.field) from problem
    dataset = version.dataset
    row, _ = Gold.objects.update_or_create(
        frame=frame,
        kind=kind,
        retired_at=None,
        defaults={
            "lab_id": dataset.lab_id,
            "dataset": dataset,
            "agreed": kept,
            "training": training,
            "note": note.strip()[:500],
            "priority": random.random(),  # noqa: S311  (an order, no secret)
            "set_by": by,
        },
    )
    decisions.record(version, "set_gold", by=by, why=note, facts={"frame": frame.public_id})
    return row


@transaction.atomic
def retire_gold(*, by: User, gold: Gold) -> None:
    """Give a gold frame to nobody any more; what was answered to it stays."""
    policy.require(by, "set_gold")
    Gold.objects.filter(pk=gold.pk, retired_at=None).update(retired_at=timezone.now())


def feedback(assignment: Assignment) -> dict[str, Any] | None:
    """Return what is agreed of a frame of the training set, once it is answered; else ``None``.

    A hidden gold frame is never told of: the key would be out.
    """
    gold = assignment.gold
    if gold is None or not gold.training or assignment.rated_at is None:
        return None
    return {"agreed": gold.agreed, "note": gold.note}


def gold_answers(rater: User, *, training: bool) -> list[GoldAnswer]:
    """Return the newest answer of a rater to every gold frame, unit by unit."""
    rows = (
        Assignment.objects.filter(
            rater=rater, kind=UNITS, gold__training=training, rated_at__isnull=False
        )
        .select_related("gold")
        .order_by("rated_at")
    )
    newest = {row.gold_id: row for row in rows}
    found = []
    for row in newest.values():
        agreed = row.gold.agreed if row.gold else {}
        for unit, expected in agreed.items():
            found.append(GoldAnswer(unit, expected, graded(row.answers.get(unit))))
    return found


def graded(answer: Any) -> int | None:
    """Return the grade of one stored answer; ``None`` where it says not scorable."""
    return answer if isinstance(answer, int) and not isinstance(answer, bool) else None


def qualified(rater: User) -> Qualification:
    """Return how a rater did on the training set."""
    return qualification(gold_answers(rater, training=True), load_scale())


def settle(rater: User, kind: str) -> None:
    """Note that a rater is qualified, once the training set says so."""
    if kind != UNITS or not qualified(rater).qualified:
        return
    Standing.objects.get_or_create(rater=rater)
    Standing.objects.filter(rater=rater, qualified_at=None).update(qualified_at=timezone.now())
