"""Drift of histograms: by hand, and how often chance alone passes the limit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from models.stats.drift import population_stability, shift, stability_limit


def test_the_index_by_hand() -> None:
    # Shares 0.5, 0.5 and, with half a recording more in each of two bins, 0.75 - of (0.5 + n).
    p, q = np.array([20.5, 20.5]) / 41, np.array([30.5, 10.5]) / 41
    expected = float(((q - p) * np.log(q / p)).sum())
    assert population_stability([20, 20], [30, 10]) == pytest.approx(expected)


def test_equal_shares_have_no_index_and_sides_may_be_swapped() -> None:
    assert population_stability([50, 50, 50], [50, 50, 50]) == 0.0
    one = population_stability([5, 9, 1], [2, 4, 9])
    assert one == pytest.approx(population_stability([2, 4, 9], [5, 9, 1]))
    assert math.isfinite(population_stability([10, 0], [0, 10]))


def test_nothing_counted_says_nothing() -> None:
    assert math.isnan(population_stability([0, 0], [1, 2]))
    assert stability_limit(0, 10, 4, 0.99) == math.inf
    assert math.isnan(shift([0, 0], [1, 1], [0.5, 1.5]))
    with pytest.raises(ValueError, match="cannot be compared"):
        population_stability([1, 2], [1, 2, 3])


def test_chance_passes_the_limit_about_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(0)
    p = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    limit = stability_limit(200, 150, 5, 0.95)
    passed = np.mean(
        [
            population_stability(rng.multinomial(200, p), rng.multinomial(150, p)) > limit
            for _ in range(2000)
        ]
    )
    assert 0.03 <= passed <= 0.07


def test_the_shift_is_in_the_unit_of_the_places() -> None:
    places = [0.1, 0.3, 0.5, 0.7]
    assert shift([0, 10, 0, 0], [0, 0, 0, 10], places) == pytest.approx(0.4)
    expected = wasserstein_distance(places, places, [1, 2, 3, 4], [4, 3, 2, 1])
    assert shift([1, 2, 3, 4], [4, 3, 2, 1], places) == pytest.approx(expected)
