"""Learning to rate: the training set, what it tells, and who is qualified. Needs no numpy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.scale import Scale

QUALIFYING_FRAMES = 20
"""Gold frames a rater grades before their ratings count."""
QUALIFYING_AGREEMENT = 0.6
"""Share of gold grades that must be exact."""
WORST_MISS = 0.05
"""Share of gold grades that may be off by two, the error that no consensus forgives."""
SETTLED_VOTES = 3
"""Votes on a unit before its consensus is proposed as an agreed grade."""
SETTLED_ERROR = 0.3
"""The most by which such a consensus may still be off, in grades (standard error)."""
LIKELY = 0.6
"""How likely the grade of a unit is where proposals are narrowed down to it."""


@dataclass(frozen=True)
class GoldAnswer:
    """A rater's answer on a frame whose grade is agreed; None means not scorable."""

    unit: str
    expected: int | None
    given: int | None


@dataclass(frozen=True)
class Qualification:
    """Whether a rater is qualified, on which figures, and the sentence to show them."""

    qualified: bool
    frames: int
    exact: float
    far_off: float
    sentence: str


def qualification(answers: Iterable[GoldAnswer], scale: Scale) -> Qualification:
    """Judge a rater by their answers on the training set; see the constants of this module.

    The sentence gives shares only, never which frame was wrong: the key must not leak.
    """
    rows = list(answers)
    frames = len(rows) // len(scale.units)
    exact = share(row.expected == row.given for row in rows)
    far_off = share(
        row.expected is not None and row.given is not None and abs(row.expected - row.given) >= 2
        for row in rows
    )
    qualified = (
        frames >= QUALIFYING_FRAMES and exact >= QUALIFYING_AGREEMENT and far_off <= WORST_MISS
    )
    if frames < QUALIFYING_FRAMES:
        sentence = f"Grade {QUALIFYING_FRAMES - frames} more training frames to qualify."
    elif qualified:
        sentence = f"You are qualified: {exact:.0%} of your grades match the agreed ones."
    else:
        sentence = (
            f"{exact:.0%} of your grades match the agreed ones and {far_off:.0%} are far off; "
            f"{QUALIFYING_AGREEMENT:.0%} and at most {WORST_MISS:.0%} are needed. Read the "
            "reference card once more and try again."
        )
    return Qualification(qualified, frames, exact, far_off, sentence)


def share(hits: Iterable[bool]) -> float:
    """Return the share of hits; NaN of none."""
    values = [bool(hit) for hit in hits]
    return sum(values) / len(values) if values else float("nan")
