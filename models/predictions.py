"""Grading the frames of a manifest: one row per frame with what is said and what raters said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.context import Context
from models.data.labels import image_scores, targets_of
from models.grader import SCORABLE, Grader
from models.manifest import targets
from models.records import Grade
from models.scale import Scale
from models.sequences import Sequence
from models.stats.ordinal import expected_grade

CARRIED = (
    "frame", "dataset", "lab", "animal", "observation", "assay", "coat", "sex", "strain",
    "time_point", "phantom", "random_share", "votes",
)  # fmt: skip


def with_truth(frames: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Origin and consensus of frames: `truth` (image score) and per unit mean, p, scorable."""
    result = frames[list(CARRIED)].reset_index(drop=True).copy()
    known = targets_of(frames, scale)
    result["truth"] = image_scores(known.above, known.scorable, scale.minimum_units)
    columns: dict[str, NDArray[Any]] = {}
    for unit in scale.units:
        p, scorable = targets(frames, unit.key, len(unit.grades))
        seen = np.isfinite(p).all(1) & ~(scorable < 0.5)
        columns[f"{unit.key}__truth"] = np.where(seen, expected_grade(p), np.nan)
        columns[f"{unit.key}__truth_scorable"] = scorable
        for grade in range(len(unit.grades)):
            columns[f"{unit.key}__truth_p{grade}"] = p[:, grade]
    return pd.concat([result, pd.DataFrame(columns)], axis=1)


def grade_frames(
    frames: pd.DataFrame, sequences: list[Sequence], grader: Grader, context: Context | None
) -> pd.DataFrame:
    """`with_truth` and the grader's verdict on each frame, given what was seen round them.

    Adds `score`, `reason`, `state`, and per unit `grade`, `expected`, `scorable`, `p0` …;
    NaN where nothing is graded. `score_ungated` and `U__expected_ungated` are what would be said
    whatever the state. Without a `context` the frame graph's own answers are judged.
    """
    scale = grader.scale
    absent = grader.faceless()
    scores = np.full((len(frames), 2), np.nan)
    reasons = np.full(len(frames), absent.reason or "", object)
    states = np.full(len(frames), absent.state, object)
    cells: list[dict[str, float]] = [_cells((), scale, absent.reason)] * len(frames)
    for sequence in sequences:
        if sequence.empty:
            continue
        seen, rows = sequence.labelled()
        said = sequence.answers(context) if context is not None else seen
        looked = grader.weigh(
            said.grades, said.scorable, said.states, seen.familiar, seen.embedding
        )
        for number, row in enumerate(rows):
            verdict = grader.verdict(seen.faces[number], looked, number, seen.shapes[number])
            free = _without_gate(verdict.grades, scale)
            scores[row, 0] = np.nan if verdict.image_score is None else verdict.image_score
            scores[row, 1] = np.mean(list(free.values())) if free else np.nan
            reasons[row], states[row] = verdict.reason or "", verdict.state
            cells[row] = {**_cells(verdict.grades, scale, verdict.reason), **free}
    result = with_truth(frames, scale)
    result["score"], result["score_ungated"] = scores.T
    result["reason"] = pd.Series(reasons, dtype=object)
    result["state"] = pd.Series(states, dtype=object)
    names = [*_columns(scale), *(_free(unit.key) for unit in scale.units)]
    return pd.concat([result, pd.DataFrame(cells, columns=names, dtype=np.float64)], axis=1)


def grade_by_constant(frames: pd.DataFrame, known: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """`with_truth` and the constant baseline: every frame gets the mean grades of `known`."""
    result = with_truth(frames, scale)
    base = with_truth(known, scale)
    means = constants(base, scale)
    cells: dict[str, Any] = {}
    for unit in scale.units:
        columns = [f"{unit.key}__truth_p{grade}" for grade in range(len(unit.grades))]
        p = base.loc[np.isfinite(base[f"{unit.key}__truth"]), columns].mean().to_numpy(np.float64)
        p = p if np.isfinite(p).all() else np.full(len(unit.grades), 1 / len(unit.grades))
        cells[f"{unit.key}__grade"] = float(np.floor(means[unit.key] + 0.5))
        cells[f"{unit.key}__expected"] = means[unit.key]
        cells[f"{unit.key}__scorable"] = 1.0
        for grade in range(len(unit.grades)):
            cells[f"{unit.key}__p{grade}"] = p[grade]
    result["score"] = result["score_ungated"] = means[""]
    result["reason"] = ""
    result["state"] = scale.graded_state.key
    constant = pd.DataFrame({name: np.full(len(result), value) for name, value in cells.items()})
    return pd.concat([result, constant[list(_columns(scale))]], axis=1)


def constants(known: pd.DataFrame, scale: Scale) -> dict[str, float]:
    """Mean image score (key "") and mean grade per unit of frames with truth; middle if none."""

    def mean(column: str, otherwise: float) -> float:
        values = known[column].to_numpy(np.float64)
        values = values[np.isfinite(values)]
        return float(values.mean()) if values.size else otherwise

    result = {unit.key: mean(f"{unit.key}__truth", unit.top_grade / 2) for unit in scale.units}
    return {"": mean("truth", float(np.mean(list(result.values())))), **result}


def _columns(scale: Scale) -> tuple[str, ...]:
    return tuple(
        f"{unit.key}__{part}"
        for unit in scale.units
        for part in (
            "grade",
            "expected",
            "scorable",
            *(f"p{grade}" for grade in range(len(unit.grades))),
        )
    )


def _free(unit: str) -> str:
    return f"{unit}__expected_ungated"


def _without_gate(grades: tuple[Grade, ...], scale: Scale) -> dict[str, float]:
    """Expected grades of the units that look scorable; none where these are too few for a score."""
    seen = {
        _free(grade.unit): float(expected_grade(grade.probabilities))
        for grade in grades
        if grade.scorable >= SCORABLE
    }
    return seen if len(seen) >= scale.minimum_units else {}


def _cells(grades: tuple[Grade, ...], scale: Scale, reason: str | None) -> dict[str, float]:
    cells = dict.fromkeys(_columns(scale), float("nan"))
    for grade in grades:
        cells[f"{grade.unit}__scorable"] = grade.scorable
        if grade.grade is None or reason is not None:
            continue
        cells[f"{grade.unit}__grade"] = float(grade.grade)
        cells[f"{grade.unit}__expected"] = float(expected_grade(grade.probabilities))
        for index, p in enumerate(grade.probabilities):
            cells[f"{grade.unit}__p{index}"] = p
    return cells
