"""Power against statsmodels; areas, bouts and distributions by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from models.stats.courses import area_over_baseline, bouts, distribution, mean_over_units
from models.stats.power import cautious_spread, power_of_two_groups, units_needed

TESTS = TTestIndPower()


@pytest.mark.parametrize("effect", [0.2, 0.5, 0.8, 1.5])
@pytest.mark.parametrize("units", [3, 8, 25])
def test_power_is_that_of_statsmodels(effect: float, units: int) -> None:
    assert power_of_two_groups(units, effect) == pytest.approx(
        TESTS.power(effect, units, 0.05), abs=1e-6
    )


@pytest.mark.parametrize(("effect", "power"), [(0.5, 0.8), (0.8, 0.9), (1.2, 0.8), (2.5, 0.9)])
def test_units_needed_are_those_of_statsmodels_rounded_up(effect: float, power: float) -> None:
    exact = TESTS.solve_power(effect, power=power, alpha=0.05)
    assert units_needed(effect, power) == math.ceil(exact)


def test_the_textbook_example_needs_64_per_group() -> None:
    assert units_needed(0.5, 0.8) == 64


def test_an_effect_of_nothing_is_never_found() -> None:
    assert units_needed(0.0) is None
    assert units_needed(math.nan) is None
    assert math.isnan(power_of_two_groups(1, 1.0))


def test_a_cautious_spread_is_exceeded_by_the_true_one_in_a_fifth_of_samples() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(0, 1, (4000, 7)).std(1, ddof=1)
    above = np.array([cautious_spread(one, 6) for one in seen]) < 1
    assert above.mean() == pytest.approx(0.2, abs=0.02)
    assert cautious_spread(1.0, 6) == pytest.approx(math.sqrt(6 / stats.chi2.ppf(0.2, 6)))


def test_an_area_by_hand() -> None:
    # Over a baseline of 0.2: 0 at 0 h, 0.4 at 1 h, 0.8 at 3 h, 0 at 5 h.
    area = area_over_baseline([-1, 1, 3, 5], [0.2, 0.6, 1.0, 0.2], 0.2)
    assert area == pytest.approx(0.2 + 1.2 + 0.8)


def test_an_area_bridges_a_gap_and_refuses_a_missing_end() -> None:
    assert area_over_baseline([1, 2, 3], [1.0, math.nan, 1.0], 0.0) == pytest.approx(0.5 + 2.0)
    assert math.isnan(area_over_baseline([1, 2], [1.0, math.nan], 0.0))
    assert math.isnan(area_over_baseline([1, 2], [1.0, 1.0], math.nan))
    assert math.isnan(area_over_baseline([-1], [1.0], 0.0))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 2), min_size=2, max_size=8), st.floats(0, 2), st.floats(-1, 1))
def test_an_area_does_not_change_when_all_is_shifted(
    course: list[float], base: float, shift: float
) -> None:
    times = list(range(1, len(course) + 1))
    expected = np.trapezoid([0.0, *(np.array(course) - base)], [0, *times])
    found = area_over_baseline(times, course, base)
    assert found == pytest.approx(expected, abs=1e-9)
    assert area_over_baseline(times, np.array(course) + shift, base + shift) == pytest.approx(
        found, abs=1e-9
    )


def test_bouts_by_hand() -> None:
    nan = math.nan
    found = bouts([0.2, 1.0, 1.2, nan, 1.0, 0.1, 1.0, 1.0, 1.0, 0.0], 1.0, 2.0)
    assert found.number == 3
    assert found.share == pytest.approx(6 / 9)
    assert found.mean_s == pytest.approx((4 + 2 + 6) / 3)
    assert found.longest_s == 6.0
    assert found.known_s == 18.0
    assert found.per_minute == pytest.approx(10.0)


def test_bouts_of_nothing() -> None:
    assert math.isnan(bouts([math.nan], 1.0, 1.0).share)
    assert bouts([0.0, 0.0], 1.0, 1.0).number == 0


def test_a_distribution_sums_to_one_and_keeps_its_upper_edge() -> None:
    found = distribution([0.0, 0.5, 2.0, math.nan], [0, 0.5, 1, 2])
    assert found == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert np.isnan(distribution([], [0, 1, 2])).all()


def test_an_interval_over_units_is_near_that_of_student() -> None:
    data = np.random.default_rng(1).normal(1, 0.3, 12)
    mean, interval = mean_over_units(data, draws=9999)
    ends = stats.t.interval(0.95, 11, data.mean(), stats.sem(data))
    assert mean == pytest.approx(data.mean())
    assert interval == pytest.approx(ends, abs=0.03)


def test_two_units_have_a_mean_and_no_interval() -> None:
    mean, interval = mean_over_units([1.0, 2.0, math.nan])
    assert mean == 1.5
    assert all(math.isnan(end) for end in interval)
