"""What abstaining buys: errors of the frames that are kept when the least certain are dropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RiskCoverage:
    """A risk–coverage curve.

    `coverage` and `rmse` (points,) go from all frames to the most certain ones; `area` is the mean
    RMSE over all numbers of kept frames, `best_area` that of dropping the worst errors first, which
    nobody can undercut; `n` frames.
    """

    coverage: Array
    rmse: Array
    area: float
    best_area: float
    n: int


def risk_coverage(
    error: ArrayLike, confidence: ArrayLike, rated: int | None = None, points: int = 40
) -> RiskCoverage:
    """The curve of n errors (n,) whose frames are dropped in the order of `confidence` (n,).

    `rated` is the number of frames that could have been graded (default n): coverage is a share of
    them, so that frames without any grade count as dropped. Source: El-Yaniv and Wiener 2010, JMLR
    11:1605; area after Geifman, Uziel, El-Yaniv 2019. NaN areas and no points without frames.
    """
    miss, sure = np.asarray(error, np.float64), np.asarray(confidence, np.float64)
    known = np.isfinite(miss) & np.isfinite(sure)
    miss, sure = miss[known] ** 2, sure[known]
    n = int(miss.size)
    if n == 0:
        return RiskCoverage(np.empty(0), np.empty(0), float("nan"), float("nan"), 0)
    kept = np.arange(1, n + 1)
    rmse = np.sqrt(np.cumsum(miss[np.argsort(-sure, kind="stable")]) / kept)
    best = np.sqrt(np.cumsum(np.sort(miss)) / kept)
    # Under twenty frames the RMSE is noise that would stretch the axis of the plot.
    least = min(n, 20)
    shown = np.unique(np.linspace(least, n, min(points, n - least + 1)).round().astype(np.int64))
    shown = shown[::-1] - 1
    return RiskCoverage(
        coverage=kept[shown] / (rated or n),
        rmse=rmse[shown],
        area=float(rmse.mean()),
        best_area=float(best.mean()),
        n=n,
    )
