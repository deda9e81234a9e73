"""Effects over units against scipy, against the equations they solve, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from models.stats.effects import (
    paired_change,
    percent_reversal,
    roc,
    standardised_change,
)


def pairs(n: int, seed: int = 0, change: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    before = rng.normal(0.3, 0.2, n)
    return before, before + rng.normal(change, 0.3, n)


def test_a_paired_change_has_the_mean_and_interval_of_student() -> None:
    before, after = pairs(12)
    found = paired_change(before, after)
    test = stats.ttest_rel(after, before)
    ends = test.confidence_interval(0.95)
    assert found.n == 12
    assert found.mean == pytest.approx((after - before).mean())
    assert found.interval == pytest.approx((ends.low, ends.high))
    assert found.d * math.sqrt(12) == pytest.approx(test.statistic)


def test_the_sign_test_counts_all_patterns_like_scipy() -> None:
    before, after = pairs(9, change=0.15)
    expected = stats.permutation_test(
        (after - before,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert paired_change(before, after).p == pytest.approx(expected.pvalue)


def test_the_sign_test_of_many_units_draws_patterns_and_repeats_itself() -> None:
    before, after = pairs(30, change=0.05)
    first, again = paired_change(before, after), paired_change(before, after)
    normal = stats.ttest_rel(after, before).pvalue
    assert first == again
    assert first.p == pytest.approx(normal, abs=0.03)


def test_five_units_that_all_rise_by_hand() -> None:
    found = paired_change([0, 0, 0, 0, 0], [1, 2, 3, 4, 5])
    # Of 32 sign patterns only all plus and all minus lie as far out.
    assert found.p == pytest.approx(2 / 32)
    assert found.mean == 3.0


def test_the_interval_of_d_puts_the_value_seen_at_its_quantiles() -> None:
    before, after = pairs(15)
    size, (low, high) = standardised_change(after - before)
    seen, root = size * math.sqrt(15), math.sqrt(15)
    assert stats.nct.cdf(seen, 14, low * root) == pytest.approx(0.975, abs=1e-6)
    assert stats.nct.cdf(seen, 14, high * root) == pytest.approx(0.025, abs=1e-6)


def test_missing_values_leave_their_pair_out() -> None:
    found = paired_change([0.0, math.nan, 0.2], [1.0, 1.0, math.nan])
    assert found.n == 1
    assert found.mean == 1.0
    assert math.isnan(found.interval[0])
    assert math.isnan(paired_change([], []).mean)


def test_equal_changes_have_no_standardised_size() -> None:
    size, ends = standardised_change([0.5, 0.5, 0.5])
    assert math.isnan(size)
    assert math.isnan(ends[0])


def test_the_area_is_that_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(1)
    low, high = rng.normal(0, 1, 14).round(1), rng.normal(1, 1, 11).round(1)
    u = stats.mannwhitneyu(high, low).statistic
    assert roc(low, high).area == pytest.approx(u / (14 * 11))


def test_the_curve_ends_in_its_corners_and_holds_the_area() -> None:
    rng = np.random.default_rng(2)
    found = roc(rng.normal(0, 1, 20), rng.normal(0.8, 1, 20))
    x, y = np.array(found.points).T
    assert (found.points[0], found.points[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert (np.diff(x) >= 0).all()
    assert float(np.trapezoid(y, x)) == pytest.approx(found.area)


def test_the_interval_of_the_area_solves_newcombes_equation() -> None:
    rng = np.random.default_rng(3)
    m, n = 12, 9
    found = roc(rng.normal(0, 1, m), rng.normal(1, 1, n))
    z, v = ndtri(0.975), (m + n) / 2 - 1
    for end in found.interval:
        variance = end * (1 - end) * (1 + v * (1 - end) / (2 - end) + v * end / (1 + end)) / (m * n)
        assert abs(end - found.area) == pytest.approx(z * math.sqrt(variance), rel=1e-6)


def test_groups_that_lie_wholly_apart_still_have_an_open_interval() -> None:
    found = roc([0, 0.1, 0.2, 0.3], [1, 1.1, 1.2, 1.3])
    assert found.area == 1.0
    assert found.interval[1] == 1.0
    assert 0.3 < found.interval[0] < 0.95
    mirrored = roc([1, 1.1, 1.2, 1.3], [0, 0.1, 0.2, 0.3])
    assert mirrored.interval[1] == pytest.approx(1 - found.interval[0])


def test_the_interval_of_the_area_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    truth = float(stats.norm.cdf(1 / math.sqrt(2)))
    hits = 0
    for _ in range(400):
        low, high = roc(rng.normal(0, 1, 10), rng.normal(1, 1, 10)).interval
        hits += low <= truth <= high
    assert 0.92 <= hits / 400 <= 0.99


def test_reversal_by_hand() -> None:
    found = percent_reversal([0.2, 0.2, 0.2], [1.2, 1.2, 1.2], [0.7, 0.7], least=0.1)
    assert found.percent == pytest.approx(50.0)
    assert found.interval == pytest.approx((50.0, 50.0))
    assert found.effect == pytest.approx(1.0)
    assert found.refused == ""


def test_a_reversal_of_nearly_nothing_is_refused() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(0.3, 0.2, 10)
    found = percent_reversal(base, base + rng.normal(0, 0.2, 10), base, least=0.1)
    assert found.refused == "no_effect"
    assert math.isnan(found.percent)
    assert found.effect_interval[0] < 0.1


def test_a_reversal_needs_two_units_in_both_groups() -> None:
    assert percent_reversal([0.1], [1.0], [0.5, 0.6], least=0.1).refused == "few"
    assert percent_reversal([0.1, 0.2], [1.0, 1.1], [0.5], least=0.1).refused == "few"


def test_the_interval_of_a_reversal_covers_the_truth() -> None:
    rng = np.random.default_rng(6)
    hits = 0
    for seed in range(150):
        base = rng.normal(0.3, 0.15, 12)
        vehicle, drug = base + rng.normal(0.9, 0.2, 12), rng.normal(0.75, 0.25, 12)
        low, high = percent_reversal(base, vehicle, drug, 0.1, draws=500, seed=seed).interval
        hits += low <= 50.0 <= high
    assert 0.87 <= hits / 150 <= 0.99
