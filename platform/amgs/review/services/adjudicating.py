"""Adjudication: units of frames on which raters disagree, decided by a curator of another lab.

What the raters said is shown without names, and only once nobody is asked about the frame any
more. Whoever rated a frame does not decide on it.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet

from amgs.accounts.models import User
from amgs.core import decisions, policy
from amgs.core.errors import NotFound, Refused
from amgs.core.models import Decision
from amgs.repository import steps
from amgs.repository.exclusions import without_left_out
from amgs.repository.models import Frame, Rating, Version
from amgs.review.models import Adjudication, Task
from amgs.review.votes import blind_sheets, votes_of
from curation.adjudication import APART, FEWEST, Dispute, disputes, read_decision
from curation.asking import UNITS, NoAnswer
from curation.dataset_version import ACCEPTED, IN_REVIEW
from models.scale import load_scale

ADJUDICATE = "adjudicate"
LONGEST_WHY = 500
OPEN_STATES = frozenset({IN_REVIEW, ACCEPTED})


def disputed_units(version: Version) -> QuerySet[Any, Any]:
    """Return (frame, unit) by primary key and key of all that is disputed, in one query.

    The database narrows by the same rule as ``curation.adjudication``, which then says why. Frames
    that somebody is still asked about are not among them.
    """
    votes = Q(label_import=None) | Q(label_import__in=blind_sheets(version))
    asked = Task.objects.filter(
        frame=OuterRef("frame"), kind=UNITS, closed=False, finished__lt=F("wanted")
    )
    rows = Rating.objects.of_version(version).filter(votes, ~Exists(asked))
    rows = without_left_out(rows, version, frame="frame_id", recording="frame__recording_id")
    return (
        rows.order_by()
        .values("frame", "unit")
        .annotate(n=Count("pk"), graded=Count("grade"), low=Min("grade"), high=Max("grade"))
        .filter(Q(high__gte=F("low") + APART) | Q(graded__gt=0, graded__lt=F("n")), n__gte=FEWEST)
        .values_list("frame", "unit")
    )


def disputed_frames(version: Version) -> QuerySet[Frame]:
    """Return the frames of a version with a disputed unit."""
    return Frame.objects.filter(pk__in=disputed_units(version).values("frame"))


def disputes_of(frames: list[Frame], version: Version) -> dict[int, list[Dispute]]:
    """Return what is disputed of some frames, by primary key; two queries."""
    scale = load_scale()
    found = votes_of([frame.pk for frame in frames], version)
    return {pk: disputes(votes, scale) for pk, votes in found.items()}


def has_rated(user: User, frames: QuerySet[Frame] | list[Frame]) -> set[int]:
    """Return which of some frames (primary keys) a person has rated."""
    return set(
        Rating.objects.filter(frame__in=frames, rater=user, source=Rating.Source.AUDIT)
        .values_list("frame_id", flat=True)
        .distinct()
    )


@transaction.atomic
def adjudicate(
    *, by: User, version: Version, frame: str, unit: str, answer: Any, why: str
) -> Decision:
    """Decide the grade of one disputed unit (or why it is not scorable), with a reason.

    ``frame`` is a public id; ``answer`` has the form of a rater's answer to one unit. Until the
    version is published the decision may be made anew.
    """
    policy.require(by, ADJUDICATE, version)
    policy.require(by, "see_audit", version)
    if version.state not in OPEN_STATES:
        raise Refused(
            f"{version.identifier} is {version.lifecycle.title(version.state)}; grades are decided "
            "during the review, and until it is published."
        )
    try:
        grade, reason = read_decision(unit, answer, load_scale())
    except NoAnswer as problem:
        raise Refused(problem.sentence, field=problem.field) from problem
    why = why.strip()
    if not why or len(why) > LONGEST_WHY:
        raise Refused(
            f"Please write why, in at most {LONGEST_WHY} letters: everybody may read it.",
            field="why",
        )
    row = disputed_frames(version).filter(public_id=frame).first()
    found = disputes_of([row], version).get(row.pk, []) if row is not None else []
    dispute = next((each for each in found if each.unit == unit), None)
    if row is None or dispute is None:
        raise NotFound("The raters do not disagree on this unit, or are still being asked.")
    if has_rated(by, [row]):
        raise Refused("You rated this frame yourself; another curator decides on it.")
    Adjudication.objects.update_or_create(
        frame=row,
        unit=unit,
        defaults={"grade": grade, "reason": reason, "why": why, "by": by, "by_name": by.name},
    )
    decision = decisions.record(
        version,
        ADJUDICATE,
        by=by,
        why=why,
        facts={
            "frame": row.public_id,
            "unit": unit,
            "grade": grade,
            "reason": reason,
            "disagreement": dispute.sentence,
            "votes": sorted(
                ["n" if vote.grade is None else str(vote.grade) for vote in dispute.votes]
            ),
        },
    )
    steps.follow(steps.Step(version, ADJUDICATE, by), decision)
    return decision
