"""Drift: how far the histogram of one period lies from that of a reference."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, wasserstein_distance

Array = NDArray[np.float64]
SMOOTHING = 0.5
"""Added to every bin, so that an empty one does not make the index infinite."""


def population_stability(reference: ArrayLike, counts: ArrayLike) -> float:
    """The population stability index Σ (q - p) · ln(q/p) of two histograms over the same bins.

    p and q are the shares of `reference` and `counts` after SMOOTHING was added to each bin: the
    symmetric Kullback–Leibler divergence of Jeffreys (1946, Proc. R. Soc. A 186:453). 0 where the
    shares are equal; NaN where a histogram is empty. Raises ValueError for different bins.
    """
    p, q = _shares(reference), _shares(counts)
    if p.shape != q.shape:
        raise ValueError(f"histograms of {p.size} and {q.size} bins cannot be compared")
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        return math.nan
    return float(((q - p) * np.log(q / p)).sum())


def stability_limit(reference: float, counts: float, bins: int, level: float) -> float:
    """The index that chance exceeds with probability 1 - level where nothing has drifted.

    (1/m + 1/n) · χ²_{bins-1}(level) for histograms of m and n recordings (Yurdakul 2018,
    Statistical Properties of Population Stability Index, Western Michigan University). Infinite
    where a histogram is empty.
    """
    if reference <= 0 or counts <= 0 or bins < 2:
        return math.inf
    return float((1 / reference + 1 / counts) * chi2.ppf(level, bins - 1))


def shift(reference: ArrayLike, counts: ArrayLike, places: ArrayLike) -> float:
    """The Wasserstein distance of two histograms, in the unit of `places`, the bins' middles.

    How far values moved on average. NaN where a histogram is empty.
    """
    p, q = np.asarray(reference, np.float64), np.asarray(counts, np.float64)
    if p.sum() <= 0 or q.sum() <= 0:
        return math.nan
    return float(wasserstein_distance(places, places, p, q))


def _shares(counts: ArrayLike) -> Array:
    values = np.asarray(counts, np.float64)
    if values.sum() <= 0:
        return np.full(values.shape, np.nan)
    smooth = values + SMOOTHING
    return np.asarray(smooth / smooth.sum(), np.float64)
