import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from models.stats.bootstrap import (
    cluster_draws,
    cluster_interval,
    error_draws,
    percentile_interval,
)
from models.stats.calibration import (
    area_under_roc,
    calibration_error_by_chance,
    expected_calibration_error,
    reliability,
)
from models.stats.errors import (
    bias,
    bland_altman,
    calibration_line,
    mae,
    paired,
    pearson,
    rmse,
)
from models.stats.ordinal import corn_probabilities, expected_grade, nearest_grade, sigmoid


@pytest.fixture
def pairs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    truth = rng.uniform(0, 2, 80)
    return 0.7 * truth + 0.2 + rng.normal(0, 0.2, 80), truth


def test_errors_of_known_numbers() -> None:
    assert rmse([1, 2, np.nan], [1, 4, 9]) == pytest.approx(np.sqrt(2))
    assert mae([1, 2], [1, 4]) == 1.0
    assert bias([1, 2], [1, 4]) == -1.0
    assert np.isnan(rmse([], []))
    with pytest.raises(ValueError, match="one length"):
        rmse([1], [1, 2])


def test_r_and_the_calibration_line_equal_scipy(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    line = scipy_stats.linregress(*pairs)
    assert pearson(*pairs) == pytest.approx(line.rvalue)
    assert calibration_line(*pairs) == pytest.approx((line.slope, line.intercept))


def test_r_of_a_constant_is_undefined() -> None:
    assert np.isnan(pearson([0.3] * 9, np.arange(9.0)))
    assert all(np.isnan(calibration_line([0.3] * 9, np.arange(9.0))))


def test_limits_of_agreement_are_two_deviations_round_the_bias() -> None:
    found = bland_altman([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    assert found.bias == 1.0
    assert found.sd == 1.0
    assert found.limits == pytest.approx((1 - 1.96, 1 + 1.96))


def test_calibration_error_is_the_weighted_gap() -> None:
    assert expected_calibration_error([0.95, 0.95, 0.15], [1, 0, 0]) == pytest.approx(
        (2 * 0.45 + 0.15) / 3
    )
    assert [row.n for row in reliability([1.0, 0.05], [1, 0])] == [1, 1]
    assert np.isnan(expected_calibration_error([], []))


def test_area_under_roc_equals_the_mann_whitney_statistic() -> None:
    rng = np.random.default_rng(0)
    score, positive = np.round(rng.normal(size=50), 1), rng.random(50) < 0.4
    u = scipy_stats.mannwhitneyu(score[positive], score[~positive]).statistic
    assert area_under_roc(score, positive) == pytest.approx(
        u / (positive.sum() * (~positive).sum())
    )
    assert np.isnan(area_under_roc([1.0], [True]))


def test_error_draws_equal_visiting_the_frames_again(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    clusters = [f"a{index // 10}" for index in range(80)]
    fast = error_draws(*pairs, clusters, 50, seed=3)
    slow = cluster_interval(lambda rows: rmse(pairs[0][rows], pairs[1][rows]), clusters, 50, seed=3)
    slow_r = cluster_interval(
        lambda rows: pearson(pairs[0][rows], pairs[1][rows]), clusters, 50, seed=3
    )
    assert percentile_interval(fast[0]) == pytest.approx(slow)
    assert percentile_interval(fast[1]) == pytest.approx(slow_r)


def test_an_interval_over_animals_covers_the_truth() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for trial in range(60):
        values = np.repeat(rng.normal(0, 1, 40), 5) + rng.normal(0, 0.2, 200)
        low, high = cluster_interval(
            lambda rows, values=values: float(values[rows].mean()),
            np.repeat(np.arange(40), 5).tolist(),
            draws=200,
            seed=trial,
        )
        hits += low <= 0 <= high
    assert hits >= 50


def test_one_animal_gives_no_interval() -> None:
    assert all(np.isnan(cluster_interval(lambda rows: 1.0, ["a", "a"])))
    assert cluster_draws([], 3, 0)[1].shape == (3, 0)


@given(
    st.lists(st.floats(-30, 30), min_size=1, max_size=4),
    st.floats(0.3, 5),
)
def test_corn_probabilities_are_a_distribution(logits: list[float], temperature: float) -> None:
    p = corn_probabilities(logits, temperature)
    assert p.shape == (len(logits) + 1,)
    assert p.min() >= -1e-12
    assert p.sum() == pytest.approx(1.0)
    assert 0 <= expected_grade(p) <= len(logits)


def test_corn_multiplies_conditional_probabilities() -> None:
    p = corn_probabilities([0.0, np.log(3.0)])
    assert p == pytest.approx([0.5, 0.125, 0.375])
    assert expected_grade(p) == pytest.approx(0.875)
    assert nearest_grade([0.49, 0.5, 1.5, 2.0]).tolist() == [0, 1, 2, 2]


def test_only_pairs_with_both_values_count_and_shapes_must_agree() -> None:
    x, y = paired([1, np.nan, 3], [4, 5, np.inf])
    assert (x.tolist(), y.tolist()) == ([1.0], [4.0])
    with pytest.raises(ValueError, match="one length"):
        paired([1, 2], [1])


def test_the_sigmoid_never_overflows() -> None:
    assert sigmoid([0.0, np.log(3), -800.0, 800.0]) == pytest.approx([0.5, 0.75, 0.0, 1.0])


def test_a_calibration_error_by_chance_is_what_true_probabilities_show() -> None:
    rng = np.random.default_rng(2)
    stated = rng.uniform(0.34, 1.0, 600)

    def told(votes: int) -> list[float]:
        agreed = (rng.binomial(votes, stated) / votes for _ in range(40))
        return [expected_calibration_error(stated, one) for one in agreed]

    by_chance = [calibration_error_by_chance(stated, np.full(600, n)) for n in (1, 8)]
    assert by_chance == pytest.approx([np.mean(told(1)), np.mean(told(8))], rel=0.15)
    assert by_chance[0] > 2 * by_chance[1]
    assert calibration_error_by_chance([1.0, 0.0], [3, 3]) == 0
    # Who was not asked says nothing.
    votes = np.where(np.arange(600) < 300, 8, 0)
    assert calibration_error_by_chance(stated, votes) == calibration_error_by_chance(
        stated[:300], votes[:300]
    )
    assert np.isnan(calibration_error_by_chance([0.5], [0]))
