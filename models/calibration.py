"""Calibration of a frame network: temperatures, conformal sets, and how far is too far.

Everything is fitted on the calibration split, which training never reads, and lives in the bundle's
`calibration.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.scale import Scale
from models.sets import LeftOut, fit_sets, prediction_set
from models.stats.agreement import kappa_of_counts
from models.stats.ordinal import (
    corn_probabilities,
    expected_grade,
    grade_by_cuts,
    halfway_cuts,
    sigmoid,
)

Array = NDArray[np.float64]

FORMAT = 1
FEWEST = 10
SMALLEST_P = 1e-6
RIDGE = 0.02
"""Weight of the squared shifts against the mean cross-entropy: little data shifts little."""
START_SD = 0.3
"""How far temperature (its logarithm) and shifts are expected to lie from those that a run began
with; each animal of the calibration split speaks against that as one observation."""
AWAKE_KEPT = 0.95
"""Share of the calibration frames of animals that are awake which the gate on states must keep."""
CUT_STEP = 0.05
CUT_FURTHEST = 0.7
"""Cuts between grades may lie at most so far from halfway between them."""
CUT_RIDGE = 0.1
"""Weight of the squared distances of the cuts from halfway against the kappa they gain."""
CUT_ANIMALS = 20
"""With fewer animals the cuts are held the more firmly to those that a run began with."""
GATE = (0.35, 0.7)
"""Lowest and highest probability of the graded state that the gate may ask for."""


@dataclass(frozen=True)
class Start:
    """The calibration of a unit that a run began with, and how many animals there are to leave it.

    What a few animals say of temperatures and cuts is mostly about these animals: with 4 of them a
    fit of its own made every later score worse than no new calibration.
    """

    temperature: float
    shift: Array
    cuts: Array
    scorable_temperature: float
    animals: int

    @property
    def weight(self) -> float:
        """Of the squared distances from the start against the mean cross-entropy of a frame: those
        of a normal prior with START_SD where each animal counts as one frame."""
        return 1 / (2 * START_SD**2 * max(1, self.animals))


def start_of(
    calibration: Mapping[str, Any] | None, scale: Scale, animals: Sequence[str] | None
) -> dict[str, Start]:
    """What a `calibration.json` says of the units that both scales grade alike; {} without one."""
    if calibration is None or animals is None:
        return {}
    result = {}
    for unit in scale.units:
        told = calibration["units"].get(unit.key)
        if told is not None and len(told["shift"]) == unit.top_grade:
            result[unit.key] = Start(
                told["temperature"],
                np.asarray(told["shift"], np.float64),
                np.asarray(told["cuts"], np.float64),
                told["scorable_temperature"],
                len(set(animals)),
            )
    return result


def fit_calibration(
    scale: Scale,
    logits: Array,
    distribution: list[Array],
    scorable_logits: Array,
    scorable: Array,
    embedding: Array,
    familiar: Array,
    reference: Array,
    alpha: float,
    labs: Sequence[str] | None = None,
    coats: Sequence[str] | None = None,
    left_out: LeftOut | None = None,
    awake: Array | None = None,
    animals: Sequence[str] | None = None,
    start: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of `calibration.json`.

    `logits` (n, units, steps), `distribution[u]` (n, grades) with NaN where unknown,
    `scorable_logits` and `scorable` (n, units), `embedding` (n, features) and `familiar` (n,)
    logits are those of the calibration crops; `reference` (m, features) are embeddings of training
    crops. `labs` and `coats` (n,) let sets be calibrated by group, `animals` (n,) for animals that
    calibration has not seen, `left_out` for unseen labs.
    `awake` (m,) are the probabilities of the graded state of the frames that raters graded.
    `start` is the `calibration.json` of the bundle that training began with: few animals change
    little of it.
    """
    starts = start_of(start, scale, animals)
    units: dict[str, Any] = {}
    probabilities: list[Array] = []
    for index, unit in enumerate(scale.units):
        known = np.isfinite(distribution[index]).all(1)
        raw, target = logits[known, index, : unit.top_grade], distribution[index][known]
        begin = starts.get(unit.key)
        temperature, shift = fit_scaling(raw, target, begin)
        rated = np.isfinite(scorable[:, index])
        scaled = logits[:, index, : unit.top_grade] / temperature + shift
        probabilities.append(corn_probabilities(scaled))
        units[unit.key] = {
            "temperature": temperature,
            "shift": [float(value) for value in shift],
            "cuts": fit_cuts(expected_grade(probabilities[-1][known]), target, begin).tolist(),
            "n": int(known.sum()),
            "scorable_temperature": fit_binary_temperature(
                scorable_logits[rated, index], scorable[rated, index], begin
            ),
        }
    nowhere = [""] * len(logits)
    sets = fit_sets(
        scale.unit_keys,
        probabilities,
        distribution,
        nowhere if labs is None else labs,
        nowhere if coats is None else coats,
        alpha,
        left_out,
        animals,
    )
    for key in scale.unit_keys:
        units[key]["set_threshold"] = sets["units"][key]["pooled"]["threshold"]
    return {
        "format": FORMAT,
        "split": "calibration",
        "alpha": alpha,
        "units": units,
        "sets": sets,
        "out_of_distribution": {
            **fit_distance(reference, embedding),
            "least_familiar": least_familiar(familiar),
        },
        "least_awake": least_awake(awake),
    }


