"""What ratings the quorum saves, on simulated raters who agree as people do.

Intensities and noise are those of the phantom's raters (`models.phantom.raters`): a face seen with
a bias of one's own, a halo over the whole face and noise per unit, so that two raters agree as the
public table in the scale file. Some raters are biased beyond that, and units that cannot be scored
are mostly, not always, refused. Truth is the mean grade of the infinitely many unbiased raters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.quorum import Policy, allocate, error_bounds, needs_rater
from curation.rater_model import Table, fit_scorable_of, tabulate
from models.phantom.motion import population
from models.phantom.raters import (
    BIAS_SD,
    HALO,
    NOTICED,
    REFERENCE,
    REFUSED_WITHOUT_CAUSE,
    grade_chances,
    noise_sd,
)
from models.scale import Scale, load_scale
from models.stats.ordinal_raters import (
    NOT_RATED,
    NOT_SCORABLE,
    Parameters,
    Sheets,
    fit,
)

Array = NDArray[np.float64]

POOL = 30
"""Raters of a simulation, drawn anew for every frame."""
MOST = 12
"""Raters who could be asked about one frame."""
STRANGE = 0.2
STRANGE_BIAS = 0.35
"""So many raters are biased by so many grades on all units, half of them up, half down."""


@dataclass(frozen=True, eq=False)
class World:
    """Frames, and what every rater would say of them if asked.

    `truth` (frames, units) mean grade of all unbiased raters; `scorable` (frames, units);
    `answers` (frames, MOST, units) in the order in which raters are asked, with the codes of
    `models.stats.ordinal_raters`; `raters` (frames, MOST) who they are.
    """

    truth: Array
    scorable: NDArray[np.bool_]
    answers: NDArray[np.int64]
    raters: NDArray[np.int64]
    scale: Scale

    def sheets(self, asked: NDArray[np.int64]) -> Sheets:
        """What is known once the first `asked` (frames, units) raters answered for each unit."""
        turn = np.arange(self.answers.shape[1])[None, :, None]
        grades = np.where(turn < asked[:, None, :], self.answers, NOT_RATED)
        frame, place = np.nonzero((grades != NOT_RATED).any(2))
        return Sheets(
            grades[frame, place],
            frame,
            self.raters[frame, place],
            len(self.truth),
            POOL,
            np.array([unit.top_grade for unit in self.scale.units]),
        )


@dataclass(frozen=True)
class Point:
    """What a way of asking reached: unit ratings, RMSE per unit against the infinite mean.

    `wrong` is the share of units that are called scorable or not against the truth.
    """

    ratings: int
    rmse: tuple[float, ...]
    wrong: float

    @property
    def mean(self) -> float:
        """Mean RMSE over units."""
        return float(np.mean(self.rmse))

    def worst(self, other: Point) -> float:
        """Largest ratio of a unit's RMSE to that of another way of asking."""
        return float(np.max(np.array(self.rmse) / np.array(other.rmse)))


def world(
    frames: int,
    seed: int,
    strange: float = STRANGE,
    tied: bool = True,
    scale: Scale | None = None,
) -> World:
    """Draw frames and answers; `strange` is the share of raters biased by `STRANGE_BIAS`.

    Where units are not `tied`, those of one face are drawn from different animals: one unit then
    tells nothing of another.
    """
    scale = scale or load_scale()
    rng = np.random.default_rng([seed, 5])
    drawn = population(scale, REFERENCE, frames, seed=seed + 1000)
    intensity = np.stack([drawn[key] for key in scale.unit_keys], 1).astype(np.float64)
    if not tied:
        intensity = rng.permuted(intensity, axis=0)
    spread = np.array([noise_sd(scale, unit) for unit in scale.units])
    bias = rng.normal(0, BIAS_SD, (POOL, len(scale.units)))
    number = round(strange * POOL)
    bias[:number] += STRANGE_BIAS * np.where(np.arange(number) % 2, 1, -1)[:, None]
    raters = np.stack([rng.permutation(POOL)[:MOST] for _ in range(frames)])
    shape = (frames, MOST, len(scale.units))
    halo = rng.standard_normal((frames, MOST, 1))
    noise = np.sqrt(HALO) * halo + np.sqrt(1 - HALO) * rng.standard_normal(shape)
    seen = intensity[:, None, :] + bias[raters] + noise * spread
    tops = np.array([unit.top_grade for unit in scale.units])
    grades = np.clip(np.floor(seen + 0.5), 0, tops).astype(np.int64)
    rates = np.array([unit.not_scorable_rate for unit in scale.units])
    scorable = rng.random(intensity.shape) >= rates
    refuses = np.where(scorable[:, None, :], REFUSED_WITHOUT_CAUSE * rates, NOTICED)
    answers = np.where(rng.random(shape) < refuses, NOT_SCORABLE, grades)
    truth = np.stack(
        [
            grade_chances(unit, intensity[:, at], float(np.hypot(spread[at], BIAS_SD)))
            @ np.arange(len(unit.grades))
            for at, unit in enumerate(scale.units)
        ],
        1,
    )
    return World(truth, scorable, answers, raters, scale)


