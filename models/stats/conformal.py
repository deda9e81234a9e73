"""Split conformal prediction sets of grades, calibrated on soft votes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def conformal_threshold(probabilities: Array, target: Array, alpha: float) -> float:
    """The least probability a grade needs to be in the set that misses a rater's grade ≤ alpha.

    Split conformal prediction with the score 1 - p(grade) (Sadinle, Lei, Wasserman 2019, JASA
    114:223). Raters' votes are soft, so that each grade counts with its share; the threshold is the
    weighted alpha-quantile of p(grade) with the finite-sample correction (n + 1) · alpha / n. Both
    arrays are (n, grades).
    """
    n = len(probabilities)
    level = alpha * (n + 1) - 1
    if n == 0 or level < 0:
        return 0.0
    return _quantile(probabilities, target, level)


def clustered_threshold(
    probabilities: Array, target: Array, alpha: float, clusters: Sequence[str]
) -> float:
    """The least probability as in `conformal_threshold`, for frames that come in clusters.

    Frames of one animal resemble each other, so that a promise for another animal rests on the
    number of animals, not of frames. Every cluster counts the same, and the correction is that of
    K clusters: (K + 1) · alpha / K of the mass may lie below (hierarchical conformal prediction:
    Lee, Barber, Willett 2023, arXiv:2306.06342). With fewer clusters than `fewest_clusters` every
    grade is in the set. Both arrays are (n, grades), `clusters` names that of every row (n,).
    """
    names, place = np.unique(np.asarray(clusters, str), return_inverse=True)
    if len(names) < fewest_clusters(alpha):
        return 0.0
    share = 1 / (len(names) * np.bincount(place)[place])
    level = (alpha * (len(names) + 1) - 1) / len(names)
    return _quantile(probabilities, target * share[:, None], level)


def fewest_clusters(alpha: float) -> int:
    """How many clusters `clustered_threshold` needs to promise anything less than every grade."""
    return max(1, math.ceil(1 / alpha - 1 - 1e-9))


def _quantile(probabilities: Array, mass: Array, level: float) -> float:
    order = np.argsort(probabilities.ravel(), kind="stable")
    values = probabilities.ravel()[order]
    below = np.cumsum(mass.ravel()[order]) <= level + 1e-9
    return float(values[min(int(below.sum()), len(values) - 1)])


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
