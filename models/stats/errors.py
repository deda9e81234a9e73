"""Errors of numbers against numbers, and Bland–Altman agreement of two methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def paired(predicted: ArrayLike, truth: ArrayLike) -> tuple[Array, Array]:
    """The pairs of two vectors in which both values are known, as float64; raises ValueError."""
    x, y = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"two vectors of one length are needed, not {x.shape} and {y.shape}")
    known = np.isfinite(x) & np.isfinite(y)
    return x[known], y[known]


def rmse(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Root mean squared error, sqrt(mean((x - y)²)), over known pairs; NaN without any."""
    x, y = paired(predicted, truth)
    return float(np.sqrt(np.mean((x - y) ** 2))) if x.size else float("nan")


def mae(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Mean absolute error, mean(|x - y|), over known pairs; NaN without any."""
    x, y = paired(predicted, truth)
    return float(np.mean(np.abs(x - y))) if x.size else float("nan")


def bias(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Mean error, mean(x - y), over known pairs; NaN without any."""
    x, y = paired(predicted, truth)
    return float(np.mean(x - y)) if x.size else float("nan")


def pearson(predicted: ArrayLike, truth: ArrayLike) -> float:
    """Pearson's r over known pairs; NaN under three pairs or where one side does not vary."""
    x, y = paired(predicted, truth)
    if x.size < 3:
        return float("nan")
    dx, dy = x - x.mean(), y - y.mean()
    scale = float(np.sqrt(np.sum(dx**2) * np.sum(dy**2)))
    # Relative, so that rounding noise on a constant does not pass for variation.
    tiny = 1e-12 * max(float(np.sum(x**2) * np.sum(y**2)) ** 0.5, 1e-12)
    return float(np.sum(dx * dy) / scale) if scale > tiny else float("nan")


def calibration_line(predicted: ArrayLike, truth: ArrayLike) -> tuple[float, float]:
    """Slope and intercept of the least-squares line truth = intercept + slope · predicted.

    A slope of 1 and an intercept of 0 is perfect calibration; a slope above 1 says that the
    predictions shrink to the middle (Cox 1958, Biometrika 45:562). NaN where they do not
    vary.
    """
    x, y = paired(predicted, truth)
    if x.size < 3 or float(np.ptp(x)) <= 1e-9:
        return float("nan"), float("nan")
    slope = float(np.cov(x, y, ddof=1)[0, 1] / np.var(x, ddof=1))
    return slope, float(y.mean() - slope * x.mean())


@dataclass(frozen=True)
class BlandAltman:
    """Bias, its standard deviation, limits of agreement and number of pairs."""

    bias: float
    sd: float
    limits: tuple[float, float]
    n: int


def bland_altman(predicted: ArrayLike, truth: ArrayLike) -> BlandAltman:
    """Agreement of two methods: bias = mean(x - y), limits = bias ± 1.96 · SD(x - y).

    Source: Bland and Altman 1986, Lancet 327:307-310. NaN limits under two pairs.
    """
    x, y = paired(predicted, truth)
    difference = x - y
    middle = float(difference.mean()) if x.size else float("nan")
    sd = float(difference.std(ddof=1)) if x.size > 1 else float("nan")
    return BlandAltman(middle, sd, (middle - 1.96 * sd, middle + 1.96 * sd), int(x.size))
