from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kruskal

from models.stats.separation import rank_separation


def test_groups_apart_are_apart_and_chance_seldom_does_it() -> None:
    apart, p = rank_separation([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], ["a"] * 5 + ["b"] * 5)
    assert apart == pytest.approx(125 / 165)
    assert 2 / 252 / 2 < p < 2 * 2 / 252


@given(st.lists(st.integers(0, 30), min_size=6, max_size=30), st.integers(0, 5))
def test_it_is_the_statistic_of_kruskal_and_wallis(values: list[int], seed: int) -> None:
    labels = np.random.default_rng(seed).permutation([n % 3 for n in range(len(values))])
    apart, _ = rank_separation(values, labels.tolist(), draws=0)
    if len(set(values)) == 1:
        assert math.isnan(apart)
        return
    h = kruskal(*(np.array(values)[labels == group] for group in range(3))).statistic
    assert apart == pytest.approx(h / (len(values) - 1), abs=1e-9)


def test_within_blocks_only_their_own_order_counts() -> None:
    values = [1.0, 2.0, 50.0, 51.0, 7.0, 9.0, 20.0, 30.0, 3.0, 4.0, 60.0, 61.0]
    labels, blocks = ["before", "after"] * 6, [n // 2 for n in range(12)]
    apart, p = rank_separation(values, labels, blocks)
    assert apart == 1.0
    assert p == pytest.approx(2 / 2**6, abs=0.01)
    assert rank_separation(values, labels)[1] > 0.2


def test_noise_tells_nothing_about_as_often_as_its_p_says() -> None:
    rng = np.random.default_rng(3)
    small = [
        rank_separation(rng.normal(size=16), ["a", "b"] * 8, draws=199)[1] <= 0.05
        for _ in range(300)
    ]
    assert 0.02 < np.mean(small) < 0.09


@pytest.mark.parametrize(
    ("values", "labels"), [([], []), ([1, 2], ["a", "a"]), ([3, 3], ["a", "b"])]
)
def test_nothing_to_compare_is_not_a_number(values: list[float], labels: list[str]) -> None:
    assert all(math.isnan(value) for value in rank_separation(values, labels))


def test_the_same_input_gives_the_same_answer() -> None:
    values, labels = [5, 1, 4, 2, 3, 9, 7, 8], list("aababbab")
    assert rank_separation(values, labels) == rank_separation(values, labels)
