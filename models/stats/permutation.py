"""Tests of groups with one value per experimental unit: permutation, effect sizes, multiplicity.

A value belongs to what was assigned to treatment (an animal, or a cage); never to a frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import gammaln, ndtri
from scipy.stats import nct

from models.stats.effects import roc

Array = NDArray[np.float64]
Interval = tuple[float, float]
NOTHING: Interval = (math.nan, math.nan)

MOST_ENUMERATED = 200_000
"""Up to so many ways to label the units every one is counted; beyond it ways are drawn."""


@dataclass(frozen=True)
class GroupTest:
    """The difference of two groups, second minus first, in the unit of the values.

    `p` is two-sided; `least_p` the smallest that so many units can give. An end of `interval` is
    infinite where the units are too few to bound it at this level. `exact` says that all `ways` of
    labelling were counted.
    """

    n: tuple[int, int]
    means: tuple[float, float]
    difference: float
    interval: Interval
    p: float
    least_p: float
    exact: bool
    ways: int


def two_groups(
    first: ArrayLike, second: ArrayLike, level: float = 0.95, draws: int = 9999, seed: int = 0
) -> GroupTest:
    """Permutation test of the difference of means of known values, with its interval.

    p = min(1, 2 · min(p_≥, p_≤)), the shares of all labellings of the m + n units whose difference
    is at least, or at most, the one seen (Fisher 1935, The Design of Experiments, ch. 3; Pitman
    1937, Supplement to the Journal of the Royal Statistical Society 4:119). All of them are counted
    up to MOST_ENUMERATED, otherwise `draws` are drawn from `seed` and the one seen is added.

    The interval holds the shifts δ that the test does not reject at (1 - level)/2 on either side. A
    labelling S that keeps k of the second group has the difference D_S(δ) = D_S - δ·c_S with
    c_S = k/n - (n - k)/m after the second group is shifted by δ, so that it reaches the one seen,
    D - δ, from δ_S = (D - D_S)/(1 - c_S) on: the ends are order statistics of the δ_S. NaN where a
    group is empty.
    """
    x, y = _known(first), _known(second)
    m, n = x.size, y.size
    if not m or not n:
        means = tuple(float(one.mean()) if one.size else math.nan for one in (x, y))
        nan = math.nan
        return GroupTest((m, n), (means[0], means[1]), nan, NOTHING, nan, nan, True, 0)
    labels, exact = _labellings(m, n, draws, seed)
    values = np.concatenate([x, y])
    sums = labels @ values
    differences = sums / n - (values.sum() - sums) / m
    seen = float(y.mean() - x.mean())
    slack = 1e-9 * max(float(np.abs(values).max()), 1e-300)
    ways = len(labels)
    above = float((differences >= seen - slack).sum()) / ways
    below = float((differences <= seen + slack).sum()) / ways
    kept = labels[:, m:].sum(1)
    shrink = kept / n - (n - kept) / m
    others = shrink < 1 - 1e-12
    shifts = (seen - differences[others]) / (1 - shrink[others])
    # Drawn labellings may repeat the one seen: these count with it, whatever the shift.
    same = ways - shifts.size
    # Of the labellings, those at or below δ must be more than ways · (1 - level)/2.
    needed = math.floor(ways * (1 - level) / 2 + 1e-9) + 1 - same
    bounded = 1 <= needed <= shifts.size
    ends = (-math.inf, math.inf)
    if bounded:
        low, high = needed - 1, shifts.size - needed
        placed = np.partition(shifts, sorted({low, high}))
        ends = (float(placed[low]), float(placed[high]))
    least = min(1.0, 2 / math.comb(m + n, n)) if exact else 2 / ways
    return GroupTest(
        (m, n),
        (float(x.mean()), float(y.mean())),
        seen,
        ends,
        min(1.0, 2 * min(above, below)),
        least,
        exact,
        ways,
    )


def many_groups(
    values: ArrayLike, groups: Sequence[object], draws: int = 9999, seed: int = 0
) -> tuple[float, float]:
    """F of a one-way analysis of variance and its p from labels shuffled among the units.

    F = (Σ n_g (ȳ_g - ȳ)² / (G - 1)) / (Σ (y - ȳ_g)² / (N - G)); p = (1 + draws at least as large) /
    (1 + draws). NaN where there are fewer than two groups, no spare unit or equal values.
    """
    data = np.asarray(values, np.float64)
    known = np.isfinite(data)
    data = data[known]
    _, codes = np.unique(np.asarray([str(one) for one in groups])[known], return_inverse=True)
    number = int(codes.max()) + 1 if codes.size else 0
    total = float(((data - data.mean()) ** 2).sum()) if data.size else 0.0
    if number < 2 or data.size <= number or total <= 1e-18:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(np.repeat(codes[None], draws, axis=0), axis=1)
    centred = data - data.mean()

    def between(labels: NDArray[np.int64]) -> Array:
        found = np.zeros(len(labels))
        for group in range(number):
            member = labels == group
            found += (member @ centred) ** 2 / member.sum(1)
        return found

    seen = float(between(codes[None])[0])
    chance = int((between(shuffled) >= seen - 1e-9 * total).sum())
    within = max(total - seen, 1e-300)
    return (seen / (number - 1)) / (within / (data.size - number)), (1 + chance) / (1 + draws)


def hedges_g(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> tuple[float, Interval]:
    """Standardised difference of means g = J · (ȳ - x̄)/s, second minus first, with its interval.

    s is the pooled standard deviation with ν = m + n - 2 degrees of freedom and
    J = Γ(ν/2) / (√(ν/2) · Γ((ν - 1)/2)) (Hedges 1981, Journal of Educational Statistics 6:107). The
    ends are J times the noncentralities, over √(mn/(m + n)), under which the t seen lies at
    (1 ± level)/2 (Cumming and Finch 2001, Educational and Psychological Measurement 61:532). NaN
    under three units, with an empty group, or where groups do not vary.
    """
    x, y = _known(first), _known(second)
    m, n = x.size, y.size
    freedom = m + n - 2
    if not m or not n or freedom < 2:
        return math.nan, NOTHING
    spread = math.sqrt((((x - x.mean()) ** 2).sum() + ((y - y.mean()) ** 2).sum()) / freedom)
    if spread <= 1e-12:
        return math.nan, NOTHING
    factor = math.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2)
    size = float(y.mean() - x.mean()) / spread
    root = math.sqrt(m * n / (m + n))
    seen = abs(size) * root
    # The spread of the noncentrality is about this; far outside nct.cdf gives no number.
    about = math.sqrt(1 + seen**2 / (2 * freedom))
    reach = (float(ndtri((1 + level) / 2)) + 2) * about

    def end(share: float) -> float:
        def over(centre: float) -> float:
            return float(nct.cdf(seen, freedom, centre)) - share

        try:
            return factor * float(brentq(over, seen - reach, seen + reach)) / root
        except ValueError:
            return math.nan

    low, high = end((1 + level) / 2), end((1 - level) / 2)
    return factor * size, (low, high) if size >= 0 else (-high, -low)


def cliffs_delta(
    first: ArrayLike, second: ArrayLike, level: float = 0.95
) -> tuple[float, Interval]:
    """P(y > x) - P(y < x), -1 to 1, with its interval.

    2·A - 1 with A the area under the ROC and the interval of `models.stats.effects.roc` (Cliff
    1993, Psychological Bulletin 114:494). NaN where a group is empty.
    """
    found = roc(_known(first), _known(second), level)
    low, high = found.interval
    return 2 * found.area - 1, (2 * low - 1, 2 * high - 1)


def holm(p: ArrayLike) -> Array:
    """p-values adjusted for several tests by Holm's step-down method; NaN stay and do not count.

    The i-th smallest of k becomes max over j ≤ i of min(1, (k - j + 1) · p_j) (Holm 1979,
    Scandinavian Journal of Statistics 6:65).
    """
    data = np.asarray(p, np.float64)
    result = np.full(data.shape, np.nan)
    known = np.flatnonzero(np.isfinite(data))
    order = known[np.argsort(data[known], kind="stable")]
    steps = (len(order) - np.arange(len(order))) * data[order]
    result[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if order.size else steps
    return result


def _known(values: ArrayLike) -> Array:
    data = np.asarray(values, np.float64).ravel()
    return data[np.isfinite(data)]


def _labellings(m: int, n: int, draws: int, seed: int) -> tuple[Array, bool]:
    """Rows of 0 and 1 (ways, m + n), 1 for the second group; the first row is the one seen."""
    if math.comb(m + n, n) <= MOST_ENUMERATED:
        return _every_labelling(m, n), True
    rng = np.random.default_rng(seed)
    seen = np.concatenate([np.zeros(m), np.ones(n)])
    drawn = rng.permuted(np.repeat(seen[None], draws, axis=0), axis=1)
    return np.concatenate([seen[None], drawn]), False


@lru_cache(maxsize=4)
def _every_labelling(m: int, n: int) -> Array:
    ways = math.comb(m + n, n)
    members = np.fromiter(
        chain.from_iterable(combinations(range(m + n - 1, -1, -1), n)), np.int64, ways * n
    )
    labels = np.zeros((ways, m + n))
    labels[np.repeat(np.arange(ways), n), members] = 1.0
    labels.setflags(write=False)
    return labels
