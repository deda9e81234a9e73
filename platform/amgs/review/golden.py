"""What curators read of gold frames: those that are set, and frames that could be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from amgs.accounts.models import User
from amgs.core import policy
from amgs.core.errors import NotFound, Refused
from amgs.repository.models import Frame, Permission, Version
from amgs.review.models import Assignment, Consensus, Gold, Task
from amgs.review.reading import picture
from amgs.review.services.gold import graded
from curation.asking import UNITS
from curation.qualifying import LIKELY, QUALIFYING_FRAMES, SETTLED_ERROR, SETTLED_VOTES, share
from models.scale import load_scale

Json = dict[str, Any]

SCORABLE = 0.5
"""Chance that a unit can be scored under which it is proposed as not scorable."""


def counts() -> Json:
    """Return how many gold frames there are, and how many a training set needs."""
    rows = Gold.objects.filter(kind=UNITS, retired_at=None)
    training = rows.filter(training=True).count()
    return {
        "training": training,
        "hidden": rows.filter(training=False).count(),
        "needed": QUALIFYING_FRAMES,
        "missing": max(0, QUALIFYING_FRAMES - training),
    }


def gold_rows(user: User, *, training: bool) -> QuerySet[Gold]:
    """Return the gold frames of one use, for `row`; for curators."""
    policy.require(user, "set_gold")
    return Gold.objects.filter(training=training, retired_at=None).select_related("frame")


def shown(rows: Sequence[Gold]) -> list[Json]:
    """Return gold frames as lists show them; two queries for all of them.

    Of each: the picture, what is agreed, and how many raters gave exactly that, unit by unit.
    """
    answers: dict[int, list[dict[str, Any]]] = {row.pk: [] for row in rows}
    given = Assignment.objects.filter(gold__in=rows, rated_at__isnull=False).order_by("pk")
    for gold, told in given.values_list("gold", "answers"):
        answers[gold].append(told)
    return [_row(row, answers[row.pk]) for row in rows]


def _row(row: Gold, answers: Sequence[dict[str, Any]]) -> Json:
    return {
        "id": row.public_id,
        "frame": row.frame.public_id,
        "still": picture(row.frame.still_key),
        "kind": row.kind,
        "training": row.training,
        "note": row.note,
        "set_at": row.created_at,
        "raters": len(answers),
        "units": [
            {
                "unit": unit,
                "agreed": agreed,
                "exact": share(graded(told.get(unit)) == agreed for told in answers)
                if answers and row.kind == UNITS
                else None,
            }
            for unit, agreed in row.agreed.items()
        ],
    }


def candidates(user: User, *, unit: str = "", grade: int | None = None) -> QuerySet[Frame]:
    """Return frames that could become gold, for `proposals`; for curators.

    Their labs let raters outside see them, nobody is asked about them any more, and every unit
    that was graded has enough votes and a consensus that is exact. ``unit`` and ``grade`` narrow
    them down to frames where that grade is likely.
    """
    policy.require(user, "set_gold")
    scale = load_scale()
    open_versions = Version.objects.published().filter(
        deleted_at=None, permissions__kind=Permission.Kind.OUTSIDE_RATERS
    )
    of_frame = Consensus.objects.filter(frame=OuterRef("pk"))
    enough = {f"votes__{SETTLED_VOTES - 1}__isnull": False}
    rows = (
        Frame.objects.filter(
            Exists(of_frame.filter(error__isnull=False, **enough)),
            ~Exists(of_frame.filter(error__gt=SETTLED_ERROR)),
            ~Exists(Task.objects.filter(frame=OuterRef("pk"), kind=UNITS, closed=False)),
            ~Exists(Gold.objects.filter(frame=OuterRef("pk"), kind=UNITS, retired_at=None)),
            recording__versions__in=open_versions,
        )
        .exclude(still_key="")
        .exclude(recording__dataset__lab__in=user.lab_ids)
    )
    if unit:
        if unit not in scale.unit_keys:
            raise Refused(f"The scale has no unit '{unit}'.", field="unit")
        likely = {"unit": unit}
        if grade is not None:
            if not 0 <= grade < len(scale.unit(unit).grades):
                raise Refused(f"{scale.unit(unit).title} has no grade {grade}.", field="grade")
            likely |= {f"probabilities__{grade}__gte": LIKELY, "scorable__gte": SCORABLE}
        rows = rows.filter(Exists(of_frame.filter(**likely)))
    return rows.distinct()


def proposals(frames: Iterable[Frame]) -> list[Json]:
    """Return frames with the grades that their consensus proposes; one query for all of them.

    A unit of which hardly anybody could grade anything is proposed as not scorable (null).
    """
    scale = load_scale()
    rows = list(frames)
    said: dict[int, dict[str, Consensus]] = {row.pk: {} for row in rows}
    for one in Consensus.objects.filter(frame__in=rows):
        said[one.frame_id][one.unit] = one
    return [
        {
            "id": row.public_id,
            "still": picture(row.still_key),
            "units": [
                {"unit": unit, "agreed": _grade(said[row.pk].get(unit.key))} for unit in scale.units
            ],
        }
        for row in rows
    ]


def _grade(row: Consensus | None) -> int | None:
    """Return the grade that a consensus makes likeliest; ``None`` where it is not scorable."""
    if row is None or row.scorable < SCORABLE or row.probabilities[0] is None:
        return None
    return max(range(len(row.probabilities)), key=lambda grade: row.probabilities[grade])


def frame_to_set(user: User, public_id: str) -> Frame:
    """Return a frame that may become gold; raises ``NotFound``."""
    policy.require(user, "set_gold")
    found = Frame.objects.filter(
        public_id=public_id,
        recording__versions__permissions__kind=Permission.Kind.OUTSIDE_RATERS,
    ).first()
    if found is None:
        raise NotFound("There is no such frame that raters outside its lab may see.")
    return found


def gold_of(user: User, public_id: str) -> Gold:
    """Return a gold frame by its id; raises ``NotFound``."""
    policy.require(user, "set_gold")
    found = Gold.objects.filter(public_id=public_id).select_related("frame").first()
    if found is None:
        raise NotFound("There is no such gold frame.")
    return found
