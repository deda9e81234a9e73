"""Ordinal probabilities: from the conditional logits of CORN to grades and back to a single number.

Source: Shi, Cao, Raschka 2023, Deep neural networks for rank-consistent ordinal regression based on
conditional probabilities (CORN), Pattern Analysis and Applications 26:941.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def sigmoid(logits: ArrayLike) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    x = np.asarray(logits, np.float64)
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)), np.float64)


def corn_probabilities(logits: ArrayLike, temperature: float = 1.0) -> Array:
    """Probabilities (…, K) of grades 0 … K-1 from conditional logits (…, K-1).

    logits[k] / temperature is the logit of P(y > k | y > k - 1); P(y > k) is their running product,
    which cannot rise, so the probabilities are never negative.
    """
    above = np.cumprod(sigmoid(np.asarray(logits, np.float64) / temperature), axis=-1)
    edge = np.ones((*above.shape[:-1], 1))
    return np.asarray(np.concatenate([edge, above], -1) - np.concatenate([above, 0 * edge], -1))


def expected_grade(probabilities: ArrayLike) -> Array:
    """Σ k · p_k over the last axis."""
    p = np.asarray(probabilities, np.float64)
    return np.asarray(p @ np.arange(p.shape[-1]), np.float64)


def nearest_grade(value: ArrayLike) -> NDArray[np.int64]:
    """The whole grade nearest to an expected grade, halves upward.

    The answer with the least squared error; the most probable grade would hardly ever be the top
    one, which is rare and which raters seldom share.
    """
    return np.floor(np.asarray(value, np.float64) + 0.5).astype(np.int64)


def halfway_cuts(grades: int) -> Array:
    """The cuts (grades - 1,) that lie halfway between grades: 0.5, 1.5 …"""
    return np.arange(grades - 1, dtype=np.float64) + 0.5


def grade_by_cuts(value: ArrayLike, cuts: ArrayLike) -> NDArray[np.int64]:
    """The whole grade of expected grades (…): the number of `cuts` (ascending) they reach."""
    return np.searchsorted(np.asarray(cuts, np.float64), np.asarray(value, np.float64), "right")
