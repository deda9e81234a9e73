"""Simulated raters whose agreement is that of people.

A rater sees the intensity of a unit plus a bias of their own plus noise, and rounds to a grade.
Half of the noise is common to all units of a face, because a rater who finds a face painful marks
all of it up. The noise of each unit is set so that two raters agree as in the scale file
(`pairwise_kappa`, quadratic weights) on a reference population of phantom animals.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import norm

from models.phantom.motion import population
from models.phantom.shape import Floats
from models.phantom.truth import FaceTruth
from models.records import Vote
from models.scale import Scale, Unit, load_scale

BIAS_SD = 0.12
HALO = 0.5
# Share of pain levels in the population that agreement is calibrated on: half baselines, the rest
# treated and untreated animals after a procedure.
REFERENCE = {0.05: 0.58, 0.30: 0.14, 0.55: 0.14, 0.75: 0.14}
# Where a unit cannot be scored a rater says so this often; where it can, raters still refuse the
# given part of the unit's public not-scorable rate.
NOTICED = 0.93
REFUSED_WITHOUT_CAUSE = 0.15


@dataclass(frozen=True)
class Rater:
    """A simulated rater: name and bias per unit in grades."""

    name: str
    bias: dict[str, float]

    def __hash__(self) -> int:
        return hash(self.name)


def draw_rater(name: str, seed: int, lab_bias: float = 0.0, scale: Scale | None = None) -> Rater:
    """A rater with biases drawn from `seed`; `lab_bias` is what the lab taught them all."""
    scale = scale or load_scale()
    drawn = np.random.default_rng([seed, 17]).normal(lab_bias, BIAS_SD, len(scale.units))
    return Rater(name, dict(zip(scale.unit_keys, map(float, drawn), strict=True)))


def rate(
    truth: FaceTruth,
    rater: Rater,
    rng: np.random.Generator,
    scale: Scale | None = None,
    source: str = "phantom",
) -> list[Vote]:
    """The votes of one rater on one face, one per unit of the scale."""
    scale = scale or load_scale()
    graded = scale.state(truth.state).graded
    halo = np.sqrt(HALO) * rng.standard_normal()
    votes = []
    for unit in scale.units:
        # Every branch draws the same numbers, so that one frame's votes do not shift the next's.
        chance, noise = rng.uniform(), halo + np.sqrt(1 - HALO) * rng.standard_normal()
        reason = truth.not_scorable.get(unit.key)
        if reason is not None and graded and chance > NOTICED:
            reason = None
        elif reason is None and chance < REFUSED_WITHOUT_CAUSE * unit.not_scorable_rate:
            reason = scale.reason_because("unnamed").key
        seen = truth.intensities[unit.key] + rater.bias[unit.key] + noise * noise_sd(scale, unit)
        grade = None if reason else int(np.clip(np.floor(seen + 0.5), 0, unit.top_grade))
        votes.append(Vote(rater.name, unit.key, grade, reason, 1.0, source))
    return votes


def expected_grade(unit: Unit, intensity: Floats | float, scale: Scale | None = None) -> Floats:
    """The mean grade that unbiased raters give to an intensity: the best any model can do."""
    scale = scale or load_scale()
    chances = grade_chances(unit, np.atleast_1d(np.asarray(intensity)), noise_sd(scale, unit))
    return np.asarray(chances @ np.arange(len(unit.grades)))


@lru_cache(maxsize=64)
def noise_sd(scale: Scale, unit: Unit) -> float:
    """Standard deviation of a rater's noise that gives the unit's public pairwise kappa.

    Found by bisection: kappa falls as noise grows.
    """
    reference = _reference(scale)[unit.key]
    low, high = 0.02, 4.0
    for _ in range(24):
        middle = (low + high) / 2
        spread = float(np.hypot(middle, BIAS_SD))
        if expected_kappa(grade_chances(unit, reference, spread)) > unit.pairwise_kappa:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def grade_chances(unit: Unit, intensity: Floats, spread: float) -> Floats:
    """Chance of every grade, shape (n, grades), for intensities (n,) seen with normal error."""
    edges = np.arange(1, len(unit.grades)) - 0.5
    below = norm.cdf((edges[None, :] - intensity[:, None]) / spread)
    ones = np.ones((len(intensity), 1))
    return np.asarray(np.diff(np.hstack([0 * ones, below, ones]), axis=1))


def expected_kappa(chances: Floats) -> float:
    """Quadratic-weighted kappa of two raters who draw independently from `chances` (n, grades).

    1 - Σ w·O / Σ w·E with w = (a - b)², O the mean of the joint chances and E the product of the
    mean chances.
    """
    k = chances.shape[1]
    weight = (np.arange(k)[:, None] - np.arange(k)[None, :]) ** 2
    observed = chances.T @ chances / len(chances)
    mean = chances.mean(axis=0)
    return float(1 - (weight * observed).sum() / (weight * np.outer(mean, mean)).sum())


@lru_cache(maxsize=4)
def _reference(scale: Scale) -> dict[str, Floats]:
    return population(scale, REFERENCE, 3000)
