"""How far stated probabilities can be believed: expected calibration error and ranking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ReliabilityBin:
    """A bin of stated confidence: its borders, mean confidence, observed rate and size."""

    low: float
    high: float
    confidence: float
    observed: float
    n: int


def reliability(confidence: ArrayLike, correct: ArrayLike, bins: int = 10) -> list[ReliabilityBin]:
    """Equal-width bins of confidence (0..1) against the mean of `correct` (0..1, may be soft).

    Empty bins are left out.
    """
    stated = np.clip(np.asarray(confidence, np.float64), 0.0, 1.0)
    right = np.asarray(correct, np.float64)
    which = np.minimum((stated * bins).astype(np.int64), bins - 1)
    rows = []
    for index in np.unique(which):
        inside = which == index
        rows.append(
            ReliabilityBin(
                low=float(index / bins),
                high=float((index + 1) / bins),
                confidence=float(stated[inside].mean()),
                observed=float(right[inside].mean()),
                n=int(inside.sum()),
            )
        )
    return rows


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = 10) -> float:
    """ECE = Σ n_b / n · |observed_b - confidence_b| over equal-width bins; NaN without data.

    Source: Naeini, Cooper, Hauskrecht 2015, AAAI. `correct` may be the share of raters who agree.
    """
    rows = reliability(confidence, correct, bins)
    total = sum(row.n for row in rows)
    if total == 0:
        return float("nan")
    return sum(row.n * abs(row.observed - row.confidence) for row in rows) / total


def calibration_error_by_chance(
    confidence: ArrayLike, votes: ArrayLike, bins: int = 10, draws: int = 200, seed: int = 0
) -> float:
    """The mean ECE of probabilities that are right to the last digit; NaN without data.

    Few votes differ from the probability they come from, so that no ECE of them is 0. Each of n
    answers of stated `confidence` is agreed to by a binomial number of its `votes` (n,); the mean
    is over `draws` of all of them. Answers about one animal resemble each other, which only makes
    the ECE by chance larger. Source: consistency resampling, Bröcker and Smith 2007, Weather and
    Forecasting 22:651.
    """
    stated = np.clip(np.asarray(confidence, np.float64), 0.0, 1.0)
    count = np.asarray(votes, np.int64)
    stated, count = stated[count > 0], count[count > 0]
    if not len(stated):
        return float("nan")
    rng = np.random.default_rng(seed)
    agreed = rng.binomial(count, stated, (draws, len(stated))) / count
    return float(np.mean([expected_calibration_error(stated, one, bins) for one in agreed]))


def area_under_roc(score: ArrayLike, positive: ArrayLike) -> float:
    """Area under the ROC curve, (R₊ - n₊(n₊+1)/2) / (n₊·n₋), with mid-ranks for ties.

    Source: Hanley and McNeil 1982, Radiology 143:29. NaN where one class is empty.
    """
    values, truth = np.asarray(score, np.float64), np.asarray(positive, bool)
    n_positive, n_negative = int(truth.sum()), int((~truth).sum())
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    ranks = rankdata(values)
    above = float(ranks[truth].sum()) - n_positive * (n_positive + 1) / 2
    return above / (n_positive * n_negative)
