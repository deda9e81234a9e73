"""How many raters a unit of a frame needs: quorum, early retirement, going on where it is open.

Frames of the uniform random share get the same number of raters whatever these say, because raters
stopped when they agree bias every statistic of agreement. For all others ratings are collected per
unit: a rater may be asked for the one unit of a frame that is still open. The standard that a unit
is held to is what the plain mean of five raters would reach on it. Stopping once answers agree well
enough is what Zooniverse projects call retirement; here the standard error that
`curation.rater_model` gives says when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.rater_model import Estimate, Table
from curation.sampling import FIXED_RATERS
from models.scale import Scale

Array = NDArray[np.float64]

TOLERANCE = 0.01
"""A mean variance that exceeds its bound by less than this share has reached it."""


@dataclass(frozen=True)
class Policy:
    """How ratings are collected.

    fixed        raters of every unit of a frame of the uniform random share
    least        votes that every unit gets before anything is decided
    cap          votes that no unit exceeds
    reference    the standard is the plain mean of this many raters
    precision    the error a unit may have, over that of the standard (under 1: a margin)
    beyond       after its quorum a unit goes on only if its error exceeds its bound so many times
    unscorable   chance to be scorable at which a unit is given up as not scorable
    """

    fixed: int = FIXED_RATERS
    least: int = 2
    cap: int = 9
    reference: int = 5
    precision: float = 0.95
    beyond: float = 1.25
    unscorable: float = 0.1


@dataclass(frozen=True)
class Verdict:
    """Whether a unit of a frame needs another rater; `reason` is a word, `sentence` says it."""

    needs: bool
    reason: str
    sentence: str


def error_bounds(table: Table, policy: Policy) -> Array:
    """Standard error (units,) that each unit is held to: the plain mean of `reference` raters'.

    bound_u = precision · √(mean scatter_u / reference), over frames whose unit is likely scorable.
    """
    weight = np.where(table.n > 0, table.scorable, 0.0) + 1e-9
    scatter = (table.scatter * weight).sum(0) / weight.sum(0)
    return np.asarray(policy.precision * np.sqrt(scatter / policy.reference))


def needs_rater(
    estimate: Estimate | None,
    unit: str,
    bounds: Mapping[str, float],
    scale: Scale,
    policy: Policy | None = None,
    uniform: bool = False,
) -> Verdict:
    """Say after each rating whether one unit of one frame needs another rater.

    `estimate` is None where nobody voted; `bounds` are those of `error_bounds` by unit; `uniform`
    frames belong to the uniform random share.
    """
    policy = policy or Policy()
    n = 0 if estimate is None else estimate.n
    if uniform:
        words = f"{n} of the {policy.fixed} raters that frames of the random share get"
        return Verdict(n < policy.fixed, "uniform", f"{words}.")
    if estimate is None or n < policy.least:
        return Verdict(True, "least", f"{n} of at least {policy.least} raters.")
    if n >= policy.cap:
        return Verdict(False, "cap", f"{n} raters, the most that are asked.")
    if estimate.scorable <= policy.unscorable:
        return Verdict(False, "not_scorable", f"{n} raters: it cannot be scored.")
    quorum = min(scale.unit(unit).raters_needed, policy.cap)
    if estimate.scorable < 1 - policy.unscorable and n < max(quorum, policy.fixed):
        return Verdict(True, "scorable_open", f"{n} raters: can it be scored?")
    bound = bounds[unit]
    said = f"{n} raters, ± {estimate.error:.2f} (± {bound:.2f} is asked for)"
    if estimate.error <= bound:
        return Verdict(False, "certain", f"{said}: exact enough.")
    if n < quorum:
        return Verdict(True, "quorum", f"{said}: {quorum} raters at most before it is looked at.")
    if estimate.error <= policy.beyond * bound:
        return Verdict(False, "quorum_met", f"{said}: the quorum of {quorum} is met.")
    return Verdict(True, "uncertain", f"{said}: raters go on beyond the quorum of {quorum}.")


def expected_gain(table: Table) -> Array:
    """How far one more grade would lower the variance of the consensus mean (frames, units).

    V² / (V + σ²) with V the posterior variance of the mean and σ² the scatter of one grade: the
    normal approximation of the expected reduction, times the chance that there will be a grade.
    """
    variance = table.error**2
    gain = variance**2 / np.maximum(variance + table.scatter, 1e-12)
    return np.asarray(gain * table.scorable)


def allocate(
    table: Table,
    policy: Policy | None = None,
    most: int | None = None,
    uniform: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Which units of which frames to ask one more rater for (frames, units).

    Per unit, frames are taken in order of the expected gain until the mean variance of the unit
    over its scorable frames is expected to reach the bound; units that lack votes come first, then
    those of which it is open whether they can be scored. `uniform` (frames,) marks the uniform
    random share, which gets its fixed number and is left out of the means. `most` bounds the number
    asked for, the largest gain by the measure of the bound first.
    """
    policy = policy or Policy()
    n, scorable = table.n, table.scorable
    bound = error_bounds(table, policy) ** 2
    share = np.zeros(len(n), bool) if uniform is None else uniform
    below_cap = n < np.where(share, policy.fixed, policy.cap)[:, None]
    missing = n < np.where(share, policy.fixed, policy.least)[:, None]
    given_up = ((scorable <= policy.unscorable) & ~missing) | share[:, None]
    unclear = (scorable < 1 - policy.unscorable) & ~given_up & (n < policy.fixed)
    first = below_cap & (missing | unclear)
    gain = np.where(below_cap & ~given_up & ~first, expected_gain(table), 0.0)
    chosen = first.copy()
    for unit in range(n.shape[1]):
        counted = ~given_up[:, unit]
        weight = scorable[counted, unit]
        excess = float((weight * (table.error[counted, unit] ** 2 - bound[unit])).sum())
        order = np.argsort(-gain[:, unit], kind="stable")
        reached = np.cumsum(gain[order, unit])
        enough = TOLERANCE * bound[unit] * float(weight.sum())
        wanted = int(np.searchsorted(reached, excess)) + 1 if excess > enough else 0
        taken = order[:wanted]
        chosen[taken[gain[taken, unit] > 0], unit] = True
    if most is not None and chosen.sum() > most:
        worth = np.where(first, np.inf, gain / bound)
        ranks = np.argsort(-np.where(chosen, worth, -1.0), axis=None, kind="stable")[:most]
        chosen = np.zeros_like(chosen)
        chosen.ravel()[ranks] = True
    return chosen
