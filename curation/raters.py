"""Raters as the statistics see them: who is qualified, and how they do on gold and repeats."""

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


@dataclass(frozen=True)
class GoldAnswer:
    """A rater's answer on a frame whose grade is agreed; None means not scorable."""

    unit: str
    expected: int | None
    given: int | None


@dataclass(frozen=True)
class RepeatedAnswer:
    """A rater's two answers on the same frame, seen twice without being told."""

    unit: str
    first: int | None
    second: int | None


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
    exact = _share(row.expected == row.given for row in rows)
    far_off = _share(
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


def repeatability(answers: Iterable[RepeatedAnswer]) -> float:
    """Return the share of repeated answers that are the same; NaN where nothing was repeated."""
    return _share(row.first == row.second for row in answers)


def _share(hits: Iterable[bool]) -> float:
    values = [bool(hit) for hit in hits]
    return sum(values) / len(values) if values else float("nan")