def fit_scaling(logits: Array, target: Array, start: Start | None = None) -> tuple[float, Array]:
    """Temperature and shift (steps,) of logits (n, steps) for soft targets (n, grades).

    The logits of threshold k become logits / temperature + shift_k: Platt scaling of every
    conditional probability with one slope for all of them (Platt 1999; Guo et al. 2017), because
    raters of other labs, and of other coats, are stricter or milder as a whole. With a `start` the
    distance from it costs instead, the more the fewer animals there are. On too few frames nothing
    is changed.
    """
    steps = logits.shape[1]
    if len(logits) < FEWEST:
        return (1.0, np.zeros(steps)) if start is None else (start.temperature, start.shift)
    from scipy.optimize import minimize

    def cost(parameters: Array) -> float:
        p = corn_probabilities(logits * np.exp(-parameters[0]) + parameters[1:])
        entropy = -(target * np.log(np.maximum(p, SMALLEST_P))).sum(1).mean()
        if start is not None:
            return float(entropy + start.weight * ((parameters - begin) ** 2).sum())
        return float(entropy + RIDGE * (parameters[1:] ** 2).sum())

    if start is None:
        begin = np.concatenate([[np.log(fit_temperature(logits, target))], np.zeros(steps)])
    else:
        begin = np.concatenate([[np.log(start.temperature)], start.shift])
    bounds = [(np.log(0.25), np.log(8.0)), *[(-3.0, 3.0)] * steps]
    best = minimize(cost, begin, method="L-BFGS-B", bounds=bounds).x
    return float(np.exp(best[0])), np.asarray(best[1:], np.float64)


def fit_cuts(expected: Array, target: Array, start: Start | None = None) -> Array:
    """Which expected grades (n,) a whole grade begins at: cuts (grades - 1,), ascending.

    The less can be seen of a unit, the nearer its expected grades lie to the mean; rounded, they
    would hardly ever reach the top grade, though raters give it. The cuts maximise the
    quadratic-weighted kappa with the raters' distribution `target` (n, grades), less CUT_RIDGE
    times their squared distances from halfway, or from those of a `start`; on too few frames they
    lie there.
    """
    grades = target.shape[1]
    centre = halfway_cuts(grades) if start is None else start.cuts
    ridge = CUT_RIDGE * (1.0 if start is None else max(1.0, CUT_ANIMALS / start.animals))
    best = centre
    if len(expected) < FEWEST:
        return best
    steps = np.arange(-CUT_FURTHEST, CUT_FURTHEST + CUT_STEP / 2, CUT_STEP)

    def worth(cuts: Array) -> float:
        said = np.eye(grades)[grade_by_cuts(expected, cuts)]
        kappa = float(kappa_of_counts(target.T @ said))
        return kappa - ridge * float(((cuts - centre) ** 2).sum())

    # One cut after the other, twice round: two cuts hardly depend on each other.
    for place in [*range(grades - 1)] * 2:
        tries = []
        for step in steps:
            cuts = best.copy()
            cuts[place] = place + 0.5 + step
            if (np.diff(cuts) >= CUT_STEP).all() and np.isfinite(worth(cuts)):
                tries.append(cuts)
        best = max([best, *tries], key=worth) if tries else best
    return np.round(best, 3)


def least_awake(likely: Array | None) -> float:
    """The probability of the graded state under which the state of a frame is unclear.

    The highest within GATE that keeps AWAKE_KEPT of frames that raters graded, from their
    probabilities (m,); the lowest where there are too few. A state that is only the likeliest of
    seven is not known, and a sleeping animal taken for one awake looks like one in pain.
    """
    if likely is None or len(likely) < FEWEST:
        return GATE[0]
    return float(np.clip(np.quantile(likely, 1 - AWAKE_KEPT), *GATE))


