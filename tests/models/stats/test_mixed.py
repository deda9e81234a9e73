"""Mixed models against statsmodels, and their permutation of units against its own promise."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from models.stats.mixed import fit_mixed, permuted_units


def made(
    cages: int = 8, per_cage: int = 3, times: int = 4, effect: float = 0.0, seed: int = 0
) -> pd.DataFrame:
    """Observations of animals in cages; whole cages are in a group."""
    rng = np.random.default_rng(seed)
    rows = []
    for cage in range(cages):
        of_cage = rng.normal(0, 0.3)
        for animal in range(per_cage):
            own = rng.normal(0, 0.4)
            for time in range(times):
                y = 0.5 + 0.1 * time + of_cage + own + rng.normal(0, 0.25)
                group = "b" if cage % 2 else "a"
                rows.append(
                    (f"c{cage}", f"c{cage}a{animal}", time, group, y + effect * (group == "b"))
                )
    return pd.DataFrame(rows, columns=["cage", "animal", "time", "group", "y"])


def design(table: pd.DataFrame, with_group: bool = True) -> np.ndarray:
    times = [(table["time"] == one).to_numpy(float) for one in sorted(set(table["time"]))]
    columns = [*times, (table["group"] == "b").to_numpy(float)] if with_group else times
    return np.stack(columns, 1)


@pytest.mark.parametrize("restricted", [True, False])
def test_animals_alone_are_fitted_like_statsmodels(restricted: bool) -> None:
    table = made().drop(index=[3, 17, 40])
    columns = design(table)
    found = fit_mixed(table["y"], columns, list(table["animal"]), restricted=restricted)
    expected = MixedLM(table["y"].to_numpy(), columns, groups=table["animal"].to_numpy()).fit(
        reml=restricted
    )
    assert found.beta == pytest.approx(np.asarray(expected.fe_params), abs=1e-4)
    assert found.rest == pytest.approx(expected.scale, rel=1e-3)
    assert found.animals == pytest.approx(float(np.asarray(expected.cov_re)[0, 0]), rel=5e-3)
    assert found.loglik == pytest.approx(expected.llf, abs=1e-3)
    errors = np.sqrt(np.diag(found.covariance))
    assert errors == pytest.approx(np.asarray(expected.bse_fe), rel=2e-3)


def test_animals_in_cages_are_fitted_like_statsmodels() -> None:
    table = made(cages=12, seed=3)
    columns = design(table)
    found = fit_mixed(table["y"], columns, list(table["animal"]), list(table["cage"]))
    expected = MixedLM.from_formula(
        "y ~ 0 + C(time) + group",
        table,
        groups="cage",
        re_formula="1",
        vc_formula={"animal": "0 + C(animal)"},
    ).fit()
    assert found.beta[-1] == pytest.approx(expected.fe_params["group[T.b]"], abs=1e-3)
    assert found.cages == pytest.approx(float(np.asarray(expected.cov_re)[0, 0]), rel=0.02)
    assert found.animals == pytest.approx(float(expected.vcomp[0]), rel=0.02)
    assert found.rest == pytest.approx(expected.scale, rel=0.01)
    assert found.loglik == pytest.approx(expected.llf, abs=1e-3)


def test_without_random_effects_it_is_least_squares() -> None:
    table = made()
    columns = design(table)
    found = fit_mixed(table["y"], columns, list(table["animal"]), animals_vary=False)
    beta, squares, *_ = np.linalg.lstsq(columns, table["y"].to_numpy(), rcond=None)
    assert found.beta == pytest.approx(beta)
    assert found.rest == pytest.approx(float(squares[0]) / (len(table) - columns.shape[1]))


def test_dependent_columns_are_refused() -> None:
    table = made()
    columns = np.column_stack([design(table), np.ones(len(table))])
    with pytest.raises(ValueError, match="depend on each other"):
        fit_mixed(table["y"], columns, list(table["animal"]))


def p_of(table: pd.DataFrame, unit: str, draws: int = 199, by_time: bool = False) -> float:
    columns = design(table, with_group=False)
    whose, cages = list(table["animal"]), list(table["cage"])
    null = fit_mixed(table["y"], columns, whose, cages)
    by = columns if by_time else None
    return permuted_units(
        table["y"], columns, list(table[unit]), list(table["group"]), null, whose, cages, by, draws
    )


@pytest.mark.parametrize("by_time", [False, True])
def test_p_of_permuted_cages_keeps_its_level_where_nothing_differs(by_time: bool) -> None:
    seen = np.array([p_of(made(6, 2, 2, seed=seed), "cage", 59, by_time) for seed in range(60)])
    # 60 trials at 0.1: more than 14 would come up once in a thousand.
    assert (seen <= 0.1).sum() <= 14
    assert 0.35 < seen.mean() < 0.68


def test_a_large_effect_is_found_and_the_order_of_rows_is_nothing() -> None:
    table = made(cages=10, effect=1.5)
    p = p_of(table, "cage")
    assert p < 0.05
    shuffled = table.sample(frac=1, random_state=1)
    assert p_of(shuffled, "cage") == pytest.approx(p)


def test_a_group_of_every_unit_has_no_p() -> None:
    table = made(cages=2)
    assert math.isnan(p_of(table, "cage"))
