"""A challenger against a champion, paired by animal."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.compare import FEWEST_ANIMALS, compare, covered, paired
from models.events import Refused


def test_the_difference_of_two_errors_is_paired_by_animal() -> None:
    rng = np.random.default_rng(2)
    animals = np.repeat(np.arange(12), 20)
    truth = rng.uniform(0, 2, 240)
    better, worse = (truth + rng.normal(0, spread, 240) for spread in (0.2, 0.4))
    every = np.ones(240, bool)
    found = paired(better, worse, truth, animals, every, 300, 0)
    assert found["difference"] == pytest.approx(
        np.sqrt(np.mean((better - truth) ** 2)) - np.sqrt(np.mean((worse - truth) ** 2))
    )
    low, high = found["interval"]
    assert low < found["difference"] < high < 0
    assert (found["n_animals"], found["n_frames"]) == (12, 240)
    assert found == paired(better, worse, truth, animals, every, 300, 0)
    same = paired(better, better, truth, animals, every, 50, 0)
    assert same["difference"] == 0
    assert same["interval"] == [0, 0]


def test_few_animals_give_no_interval_and_no_frames_no_figure() -> None:
    one, two, truth = np.ones((3, 4))
    animals = np.array(["a"] * 4)
    alone = paired(one, two, truth, animals, np.ones(4, bool), 50, 0)
    assert alone["rmse_champion"] == 0
    assert np.isnan(alone["interval"]).all()
    nothing = paired(one, two, truth, animals, np.zeros(4, bool), 50, 0)
    assert (nothing["n_animals"], nothing["n_frames"]) == (0, 0)
    assert np.isnan(nothing["difference"])


def test_lost_coverage_counts_the_frames_people_rated() -> None:
    animals = np.repeat(np.arange(10), 10)
    champion, challenger = np.ones((2, 100))
    rated = np.arange(100) < 80
    challenger[:20] = np.nan  # all frames of two animals
    champion[90:] = np.nan  # nobody rated those
    found = covered(challenger, champion, animals, rated, 400, 0)
    assert (found["coverage_challenger"], found["coverage_champion"]) == (0.75, 1.0)
    assert found["coverage_lost"] == 0.25
    assert found["n_rated_animals"] == 8
    low, high = found["coverage_lost_interval"]
    assert 0 <= low < 0.25 < high <= 1
    nothing = covered(challenger, champion, animals, rated & False, 50, 0)
    assert nothing["n_rated_animals"] == 0
    assert np.isnan(nothing["coverage_lost"])


def evaluation(folder: Path, shift: float, digest: str = "d") -> Path:
    """An evaluation of two labs, one of which has too few animals to be assessed."""
    folder.mkdir()
    rows = [
        {"frame": f"F{n}", "dataset": "D", "animal": f"A{n % 12}", "coat": "any",
         "lab": "large" if n % 12 < FEWEST_ANIMALS else "small",
         "truth": float(n % 3), "score": n % 3 + shift + 0.01 * (n % 5)}
        for n in range(48)
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(folder / "predictions.parquet")
    (folder / "report.json").write_text(json.dumps({"benchmark_digest": digest}))
    return folder


def test_two_evaluations_of_one_benchmark_are_compared_group_by_group(tmp_path: Path) -> None:
    ours, theirs = evaluation(tmp_path / "a", 0.1), evaluation(tmp_path / "b", 0.3)
    found = compare(ours, theirs, draws=50)
    assert found["difference"] < 0
    assert found["coverage_challenger"] == found["coverage_champion"] == 1
    assert found["groups"]["large|any"]["coverage_lost_interval"] == [0, 0]
    assert found["groups"]["large|any"]["assessed"]
    assert not found["groups"]["small|any"]["assessed"]


def test_evaluations_of_different_benchmarks_or_of_none_are_refused(tmp_path: Path) -> None:
    ours, other = evaluation(tmp_path / "a", 0.1), evaluation(tmp_path / "b", 0.1, "other")
    with pytest.raises(Refused, match="different benchmarks"):
        compare(ours, other)
    with pytest.raises(Refused, match="holds no evaluation"):
        compare(ours, tmp_path)
