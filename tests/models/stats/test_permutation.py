"""Permutation tests, effect sizes and Holm against scipy, statsmodels, pingouin, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from models.stats.effects import paired_change
from models.stats.permutation import cliffs_delta, hedges_g, holm, many_groups, two_groups

values = st.lists(st.floats(-2, 2).map(lambda x: round(x, 3)), min_size=2, max_size=5)


def two(m: int = 6, n: int = 7, change: float = 0.5, seed: int = 1) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return rng.normal(0.3, 0.4, m), rng.normal(0.3 + change, 0.4, n)


def difference(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.mean(y, axis=axis) - np.mean(x, axis=axis)


def test_three_against_three_that_lie_apart_by_hand() -> None:
    found = two_groups([1, 2, 3], [11, 12, 13])
    # Of 20 labellings one lies as far up, one as far down.
    assert found.p == pytest.approx(2 / 20)
    assert found.least_p == pytest.approx(0.1)
    assert found.exact
    assert found.ways == 20
    # At 95 % six units bound nothing; at 80 % the ends are the second differences from outside.
    assert found.interval == (-math.inf, math.inf)
    assert two_groups([1, 2, 3], [11, 12, 13], level=0.8).interval == pytest.approx((9, 11))


def test_all_labellings_are_counted_like_scipy() -> None:
    x, y = two()
    expected = stats.permutation_test((x, y), difference, n_resamples=np.inf, vectorized=True)
    found = two_groups(x, y)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.difference == pytest.approx(float(y.mean() - x.mean()))


@settings(max_examples=60, deadline=None)
@given(values, values)
def test_p_is_that_of_scipy_for_any_values_with_ties_too(x: list[float], y: list[float]) -> None:
    # Quarters add up without rounding, which SciPy takes for a difference where there is none.
    first, second = np.round(np.array(x) * 4) / 4, np.round(np.array(y) * 4) / 4
    expected = stats.permutation_test(
        (first, second), difference, n_resamples=np.inf, vectorized=True
    )
    assert two_groups(first, second).p == pytest.approx(expected.pvalue)


@settings(max_examples=40, deadline=None)
@given(values, values, st.floats(-1, 1).map(lambda x: round(x, 3)))
def test_shifting_a_group_shifts_the_interval_and_swapping_mirrors_it(
    x: list[float], y: list[float], shift: float
) -> None:
    one = two_groups(x, y, level=0.7)
    moved = two_groups(x, np.array(y) + shift, level=0.7)
    swapped = two_groups(y, x, level=0.7)
    assert moved.interval == pytest.approx([end + shift for end in one.interval], abs=1e-9)
    assert swapped.p == pytest.approx(one.p)
    assert swapped.interval == pytest.approx([-one.interval[1], -one.interval[0]], abs=1e-9)


def test_the_interval_ends_where_the_test_begins_to_reject() -> None:
    x, y = two(6, 6)
    found = two_groups(x, y)
    low, high = found.interval
    for end, inward in ((low, 1), (high, -1)):
        assert two_groups(x, y - (end + inward * 1e-6)).p > 0.05
        assert two_groups(x, y - (end - inward * 1e-6)).p <= 0.05 + 1e-12


def test_p_is_uniform_where_nothing_differs() -> None:
    """Over all labellings of fixed values, p is at most α in at most α of them: exactly valid."""
    from itertools import combinations

    data = np.random.default_rng(4).normal(size=8)
    seen = []
    for chosen in combinations(range(8), 4):
        mask = np.zeros(8, bool)
        mask[list(chosen)] = True
        seen.append(two_groups(data[~mask], data[mask]).p)
    for alpha in (2 / 70, 0.05, 0.1, 0.2, 0.5):
        assert np.mean(np.array(seen) <= alpha + 1e-12) <= alpha + 1e-12
    # Every pair of mirror-image labellings has one value of its own: 2/70, 4/70 … 1.
    assert np.mean(seen) == pytest.approx((1 + 2 / 70) / 2, abs=0.02)


def test_large_groups_draw_labellings_and_repeat_themselves() -> None:
    x, y = two(25, 25, change=0.25)
    first, again = two_groups(x, y), two_groups(x, y)
    normal = stats.ttest_ind(x, y)
    ends = stats.ttest_ind(y, x).confidence_interval(0.95)
    assert not first.exact
    assert first == again
    assert first.p == pytest.approx(normal.pvalue, abs=0.02)
    assert first.interval == pytest.approx((ends.low, ends.high), abs=0.03)


def test_missing_values_and_empty_groups() -> None:
    assert two_groups([1, math.nan, 2], [3, 4]).n == (2, 2)
    assert math.isnan(two_groups([], [1.0, 2.0]).p)
    alone = two_groups([1.0], [2.0])
    assert alone.p == 1.0
    assert alone.interval == (-math.inf, math.inf)


def test_many_groups_have_the_f_of_scipy_and_a_like_p() -> None:
    rng = np.random.default_rng(2)
    data = rng.normal(size=24) + np.repeat([0, 0.3, 0.9], 8)
    groups = np.repeat(["a", "b", "c"], 8)
    f, p = many_groups(data, list(groups))
    expected = stats.f_oneway(*(data[groups == one] for one in "abc"))
    assert f == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue, abs=0.01)
    assert math.isnan(many_groups([1, 1, 1, 1], ["a", "a", "b", "b"])[1])


def test_hedges_g_is_that_of_pingouin_but_for_its_rounder_correction() -> None:
    x, y = two()
    found, (low, high) = hedges_g(x, y)
    assert found == pytest.approx(pingouin.compute_effsize(y, x, eftype="hedges"), rel=0.005)
    assert low < found < high


def test_the_interval_of_g_puts_the_t_seen_at_its_quantiles() -> None:
    x, y = two(8, 9)
    found, (low, high) = hedges_g(x, y)
    t = stats.ttest_ind(y, x).statistic
    root, factor = math.sqrt(72 / 17), found * math.sqrt(72 / 17) / t
    assert stats.nct.cdf(t, 15, high / factor * root) == pytest.approx(0.025, abs=1e-6)
    assert stats.nct.cdf(t, 15, low / factor * root) == pytest.approx(0.975, abs=1e-6)


@pytest.mark.parametrize("change", [-3.0, -1.0, 0.0, 1.0, 3.0, 8.0])
def test_g_has_an_interval_however_far_the_groups_lie_apart(change: float) -> None:
    x, y = two(10, 10, change)
    found, (low, high) = hedges_g(x, y)
    assert low < found < high
    mirrored, ends = hedges_g(y, x)
    assert (mirrored, *ends) == pytest.approx((-found, -high, -low))


def test_groups_that_do_not_vary_have_no_g() -> None:
    assert math.isnan(hedges_g([1, 1], [1, 1])[0])
    assert math.isnan(hedges_g([1], [2])[0])


def test_cliffs_delta_by_hand() -> None:
    found, (low, high) = cliffs_delta([1, 2, 3], [2, 3, 4])
    # Above: 2>1 3>1 3>2 4>1 4>2 4>3, below: 2<3, the two ties count for neither.
    assert found == pytest.approx((6 - 1) / 9)
    assert -1 <= low <= found <= high <= 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_passes_over_what_is_missing() -> None:
    found = holm([0.01, math.nan, 0.04])
    assert found[[0, 2]] == pytest.approx([0.02, 0.04])
    assert math.isnan(found[1])


def test_a_paired_change_is_another_test() -> None:
    before, after = two(6, 6)
    assert paired_change(before, after).mean == pytest.approx(two_groups(before, after).difference)
