import numpy as np
import pytest

from models.stats.agreement import kappa_of_counts, quadratic_weighted_kappa
from models.stats.bootstrap import cluster_draws, cluster_interval, kappa_draws, percentile_interval
from models.stats.risk import risk_coverage


def test_dropping_the_least_certain_first_follows_the_curve_by_hand() -> None:
    error = np.array([0.0, 1.0, 2.0])
    found = risk_coverage(error, [0.9, 0.5, 0.1], rated=6)
    steps = [0.0, np.sqrt(1 / 2), np.sqrt(5 / 3)]
    assert found.area == pytest.approx(np.mean(steps))
    assert found.best_area == found.area
    assert found.coverage.tolist() == [0.5]
    assert found.rmse.tolist() == pytest.approx([steps[2]])
    assert risk_coverage(error, [0.1, 0.5, 0.9]).area > found.area


def test_the_curve_begins_with_all_frames_and_falls_where_confidence_knows() -> None:
    rng = np.random.default_rng(0)
    sd = rng.uniform(0.1, 1.0, 4000)
    found = risk_coverage(rng.normal(0, sd), -sd)
    assert found.coverage[0] == 1.0
    assert found.rmse[0] == pytest.approx(np.sqrt(np.mean(sd**2)), rel=0.05)
    assert found.rmse[-1] < 0.5 * found.rmse[0]
    assert found.best_area < found.area < found.rmse[0]


def test_no_frames_give_no_curve() -> None:
    found = risk_coverage([np.nan], [1.0])
    assert (found.n, len(found.coverage)) == (0, 0)
    assert np.isnan(found.area)


def test_kappa_of_counts_takes_many_tables_at_once() -> None:
    tables = np.array([[[3, 1], [0, 4]], [[2, 0], [0, 0]], [[0, 0], [0, 0]]])
    first = quadratic_weighted_kappa([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1, 1], 2)
    found = kappa_of_counts(tables)
    assert found[0] == pytest.approx(first)
    assert np.isnan(found[1:]).all()


def test_kappa_draws_equal_visiting_the_frames_again() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.integers(0, 3, 90), rng.integers(0, 3, 90)
    two = np.where(rng.random(90) < 0.5, one, two)
    animals = [f"a{row // 10}" for row in range(90)]
    fast = kappa_draws(one, two, *cluster_draws(animals, 40, 2), 3)
    slow = cluster_interval(
        lambda rows: quadratic_weighted_kappa(one[rows], two[rows], 3), animals, 40, seed=2
    )
    assert percentile_interval(fast) == pytest.approx(slow)
