"""Agreement of two methods on repeated observations, with intervals over whole animals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.stats.agreement import quadratic_weighted_kappa, variance_components
from models.stats.agreement_draws import icc_draws
from models.stats.bootstrap import cluster_draws, kappa_draws, percentile_interval
from models.stats.errors import bland_altman, paired
from models.stats.ordinal import nearest_grade

Array = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Agreement:
    """How a model's scores agree with a human's over n observations of `clusters` animals.

    Bias (model - human) and limits of agreement in grades, ICC(2,1), quadratic-weighted kappa of
    the nearest whole grades, each with its interval.
    """

    n: int
    clusters: int
    bias: float
    bias_interval: Interval
    sd: float
    limits: Interval
    lower_interval: Interval
    upper_interval: Interval
    icc: float
    icc_interval: Interval
    kappa: float
    kappa_interval: Interval


def agreement_of_methods(
    model: ArrayLike,
    human: ArrayLike,
    animals: Sequence[object],
    categories: int,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Bland–Altman, ICC(2,1) and weighted kappa of pairs in which both values are known.

    Point values are those of `models.stats.errors.bland_altman`, of
    `models.stats.agreement.variance_components` and `quadratic_weighted_kappa`. Intervals are
    percentiles over animals drawn with replacement, because observations of one animal are alike;
    limits by Bland and Altman 1986, Lancet 327:307, pooled over observations. NaN where nothing can
    be told.
    """
    known = np.isfinite(np.asarray(model, np.float64)) & np.isfinite(np.asarray(human, np.float64))
    x, y = paired(model, human)
    whose = [str(one) for one, use in zip(animals, known, strict=True) if use]
    found = bland_altman(x, y)
    table = np.column_stack([x, y])
    ours, theirs = (
        np.clip(nearest_grade(side), 0, categories - 1).astype(np.float64) for side in (x, y)
    )
    nothing = (float("nan"), float("nan"))
    ends: dict[str, Interval] = dict.fromkeys(("bias", "low", "high", "icc", "kappa"), nothing)
    codes, counts = cluster_draws(whose, draws, seed)
    if counts.shape[1] >= 2:
        difference = x - y
        number = counts.shape[1]
        sums = np.stack(
            [np.bincount(codes, part, number) for part in (difference * 0 + 1, difference,
                                                           difference**2)]
        )  # fmt: skip
        n, first, second = (counts @ sums.T).T
        mean = first / n
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.sqrt(np.maximum(second - n * mean**2, 0) / (n - 1))
        ends["bias"] = percentile_interval(mean, level)
        ends["low"] = percentile_interval(mean - 1.96 * spread, level)
        ends["high"] = percentile_interval(mean + 1.96 * spread, level)
        ends["icc"] = percentile_interval(icc_draws(table, codes, counts)[1], level)
        ends["kappa"] = percentile_interval(
            kappa_draws(theirs, ours, codes, counts, categories), level
        )
    return Agreement(
        n=found.n,
        clusters=len(set(whose)),
        bias=found.bias,
        bias_interval=ends["bias"],
        sd=found.sd,
        limits=found.limits,
        lower_interval=ends["low"],
        upper_interval=ends["high"],
        icc=variance_components(table).icc_single if found.n else float("nan"),
        icc_interval=ends["icc"],
        kappa=quadratic_weighted_kappa(ours, theirs, categories) if found.n else float("nan"),
        kappa_interval=ends["kappa"],
    )
