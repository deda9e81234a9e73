"""Agreement of two methods against pingouin and by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pingouin
import pytest
from sklearn.metrics import cohen_kappa_score

from models.stats.methods_compared import agreement_of_methods


def scores(n: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    human = rng.uniform(0, 2, n)
    model = np.clip(human + 0.1 + rng.normal(0, 0.2, n), 0, 2)
    return model, human, [f"m{place // 4}" for place in range(n)]


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of pingouin under pandas 3
def test_icc_and_kappa_are_those_of_other_programs() -> None:
    model, human, animals = scores()
    found = agreement_of_methods(model, human, animals, 3, draws=300)
    table = pd.DataFrame(
        {
            "observation": np.tile(np.arange(40), 2),
            "rater": np.repeat(["model", "human"], 40),
            "score": np.concatenate([model, human]),
        }
    )
    icc = pingouin.intraclass_corr(table, "observation", "rater", "score").set_index("Type")
    row = icc.loc["ICC2"] if "ICC2" in icc.index else icc.loc["ICC(A,1)"]
    assert found.icc == pytest.approx(float(row["ICC"]), abs=1e-6)
    nearest = (np.floor(model + 0.5).astype(int), np.floor(human + 0.5).astype(int))
    assert found.kappa == pytest.approx(cohen_kappa_score(*nearest, weights="quadratic"))
    for value, (low, high) in (
        (found.bias, found.bias_interval),
        (found.icc, found.icc_interval),
        (found.kappa, found.kappa_interval),
        (found.limits[0], found.lower_interval),
        (found.limits[1], found.upper_interval),
    ):
        assert low < value < high
    assert (found.n, found.clusters) == (40, 10)


def test_bias_and_limits_by_hand() -> None:
    found = agreement_of_methods([1.0, 1.2, 1.1], [0.9, 1.0, 0.8], ["a", "b", "c"], 3)
    assert found.bias == pytest.approx(0.2)
    assert found.sd == pytest.approx(0.1)
    assert found.limits == pytest.approx((0.2 - 0.196, 0.2 + 0.196))


def test_observations_of_one_animal_have_no_interval() -> None:
    found = agreement_of_methods([1.0, 1.2, math.nan], [0.9, 1.0, 0.8], ["a", "a", "b"], 3)
    assert found.n == 2
    assert math.isnan(found.bias_interval[0])
