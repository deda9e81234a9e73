"""Whether a unit can be scored at all, from raters who may overlook or refuse: two classes.

The model of Dawid and Skene 1979 (Applied Statistics 28:20) with the classes *scorable* and *not*
per frame and unit, kept apart from grades. A rater notices what cannot be scored with one chance
and refuses what can with another; both shrink to the crowd's, and the crowd's to prior values, by
counts of Beta distributions. Tables `refused` (sheets, units) hold 1 for not scorable, 0 for a
grade, NaN for no vote.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

NOTICED, REFUSED = 0.9, 0.03
"""Prior chances that a rater says *not scorable* where it is so, and where it is not."""
PRIOR_FRAMES, PRIOR_CROWD, PRIOR_RATER = 30.0, 40.0, 25.0
"""How many observations the prior weighs as much as: prevalence, chances of the crowd, of one."""


@dataclass(frozen=True, eq=False)
class ScorableModel:
    """Chance that a unit is scorable (units,), and chances of raters and crowd to say it is not.

    `noticed` and `refused` are (raters + 1, units); the last row is the crowd's.
    """

    prevalence: Array
    noticed: Array
    refused: Array

    def chance(self, refused: Array, frame: Whole, rater: Whole, frames: int) -> Array:
        """Chance that each unit of each frame is scorable (frames, units)."""
        who = np.minimum(rater, len(self.noticed) - 1)
        said, known = np.nan_to_num(refused), np.isfinite(refused)
        no, yes = self.noticed[who], self.refused[who]
        log = said * np.log(yes / no) + (1 - said) * np.log((1 - yes) / (1 - no))
        odds = np.log(self.prevalence / (1 - self.prevalence)) + _sums(
            np.where(known, log, 0.0), frame, frames
        )
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -40, 40))))


def fit_scorable(
    refused: Array,
    frame: Whole,
    rater: Whole,
    size: tuple[int, int],
    rates: Array,
    rounds: int = 30,
) -> ScorableModel:
    """Fit by EM; `size` is (frames, raters), `rates` (units,) prior shares of not scorable."""
    frames, raters = size
    said, known = np.nan_to_num(refused), np.isfinite(refused)
    units = refused.shape[1]
    model = ScorableModel(
        prevalence=1 - rates,
        noticed=np.full((raters + 1, units), NOTICED),
        refused=np.full((raters + 1, units), REFUSED),
    )
    rated = _sums(known.astype(np.float64), frame, frames) > 0
    for _ in range(rounds):
        chance = model.chance(refused, frame, rater, frames)
        share = (np.where(rated, chance, 0).sum(0) + PRIOR_FRAMES * (1 - rates)) / (
            rated.sum(0) + PRIOR_FRAMES
        )
        weight = np.where(known, chance[frame], 0.0)
        other = np.where(known, 1 - chance[frame], 0.0)
        model = ScorableModel(
            prevalence=np.clip(share, 1e-4, 1 - 1e-4),
            noticed=_shrunk(other, said, rater, raters, NOTICED),
            refused=_shrunk(weight, said, rater, raters, REFUSED),
        )
    return model


def _shrunk(weight: Array, said: Array, rater: Whole, raters: int, prior: float) -> Array:
    hits = _sums(weight * said, rater, raters)
    whole = _sums(weight, rater, raters)
    crowd = (hits.sum(0) + PRIOR_CROWD * prior) / (whole.sum(0) + PRIOR_CROWD)
    own = (hits + PRIOR_RATER * crowd) / (whole + PRIOR_RATER)
    return np.asarray(np.clip(np.vstack([own, crowd]), 1e-4, 1 - 1e-4))


def _sums(values: Array, index: Whole, number: int) -> Array:
    return np.stack([np.bincount(index, column, minlength=number) for column in values.T], axis=1)
