"""Courses in time: area over baseline, bouts above a cut-off, distributions, means over units."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from models.stats.bootstrap import percentile_interval

Array = NDArray[np.float64]
Interval = tuple[float, float]

FEWEST_UNITS = 3
"""A mean of fewer units has no bootstrap interval."""


def area_over_baseline(times: ArrayLike, values: ArrayLike, baseline: float) -> float:
    """∫ (value - baseline) dt by the trapezoid rule, in units of value × time, from time 0 on.

    Before the first time after 0 the course is taken to rise in a straight line from the baseline
    at time 0. Values that are missing in between are bridged in a straight line; NaN where the
    baseline or the last value is missing. Parts under the baseline count as negative.
    """
    when, what = np.asarray(times, np.float64), np.asarray(values, np.float64)
    order = np.argsort(when, kind="stable")
    when, what = when[order], what[order]
    after = when > 0
    when, what = when[after], what[after]
    if not when.size or not np.isfinite(what[-1]) or not math.isfinite(baseline):
        return math.nan
    known = np.isfinite(what)
    x = np.concatenate([[0.0], when[known]])
    y = np.concatenate([[0.0], what[known] - baseline])
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())


@dataclass(frozen=True)
class Bouts:
    """Time at or above a cut-off: `share` of the time with a value, and the bouts in it.

    A bout is a run of neighbouring stretches at or above the cut-off; a stretch without a value
    ends it. `per_minute` is per minute with a value; lengths in seconds, NaN without a bout.
    """

    share: float
    number: int
    per_minute: float
    mean_s: float
    longest_s: float
    known_s: float


def bouts(values: ArrayLike, cut_off: float, width_s: float) -> Bouts:
    """Bouts of a course in stretches of equal width, NaN where a stretch has no value."""
    data = np.asarray(values, np.float64)
    known = np.isfinite(data)
    seconds = float(known.sum()) * width_s
    if not known.any():
        return Bouts(math.nan, 0, math.nan, math.nan, math.nan, 0.0)
    high = known & (np.where(known, data, -np.inf) >= cut_off - 1e-9)
    edges = np.diff(np.concatenate([[0], high.astype(np.int64), [0]]))
    lengths = (np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)) * width_s
    return Bouts(
        share=float(high.sum() / known.sum()),
        number=len(lengths),
        per_minute=60 * len(lengths) / seconds,
        mean_s=float(lengths.mean()) if lengths.size else math.nan,
        longest_s=float(lengths.max()) if lengths.size else math.nan,
        known_s=seconds,
    )


def distribution(values: ArrayLike, edges: ArrayLike) -> Array:
    """Shares (bins,) of known values in [edge, next edge); the last bin holds its upper edge too.

    NaN without a known value.
    """
    data, border = np.asarray(values, np.float64), np.asarray(edges, np.float64)
    data = data[np.isfinite(data)]
    if not data.size:
        return np.full(len(border) - 1, np.nan)
    counts, _ = np.histogram(np.clip(data, border[0], border[-1]), border)
    return np.asarray(counts / data.size)


def mean_over_units(
    values: ArrayLike,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
    within: Interval = (-math.inf, math.inf),
) -> tuple[float, Interval]:
    """Mean of known values of experimental units, and its bootstrap interval over units.

    Units are drawn with replacement; the percentiles are widened round the mean by √(n/(n-1)) ·
    t_{n-1}/z, without which few units give an interval that is too short (Hesterberg 2015, The
    American Statistician 69:371) and cut at the ends of what the values can be (`within`). No
    interval under FEWEST_UNITS units: NaN.
    """
    data = np.asarray(values, np.float64)
    data = data[np.isfinite(data)]
    n = data.size
    mean = float(data.mean()) if n else math.nan
    if n < FEWEST_UNITS:
        return mean, (math.nan, math.nan)
    rng = np.random.default_rng(seed)
    means = data[rng.integers(0, n, (draws, n))].mean(1)
    low, high = percentile_interval(means, level)
    upper = (1 + level) / 2
    factor = float(math.sqrt(n / (n - 1)) * t.ppf(upper, n - 1) / norm.ppf(upper))
    ends = (mean + factor * (low - mean), mean + factor * (high - mean))
    return mean, (max(ends[0], within[0]), min(ends[1], within[1]))