def fit_temperature(logits: Array, target: Array, near: float = 1.0, weight: float = 0.0) -> float:
    """The temperature that minimises the cross-entropy with soft targets; `near` on too few frames.

    `weight` is that of its squared distance, as logarithms, from `near`. Source: Guo et al. 2017,
    On calibration of modern neural networks, with the CORN likelihood.
    """
    if len(logits) < FEWEST:
        return near

    def entropy(log_temperature: float) -> float:
        p = corn_probabilities(logits, float(np.exp(log_temperature)))
        entropy = -float((target * np.log(np.maximum(p, SMALLEST_P))).sum(1).mean())
        return entropy + weight * float(log_temperature - np.log(near)) ** 2

    # Only here: applying a calibration needs no SciPy, whose import takes half a second.
    from scipy.optimize import minimize_scalar

    best = minimize_scalar(entropy, bounds=(np.log(0.25), np.log(8.0)), method="bounded")
    return float(np.exp(best.x))


def fit_binary_temperature(logits: Array, target: Array, start: Start | None = None) -> float:
    """The same for a single logit with a soft yes-or-no target, near that of a `start`."""
    both = logits[:, None], np.stack([1 - target, target], axis=1)
    if start is None:
        return fit_temperature(*both)
    return fit_temperature(*both, start.scorable_temperature, start.weight)


def fit_distance(reference: Array, calibration: Array) -> dict[str, Any]:
    """Mahalanobis distance to the training crops, and the distance beyond which nothing is graded.

    Source: Lee et al. 2018, A simple unified framework for detecting out-of-distribution samples,
    with one class and a covariance shrunk to its diagonal by Ledoit and Wolf's idea with a fixed
    weight of 0.1. The limit is 1.4 times the 99 % quantile over the calibration crops: it catches
    what is far off, the gate that has learnt from strangers catches what is near.
    """
    mean = reference.mean(0)
    covariance = np.atleast_2d(np.cov(reference, rowvar=False))
    diagonal = np.diag(np.diag(covariance) + 1e-4)
    root = np.linalg.cholesky(np.linalg.inv(0.9 * covariance + 0.1 * diagonal))
    own = np.sqrt((((calibration - mean) @ root) ** 2).sum(1))
    limit = 1.4 * float(np.quantile(own, 0.99)) if len(own) else float("inf")
    return {
        "mean": [float(value) for value in np.round(mean, 6)],
        "root": [[float(value) for value in row] for row in np.round(root, 6)],
        "limit": limit if np.isfinite(limit) else None,
        "n": len(own),
    }


def least_familiar(logits: Array) -> float:
    """The probability of being familiar under which nothing is graded.

    The 1 % quantile over the calibration crops, between 0.5 and 0.7.
    """
    if not len(logits):
        return 0.5
    return float(np.clip(np.quantile(sigmoid(logits), 0.01), 0.5, 0.7))


class Calibrated:
    """Applies a `calibration.json` to the outputs of the frame graph."""

    def __init__(self, calibration: dict[str, Any], scale: Scale) -> None:
        self.scale = scale
        self.units = [calibration["units"][unit.key] for unit in scale.units]
        self.cuts = [
            np.array(facts.get("cuts", halfway_cuts(len(unit.grades))), np.float64)
            for unit, facts in zip(scale.units, self.units, strict=True)
        ]
        self.sets = calibration.get("sets")
        distance = calibration["out_of_distribution"]
        self.mean = np.array(distance["mean"])
        self.root = np.array(distance["root"])
        limit = distance["limit"]
        self.limit = float("inf") if limit is None else float(limit)
        self.least_familiar = float(distance["least_familiar"])
        self.least_awake = float(calibration.get("least_awake", 0.0))

    def probabilities(self, logits: Array) -> list[Array]:
        """Per unit the probabilities (n, grades) of logits (n, units, steps)."""
        return [
            corn_probabilities(
                logits[:, index, : unit.top_grade] / facts["temperature"] + facts.get("shift", 0.0)
            )
            for index, (unit, facts) in enumerate(zip(self.scale.units, self.units, strict=True))
        ]

    def scorable(self, logits: Array) -> Array:
        """Probability that each unit is scorable, (n, units)."""
        temperatures = np.array([facts["scorable_temperature"] for facts in self.units])
        return sigmoid(logits / temperatures)

    def prediction_set(
        self, probabilities: Array, unit: str, group: str | None = None
    ) -> NDArray[np.bool_] | None:
        """Which grades (n, grades) of a unit can be meant; None where no sets were calibrated.

        `group` is the lab × coat of `models.sets.group_of`, None for a lab nobody knows.
        """
        if self.sets is None:
            return None
        return prediction_set(self.sets, probabilities, unit, group)

    def distance(self, embedding: Array, familiar: Array) -> Array:
        """How strange each crop is, 1 = at the limit.

        The larger of the distance of its embedding (n, features) from the training crops and of the
        probability that it is no such face, from `familiar` (n,) logits, each over its limit.
        """
        raw = np.sqrt((((embedding - self.mean) @ self.root) ** 2).sum(1)) / self.limit
        unlike = sigmoid(-familiar) / (1 - self.least_familiar)
        return np.asarray(np.maximum(raw, unlike), np.float64)
