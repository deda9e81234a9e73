"""From a table of ratings to the agreement report; the formulas are those of `models.stats`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curation.labels.rows import LabelRow
from models.scale import Scale, Unit, load_scale
from models.stats.agreement_draws import (
    PairKappas,
    alpha_draws,
    bias_draws,
    exact_draws,
    icc_draws,
    pair_kappas,
)
from models.stats.bootstrap import cluster_draws, percentile_interval

Table = NDArray[np.float64]
Codes = NDArray[np.int64]

COLUMNS = ("frame", "unit", "rater", "grade", "animal")
RELIABILITY = 0.8
"""The reliability of a consensus that “raters needed” refers to."""
FEWEST_ANIMALS = 3
"""Figures of fewer animals have no interval: two, drawn anew, give three values."""


def report(table: pd.DataFrame, draws: int = 200, seed: int = 0) -> dict[str, Any]:
    """Return how well raters agree, per unit, with 95 % intervals from resampled animals.

    `table` has one row per vote with the columns of `COLUMNS`; a missing `grade` is the vote *not
    scorable*, and a rater who did not vote has no row. Per unit: `kappa_pairwise_quadratic`,
    `icc_1_1`, `icc_2_1`, `icc_2_k` (unbalanced data kept; `k` is the number of raters who graded)
    and `alpha` (Krippendorff, ordinal) over graded votes; `exact`, the share of pairs of votes that
    are the same, and `alpha_with_state` (nominal), both with not scorable as a category of its own;
    `scorable_alpha` of whether the unit could be scored; `raters_needed` for a consensus of
    reliability 0.8; `distribution`, the share of each grade among graded votes. Per rater and unit:
    `kappa` with the others, and `bias`, the mean distance from them. Where `table` has a column
    `dataset` with more than one name, `datasets` holds the units of each by itself. The interval of
    a figure is beside it, as `<figure>_interval`. What cannot be computed is None, as are intervals
    with under FEWEST_ANIMALS animals. `draws=0` leaves the intervals out. Raises ValueError for a
    missing column.
    """
    absent = [name for name in COLUMNS if name not in table.columns]
    if absent:
        raise ValueError(f"the table of votes lacks {', '.join(absent)}")
    scale = load_scale()
    unknown = sorted(set(table["unit"].astype(str)) - set(scale.unit_keys))
    if unknown:
        raise ValueError(f"{unknown[0]} is no unit of the scale {scale.name}")
    raters: dict[str, Any] = _raters(table)
    found: dict[str, Any] = {
        "units": _units(table, scale, draws, seed, raters),
        "raters": raters,
        "n_frames": int(table["frame"].nunique()),
        "n_animals": int(table["animal"].nunique()),
        "n_raters": int(table["rater"].nunique()),
        "draws": draws,
        "seed": seed,
    }
    if "dataset" in table.columns and table["dataset"].nunique() > 1:
        found["datasets"] = {
            str(name): {
                "units": _units(rows, scale, draws, seed),
                "n_frames": int(rows["frame"].nunique()),
                "n_animals": int(rows["animal"].nunique()),
                "n_raters": int(rows["rater"].nunique()),
            }
            for name, rows in table.groupby("dataset", sort=True)
        }
    return found


def table_of(rows: Iterable[LabelRow], dataset: str = "") -> pd.DataFrame:
    """Return the votes of a score sheet as a table for :func:`report`.

    A sheet does not say which animal a file shows, so each file stands for one. `dataset` names the
    sheet where there are several: files and raters of the same name are then others.
    """
    before = f"{dataset}: " if dataset else ""
    votes = [
        (f"{row.file}#{row.frame if row.frame is not None else row.time_s}", row)
        for row in rows
        if row.is_vote
    ]
    return pd.DataFrame(
        {
            "frame": [before + frame for frame, _ in votes],
            "unit": [row.unit for _, row in votes],
            "rater": [before + row.rater for _, row in votes],
            "grade": pd.array([row.grade for _, row in votes], dtype="Int64"),
            "animal": [before + row.file for _, row in votes],
            "dataset": dataset,
        }
    )


def raters_needed(single: float) -> int | None:
    """Return the least k with Spearman–Brown reliability k·ρ / (1 + (k - 1)·ρ) ≥ 0.8.

    ρ is the reliability of one rater, ICC(2,1). None where ρ is not positive: no number of such
    raters is enough. Source: Spearman 1910 and Brown 1910, British Journal of Psychology 3.
    """
    if not math.isfinite(single) or single <= 0:
        return None
    if single >= RELIABILITY:
        return 1
    # The small allowance keeps 0.5 → exactly 4 from becoming 5 by rounding noise.
    return math.ceil(RELIABILITY / (1 - RELIABILITY) * (1 - single) / single - 1e-9)


def _units(
    table: pd.DataFrame, scale: Scale, draws: int, seed: int, raters: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The figures of every unit that got votes; those of its raters are written into `raters`."""
    found: dict[str, Any] = {}
    for unit in scale.units:
        votes = table[table["unit"] == unit.key]
        if votes.empty:
            continue
        ratings = _ratings(votes)
        codes, counts = cluster_draws(ratings.animals, draws, seed)
        # The first "draw" holds every animal once: the figures themselves.
        counts = np.vstack([np.ones((1, counts.shape[1]), np.int64), counts])
        if counts.shape[1] < FEWEST_ANIMALS:
            counts[1:] = 0  # one or two animals say nothing of others: intervals are unknown
        kappas = pair_kappas(ratings.grades, codes, counts, len(unit.grades))
        found[unit.key] = _unit_report(ratings, unit, codes, counts, kappas)
        biases = bias_draws(ratings.grades, codes, counts)
        for column, rater in enumerate(ratings.raters if raters is not None else ()):
            own = (raters or {})[rater]
            _put(own["kappa"], unit.key, kappas.mean(column))
            _put(own["bias"], unit.key, biases[:, column])
    return found


