"""The simulated p of a likelihood ratio keeps its promise with few units, the usual does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f as f_distribution
from scipy.stats import ttest_ind

from models.stats.mixed import fit_mixed
from models.stats.mixed_bootstrap import LikelihoodRatio, likelihood_ratio


def made(cages: int, per_cage: int = 2, effect: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Two observations of each animal; whole cages are in a group."""
    rng = np.random.default_rng(seed)
    rows = []
    for cage in range(cages):
        group = cage % 2
        of_cage = rng.normal(0, 0.3) + effect * group
        for animal in range(per_cage):
            own = of_cage + rng.normal(0, 0.4)
            for time in range(2):
                y = 0.5 + 0.1 * time + own + rng.normal(0, 0.25)
                rows.append((f"c{cage}", f"c{cage}a{animal}", time, group, y))
    return pd.DataFrame(rows, columns=["cage", "animal", "time", "group", "y"])


def ratio(table: pd.DataFrame, draws: int = 99, caged: bool = True) -> LikelihoodRatio:
    times = np.stack([(table["time"] == one).to_numpy(float) for one in (0, 1)], 1)
    cages = list(table["cage"]) if caged else None
    return likelihood_ratio(
        table["y"], times, table["group"], list(table["animal"]), cages, draws=draws
    )


def test_few_cages_keep_their_level_where_the_usual_p_is_too_small() -> None:
    found = [ratio(made(6, seed=1000 + seed), 59) for seed in range(100)]
    simulated = np.array([one.p for one in found])
    usual = np.array([one.p_asymptotic for one in found])
    # 100 trials at 0.1: more than 20 would come up once in a thousand.
    assert (simulated <= 0.1).sum() <= 20
    assert 0.42 < simulated.mean() < 0.6
    assert (usual <= 0.1).sum() > (simulated <= 0.1).sum()
    assert (usual < simulated).mean() > 0.75


@pytest.mark.parametrize("seed", range(5))
def test_a_balanced_design_has_about_the_exact_p_of_the_means_of_its_cages(seed: int) -> None:
    """Where all cages are alike the t-test of their means is exact (Murray 1998)."""
    table = made(6, effect=0.9, seed=seed)
    means = table.groupby(["group", "cage"])["y"].mean()
    exact = float(ttest_ind(means[0], means[1]).pvalue)
    found = ratio(table, 999)
    assert found.p == pytest.approx(exact, rel=0.5, abs=0.01)
    assert found.p_asymptotic < exact / 2


def test_with_many_animals_both_agree() -> None:
    """What the usual p rests on holds then; neither is small by chance of its kind."""
    for seed in range(4):
        found = ratio(made(60, 1, effect=0.15, seed=seed), 999, caged=False)
        assert found.p == pytest.approx(found.p_asymptotic, abs=0.04)


def test_the_statistic_is_that_of_full_maximum_likelihood() -> None:
    table = made(8, effect=0.5)
    times = np.stack([(table["time"] == one).to_numpy(float) for one in (0, 1)], 1)
    both = np.column_stack([times, table["group"]])
    fits = [
        fit_mixed(table["y"], columns, list(table["animal"]), list(table["cage"]), restricted=False)
        for columns in (times, both)
    ]
    found = ratio(table)
    assert found.statistic == pytest.approx(2 * (fits[1].loglik - fits[0].loglik))
    assert found.freedom == 1


def test_without_random_effects_it_is_an_f_test() -> None:
    rng = np.random.default_rng(4)
    kinds = np.repeat(np.eye(3), 4, axis=0)[:, 1:]
    y = rng.normal(size=12) + 0.8 * kinds[:, 0]
    ones = np.ones((12, 1))
    found = likelihood_ratio(y, ones, kinds, range(12), animals_vary=False, draws=4999)
    fitted = [np.linalg.lstsq(part, y)[1][0] for part in (ones, np.column_stack([ones, kinds]))]
    exact = f_distribution.sf((fitted[0] - fitted[1]) / 2 / (fitted[1] / 9), 2, 9)
    assert found.freedom == 2
    assert found.p == pytest.approx(exact, abs=0.02)


def test_it_is_the_same_again_and_does_not_see_units_or_order() -> None:
    table = made(6, effect=0.5, seed=2)
    first = ratio(table)
    assert ratio(table) == first
    other = ratio(table.assign(y=table["y"] * 100 + 7))
    assert other.statistic == pytest.approx(first.statistic, abs=1e-3)
    assert other.p == pytest.approx(first.p, abs=0.011)


def test_dependent_columns_are_refused() -> None:
    table = made(6)
    ones = np.ones((len(table), 1))
    with pytest.raises(ValueError, match="depend on each other"):
        likelihood_ratio(table["y"], ones, ones, list(table["animal"]))
