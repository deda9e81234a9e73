import json

import numpy as np
import pandas as pd
import pytest

from models.figures.humans import (
    against_one_rater,
    human_image_scores,
    human_unit_grades,
    image_pairs,
    mean_of_others,
    observation_pairs,
)
from models.figures.table import Votes, read_votes
from models.scale import Scale
from models.stats.agreement import quadratic_weighted_kappa

NONE = np.nan


def test_the_others_are_those_who_graded() -> None:
    found = mean_of_others(np.array([[0.0, 2.0, 1.0], [1.0, NONE, 2.0], [1.0, NONE, NONE]]))
    assert found[0].tolist() == [1.5, 0.5, 1.0]
    assert found[1].tolist()[::2] == [2.0, 1.0]
    assert np.isnan(found[1, 1])
    assert np.isnan(found[2]).all()


def test_votes_are_read_by_rater_and_unit(scale: Scale) -> None:
    one, two = scale.unit_keys[:2]
    votes = [
        {"rater": "b", "unit": one, "grade": 2},
        {"rater": "a", "unit": one, "grade": None},
        {"rater": "a", "unit": two, "grade": 1},
    ]
    cell = json.dumps(votes)
    found = read_votes(pd.Series([cell, "", None]), scale.unit_keys)
    assert found.grades.shape == (3, 2, len(scale.units))
    assert found.grades[0, 0, 0] == 2
    assert found.grades[0, 1, 1] == 1
    assert np.isfinite(found.grades).sum() == 2
    assert (found.raters[1:] == -1).all()
    assert read_votes(pd.Series([], dtype=object), scale.unit_keys).grades.shape[0] == 0


def test_a_rater_needs_enough_units_for_an_image_score(table, scale: Scale) -> None:
    grades = np.full((1, 3, len(scale.units)), NONE)
    grades[0, 0], grades[0, 1, :3], grades[0, 2, :2] = 1.0, [0, 0, 1], 2.0
    found = image_pairs(Votes(grades, np.array([[0, 1, 2]])), scale)
    assert found == pytest.approx(np.array([[1, 1 / 3], [1 / 3, 1]]))
    frames = table(animals=3)
    pairs = human_image_scores(frames, scale)
    assert len(pairs) > 20
    assert human_unit_grades(frames, scale.units[0]).shape[1] == 3


def test_an_observation_compares_a_rater_with_the_others_on_shared_cells(scale: Scale) -> None:
    rng = np.random.default_rng(0)
    grades = rng.integers(0, 3, (6, 3, len(scale.units))).astype(float)
    grades[rng.random(grades.shape) < 0.2] = NONE
    raters = np.tile([4, 0, 7], (6, 1))
    codes = np.array([0, 0, 0, 1, 1, 1])
    found, whose = observation_pairs(Votes(grades, raters), codes, scale)
    assert whose.tolist() == [0, 0, 0, 1, 1, 1]
    others = np.stack([mean_of_others(grades[:, :, u]) for u in range(len(scale.units))], 2)
    # The second pair is the rater 4 of the first observation, who sits in the first column.
    mine = np.where(np.isfinite(others[:3, 0]), grades[:3, 0], NONE)
    assert found[1, 0] == pytest.approx(np.nanmean(np.nanmean(mine, axis=0)))
    assert found[1, 1] == pytest.approx(np.nanmean(np.nanmean(others[:3, 0], axis=0)))


def test_the_model_and_a_rater_are_held_against_the_same_others() -> None:
    rng = np.random.default_rng(1)
    grades = rng.integers(0, 3, (40, 4)).astype(float)
    said = np.clip(np.round(grades.mean(1)), 0, 2)
    said[:5] = NONE
    animals = np.array([f"a{n // 5}" for n in range(40)], object)
    found = against_one_rater(said, grades, animals, 3, 200, 0)
    target = np.floor(mean_of_others(grades[5:]) + 0.5)
    model = np.repeat(said[5:, None], 4, axis=1)
    assert found["kappa"] == pytest.approx(
        quadratic_weighted_kappa(target.ravel(), model.ravel(), 3)
    )
    assert found["human_kappa"] == pytest.approx(
        quadratic_weighted_kappa(target.ravel(), grades[5:].ravel(), 3)
    )
    assert found["n"] == 35
    assert found["interval"][0] < found["difference"] < found["interval"][1]
    assert found["lower"] == found["interval"][0] > 0
    alone = against_one_rater(said, grades, np.full(40, "a", object), 3, 50, 0)
    assert np.isnan(alone["lower"])
    nobody = against_one_rater(said, np.full((40, 0), NONE), animals, 3, 50, 0)
    assert nobody["n"] == 0
    assert np.isnan(nobody["difference"])
