"""What pages and the API read of review; a constant number of queries each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from amgs.accounts.models import User
from amgs.core.errors import NotFound
from amgs.repository.lookup import LARGE
from amgs.repository.models import Frame, Rating, Version
from amgs.review.agreeing import agreement_now
from amgs.review.models import Assignment, Audit, Standing
from amgs.review.reading import open_pins
from amgs.review.screenings import screening_page as screening_page
from amgs.review.services.audits import progress
from amgs.review.services.gold import feedback, qualified
from amgs.review.services.queue import (
    clip_address,
    golden_for,
    in_training,
    still_address,
    waiting_for,
)
from curation.asking import KINDS, UNITS, choices
from curation.dataset_version import CHANGES_REQUESTED, IN_REVIEW, SCREENED
from models.scale import load_scale

Json = dict[str, Any]
# How far "remaining" is counted; beyond, a rater only needs to know that there is plenty.
MOST_COUNTED = 200
MOST_WAITING = 20


def audit_page(version: Version, *, live: bool = False) -> Json:
    """Return progress and agreement of a version's audit; raises ``NotFound`` without one.

    ``live``: the figures of all ratings that are in, where the job that computes intervals has not
    come to them yet (``agreeing.agreement_now``).
    """
    audit = Audit.objects.filter(version=version).select_related("version").first()
    if audit is None:
        raise NotFound(
            "There is no audit of this version: it begins with the review, where the dataset came "
            "with grades and its lab lets others see frames."
        )
    return {
        "id": audit.public_id,
        **progress(audit),
        "agreement": agreement_now(audit) if live else audit.agreement,
        "agreement_at": audit.agreement_at,
    }


def what_waits(user: User) -> list[Json]:
    """Return what waits for a person now: reviews, and data of their labs; three queries.

    Of each: the version with identifier and title, what is to be done, and since when.
    """
    found: list[Json] = []
    rows = Version.objects.filter(deleted_at=None).select_related("dataset").defer(*LARGE)
    if "curator" in user.roles:
        mine = Q(state=IN_REVIEW, reviewer__user=user)
        nobodys = Q(state=SCREENED) & ~Q(dataset__lab__in=user.lab_ids)
        for row in rows.filter(mine | nobodys).order_by("submitted_at", "pk")[:MOST_WAITING]:
            told = "Your review" if row.state == IN_REVIEW else "Waits for a curator"
            found.append(_waits(row, told, "review"))
    given_back = list(
        rows.filter(state=CHANGES_REQUESTED, dataset__lab__in=user.lab_ids).order_by("pk")[
            :MOST_WAITING
        ]
    )
    remarks = open_pins(given_back) if given_back else {}
    for row in given_back:
        count = remarks.get(row.public_id, 0)
        told = "Changes are asked for"
        told += f", {count} remark{'' if count == 1 else 's'} without a reply" if count else ""
        found.append(_waits(row, told, "version"))
    return found


def _waits(row: Version, what: str, page: str) -> Json:
    return {
        "identifier": row.identifier,
        "title": row.title,
        "what": what,
        "page": page,
        "since": row.submitted_at or row.created_at,
    }


def random_share(versions: Iterable[Version]) -> QuerySet[Frame]:
    """Return the frames of versions that were picked by chance: by us, or by a lab that says so.

    Agreement, calibration, benchmark and validation rest on these alone.
    """
    told = Rating.objects.visible().filter(frame=OuterRef("pk"), random_share=True)
    return Frame.objects.filter(
        Q(drawn=True) | Exists(told), recording__versions__in=list(versions)
    ).distinct()


def is_in_training(rater: User) -> bool:
    """Return whether a rater is given the training set first."""
    return in_training(rater)


def standing_page(rater: User) -> Json:
    """Return what a rater may know of themselves; nothing of anybody else."""
    row = Standing.objects.filter(rater=rater).first()
    answers = qualified(rater)
    given = Assignment.objects.filter(rater=rater, rated_at__isnull=False, repeat=False, gold=None)
    return {
        "qualified_at": row.qualified_at if row else None,
        "training": answers.sentence if answers.frames or in_training(rater) else "",
        "committed": given.count(),
        "figures": row.figures if row else {},
        "at": row.updated_at if row and row.figures else None,
    }


def remaining(rater: User, kind: str = UNITS) -> int:
    """Return how many frames wait for this rater, counted up to ``MOST_COUNTED``."""
    if in_training(rater, kind):
        return golden_for(rater, kind, training=True)[:MOST_COUNTED].count()
    return waiting_for(rater, kind).order_by("priority")[:MOST_COUNTED].count()


def assignment_row(assignment: Assignment) -> Json:
    """Return all a rater gets of a frame: a neutral id, the still or clip, and what is asked.

    Whether a frame counts, is gold or a repeat is not told, but for the training set.
    """
    scale = load_scale()
    kind = KINDS[assignment.kind]
    units = [unit for unit in scale.units if unit.key in assignment.units]
    clip = clip_address(assignment) if kind.shows == "clip" else None
    return {
        "id": assignment.public_id,
        "kind": kind.key,
        "question": kind.question,
        "still": still_address(assignment),
        "clip": clip,
        "training": assignment.gold is not None and assignment.gold.training,
        "units": [
            {
                "key": unit.key,
                "title": unit.title,
                "short": unit.short,
                "grades": list(unit.grades),
                "note": unit.note,
            }
            for unit in units
        ],
        "choices": [asdict(choice) for choice in choices(kind.key, scale)],
        "reasons": [
            {"key": reason.key, "title": reason.title, "level": reason.level}
            for reason in (scale.reasons if units else ())
        ],
    }


def committed_row(assignment: Assignment) -> Json:
    """Return what a rater is told of a frame they answered; the agreed grades in training only."""
    return {
        "id": assignment.public_id,
        "rated_at": assignment.rated_at,
        "feedback": feedback(assignment),
    }
