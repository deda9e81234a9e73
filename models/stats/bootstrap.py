"""Intervals by resampling whole clusters (animals) or blocks of time, never single frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from models.stats.agreement import kappa_of_counts

Array = NDArray[np.float64]
Interval = tuple[float, float]

FEWEST_BLOCKS = 3
"""A stretch of fewer blocks of time has no interval of its own."""
FEWEST_PAIRS = 5
"""Residuals of a recording come from at least so many pairs of windows."""


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
    flat = picks + number * np.arange(draws)[:, None]
    counts = np.bincount(flat.ravel(), minlength=draws * number).reshape(draws, number)
    return codes.astype(np.int64), counts.astype(np.int64)


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


def kappa_draws(
    truth: ArrayLike,
    predicted: ArrayLike,
    codes: NDArray[np.int64],
    counts: NDArray[np.int64],
    categories: int,
) -> Array:
    """Quadratic-weighted kappa (draws,) of whole grades, from joint counts per cluster.

    `codes` and `counts` are those of `cluster_draws`, so that two kappas over the same draws are
    paired.
    """
    flat = np.asarray(truth, np.int64) * categories + np.asarray(predicted, np.int64)
    cells = categories**2
    number = counts.shape[1]
    joint = np.bincount(codes * cells + flat, minlength=number * cells).reshape(number, cells)
    return kappa_of_counts((counts @ joint).reshape(-1, categories, categories))


def cluster_mean_interval(
    values: ArrayLike, clusters: Sequence[object], level: float = 0.95
) -> Interval:
    """Interval of a mean over rows that come in clusters, within the range 0..1 of a share.

    p ± t_{A-1} · s with s² = A/(A-1) · Σ_a (Σ_a y - p · n_a)² / n², the ratio estimator of cluster
    sampling (Cochran 1977, Sampling Techniques, ch. 6). A percentile bootstrap would need more
    draws than animals can carry at the levels that Bonferroni asks for. Where all rows are 0 or all
    are 1 the spread says nothing, and the exact binomial interval of A trials (Clopper and Pearson
    1934, Biometrika 26:404) takes its place. NaN under two clusters.
    """
    data = np.asarray(values, np.float64)
    _, codes = np.unique(np.asarray([str(one) for one in clusters]), return_inverse=True)
    number = int(codes.max()) + 1 if codes.size else 0
    if number < 2:
        return float("nan"), float("nan")
    mean = float(data.mean())
    far = 1 - ((1 - level) / 2) ** (1 / number)
    if (data == 0).all():
        return 0.0, float(far)
    if (data == 1).all():
        return float(1 - far), 1.0
    over = np.bincount(codes, data - mean)
    error = float(np.sqrt(number / (number - 1) * np.sum(over**2))) / data.size
    reach = float(stdtrit(number - 1, (1 + level) / 2)) * error
    return max(0.0, mean - reach), min(1.0, mean + reach)


def block_interval(
    times: ArrayLike,
    values: ArrayLike,
    block_s: float = 10.0,
    draws: int = 500,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Measurement interval of a mean over a stretch of a recording, by block bootstrap in time.

    `times` (n,) seconds in any order, `values` (n,) or (n, units) with NaN where nothing was
    scored. The mean is formed per unit first, then over units. Blocks of `block_s` seconds from the
    first frame on are drawn with replacement (Carlstein 1986, Annals of Statistics 14:1171), and
    the percentiles are widened round the mean by √(B/(B-1)) · t_{B-1}/z for few blocks B, as in
    Hesterberg 2015, The American Statistician 69:371. NaN under three blocks with values. May leave
    the scale; callers clip.
    """
    when, table = _course(times, values)
    if not when.size:
        return float("nan"), float("nan")
    codes = _blocks(when, float(when.min()), float(when.max()), block_s)
    sums, counts = _sums(codes, table)
    return _resampled(sums, counts, draws, np.random.default_rng(seed), level)


