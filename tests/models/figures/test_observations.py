import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress

from models.figures.observations import (
    observation_codes,
    observation_figures,
    observation_scores,
)
from models.scale import Scale
from models.stats.agreement import variance_components

EMPTY = np.empty((0, 2))


def test_means_are_formed_per_unit_first_over_frames_graded_by_both(table, scale: Scale) -> None:
    frames = table(animals=3)
    found = observation_scores(frames, scale)
    first = frames[(frames["animal"] == "A000") & (frames["observation"] == "after")]
    first = first[np.isfinite(first["score"]) & np.isfinite(first["truth"])]
    units = []
    for key in scale.unit_keys:
        pairs = first[[f"{key}__expected", f"{key}__truth"]].dropna()
        units.append(pairs.mean().to_numpy())
    assert found.loc[0, ["score", "truth"]].astype(float).tolist() == pytest.approx(
        np.mean(units, axis=0)
    )
    assert found.loc[0, "n"] == len(first)
    assert found.loc[0, "lab"] == "north"
    assert len(found) == 6


def test_an_observation_with_too_few_units_is_left_out(table, scale: Scale) -> None:
    frames = table(animals=3)
    for key in scale.unit_keys[scale.minimum_units - 1 :]:
        frames.loc[frames["animal"] == "A001", f"{key}__truth"] = np.nan
    assert set(observation_scores(frames, scale)["animal"]) == {"A000", "A002"}


def test_agreement_of_observations_is_that_of_known_formulas() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 2, 30)
    score = 0.6 * truth + 0.3 + rng.normal(0, 0.1, 30)
    rows = pd.DataFrame(
        {"animal": [f"a{n // 2}" for n in range(30)], "score": score, "truth": truth}
    )
    humans = np.stack([truth, truth + 0.2], axis=1)
    found = observation_figures(rows, humans, 1.0, draws=60)
    line = linregress(score, truth)
    assert (found["slope"], found["intercept"]) == pytest.approx((line.slope, line.intercept))
    assert found["bias"] == pytest.approx((score - truth).mean())
    sd = (score - truth).std(ddof=1)
    assert found["loa"] == pytest.approx([found["bias"] - 1.96 * sd, found["bias"] + 1.96 * sd])
    assert found["icc"] == variance_components(np.stack([score, truth], 1)).icc_single
    assert found["human_rmse"] == pytest.approx(0.2)
    assert found["constant_rmse"] == pytest.approx(np.sqrt(np.mean((1 - truth) ** 2)))
    assert found["interval"]["slope"][0] < found["slope"] < found["interval"]["slope"][1]
    assert np.isnan(found["oracle_rmse"])


def test_a_few_observations_claim_nothing() -> None:
    rows = pd.DataFrame({"animal": ["a"], "score": [1.0], "truth": [1.5]})
    found = observation_figures(rows, EMPTY, 1.0, draws=10)
    assert found["bias"] == -0.5
    assert np.isnan([found["icc"], found["slope"], found["human_rmse"], found["loa"][0]]).all()
    assert np.isnan(found["interval"]["rmse"]).all()


def test_frames_know_their_observation(table) -> None:
    frames = table(animals=2, frames=2)
    names, codes = observation_codes(frames)
    assert names == [("A000", "after"), ("A000", "baseline"), ("A001", "after"),
                     ("A001", "baseline")]  # fmt: skip
    assert codes.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
