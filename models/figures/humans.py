"""What people reach: one rater against the mean of the others, on the same frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.figures.table import Array, Votes, read_votes
from models.scale import Scale, Unit
from models.stats.agreement import quadratic_weighted_kappa
from models.stats.bootstrap import cluster_draws, kappa_draws, percentile_interval
from models.stats.ordinal import nearest_grade


def mean_of_others(values: Array) -> Array:
    """For every value of (n, R) the mean of the others of its row; NaN where there is none."""
    known = np.isfinite(values)
    count = known.sum(1, keepdims=True)
    total = np.where(known, values, 0.0).sum(1, keepdims=True)
    others = (total - np.where(known, values, 0.0)) / np.maximum(count - 1, 1)
    return np.where(known & (count > 1), others, np.nan)


def pairs(values: Array) -> Array:
    """Columns own value and mean of the others (m, 2) of every value of (n, R) that has both."""
    others = mean_of_others(values)
    both = np.isfinite(others)
    return np.stack([values[both], others[both]], axis=1)


def human_unit_grades(graded: pd.DataFrame, unit: Unit) -> Array:
    """Every rater against the others: columns own grade, nearest grade and mean of the others."""
    return unit_pairs(read_votes(graded["votes"], (unit.key,)).of_unit(0))


def unit_pairs(grades: Array) -> Array:
    """The same from grades (n, R) of one unit."""
    found = pairs(grades)
    return np.stack([found[:, 0], nearest_grade(found[:, 1]).astype(np.float64), found[:, 1]], 1)


def human_image_scores(graded: pd.DataFrame, scale: Scale) -> Array:
    """Every rater's image score against the mean of the others': columns own, others."""
    return image_pairs(read_votes(graded["votes"], scale.unit_keys), scale)


def image_pairs(votes: Votes, scale: Scale) -> Array:
    """The same from votes that were read."""
    known = np.isfinite(votes.grades)
    count = known.sum(2)
    total = np.where(known, votes.grades, 0.0).sum(2)
    enough = count >= scale.minimum_units
    return pairs(np.where(enough, total / np.maximum(count, 1), np.nan))


def observation_pairs(
    votes: Votes, codes: NDArray[np.int64], scale: Scale
) -> tuple[Array, NDArray[np.int64]]:
    """One rater's score of an observation against that of the mean of the others.

    `codes` (n,) say which observation a frame belongs to. A rater counts on the frames and units
    that somebody else graded too; means per unit first, then over units. Returns pairs (m, 2) and
    the observation (m,) of each.
    """
    units = range(votes.grades.shape[2])
    others = np.stack([mean_of_others(votes.of_unit(index)) for index in units], axis=2)
    # One key for each rater of each observation; raters that nobody is have none.
    step = int(votes.raters.max(initial=0)) + 1
    keys = codes[:, None] * step + votes.raters
    names, places = np.unique(keys[votes.raters >= 0], return_inverse=True)
    sums = np.zeros((2, len(names), len(units)))
    counts = np.zeros((len(names), len(units)))
    for index in units:
        rest = others[:, :, index][votes.raters >= 0]
        own = votes.of_unit(index)[votes.raters >= 0]
        both = np.isfinite(rest)
        counts[:, index] = np.bincount(places[both], minlength=len(names))
        for part, values in enumerate((own, rest)):
            sums[part, :, index] = np.bincount(places[both], values[both], minlength=len(names))
    known = counts > 0
    means = np.where(known, sums / np.maximum(counts, 1), 0.0).sum(2) / np.maximum(known.sum(1), 1)
    enough = known.sum(1) >= scale.minimum_units
    return means.T[enough], (names // step)[enough]


def against_one_rater(
    said: Array, grades: Array, animals: NDArray[Any], categories: int, draws: int, seed: int
) -> dict[str, Any]:
    """Kappa of the model minus that of a single rater, both against the mean of the others.

    `said` (n,) grades of the model, NaN where it gave none; `grades` (n, R) of the raters. For
    every rater of every frame that the model graded, the nearest grade to the mean of the others is
    the target, once of that rater and once of the model. `interval` (95 %, over animals) is of the
    difference, `lower` its lower end.
    """
    others = mean_of_others(grades)
    both = np.isfinite(others) & np.isfinite(said)[:, None]
    target = nearest_grade(others[both])
    own = grades[both].astype(np.int64)
    model = np.broadcast_to(said[:, None], grades.shape)[both].astype(np.int64)
    nan = float("nan")
    result: dict[str, Any] = {
        "kappa": quadratic_weighted_kappa(target, model, categories),
        "human_kappa": quadratic_weighted_kappa(target, own, categories),
        "n": int(both.any(1).sum()) if both.size else 0,
        "difference": nan,
        "interval": [nan, nan],
        "lower": nan,
    }
    result["difference"] = result["kappa"] - result["human_kappa"]
    whose = np.broadcast_to(animals[:, None], grades.shape)[both]
    if len(set(whose)) >= 2:
        codes, counts = cluster_draws(whose.tolist(), draws, seed)
        ours = kappa_draws(target, model, codes, counts, categories)
        theirs = kappa_draws(target, own, codes, counts, categories)
        result["interval"] = list(percentile_interval(ours - theirs))
        result["lower"] = result["interval"][0]
    return result