def bin_intervals(
    times: ArrayLike,
    values: ArrayLike,
    edges: ArrayLike,
    block_s: float = 10.0,
    draws: int = 500,
    seed: int = 0,
    level: float = 0.95,
) -> Array:
    """Measurement intervals (bins, 2) of the means of neighbouring stretches [edge, next edge).

    A bin of three blocks or more is resampled by itself, as `block_interval` does. A shorter one
    cannot tell its own spread, so that it takes that of the whole recording: half-differences
    (m_j - m_i)/√2 of the means of two windows as long as the bin (at most a block) that begin a
    block apart are residuals without the slow course, with random sign; the mean of as many of them
    as the bin holds blocks is drawn and laid round the bin's mean (residual block bootstrap; the
    difference is von Neumann's 1941 estimator, Annals of Mathematical Statistics 12:367). NaN for
    an empty bin, or where there are fewer than five pairs of windows.
    """
    when, table = _course(times, values)
    border = np.asarray(edges, np.float64)
    number = len(border) - 1
    result = np.full((max(number, 0), 2), np.nan)
    if not when.size or number < 1:
        return result
    order = np.argsort(when, kind="stable")
    when, table = when[order], table[order]
    # The small term keeps a time that binary fractions put just under an edge in its own bin.
    ends = np.searchsorted(when, border - 1e-9)
    rng = np.random.default_rng(seed)
    residuals: dict[float, Array] = {}
    for index in range(number):
        inside = slice(ends[index], ends[index + 1])
        start, stop = float(border[index]), float(border[index + 1])
        if ends[index + 1] == ends[index] or stop <= start:
            continue
        codes = _blocks(when[inside], start, stop, block_s)
        sums, counts = _sums(codes, table[inside])
        if len(sums) >= FEWEST_BLOCKS:
            result[index] = _resampled(sums, counts, draws, rng, level)
            continue
        width = round(stop - start, 6)
        if width not in residuals:
            residuals[width] = _residual_means(when, table, width, block_s, draws, rng, level)
        mean = _mean_over_units(sums.sum(0, keepdims=True), counts.sum(0, keepdims=True))[0]
        if residuals[width].size and np.isfinite(mean):
            result[index] = mean + residuals[width]
    return result


def _course(times: ArrayLike, values: ArrayLike) -> tuple[Array, Array]:
    """Times and values (n, units) of the frames with any value."""
    when, table = np.asarray(times, np.float64), np.asarray(values, np.float64)
    table = table[:, None] if table.ndim == 1 else table
    known = np.isfinite(table).any(1) & np.isfinite(when)
    return when[known], table[known]


def _blocks(when: Array, start: float, stop: float, block_s: float) -> NDArray[np.int64]:
    """The block of every time; a rest shorter than half a block joins the one before it."""
    codes = np.floor((when - start) / block_s + 1e-9).astype(np.int64)
    whole = max(1, int(np.floor((stop - start) / block_s + 0.5)))
    return np.minimum(codes, whole - 1)


def _sums(codes: NDArray[np.int64], table: Array) -> tuple[Array, Array]:
    """Sum and number of known values per block with any and unit, both (blocks, units)."""
    _, rows = np.unique(codes, return_inverse=True)
    number = int(rows.max()) + 1
    known = np.isfinite(table)
    filled = np.where(known, table, 0.0)
    sums = [np.bincount(rows, column, minlength=number) for column in filled.T]
    counts = [np.bincount(rows, column, minlength=number) for column in known.T]
    return np.stack(sums, 1), np.stack(counts, 1).astype(np.float64)


def _mean_over_units(sums: Array, counts: Array) -> Array:
    """Means over units (n,) of the means per unit with any value; NaN without."""
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts
        known = counts > 0
        return np.asarray(np.where(known, means, 0.0).sum(1) / known.sum(1))


def _widening(n: int, level: float) -> float:
    upper = (1 + level) / 2
    return float(np.sqrt(n / (n - 1)) * stdtrit(n - 1, upper) / ndtri(upper))


def _resampled(
    sums: Array, counts: Array, draws: int, rng: np.random.Generator, level: float
) -> Interval:
    blocks = len(sums)
    if blocks < FEWEST_BLOCKS:
        return float("nan"), float("nan")
    drawn = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=draws)
    low, high = percentile_interval(_mean_over_units(drawn @ sums, drawn @ counts), level)
    mean = float(_mean_over_units(sums.sum(0, keepdims=True), counts.sum(0, keepdims=True))[0])
    factor = _widening(blocks, level)
    return mean + factor * (low - mean), mean + factor * (high - mean)


def _residual_means(
    when: Array,
    table: Array,
    width: float,
    block_s: float,
    draws: int,
    rng: np.random.Generator,
    level: float,
) -> Array:
    """Lower and upper end (2,) of the error of a bin's mean; empty where there are few pairs."""
    window = min(width, block_s)
    lag = int(np.ceil(block_s / window - 1e-9))
    codes = np.floor((when - when[0]) / window + 1e-9).astype(np.int64)
    known = np.isfinite(table)
    number = int(codes[-1]) + 1
    filled = np.where(known, table, 0.0)
    sums = np.stack([np.bincount(codes, column, minlength=number) for column in filled.T], 1)
    counts = np.stack([np.bincount(codes, column, minlength=number) for column in known.T], 1)
    means = sums / np.maximum(counts, 1)
    both = (counts[lag:] > 0) & (counts[:-lag] > 0)
    shared = both.sum(1)
    difference = np.where(both, means[lag:] - means[:-lag], 0.0).sum(1)
    usable = shared > 0
    pool = difference[usable] / shared[usable] / np.sqrt(2.0)
    if pool.size < FEWEST_PAIRS:
        return np.empty(0)
    blocks = max(1, round(width / block_s))
    signs = rng.choice([-1.0, 1.0], size=(draws, blocks))
    drawn = (signs * rng.choice(pool, size=(draws, blocks))).mean(1)
    low, high = percentile_interval(drawn, level)
    return _widening(pool.size, level) * np.array([low, high])
