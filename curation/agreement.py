"""From a table of ratings to the agreement report; the formulas are those of `models.stats`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from curation.labels.rows import LabelRow
from models.scale import Scale, Unit, load_scale
from models.stats.agreement import krippendorff_alpha, pairwise_kappa, variance_components
from models.stats.bootstrap import cluster_interval

Table = NDArray[np.float64]

COLUMNS = ("frame", "unit", "rater", "grade", "animal")
RELIABILITY = 0.8
"""The reliability of a consensus that “raters needed” refers to."""


def report(table: pd.DataFrame, draws: int = 200, seed: int = 0) -> dict[str, Any]:
    """Return how well raters agree, per unit, with 95 % intervals from resampled animals.

    `table` has one row per vote with the columns of `COLUMNS`; a missing `grade` is the vote *not
    scorable*, and a rater who did not vote has no row. Per unit: `kappa_pairwise_quadratic`,
    `icc_2_1`, `icc_2_k` (unbalanced data kept), `alpha` (Krippendorff, ordinal) over graded votes;
    `exact`, the share of pairs of votes that are the same, and `scorable_alpha` with not scorable
    as a category of its own; `raters_needed` for a consensus of reliability 0.8; `distribution`,
    the share of each grade among graded votes. The interval of a figure is beside it, as
    `<figure>_interval`. What cannot be computed is None. `draws=0` leaves the intervals out. Raises
    ValueError for a missing column.
    """
    absent = [name for name in COLUMNS if name not in table.columns]
    if absent:
        raise ValueError(f"the table of votes lacks {', '.join(absent)}")
    scale = load_scale()
    unknown = sorted(set(table["unit"].astype(str)) - set(scale.unit_keys))
    if unknown:
        raise ValueError(f"{unknown[0]} is no unit of the scale {scale.name}")
    units = {
        unit.key: _unit_report(table[table["unit"] == unit.key], unit, draws, seed)
        for unit in scale.units
        if (table["unit"] == unit.key).any()
    }
    return {
        "units": units,
        "raters": _raters(table, scale),
        "n_frames": int(table["frame"].nunique()),
        "n_animals": int(table["animal"].nunique()),
        "n_raters": int(table["rater"].nunique()),
        "draws": draws,
        "seed": seed,
    }


def table_of(rows: Iterable[LabelRow]) -> pd.DataFrame:
    """Return the votes of a score sheet as a table for :func:`report`.

    A sheet does not say which animal a file shows, so each file stands for one.
    """
    votes = [
        (f"{row.file}#{row.frame if row.frame is not None else row.time_s}", row)
        for row in rows
        if row.is_vote
    ]
    return pd.DataFrame(
        {
            "frame": [frame for frame, _ in votes],
            "unit": [row.unit for _, row in votes],
            "rater": [row.rater for _, row in votes],
            "grade": pd.array([row.grade for _, row in votes], dtype="Int64"),
            "animal": [row.file for _, row in votes],
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


def _unit_report(votes: pd.DataFrame, unit: Unit, draws: int, seed: int) -> dict[str, Any]:
    grades, scorable, animals = _tables(votes)
    categories = len(unit.grades)
    with_state = np.where(np.isfinite(grades), grades, np.where(np.isfinite(scorable), -1, np.nan))
    figures: dict[str, tuple[Table, Callable[[Table], float]]] = {
        "kappa_pairwise_quadratic": (grades, lambda table: pairwise_kappa(table, categories)),
        "icc_2_1": (grades, _icc_single),
        "icc_2_k": (grades, _icc_mean),
        "alpha": (grades, lambda table: krippendorff_alpha(table, "ordinal")),
        "exact": (with_state, _exact),
        "scorable_alpha": (scorable, lambda table: krippendorff_alpha(table, "interval")),
    }
    out: dict[str, Any] = {
        "n_frames": int((np.isfinite(grades).sum(1) >= 2).sum()),
        "n_rated": len(grades),
        "n_raters": int(np.isfinite(scorable).any(0).sum()),
        "n_votes": int(np.isfinite(scorable).sum()),
        "distribution": [_number(_share(grades, grade)) for grade in range(categories)],
        "not_scorable": _number(1.0 - float(np.nanmean(scorable))),
        "raters_needed": raters_needed(_icc_single(grades)),
    }
    for name, (table, formula) in figures.items():
        out[name] = _number(formula(table))
        if draws:
            bounds = cluster_interval(_of_rows(table, formula), animals, draws, seed)
            out[f"{name}_interval"] = [_number(bound) for bound in bounds]
    return out


def _icc_single(table: Table) -> float:
    """ICC(2,1); NaN where frames or raters are too few or share too little."""
    return _icc(table, 1)


def _icc_mean(table: Table) -> float:
    """ICC(2,k) of the mean of all raters; NaN as above."""
    return _icc(table, int(np.isfinite(table).any(0).sum()))


def _icc(table: Table, raters: int) -> float:
    try:
        return variance_components(table).icc(raters) if raters else float("nan")
    except np.linalg.LinAlgError:
        return float("nan")


def _of_rows(
    table: Table, formula: Callable[[Table], float]
) -> Callable[[NDArray[np.int64]], float]:
    return lambda rows: formula(table[rows])


def _tables(votes: pd.DataFrame) -> tuple[Table, Table, list[object]]:
    """Grades and scorable flags (frames, raters) with NaN for no vote, and the animals."""
    once = votes.drop_duplicates(["frame", "rater"], keep="first")
    frames, frame_names = pd.factorize(once["frame"])
    raters, rater_names = pd.factorize(once["rater"])
    values = pd.to_numeric(once["grade"]).to_numpy(dtype=np.float64, na_value=np.nan)
    grades = np.full((len(frame_names), len(rater_names)), np.nan)
    scorable = grades.copy()
    grades[frames, raters] = values
    scorable[frames, raters] = np.isfinite(values)
    first = once.drop_duplicates("frame")
    animals: list[object] = first["animal"].tolist()
    return grades, scorable, animals


def _share(grades: Table, grade: int) -> float:
    known = int(np.isfinite(grades).sum())
    return float((grades == grade).sum()) / known if known else float("nan")


def _exact(table: Table) -> float:
    """Share of pairs of raters that said the same, over all pairs within a frame."""
    known = np.isfinite(table).sum(1)
    pairs = float((known * (known - 1)).sum())
    same = sum(
        float((count * (count - 1)).sum())
        for value in np.unique(table[np.isfinite(table)])
        for count in [(table == value).sum(1)]
    )
    return same / pairs if pairs else float("nan")


def _raters(table: pd.DataFrame, scale: Scale) -> dict[str, Any]:
    """Per rater: votes, share not scorable, and per unit the mean distance from the others."""
    out: dict[str, Any] = {}
    grades = pd.to_numeric(table["grade"]).astype("Float64")
    for rater, rows in grades.groupby(table["rater"].astype(str), sort=True):
        out[str(rater)] = {
            "n_votes": len(rows),
            "not_scorable": _number(float(rows.isna().mean())),
            "bias": {},
        }
    for key in scale.unit_keys:
        votes = table[table["unit"] == key]
        if votes.empty:
            continue
        tables = _tables(votes)[0]
        names = [str(name) for name in pd.factorize(votes["rater"])[1]]
        known = np.isfinite(tables)
        total, number = np.nansum(tables, axis=1), known.sum(1)
        for column, rater in enumerate(names):
            shared = known[:, column] & (number >= 2)
            others = (total - tables[:, column])[shared] / (number[shared] - 1)
            bias = float((tables[shared, column] - others).mean()) if shared.any() else math.nan
            out[rater]["bias"][key] = _number(bias)
    return out


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
