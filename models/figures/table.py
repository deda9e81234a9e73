"""The table that figures are computed from: one row per frame, every optional column tolerated.

`models.predictions.grade_frames` names the columns that are always there. Optional ones, U being a
unit and g a grade:

- `evaluation_votes`: votes (the JSON of `votes`) of raters asked for this evaluation only. They
  become the truth and the human baseline. Ready-made columns may stand for them:
  `evaluation_truth`, `U__evaluation_truth`, `U__evaluation_p<g>`, `U__evaluation_scorable`.
- `oracle`, `U__oracle`: the expected grade given what was rendered, the best any model can do.
- `true_state`: key of the state that was rendered; `true_pain`: rendered mean intensity in grades;
  `true_blink_s`: seconds to the nearest frame in which the animal blinks.
- `score_ungated`, `U__expected_ungated`: what would be said without the gate of the states.
- `confidence`: any number that is larger for frames that are more certain.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.scale import Scale, Unit
from models.stats.ordinal import expected_grade, nearest_grade

Array = NDArray[np.float64]
Rows = NDArray[np.bool_]


@dataclass(frozen=True)
class Votes:
    """Grades of n frames by up to R raters: `grades` (n, R, units), NaN where there is none.

    `raters` (n, R) numbers that stand for the raters' names, -1 where nobody is.
    """

    grades: Array
    raters: NDArray[np.int64]

    def at(self, rows: NDArray[Any]) -> Votes:
        """The votes of some frames."""
        return Votes(self.grades[rows], self.raters[rows])

    def of_unit(self, index: int) -> Array:
        """Grades (n, R) of one unit."""
        return np.asarray(self.grades[:, :, index])


def read_votes(cells: pd.Series, units: Sequence[str]) -> Votes:
    """The votes of every row's JSON cell for the units of these keys."""
    place = {key: index for index, key in enumerate(units)}
    number: dict[str, int] = {}
    frames: list[dict[int, list[tuple[int, float]]]] = []
    for cell in cells:
        by_rater: dict[int, list[tuple[int, float]]] = {}
        for vote in json.loads(cell) if isinstance(cell, str) and cell else ():
            if vote["grade"] is not None and vote["unit"] in place:
                rater = number.setdefault(vote["rater"], len(number))
                by_rater.setdefault(rater, []).append((place[vote["unit"]], float(vote["grade"])))
        frames.append(by_rater)
    most = max((len(frame) for frame in frames), default=0)
    grades = np.full((len(frames), most, len(place)), np.nan)
    raters = np.full((len(frames), most), -1, np.int64)
    for row, frame in enumerate(frames):
        for column, (rater, given) in enumerate(frame.items()):
            raters[row, column] = rater
            for unit, grade in given:
                grades[row, column, unit] = grade
    return Votes(grades, raters)


def numbers(frames: pd.DataFrame, column: str) -> Array:
    """A column as float64, all NaN where the table has no such column."""
    if column not in frames:
        return np.full(len(frames), np.nan)
    return frames[column].to_numpy(np.float64)


def shares(frames: pd.DataFrame, unit: Unit, part: str) -> Array:
    """Probabilities (n, grades) of a unit from the columns `U__<part>0` …"""
    columns = [numbers(frames, f"{unit.key}__{part}{g}") for g in range(len(unit.grades))]
    return np.stack(columns, axis=1)


def texts(frames: pd.DataFrame, column: str) -> NDArray[Any]:
    """A column as strings, empty where a value or the column is missing."""
    if column not in frames:
        return np.full(len(frames), "", object)
    return np.array(["" if v is None or v != v else str(v) for v in frames[column]], object)


def with_evaluation(graded: pd.DataFrame, scale: Scale) -> tuple[pd.DataFrame, bool]:
    """The table with the evaluation raters as truth, and whether there were any.

    The truth of a unit is the mean of the raters who graded it, where at least half of them did;
    the image score is the mean over those units, at least the scale's `minimum_units`.
    """
    told = {"evaluation_votes", "evaluation_truth"} & set(graded)
    if not told:
        return graded, False
    columns: dict[str, Any] = {}
    if "evaluation_votes" in told:
        columns = _from_votes(read_votes(graded["evaluation_votes"], scale.unit_keys), scale)
        columns["votes"] = graded["evaluation_votes"]
    given = {"evaluation_truth": "truth"}
    for unit in scale.units:
        given[f"{unit.key}__evaluation_truth"] = f"{unit.key}__truth"
        for part in ("scorable", *(f"p{grade}" for grade in range(len(unit.grades)))):
            given[f"{unit.key}__evaluation_{part}"] = f"{unit.key}__truth_{part}"
    columns |= {ours: graded[theirs] for theirs, ours in given.items() if theirs in graded}
    return graded.assign(**columns), True


def _from_votes(votes: Votes, scale: Scale) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    asked = np.maximum((votes.raters >= 0).sum(1), 1)
    means = np.full((len(votes.grades), len(scale.units)), np.nan)
    for index, unit in enumerate(scale.units):
        given = votes.of_unit(index)
        count = np.isfinite(given).sum(1)
        seen = count / asked
        for grade in range(len(unit.grades)):
            share = (given == grade).sum(1) / np.maximum(count, 1)
            columns[f"{unit.key}__truth_p{grade}"] = np.where(count > 0, share, np.nan)
        mean = np.nansum(given, axis=1) / np.maximum(count, 1)
        means[:, index] = np.where((count > 0) & (seen >= 0.5), mean, np.nan)
        columns[f"{unit.key}__truth"] = means[:, index]
        columns[f"{unit.key}__truth_scorable"] = np.where(votes.raters.max(1) >= 0, seen, np.nan)
    known = np.isfinite(means).sum(1)
    score = np.nansum(means, axis=1) / np.maximum(known, 1)
    columns["truth"] = np.where(known >= scale.minimum_units, score, np.nan)
    return columns


def without_gate(graded: pd.DataFrame, scale: Scale) -> pd.DataFrame | None:
    """The table as it would be if states withheld no grade; None where it is not told."""
    if "score_ungated" not in graded:
        return None
    columns: dict[str, Any] = {"score": numbers(graded, "score_ungated")}
    for unit in scale.units:
        expected = numbers(graded, f"{unit.key}__expected_ungated")
        said = np.isfinite(expected)
        columns[f"{unit.key}__expected"] = expected
        columns[f"{unit.key}__grade"] = np.where(
            said, nearest_grade(np.where(said, expected, 0.0)), np.nan
        )
        for grade in range(len(unit.grades)):
            name = f"{unit.key}__p{grade}"
            columns[name] = numbers(graded, f"{name}_ungated")
    return graded.assign(**columns)


def stated_spread(graded: pd.DataFrame, scale: Scale) -> Array:
    """Standard deviation (n,) of the image score from the stated probabilities, units independent.

    √(Σ_u Var_u) / U over the U units that have probabilities; NaN without any.
    """
    total, count = np.zeros(len(graded)), np.zeros(len(graded))
    for unit in scale.units:
        p = shares(graded, unit, "p")
        known = np.isfinite(p).all(1)
        grade = np.arange(p.shape[1], dtype=np.float64)
        variance = np.where(known, p @ grade**2 - expected_grade(p) ** 2, 0.0)
        total, count = total + variance, count + known
    return np.where(count > 0, np.sqrt(np.maximum(total, 0)) / np.maximum(count, 1), np.nan)


def without_nan(value: Any) -> Any:
    """The same structure with NaN and infinities as None and numpy numbers as plain ones."""
    if isinstance(value, dict):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if isinstance(value, np.ndarray):
        return without_nan(value.tolist())
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
