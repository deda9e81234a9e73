"""The agreement report on simulated raters whose agreement is known."""

from __future__ import annotations

import json

import krippendorff
import numpy as np
import pandas as pd
import pytest

from curation.agreement import COLUMNS, raters_needed, report, table_of
from curation.labels.rows import LabelRow
from models.scale import load_scale
from models.stats.agreement import variance_components
from models.stats.bootstrap import cluster_interval

SCALE = load_scale()
FIGURES = (
    "kappa_pairwise_quadratic",
    "icc_1_1",
    "icc_2_1",
    "icc_2_k",
    "alpha",
    "exact",
    "alpha_with_state",
    "scorable_alpha",
)


def _simulate(frames: int = 400, raters: int = 4, noise: float = 0.25, holes: float = 0.3):
    rng = np.random.default_rng(7)
    parts = []
    for number, unit in enumerate(SCALE.unit_keys):
        truth = rng.normal(0.6, 0.8, frames)
        spread = noise * (1 + number)
        seen = truth[:, None] + rng.normal(0, spread, (frames, raters))
        grades = np.clip(np.rint(seen), 0, 2)
        blurred = rng.random(frames) < 0.15
        grades[blurred[:, None] & (rng.random(grades.shape) < 0.8)] = np.nan
        frame, rater = np.nonzero(rng.random(grades.shape) >= holes)
        parts.append(
            pd.DataFrame(
                {
                    "frame": frame,
                    "unit": unit,
                    "rater": [f"r{n}" for n in rater],
                    "grade": pd.array(grades[frame, rater], dtype="Float64"),
                    "animal": frame // 10,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_values_lie_in_their_intervals_and_noise_lowers_agreement() -> None:
    found = report(_simulate(), draws=60, seed=1)
    assert list(found["units"]) == list(SCALE.unit_keys)
    for row in found["units"].values():
        for name in FIGURES:
            low, high = row[f"{name}_interval"]
            assert low - 0.02 <= row[name] <= high + 0.02, name
    kappas = [row["kappa_pairwise_quadratic"] for row in found["units"].values()]
    assert kappas == sorted(kappas, reverse=True)
    assert kappas[0] > 0.5
    needed = [row["raters_needed"] for row in found["units"].values()]
    assert needed == sorted(needed)
    json.dumps(found, allow_nan=False)


def test_the_report_is_the_same_for_the_same_seed() -> None:
    table = _simulate(frames=60)
    assert report(table, draws=20, seed=3) == report(table, draws=20, seed=3)
    assert report(table, draws=20, seed=3) != report(table, draws=20, seed=4)


def test_alpha_agrees_with_a_second_implementation_on_unbalanced_data() -> None:
    table = _simulate(frames=120)
    found = report(table, draws=0)
    for key, row in found["units"].items():
        votes = table[table["unit"] == key]
        grid = votes.pivot(index="rater", columns="frame", values="grade").to_numpy(float)
        other = krippendorff.alpha(grid, level_of_measurement="ordinal", value_domain=[0, 1, 2])
        assert row["alpha"] == pytest.approx(other, abs=1e-6)


def test_intervals_equal_those_of_a_slow_resampling_of_the_rows() -> None:
    table = _simulate(frames=80)
    found = report(table, draws=25, seed=3)
    for key, row in found["units"].items():
        votes = table[table["unit"] == key]
        grid = votes.pivot(index="frame", columns="rater", values="grade").to_numpy(float)
        animals = (votes.drop_duplicates("frame").set_index("frame")["animal"]).sort_index()
        slow = cluster_interval(
            lambda rows, grid=grid: variance_components(grid[rows]).icc_single,
            animals.tolist(),
            25,
            seed=3,
        )
        assert row["icc_2_1_interval"] == pytest.approx(slow, abs=1e-6)


def test_one_animal_gives_figures_without_intervals() -> None:
    found = report(_simulate(frames=40).assign(animal="only"), draws=10)
    row = next(iter(found["units"].values()))
    assert row["icc_1_1"] is not None
    assert row["icc_1_1_interval"] == [None, None]


def test_datasets_are_reported_by_themselves() -> None:
    one, other = _simulate(frames=60), _simulate(frames=60, noise=0.6)
    other["frame"] += 1000
    other["animal"] += 1000
    both = pd.concat([one.assign(dataset="one"), other.assign(dataset="two")])
    found = report(both, draws=10)
    assert list(found["datasets"]) == ["one", "two"]
    assert found["datasets"]["one"]["units"] == report(one, draws=10)["units"]
    assert "datasets" not in report(one.assign(dataset="one"), draws=0)


def test_a_rater_at_odds_with_the_others_shows_a_low_kappa() -> None:
    table = _simulate(frames=200, holes=0.0)
    careless = table["rater"] == "r3"
    rng = np.random.default_rng(5)
    table.loc[careless, "grade"] = pd.array(rng.integers(0, 3, careless.sum()), dtype="Float64")
    raters = report(table, draws=20)["raters"]
    unit = SCALE.unit_keys[0]
    assert raters["r3"]["kappa"][unit] < 0.1 < raters["r0"]["kappa"][unit]
    low, high = raters["r0"]["kappa"][f"{unit}_interval"]
    assert low <= raters["r0"]["kappa"][unit] <= high


def test_identical_raters_agree_perfectly() -> None:
    table = _simulate(frames=80, holes=0.0)
    one = table[table["rater"] == "r0"]
    both = pd.concat([one, one.assign(rater="copy")])
    for row in report(both, draws=0)["units"].values():
        assert row["kappa_pairwise_quadratic"] == pytest.approx(1)
        assert row["icc_2_1"] == pytest.approx(1)
        assert row["exact"] == 1
        assert row["scorable_alpha"] == pytest.approx(1)
        assert row["raters_needed"] == 1
        assert sum(row["distribution"]) == pytest.approx(1, abs=1e-5)


def test_a_rater_who_grades_higher_shows_a_bias() -> None:
    table = _simulate(frames=200, holes=0.0)
    lenient = table["rater"] == "r1"
    table.loc[lenient, "grade"] = (table.loc[lenient, "grade"] + 1).clip(upper=2)
    found = report(table, draws=0)["raters"]
    for unit in SCALE.unit_keys:
        assert found["r1"]["bias"][unit] > 0.3
        assert found["r1"]["bias"][unit] > found["r2"]["bias"][unit]


def test_one_rater_or_no_shared_frame_gives_no_figure_instead_of_a_crash() -> None:
    table = _simulate(frames=40)
    alone = report(table[table["rater"] == "r0"], draws=10)
    row = next(iter(alone["units"].values()))
    assert row["n_frames"] == 0
    assert all(row[name] is None for name in FIGURES)
    assert row["raters_needed"] is None
    assert report(pd.DataFrame([], columns=list(COLUMNS)), draws=10)["units"] == {}


def test_only_not_scorable_votes_give_no_grades_but_their_own_agreement() -> None:
    table = _simulate(frames=40).assign(grade=pd.NA)
    row = next(iter(report(table, draws=5)["units"].values()))
    assert row["not_scorable"] == 1
    assert row["kappa_pairwise_quadratic"] is None
    assert row["exact"] == 1


def test_a_table_without_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks unit, rater"):
        report(pd.DataFrame({"frame": [], "grade": [], "animal": []}))
    with pytest.raises(ValueError, match="tail is no unit"):
        report(
            pd.DataFrame({"frame": [1], "unit": "tail", "rater": "a", "grade": 1, "animal": "x"})
        )


@pytest.mark.parametrize(
    ("single", "needed"),
    [(0.69, 2), (0.5, 4), (0.31, 9), (0.8, 1), (0.99, 1), (0.0, None), (-0.2, None)],
)
def test_raters_needed_follows_spearman_brown(single: float, needed: int | None) -> None:
    assert raters_needed(single) == needed


def test_only_votes_of_a_sheet_enter_the_table() -> None:
    unit, reason = SCALE.unit_keys[0], SCALE.reason_keys[0]
    rows = [
        LabelRow("a.mp4", 3, None, "1", unit, 2, None, True, 2),
        LabelRow("a.mp4", 3, None, "2", unit, None, reason, True, 3),
        LabelRow("a.mp4", 3, None, "3", unit, None, None, False, 4),
        LabelRow("a.mp4", 3, None, "4", unit, None, None, True, 5),
    ]
    table = table_of(rows)
    assert table["rater"].tolist() == ["1", "2"]
    assert table["frame"].tolist() == ["a.mp4#3"] * 2
    assert table["grade"].isna().tolist() == [False, True]
