"""Split conformal prediction sets of grades, calibrated on soft votes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def conformal_threshold(
    probabilities: Array, target: Array, alpha: float, weights: ArrayLike | None = None
) -> float:
    """The least probability a grade needs to be in the set that misses a rater's grade ≤ alpha.

    Split conformal prediction with the score 1 - p(grade) (Sadinle, Lei, Wasserman 2019, JASA
    114:223). Raters' votes are soft, so that each grade counts with its share; the threshold is the
    weighted alpha-quantile of p(grade) with the finite-sample correction (n + 1) · alpha / n. Both
    arrays are (n, grades); `weights` (n,), of mean 1, let some rows count more.
    """
    n = len(probabilities)
    level = alpha * (n + 1) - 1
    if n == 0 or level < 0:
        return 0.0
    if weights is not None:
        scale = np.asarray(weights, np.float64)
        target = target * (scale * n / scale.sum())[:, None]
    order = np.argsort(probabilities.ravel(), kind="stable")
    values, mass = probabilities.ravel()[order], target.ravel()[order]
    below = np.cumsum(mass) <= level + 1e-9
    place = int(below.sum())
    return float(values[min(place, len(values) - 1)])


def never_empty(probabilities: Array) -> Array:
    """The probabilities (n, grades) with the most likely grade of every row raised to 1.

    A set by threshold on them always holds the most likely grade, in calibration as in use, so that
    the promise stays exact and no set is empty.
    """
    raised = np.array(probabilities, np.float64)
    if len(raised):
        raised[np.arange(len(raised)), raised.argmax(1)] = 1.0
    return raised


def grade_sets(probabilities: Array, threshold: float | Array) -> NDArray[np.bool_]:
    """Which grades (n, grades) are in the set of every row; at least the most likely one.

    `threshold` is one for all or a column (n, 1).
    """
    return np.asarray(never_empty(probabilities) >= threshold)


def covered(sets: NDArray[np.bool_], target: Array) -> Array:
    """The share (n,) of every frame's votes `target` (n, grades) that its set holds."""
    return np.asarray(np.where(sets, target, 0.0).sum(1), np.float64)
