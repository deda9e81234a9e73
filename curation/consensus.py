"""From the votes on one frame to one distribution per unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.records import Vote
from models.scale import Scale


@dataclass(frozen=True)
class Distribution:
    """What the raters say of one unit in one frame.

    `p[g]` is the probability of grade g given that the unit is scorable (NaN where nobody graded);
    `scorable` how likely it can be scored: the weighted share of votes that found so, or what a
    model of the raters makes of it; `n` the number of votes; `error` the standard error of the
    mean grade, in grades (NaN where it is not known).
    """

    p: tuple[float, ...]
    scorable: float
    n: int
    error: float = math.nan

    @property
    def mean(self) -> float:
        """The expected grade; NaN where nobody graded."""
        return sum(grade * share for grade, share in enumerate(self.p))


def consensus(votes: Iterable[Vote], scale: Scale) -> dict[str, Distribution]:
    """Return the weighted distribution of every unit that got at least one vote.

    p_g = Σ w·[grade = g] / Σ w·[graded] and scorable = Σ w·[graded] / Σ w. Uncertainty is kept: a
    tie stays a tie instead of becoming a majority. Votes without weight count for nothing; a vote
    for a unit or grade that the scale lacks raises ValueError.
    """
    by_unit: dict[str, list[Vote]] = {}
    for vote in votes:
        if vote.unit not in scale.unit_keys:
            raise ValueError(f"{vote.unit} is no unit of the scale {scale.name}")
        if vote.weight > 0 and (vote.grade is not None or vote.reason is not None):
            by_unit.setdefault(vote.unit, []).append(vote)
    return {
        unit.key: _distribution(by_unit[unit.key], len(unit.grades))
        for unit in scale.units
        if unit.key in by_unit
    }


def quorum_met(distribution: Distribution | None, unit: str, scale: Scale) -> bool:
    """Whether as many raters voted as this unit needs for a reliable consensus."""
    return distribution is not None and distribution.n >= scale.unit(unit).raters_needed


def vote_weights(reliability: Mapping[str, float], raters: Iterable[str]) -> dict[str, float]:
    """Return one weight per rater: the measured reliability (0–1), or 1 where none is known.

    A floor of 0.1 keeps a badly agreeing rater in view instead of silencing them.
    """
    return {rater: min(max(reliability.get(rater, 1.0), 0.1), 1.0) for rater in raters}


def _distribution(votes: list[Vote], grades: int) -> Distribution:
    weights = [0.0] * grades
    not_scorable = 0.0
    for vote in votes:
        if vote.grade is None:
            not_scorable += vote.weight
        elif 0 <= vote.grade < grades:
            weights[vote.grade] += vote.weight
        else:
            raise ValueError(f"{vote.grade} is no grade of {vote.unit}")
    graded = sum(weights)
    p = tuple(weight / graded if graded else math.nan for weight in weights)
    return Distribution(p=p, scorable=graded / (graded + not_scorable), n=len(votes))
