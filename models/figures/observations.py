"""Figures per observation (animal × time point): what users publish is such a mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.figures.frames import NO_INTERVAL, errors
from models.figures.table import Array, numbers, texts
from models.scale import Scale
from models.stats.agreement import variance_components
from models.stats.bootstrap import cluster_interval
from models.stats.errors import bias, bland_altman, calibration_line, pearson, rmse

ORIGIN = ("lab", "coat", "assay", "sex")


def observation_scores(graded: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """One row per animal × observation: `score` and `truth`, means per unit first, then over units.

    Both sides use the same frames and units, those that raters and model both graded; `n` frames.
    `oracle` is the mean over the same cells where the table holds it, NaN otherwise; lab, coat,
    assay and sex are those of the first frame.
    """
    names, codes = observation_codes(graded)
    rated = np.isfinite(numbers(graded, "score")) & np.isfinite(numbers(graded, "truth"))
    means = np.full((3, len(names), len(scale.units)), np.nan)
    for index, unit in enumerate(scale.units):
        cells = [numbers(graded, f"{unit.key}__{part}") for part in ("expected", "truth", "oracle")]
        both = rated & np.isfinite(cells[0]) & np.isfinite(cells[1])
        count = np.bincount(codes[both], minlength=len(names))
        for part, values in enumerate(cells):
            total = np.bincount(codes[both], values[both], minlength=len(names))
            means[part, :, index] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    known = np.isfinite(means[1])
    enough = known.sum(1) >= scale.minimum_units
    score, truth, oracle = np.where(known, means, 0.0).sum(2) / np.maximum(known.sum(1), 1)
    first = np.unique(codes, return_index=True)[1]
    table = pd.DataFrame(names, columns=["animal", "observation"]).assign(
        score=score,
        truth=truth,
        oracle=oracle,
        n=np.bincount(codes[rated], minlength=len(names)),
        **{name: texts(graded, name)[first] for name in ORIGIN},
    )
    kept: pd.DataFrame = table[enough].reset_index(drop=True)
    return kept


def observation_codes(graded: pd.DataFrame) -> tuple[list[tuple[str, str]], NDArray[np.int64]]:
    """The observations (animal, observation) in order, and which of them each frame belongs to."""
    pairs = list(zip(texts(graded, "animal"), texts(graded, "observation"), strict=True))
    names = sorted(set(pairs))
    place = {pair: index for index, pair in enumerate(names)}
    return names, np.array([place[pair] for pair in pairs], np.int64)


def observation_figures(
    table: pd.DataFrame,
    humans: Array,
    constant: float,
    draws: int = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """Agreement of the rows of `observation_scores`; `humans` (m, 2) are pairs of
    `models.figures.humans.observation_pairs`.

    `slope` and `intercept` are of truth = intercept + slope · score; `interval` (95 %, over
    animals) is computed with `draws` above 0.
    """
    score, truth = numbers(table, "score"), numbers(table, "truth")
    agreement = bland_altman(score, truth)
    slope, intercept = calibration_line(score, truth)
    figures = {
        "n": agreement.n,
        "n_animals": int(table["animal"].nunique()),
        "bias": agreement.bias,
        "slope": slope,
        "intercept": intercept,
        "loa": list(agreement.limits),
        "icc": _icc(score, truth),
        **errors(score, truth, constant),
        "human_rmse": rmse(humans[:, 0], humans[:, 1]),
        "human_r": pearson(humans[:, 0], humans[:, 1]),
        "human_icc": _icc(humans[:, 0], humans[:, 1]),
        "oracle_rmse": rmse(numbers(table, "oracle"), truth),
    }
    if draws:
        figures["interval"] = _intervals(score, truth, texts(table, "animal"), draws, seed)
    return figures


def _icc(one: Array, other: Array) -> float:
    if len(one) < 3:
        return math.nan
    return variance_components(np.stack([one, other], axis=1)).icc_single


def _intervals(
    score: Array, truth: Array, animals: NDArray[Any], draws: int, seed: int
) -> dict[str, Any]:
    statistics = {
        "rmse": rmse,
        "r": pearson,
        "bias": bias,
        "slope": lambda x, y: calibration_line(x, y)[0],
    }
    if len(score) < 3:
        return {name: list(NO_INTERVAL) for name in statistics}
    return {
        name: list(
            cluster_interval(
                lambda rows, of=statistic: float(of(score[rows], truth[rows])),  # type: ignore[misc]
                animals.tolist(),
                draws,
                seed,
            )
        )
        for name, statistic in statistics.items()
    }
