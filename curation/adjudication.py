"""Which units of which frames are put before a curator because the raters disagree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from curation.asking import NoAnswer, read_unit
from models.records import Vote
from models.scale import Scale

APART = 2
"""Grades so far apart are no shade of judgement: one rater sees nothing, another the obvious."""
FEWEST = 2
"""One vote disagrees with nobody."""
SOURCE = "adjudicated"
RULE = (
    "The raters of a unit disagree where two of their grades lie 2 apart, or where one grades what "
    "another finds not scorable."
)


@dataclass(frozen=True)
class Dispute:
    """One unit of a frame on which raters disagree, and how."""

    unit: str
    sentence: str
    votes: tuple[Vote, ...]


def disputes(votes: Iterable[Vote], scale: Scale) -> list[Dispute]:
    """Return the units of one frame that need a decision, in the order of the scale.

    Either two grades are `APART` or more apart, or some raters graded the unit and others found it
    not scorable.
    """
    by_unit: dict[str, list[Vote]] = {}
    for vote in votes:
        by_unit.setdefault(vote.unit, []).append(vote)
    found = []
    for unit in scale.units:
        given = by_unit.get(unit.key, [])
        if len(given) < FEWEST:
            continue
        grades = [vote.grade for vote in given if vote.grade is not None]
        unable = len(given) - len(grades)
        parts = []
        if grades and max(grades) - min(grades) >= APART:
            parts.append(f"grades from {min(grades)} to {max(grades)}")
        if grades and unable:
            parts.append(f"{unable} of {len(given)} found it not scorable")
        if parts:
            found.append(Dispute(unit.key, " and ".join(parts), tuple(given)))
    return found


def shuffled(votes: Iterable[Vote], seed: str) -> list[Vote]:
    """Return votes in an order that is the same every time and tells nothing of the raters."""
    return sorted(
        votes,
        key=lambda vote: hashlib.sha256(f"{seed}:{vote.unit}:{vote.rater}".encode()).digest(),
    )


def read_decision(unit: str, answer: Any, scale: Scale) -> tuple[int | None, str]:
    """Return (grade, reason) of what a curator decided; raises `NoAnswer`."""
    known: Mapping[str, Any] = {row.key: row for row in scale.units}
    if unit not in known:
        raise NoAnswer(f"The scale has no unit '{unit}'.", "unit")
    return read_unit(known[unit], answer, scale, "answer")
