"""What a rater's own answers say of them: bias, its course, repeats and gold, for them alone."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import F

from amgs.accounts.models import User
from amgs.repository.models import Rating
from amgs.review.models import Assignment, Standing
from amgs.review.services.gold import gold_answers, graded
from curation.asking import UNITS
from models.records import Vote
from models.scale import load_scale

if TYPE_CHECKING:
    from curation.raters import Deviation, RepeatedAnswer

NEWEST_FRAMES = 2000
"""Figures rest on so many of the frames that a rater graded last."""
FEWEST_FRAMES = 20
"""Under so many frames that others graded too, nothing is said of a bias."""
WEEK = timedelta(days=7)
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday


def raters_to_measure() -> list[User]:
    """Return whoever has rated since they were measured last."""
    found = []
    rated = Assignment.objects.filter(rated_at__isnull=False, kind=UNITS)
    for user in User.objects.filter(pk__in=rated.values("rater")).order_by("pk"):
        newest = rated.filter(rater=user).order_by("-rated_at").values_list("rated_at").first()
        known = Standing.objects.filter(rater=user).exclude(figures={}).first()
        if newest and (known is None or known.updated_at < newest[0]):
            found.append(user)
    return found


def measure(rater: User) -> dict[str, Any]:
    """Return the figures of a rater as JSON: see the page that shows them.

    Only frames that nobody is asked about any more count, so that no grade of another can be read
    off them before one's own.
    """
    from curation.rater_model import fit_rater_model
    from curation.raters import bias_sentences, drift, gold_feedback, repeats

    scale = load_scale()
    done = Assignment.objects.filter(
        rater=rater, kind=UNITS, repeat=False, rated_at__isnull=False, task__isnull=False
    )
    over = done.filter(task__finished__gte=F("task__wanted")).order_by("-rated_at")
    frames = list(over.values_list("task__frame", flat=True)[:NEWEST_FRAMES])
    votes, deviations = _beside_others(rater, frames)
    shared = {frame: rows for frame, rows in votes.items() if len({row.rater for row in rows}) > 1}
    bias: list[str] = []
    if len(shared) >= FEWEST_FRAMES:
        traits = fit_rater_model(shared, scale).traits()
        bias = bias_sentences(traits[rater.public_id], scale)
    course = drift(deviations)
    again = repeats(_repeated(rater), scale)
    return {
        "frames": done.count(),
        "shared": len(shared),
        "bias": bias,
        "weeks": [
            [week.week, week.frames, *_numbers(week.bias, *week.interval)] for week in course.weeks
        ],
        "drift": course.sentence,
        "repeats": again.sentence,
        "gold": gold_feedback(gold_answers(rater, training=False), scale),
    }


def _beside_others(rater: User, frames: list[int]) -> tuple[dict[str, list[Vote]], list[Deviation]]:
    """Return all grades given here on some frames, and how far the rater's are from the others'."""
    from curation.raters import Deviation

    votes: dict[str, list[Vote]] = defaultdict(list)
    by_unit: dict[tuple[int, str], list[Rating]] = defaultdict(list)
    rows = Rating.objects.filter(source=Rating.Source.AUDIT, frame__in=frames).order_by("pk")
    for row in rows:
        by_unit[(row.frame_id, row.unit)].append(row)
        votes[str(row.frame_id)].append(
            Vote(row.rater_name, row.unit, row.grade, row.reason or None, 1.0, row.source)
        )
    deviations = []
    for (frame, _), given in by_unit.items():
        own = [row for row in given if row.rater_id == rater.pk and row.grade is not None]
        others = [row.grade for row in given if row.rater_id != rater.pk and row.grade is not None]
        if own and others:
            away = float(own[0].grade or 0) - sum(others) / len(others)
            week = (own[0].at - _BEGIN) // WEEK
            deviations.append(Deviation(int(week), str(frame), away))
    return votes, deviations


def week_begins(week: int) -> date:
    """Return the day on which a week of the figures begins."""
    return (_BEGIN + week * WEEK).date()


def _repeated(rater: User) -> list[RepeatedAnswer]:
    from curation.raters import RepeatedAnswer

    again = Assignment.objects.filter(rater=rater, repeat=True, rated_at__isnull=False, kind=UNITS)
    first = {
        row.task_id: row.answers
        for row in Assignment.objects.filter(
            rater=rater, repeat=False, rated_at__isnull=False, task__in=again.values("task")
        )
    }
    return [
        RepeatedAnswer(unit, graded(first[row.task_id][unit]), graded(answer))
        for row in again.order_by("pk")
        if row.task_id in first
        for unit, answer in row.answers.items()
    ]


def _numbers(*values: float) -> list[float | None]:
    return [round(value, 4) if math.isfinite(value) else None for value in values]
