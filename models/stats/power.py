"""Power of the next experiment from the spread that this one has shown."""

from __future__ import annotations

import math

from scipy.stats import chi2, nct, t


def power_of_two_groups(per_group: float, effect: float, alpha: float = 0.05) -> float:
    """Power of a two-sided t-test of two groups of equal size; `effect` in standard deviations.

    P(|T| > t_{1-α/2}) for T noncentral t with ν = 2(n - 1) degrees of freedom and noncentrality
    effect · √(n/2) (Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, ch. 2). The
    permutation test of the means has nearly this power where values are not far from normal. NaN
    under two units per group.
    """
    freedom = 2 * (per_group - 1)
    if freedom <= 1:
        return math.nan
    centre = abs(effect) * math.sqrt(per_group / 2)
    edge = float(t.ppf(1 - alpha / 2, freedom))
    upper = float(nct.sf(edge, freedom, centre))
    # Far from nothing the other tail is nil, and its computation fails.
    lower = float(nct.cdf(-edge, freedom, centre)) if centre < 5 else 0.0
    return min(1.0, upper + lower)


def units_needed(
    effect: float, power: float = 0.8, alpha: float = 0.05, most: int = 1000
) -> int | None:
    """The fewest units per group that reach the power; None where `most` do not."""
    if not math.isfinite(effect) or power_of_two_groups(most, effect, alpha) < power:
        return None
    low, high = 2, most
    while low < high:
        middle = (low + high) // 2
        if power_of_two_groups(middle, effect, alpha) >= power:
            high = middle
        else:
            low = middle + 1
    return low


def cautious_spread(spread: float, freedom: int, level: float = 0.8) -> float:
    """Upper confidence bound of a standard deviation, s · √(ν / χ²_{1-level, ν}).

    A spread from few units is as often too small as too large; planning with it as it stands gives
    less power than intended half of the time (Browne 1995, Statistics in Medicine 14:1933).
    """
    if freedom < 1:
        return math.nan
    return spread * math.sqrt(freedom / float(chi2.ppf(1 - level, freedom)))