def plain_mean(one: World, raters: int = 5) -> Point:
    """The plain mean of a fixed number of raters on every unit; a majority says what is scorable.

    Where none of them graded, the mean of all grades of the unit stands in.
    """
    given = one.answers[:, :raters]
    grades = np.where(given >= 0, given, 0)
    number = (given >= 0).sum(1)
    overall = grades.sum((0, 1)) / number.sum(0)
    mean = np.where(number > 0, grades.sum(1) / np.maximum(number, 1), overall)
    called = number * 2 > raters
    return _point(one, mean, called, given.size)


def fixed_quorums(
    one: World, numbers: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8), rounds: int = 25
) -> list[Point]:
    """The rater model on the same number of raters for every unit of every frame."""
    points, start = [], None
    for number in numbers:
        asked = np.full(one.truth.shape, number)
        table, start = _estimated(one, asked, start, rounds)
        points.append(_point(one, table.mean, table.scorable > 0.5, int(asked.sum())))
    return points


def adaptive(
    one: World,
    policy: Policy | None = None,
    share: float = 0.0,
    step: float = 0.04,
    rounds: int = 8,
) -> list[Point]:
    """Ask as `curation.quorum.allocate` says until it asks no more; the last point is the result.

    `share` of the frames are the uniform random share with its fixed number of raters. At most the
    part `step` of the ratings that five raters on everything would be is asked for at a time, then
    the model is fitted anew.
    """
    policy = policy or Policy()
    uniform = np.arange(len(one.truth)) < round(share * len(one.truth))
    asked = np.full(one.truth.shape, policy.least)
    asked[uniform] = policy.fixed
    most = max(1, int(step * 5 * asked.size))
    table, start = _estimated(one, asked, None, 3 * rounds)
    points = [_point(one, table.mean, table.scorable > 0.5, int(asked.sum()))]
    while True:
        chosen = allocate(table, policy, most, uniform)
        if not chosen.any():
            return points
        asked = asked + chosen
        table, start = _estimated(one, asked, start, rounds)
        points.append(_point(one, table.mean, table.scorable > 0.5, int(asked.sum())))


def by_rule(one: World, policy: Policy | None = None, rounds: int = 8) -> Point:
    """Ask for every unit of every frame by itself, as `curation.quorum.needs_rater` says."""
    policy = policy or Policy()
    keys = one.scale.unit_keys
    names = [str(frame) for frame in range(len(one.truth))]
    asked = np.full(one.truth.shape, policy.least)
    table, start = _estimated(one, asked, None, 3 * rounds)
    while True:
        bounds = dict(zip(keys, error_bounds(table, policy).tolist(), strict=True))
        chosen = np.array(
            [
                [needs_rater(row.get(key), key, bounds, one.scale, policy).needs for key in keys]
                for row in table.rows(names, one.scale).values()
            ]
        )
        if not chosen.any():
            return _point(one, table.mean, table.scorable > 0.5, int(asked.sum()))
        asked = asked + chosen
        table, start = _estimated(one, asked, start, rounds)


def _estimated(
    one: World, asked: NDArray[np.int64], start: Parameters | None, rounds: int
) -> tuple[Table, Parameters]:
    sheets = one.sheets(asked)
    kappa = np.array([unit.pairwise_kappa for unit in one.scale.units])
    found = fit(sheets, kappa, start, rounds)
    scorable = fit_scorable_of(sheets, one.scale)
    return tabulate(sheets, found.posterior, found.parameters, scorable), found.parameters


def _point(one: World, mean: Array, called: NDArray[np.bool_], ratings: int) -> Point:
    square = np.where(one.scorable, (mean - one.truth) ** 2, 0.0)
    rmse = np.sqrt(square.sum(0) / one.scorable.sum(0))
    wrong = float((called != one.scorable).mean())
    return Point(ratings, tuple(rmse.tolist()), wrong)
