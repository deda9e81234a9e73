"""Percentile intervals by resampling whole clusters (animals), never single frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Interval = tuple[float, float]


def cluster_draws(
    clusters: Sequence[object], draws: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which cluster each row belongs to, and how often each cluster is drawn.

    Returns codes (rows,) and counts (draws, clusters): resampling clusters with replacement is
    weighting the rows of cluster c by counts[:, c].
    """
    _, codes = np.unique(np.asarray([str(cluster) for cluster in clusters]), return_inverse=True)
    number = int(codes.max()) + 1 if codes.size else 0
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, max(number, 1), size=(draws, number))
    counts = np.zeros((draws, number), np.int64)
    for column in range(number):
        np.add.at(counts, (np.arange(draws), picks[:, column]), 1)
    return codes.astype(np.int64), counts


def percentile_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """The central `level` of the finite values; NaN where fewer than half of them are finite.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13.
    """
    data = np.asarray(values, np.float64)
    finite = data[np.isfinite(data)]
    if finite.size == 0 or finite.size * 2 < data.size:
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)


def cluster_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    clusters: Sequence[object],
    draws: int = 500,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Interval of `statistic(rows)`, rows being indices with repeats, over resampled clusters.

    Under two clusters nothing can be said: NaN.
    """
    codes, counts = cluster_draws(clusters, draws, seed)
    if counts.shape[1] < 2:
        return float("nan"), float("nan")
    rows = np.arange(codes.size)
    return percentile_interval(
        [statistic(np.repeat(rows, drawn[codes])) for drawn in counts], level
    )


def error_draws(
    predicted: ArrayLike, truth: ArrayLike, clusters: Sequence[object], draws: int, seed: int
) -> tuple[Array, Array]:
    """RMSE and Pearson's r of every draw, shape (draws,), from sums per cluster.

    The same as `cluster_interval` with both statistics, without visiting the frames again. Values
    must be known. NaN where a draw does not vary.
    """
    x, y = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    codes, counts = cluster_draws(clusters, draws, seed)
    number = counts.shape[1]
    parts = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y, (x - y) ** 2])
    sums = np.stack([np.bincount(codes, part, minlength=number) for part in parts])
    n, sx, sy, sxx, syy, sxy, see = (counts @ sums.T).T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (sxx - sx**2 / n) * (syy - sy**2 / n)
        r = np.where(spread > 1e-18, (sxy - sx * sy / n) / np.sqrt(np.abs(spread)), np.nan)
        return np.sqrt(see / n), r
