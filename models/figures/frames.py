"""Figures per frame: image score, units, what abstaining buys, and the gap between coats."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.figures.humans import against_one_rater, image_pairs, unit_pairs
from models.figures.table import Array, Rows, Votes, numbers, shares, stated_spread, texts
from models.scale import Scale, Unit
from models.stats.agreement import confusion, quadratic_weighted_kappa
from models.stats.bootstrap import (
    cluster_draws,
    cluster_interval,
    error_draws,
    kappa_draws,
    percentile_interval,
)
from models.stats.calibration import (
    area_under_roc,
    calibration_error_by_chance,
    expected_calibration_error,
    reliability,
)
from models.stats.errors import mae, pearson, rmse
from models.stats.ordinal import nearest_grade
from models.stats.risk import risk_coverage

NO_INTERVAL = (math.nan, math.nan)


def errors(said: Array, truth: Array, constant: float) -> dict[str, float]:
    """RMSE, r and MAE of pairs, with those of the constant answer."""
    always = np.full_like(truth, constant)
    return {
        "rmse": rmse(said, truth),
        "r": pearson(said, truth),
        "mae": mae(said, truth),
        "constant_rmse": rmse(always, truth),
        "constant_mae": mae(always, truth),
    }


def share(part: Rows, whole: Rows) -> float:
    """How much of `whole` is in `part`; NaN where it is empty."""
    return float(part.sum() / whole.sum()) if whole.any() else math.nan


def oracle_figures(oracle: Array, truth: Array) -> dict[str, float] | None:
    """The errors of the best possible answer, None where the table does not hold it."""
    if not np.isfinite(oracle).any():
        return None
    return {"rmse": rmse(oracle, truth), "r": pearson(oracle, truth), "mae": mae(oracle, truth)}


def image_figures(
    graded: pd.DataFrame, votes: Votes, scale: Scale, constant: float, draws: int, seed: int
) -> dict[str, Any]:
    """Figures of the image score over frames that both the raters and the model graded."""
    truth, score = numbers(graded, "truth"), numbers(graded, "score")
    both = np.isfinite(truth) & np.isfinite(score)
    animals = texts(graded, "animal")[both].tolist()
    humans = image_pairs(votes, scale)
    interval = {"rmse": list(NO_INTERVAL), "r": list(NO_INTERVAL)}
    if len(set(animals)) >= 2:
        drawn = error_draws(score[both], truth[both], animals, draws, seed)
        interval = {
            name: list(percentile_interval(values))
            for name, values in zip(interval, drawn, strict=True)
        }
    return {
        **errors(score[both], truth[both], constant),
        "n": int(both.sum()),
        "n_animals": len(set(animals)),
        "coverage": share(both, np.isfinite(truth)),
        "human_rmse": rmse(humans[:, 0], humans[:, 1]),
        "human_r": pearson(humans[:, 0], humans[:, 1]),
        "human_mae": mae(humans[:, 0], humans[:, 1]),
        "oracle": oracle_figures(numbers(graded, "oracle")[both], truth[both]),
        "interval": interval,
    }


def unit_figures(
    graded: pd.DataFrame, votes: Votes, scale: Scale, unit: Unit, constant: float
) -> dict[str, Any]:
    """Figures of one unit over frames in which both the raters and the model graded it."""
    grades = len(unit.grades)
    truth = numbers(graded, f"{unit.key}__truth")
    grade = numbers(graded, f"{unit.key}__grade")
    both = np.isfinite(truth) & np.isfinite(grade)
    whole, said = nearest_grade(truth[both]), grade[both].astype(np.int64)
    expected = numbers(graded, f"{unit.key}__expected")[both]
    p, agree = shares(graded, unit, "p")[both], shares(graded, unit, "truth_p")[both]
    told = np.isfinite(p).all(1) & np.isfinite(agree).all(1)
    rows = np.flatnonzero(told)
    human = unit_pairs(votes.of_unit(scale.unit_keys.index(unit.key)))
    return {
        "kappa": quadratic_weighted_kappa(whole, said, grades),
        **errors(expected, truth[both], constant),
        "n": int(both.sum()),
        "n_animals": len(set(texts(graded, "animal")[both])),
        "coverage": share(both, np.isfinite(truth)),
        "human_kappa": quadratic_weighted_kappa(human[:, 0], human[:, 1], grades),
        "human_rmse": rmse(human[:, 0], human[:, 2]),
        "human_mae": mae(human[:, 0], human[:, 2]),
        "ece": expected_calibration_error(p[rows, said[rows]], agree[rows, said[rows]]),
        "ece_all_grades": expected_calibration_error(p[told].ravel(), agree[told].ravel()),
    }


def more_of_unit(
    graded: pd.DataFrame, votes: Votes, scale: Scale, unit: Unit, draws: int, seed: int
) -> dict[str, Any]:
    """What is told of a unit over all frames only: confusion, intervals, one rater, oracle."""
    grades = len(unit.grades)
    truth = numbers(graded, f"{unit.key}__truth")
    grade = numbers(graded, f"{unit.key}__grade")
    oracle = numbers(graded, f"{unit.key}__oracle")
    both = np.isfinite(truth) & np.isfinite(grade)
    whole, said = nearest_grade(truth[both]), grade[both].astype(np.int64)
    scorable = numbers(graded, f"{unit.key}__scorable")
    seen = numbers(graded, f"{unit.key}__truth_scorable")
    rated = np.isfinite(scorable) & np.isfinite(seen)
    animals = texts(graded, "animal")
    interval = {"kappa": list(NO_INTERVAL), "rmse": list(NO_INTERVAL)}
    if len(set(animals[both])) >= 2:
        drawn = cluster_draws(animals[both].tolist(), draws, seed)
        expected = numbers(graded, f"{unit.key}__expected")[both]
        misses, _ = error_draws(expected, truth[both], animals[both].tolist(), draws, seed)
        interval = {
            "kappa": list(percentile_interval(kappa_draws(whole, said, *drawn, grades))),
            "rmse": list(percentile_interval(misses)),
        }
    best = oracle_figures(oracle[both], truth[both])
    if best is not None:
        known = np.isfinite(oracle[both])
        best["kappa"] = quadratic_weighted_kappa(
            whole[known], nearest_grade(oracle[both][known]), grades
        )
    given = votes.of_unit(scale.unit_keys.index(unit.key))
    stated = shares(graded, unit, "p")[both][np.arange(len(said)), said]
    told = np.isfinite(stated)
    return {
        "interval": interval,
        "ece_by_chance": calibration_error_by_chance(
            stated[told], np.isfinite(given)[both][told].sum(1), seed=seed
        ),
        "scorable_auc": area_under_roc(scorable[rated], seen[rated] >= 0.5),
        "confusion": confusion(whole, said, grades).tolist(),
        "reliability": _reliability(graded, unit),
        "against_one_rater": against_one_rater(grade, given, animals, grades, draws, seed),
        "oracle": best,
    }


def _reliability(graded: pd.DataFrame, unit: Unit) -> list[dict[str, float]]:
    """Stated probability against the share of raters who agree, in ten bins, all grades pooled."""
    p, agree = shares(graded, unit, "p"), shares(graded, unit, "truth_p")
    known = np.isfinite(p).all(1) & np.isfinite(agree).all(1)
    return [
        {"stated": row.confidence, "observed": row.observed, "n": row.n}
        for row in reliability(p[known].ravel(), agree[known].ravel())
    ]


def risk_figures(graded: pd.DataFrame, scale: Scale) -> dict[str, Any]:
    """RMSE and coverage of the image score as the least certain frames are dropped.

    Coverage is a share of the frames that the raters graded. Dropping at random would leave the
    RMSE where it is, so that `random_area` is the RMSE of all.
    """
    truth, score = numbers(graded, "truth"), numbers(graded, "score")
    named = "confidence" in graded
    sure = numbers(graded, "confidence") if named else -stated_spread(graded, scale)
    found = risk_coverage(score - truth, sure, int(np.isfinite(truth).sum()) or None)
    return {
        "order": "confidence" if named else "stated spread of the image score",
        "n": found.n,
        "coverage": found.coverage,
        "rmse": found.rmse,
        "area": found.area,
        "best_area": found.best_area,
        "random_area": rmse(score, truth),
    }


def coat_gap(graded: pd.DataFrame, scale: Scale, draws: int, seed: int) -> dict[str, Any]:
    """Difference in RMSE of the image score between every two coats, the scale's order first.

    `largest` is the largest difference without its sign; intervals resample animals.
    """
    truth, score = numbers(graded, "truth"), numbers(graded, "score")
    coat, animals = texts(graded, "coat"), texts(graded, "animal")
    both = np.isfinite(truth) & np.isfinite(score)
    present = [key for key in scale.coat_keys if (both & (coat == key)).any()]
    found: dict[str, Any] = {}
    for one, other in combinations(present, 2):
        rows = np.flatnonzero(both & np.isin(coat, [one, other]))
        miss, mine = (score - truth)[rows] ** 2, coat[rows] == one

        def gap(drawn: NDArray[np.int64], miss: Array = miss, mine: NDArray[Any] = mine) -> float:
            first = mine[drawn]
            if first.all() or not first.any():
                return math.nan
            return float(np.sqrt(miss[drawn][first].mean()) - np.sqrt(miss[drawn][~first].mean()))

        ends = cluster_interval(gap, animals[rows].tolist(), draws, seed)
        found[f"{one}|{other}"] = {
            "difference": gap(np.arange(len(rows))),
            "interval": list(ends),
            "n_animals": [len(set(animals[both & (coat == key)])) for key in (one, other)],
        }
    sizes = [abs(row["difference"]) for row in found.values()]
    return {"pairs": found, "largest": max(sizes) if sizes else math.nan}