def _unit_report(
    ratings: _Ratings, unit: Unit, codes: Codes, counts: Codes, kappas: PairKappas
) -> dict[str, Any]:
    grades, scorable = ratings.grades, ratings.scorable
    with_state = np.where(np.isfinite(grades), grades, np.where(np.isfinite(scorable), -1, np.nan))
    one_way, single, mean = icc_draws(grades, codes, counts)
    out: dict[str, Any] = {
        "n_frames": int((np.isfinite(grades).sum(1) >= 2).sum()),
        "n_rated": len(grades),
        "n_raters": len(ratings.raters),
        "n_votes": int(np.isfinite(scorable).sum()),
        "k": int(np.isfinite(grades).any(0).sum()),
        "distribution": [_number(_share(grades, grade)) for grade in range(len(unit.grades))],
        "not_scorable": _number(1.0 - float(np.nanmean(scorable))),
        "raters_needed": raters_needed(float(single[0])),
    }
    _put(out, "kappa_pairwise_quadratic", kappas.mean())
    _put(out, "icc_1_1", one_way)
    _put(out, "icc_2_1", single)
    _put(out, "icc_2_k", mean)
    _put(out, "alpha", alpha_draws(grades, codes, counts, "ordinal"))
    _put(out, "exact", exact_draws(with_state, codes, counts))
    _put(out, "alpha_with_state", alpha_draws(with_state, codes, counts, "nominal"))
    _put(out, "scorable_alpha", alpha_draws(scorable, codes, counts, "interval"))
    return out


def _put(out: dict[str, Any], name: str, values: Table) -> None:
    """Write a figure, and its interval where there were draws: the first value is the figure."""
    out[name] = _number(float(values[0]))
    if len(values) > 1:
        out[f"{name}_interval"] = [_number(bound) for bound in percentile_interval(values[1:])]


@dataclass(frozen=True, eq=False)
class _Ratings:
    """One unit: `grades` and `scorable` (frames, raters), NaN for no vote; an animal per frame."""

    grades: Table
    scorable: Table
    animals: list[object]
    raters: list[str]


def _ratings(votes: pd.DataFrame) -> _Ratings:
    once = votes.drop_duplicates(["frame", "rater"], keep="first")
    frames, frame_names = pd.factorize(once["frame"])
    raters, rater_names = pd.factorize(once["rater"])
    values = pd.to_numeric(once["grade"]).to_numpy(dtype=np.float64, na_value=np.nan)
    grades = np.full((len(frame_names), len(rater_names)), np.nan)
    scorable = grades.copy()
    grades[frames, raters] = values
    scorable[frames, raters] = np.isfinite(values)
    animals: list[object] = once.drop_duplicates("frame")["animal"].tolist()
    return _Ratings(grades, scorable, animals, [str(name) for name in rater_names])


def _share(grades: Table, grade: int) -> float:
    known = int(np.isfinite(grades).sum())
    return float((grades == grade).sum()) / known if known else float("nan")


def _raters(table: pd.DataFrame) -> dict[str, Any]:
    """Per rater: votes and the share not scorable, with room for the figures per unit."""
    grades = pd.to_numeric(table["grade"]).astype("Float64")
    return {
        str(rater): {
            "n_votes": len(rows),
            "not_scorable": _number(float(rows.isna().mean())),
            "bias": {},
            "kappa": {},
        }
        for rater, rows in grades.groupby(table["rater"].astype(str), sort=True)
    }


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
