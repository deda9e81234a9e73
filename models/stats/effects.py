"""Effects over experimental units: paired change, ROC and analgesic reversal, with intervals.

One value per experimental unit (an animal, or a cage where cages were assigned); never a frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import nct, rankdata, t

from models.stats.bootstrap import percentile_interval
from models.stats.errors import paired

Array = NDArray[np.float64]
Interval = tuple[float, float]
NOTHING: Interval = (math.nan, math.nan)
EXACT_UNITS = 14
"""Up to so many units every sign pattern is counted, beyond it patterns are drawn."""


@dataclass(frozen=True)
class PairedChange:
    """The change of n units from one time to another, in the unit of the values.

    `interval` is that of `mean`; `p` that of no change; `d` the standardised change d_z.
    """

    n: int
    mean: float
    interval: Interval
    p: float
    d: float
    d_interval: Interval


def paired_change(
    before: ArrayLike, after: ArrayLike, level: float = 0.95, draws: int = 9999, seed: int = 0
) -> PairedChange:
    """How units changed: mean of d = after - before over units where both are known.

    mean ± t_{n-1} · s/√n (Student 1908, Biometrika 6:1); p from flipping the signs of d (Fisher
    1935, The Design of Experiments, ch. 3): the share of sign patterns whose mean is at least as
    far from 0, all 2^n of them up to EXACT_UNITS units. NaN under two units.
    """
    x, y = paired(before, after)
    d = y - x
    n = d.size
    if n < 2:
        mean = float(d.mean()) if n else math.nan
        return PairedChange(n, mean, NOTHING, math.nan, math.nan, NOTHING)
    mean, spread = float(d.mean()), float(d.std(ddof=1))
    reach = float(t.ppf((1 + level) / 2, n - 1)) * spread / math.sqrt(n)
    size, ends = standardised_change(d, level)
    return PairedChange(n, mean, (mean - reach, mean + reach), _sign_p(d, draws, seed), size, ends)


def standardised_change(changes: ArrayLike, level: float = 0.95) -> tuple[float, Interval]:
    """d_z = mean(d)/s(d) of known changes, and its interval.

    d_z · √n follows a noncentral t with n - 1 degrees of freedom; the ends are the noncentralities
    under which the value seen lies at (1 ± level)/2 (Cumming and Finch 2001, Educational and
    Psychological Measurement 61:532). NaN under two units or where all changes are equal.
    """
    d = np.asarray(changes, np.float64)
    d = d[np.isfinite(d)]
    n = d.size
    spread = float(d.std(ddof=1)) if n > 1 else 0.0
    if spread <= 1e-12:
        return math.nan, NOTHING
    size = float(d.mean()) / spread
    seen = size * math.sqrt(n)

    def end(share: float) -> float:
        def over(centre: float) -> float:
            return float(nct.cdf(seen, n - 1, centre)) - share

        reach = 6.0 + abs(seen)
        return float(brentq(over, seen - reach, seen + reach)) / math.sqrt(n)

    return size, (end((1 + level) / 2), end((1 - level) / 2))


def _sign_p(d: Array, draws: int, seed: int) -> float:
    seen = abs(float(d.sum()))
    slack = 1e-9 * max(float(np.abs(d).sum()), 1e-300)
    if d.size <= EXACT_UNITS:
        signs = np.array(list(product((1.0, -1.0), repeat=d.size)))
        return float((np.abs(signs @ d) >= seen - slack).mean())
    signs = np.random.default_rng(seed).choice((1.0, -1.0), size=(draws, d.size))
    return float((1 + (np.abs(signs @ d) >= seen - slack).sum()) / (1 + draws))


@dataclass(frozen=True)
class Roc:
    """How well values tell two groups apart.

    `area` is the chance that a value of the second group is above one of the first, ties counting
    half; `points` are (false positive rate, true positive rate) from (0, 0) to (1, 1).
    """

    area: float
    interval: Interval
    points: tuple[tuple[float, float], ...]


def roc(negatives: ArrayLike, positives: ArrayLike, level: float = 0.95) -> Roc:
    """The ROC of known values, with the area U/(mn) of Mann and Whitney.

    Its interval holds the areas a for which |a - area| ≤ z · √(a(1-a)(1 + v(1-a)/(2-a) +
    v·a/(1+a))/(mn)) with v = (m+n)/2 - 1 (Newcombe 2006, Statistics in Medicine 25:559, method 5).
    It treats both groups as independent, which is on the wide side where they are the same units
    at two times, and stays open where groups lie wholly apart. NaN where a group is empty.
    """
    low = np.asarray(negatives, np.float64)
    high = np.asarray(positives, np.float64)
    low, high = low[np.isfinite(low)], high[np.isfinite(high)]
    m, n = low.size, high.size
    if not m or not n:
        return Roc(math.nan, NOTHING, ())
    ranks = rankdata(np.concatenate([low, high]))
    area = float((ranks[m:].sum() - n * (n + 1) / 2) / (m * n))
    cuts = np.unique(np.concatenate([low, high]))[::-1]
    points = [(float((low >= cut).mean()), float((high >= cut).mean())) for cut in cuts]
    return Roc(area, _area_interval(area, m, n, level), ((0.0, 0.0), *points))


def _area_interval(area: float, m: int, n: int, level: float) -> Interval:
    z = float(ndtri((1 + level) / 2))
    v = (m + n) / 2 - 1

    def beyond(a: float) -> float:
        variance = a * (1 - a) * (1 + v * (1 - a) / (2 - a) + v * a / (1 + a)) / (m * n)
        return abs(a - area) - z * math.sqrt(max(variance, 0.0))

    # At 0 and 1 the variance is nothing, which is a root, but not the one that is meant.
    tiny = 1e-9
    inside = min(max(area, tiny), 1 - tiny)
    low = 0.0 if area <= tiny else _root(beyond, tiny, inside)
    high = 1.0 if area >= 1 - tiny else _root(beyond, inside, 1 - tiny)
    return low, high


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(brentq(function, low, high))


@dataclass(frozen=True)
class Reversal:
    """How much of an effect a drug takes back, in percent; NaN where `refused` says why not.

    `effect` is vehicle - baseline with its interval, in the unit of the values.
    """

    percent: float
    interval: Interval
    effect: float
    effect_interval: Interval
    refused: str = ""


def percent_reversal(
    baseline: ArrayLike,
    vehicle: ArrayLike,
    drug: ArrayLike,
    least: float,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Reversal:
    """100 · (vehicle - drug)/(vehicle - baseline), means over known values of units.

    `baseline` are the units of the vehicle group before, row by row beside `vehicle`: both times of
    a unit are drawn together; the units of the drug group are drawn apart from them (percentile
    bootstrap, Efron and Tibshirani 1993, ch. 13). `refused` is `few` where a group has under two
    units, and `no_effect` where the interval of the denominator reaches below `least`: the ratio
    of a difference to nearly nothing says nothing.
    """
    before, after = paired(baseline, vehicle)
    given = np.asarray(drug, np.float64)
    given = given[np.isfinite(given)]
    if before.size < 2 or given.size < 2:
        return Reversal(math.nan, NOTHING, math.nan, NOTHING, "few")
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, before.size, size=(draws, before.size))
    others = rng.integers(0, given.size, size=(draws, given.size))
    effects = after[picks].mean(1) - before[picks].mean(1)
    effect = float(after.mean() - before.mean())
    ends = percentile_interval(effects, level)
    if ends[0] < least:
        return Reversal(math.nan, NOTHING, effect, ends, "no_effect")
    shares = 100 * (after[picks].mean(1) - given[others].mean(1)) / effects
    percent = 100 * float(after.mean() - given.mean()) / effect
    return Reversal(percent, percentile_interval(shares, level), effect, ends)
