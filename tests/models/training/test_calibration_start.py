"""A run that goes on from a bundle: few animals change little of that bundle's calibration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.calibration import (
    START_SD,
    Start,
    fit_binary_temperature,
    fit_calibration,
    fit_cuts,
    fit_scaling,
    start_of,
)
from models.scale import Scale
from models.stats.ordinal import corn_probabilities

BEGIN = Start(1.0, np.zeros(2), np.array([0.5, 1.5]), 1.2, animals=4)


def other_raters(n: int = 4000) -> tuple[Any, Any]:
    """Logits and the votes of raters who are milder and less sure than the bundle's."""
    logits = np.random.default_rng(4).normal(0, 2, (n, 2))
    return logits, corn_probabilities(0.5 * logits + np.array([0.8, -0.4]))


def test_few_animals_change_little_and_many_what_is_true() -> None:
    logits, target = other_raters()
    free = np.array([np.log(fit_scaling(logits, target)[0]), *fit_scaling(logits, target)[1]])
    moved = []
    for animals in (1, 4, 40, 4000):
        temperature, shift = fit_scaling(logits, target, replace(BEGIN, animals=animals))
        moved.append(float(np.abs(np.array([np.log(temperature), *shift])).max()))
    assert moved == sorted(moved)
    assert moved[0] < 0.2 * np.abs(free).max()
    temperature, shift = fit_scaling(logits, target, replace(BEGIN, animals=4000))
    assert temperature == pytest.approx(2.0, rel=0.1)
    assert shift == pytest.approx([0.8, -0.4], abs=0.05)


def test_the_weight_is_that_of_a_normal_prior_with_an_animal_as_one_frame() -> None:
    assert BEGIN.weight * BEGIN.animals == pytest.approx(1 / (2 * START_SD**2))
    assert replace(BEGIN, animals=0).weight == pytest.approx(1 / (2 * START_SD**2))


def test_on_too_few_frames_the_start_is_kept() -> None:
    logits, target = other_raters(5)
    begin = replace(BEGIN, temperature=1.7, shift=np.array([0.1, -0.2]))
    temperature, shift = fit_scaling(logits, target, begin)
    assert (temperature, shift.tolist()) == (1.7, [0.1, -0.2])
    assert fit_cuts(np.ones(5), target, replace(BEGIN, cuts=np.array([0.4, 1.1]))).tolist() == [
        0.4,
        1.1,
    ]
    assert fit_binary_temperature(logits[:, 0], np.ones(5), BEGIN) == pytest.approx(1.2)


def test_cuts_stay_near_those_of_the_start() -> None:
    rng = np.random.default_rng(5)
    truth = rng.choice(3, 60, p=[0.5, 0.35, 0.15])
    target = np.eye(3)[truth]
    unsure = np.clip(0.65 + 0.4 * (truth - 0.65) + rng.normal(0, 0.12, 60), 0, 2)
    begin = np.array([0.5, 1.5])
    few, many = (fit_cuts(unsure, target, replace(BEGIN, cuts=begin, animals=n)) for n in (1, 100))
    assert np.abs(few - begin).max() < np.abs(many - begin).max()


def test_a_scorable_head_that_made_no_mistake_yet_does_not_become_certain() -> None:
    logits = np.repeat([-2.0, 2.0], 30)
    labels = np.repeat([0.0, 1.0], 30)
    assert fit_binary_temperature(logits, labels) == pytest.approx(0.25, rel=0.01)
    assert fit_binary_temperature(logits, labels, BEGIN) > 0.9


def test_a_unit_that_the_start_does_not_know_is_fitted_freely(scale: Scale) -> None:
    rng = np.random.default_rng(6)
    n, units = 120, len(scale.units)
    logits = rng.normal(0, 2, (n, units, 2))
    votes = [corn_probabilities(0.5 * logits[:, unit] + 0.8) for unit in range(units)]
    fixed = (np.zeros((n, units)), np.ones((n, units)), rng.normal(size=(n, 4)), np.full(n, 3.0))
    animals = [f"animal {number % 4}" for number in range(n)]

    def fitted(start: Any) -> Any:
        return fit_calibration(
            scale, logits, votes, *fixed, rng.normal(size=(300, 4)), 0.1,
            animals=animals, start=start,
        )["units"]  # fmt: skip

    free = fitted(None)
    known = {**free[scale.unit_keys[0]], "temperature": 1.0, "shift": [0.0, 0.0]}
    begun = {"units": {scale.unit_keys[0]: known, scale.unit_keys[1]: {**known, "shift": [0.0]}}}
    assert set(start_of(begun, scale, animals)) == {scale.unit_keys[0]}
    assert start_of(begun, scale, None) == start_of(None, scale, animals) == {}
    now = fitted(begun)
    assert abs(np.log(now[scale.unit_keys[0]]["temperature"])) < 0.3
    for other in scale.unit_keys[1:]:
        assert now[other]["temperature"] == pytest.approx(free[other]["temperature"])
