"""A table of graded frames as an evaluation makes it, drawn instead of rendered and looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.scale import Scale
from models.stats.ordinal import expected_grade, nearest_grade

Table = Callable[..., pd.DataFrame]
LABS = ("north", "south", "west")
FRAMES = 6


def state_of(scale: Scale, cause: Any) -> str:
    """The key of the state that is not graded for a cause."""
    reason = scale.reason_because(cause).key
    return next(state.key for state in scale.states if state.reason == reason)


def votes(names: list[str], grades: np.ndarray, scale: Scale) -> str:
    """The cell `votes` of one frame from grades (raters, units), NaN where not scorable."""
    return json.dumps(
        [
            {"rater": name, "unit": unit, "grade": None if np.isnan(g) else int(g),
             "reason": None, "weight": 1.0, "source": ""}
            for name, row in zip(names, grades, strict=True)
            for unit, g in zip(scale.unit_keys, row, strict=True)
        ]
    )  # fmt: skip


@pytest.fixture(scope="session")
def table(scale: Scale) -> Table:
    return lambda **choices: draw_table(scale, **choices)


def draw_table(
    scale: Scale, animals: int = 12, frames: int = FRAMES, seed: int = 0, full: bool = True
) -> pd.DataFrame:
    """Frames of animals at two observations, raters and a model that both err.

    With `full` the optional columns are there: evaluation raters, oracle, true states, ungated.
    """
    rng = np.random.default_rng(seed)
    awake, asleep = scale.graded_state.key, state_of(scale, "sleep")
    unclear = state_of(scale, "unnamed")
    rows: list[dict[str, Any]] = []
    for animal in range(animals):
        lab, coat = LABS[animal % 3], scale.coats[(animal // 3) % 2].key
        for when, pain in (("after", rng.uniform(0.6, 1.8)), ("baseline", rng.uniform(0, 0.4))):
            for frame in range(frames):
                true = np.clip(pain + rng.normal(0, 0.25, len(scale.units)), 0, 2)
                state = rng.choice([awake, asleep, unclear], p=[0.84, 0.1, 0.06])
                said = state if rng.random() < 0.9 else awake
                row = {
                    "frame": f"F{animal:03d}{when}{frame}", "dataset": "AMGS-000001/1", "lab": lab,
                    "animal": f"A{animal:03d}", "observation": when, "assay": "post_surgical",
                    "coat": coat, "sex": "fm"[animal % 2], "strain": "", "time_point": when,
                    "phantom": True, "random_share": True, "state": said,
                }  # fmt: skip
                ratings = true + rng.normal(0, 0.45, (11, len(scale.units)))
                ratings = np.clip(np.round(ratings), 0, 2)
                ratings[rng.random(ratings.shape) < 0.08] = np.nan
                if state != awake:
                    ratings[:] = np.nan
                if full:
                    row |= {"oracle": true.mean(), "true_state": state, "true_pain": true.mean()}
                    row["evaluation_votes"] = votes([f"e{n}" for n in range(8)], ratings[3:], scale)
                row["votes"] = votes([f"{lab}{n}" for n in range(3)], ratings[:3], scale)
                row |= _said(scale, true, ratings[:3], said == awake, rng, full)
                rows.append(row)
    return pd.DataFrame(rows)


def _said(
    scale: Scale,
    true: np.ndarray,
    ratings: np.ndarray,
    graded: bool,
    rng: np.random.Generator,
    full: bool,
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    truths, scores = [], []
    for index, unit in enumerate(scale.units):
        given = ratings[:, index][np.isfinite(ratings[:, index])]
        sure = np.exp(-((np.arange(3) - true[index] - rng.normal(0, 0.2)) ** 2) / 0.5)
        p = sure / sure.sum()
        for grade in range(3):
            share = float(np.mean(given == grade)) if len(given) else np.nan
            row[f"{unit.key}__truth_p{grade}"] = share
            row[f"{unit.key}__p{grade}"] = p[grade] if graded else np.nan
        expected = float(expected_grade(p))
        truth = float(given.mean()) if len(given) >= 2 else np.nan
        row[f"{unit.key}__truth"] = truth
        row[f"{unit.key}__truth_scorable"] = len(given) / 3
        row[f"{unit.key}__scorable"] = 0.9
        row[f"{unit.key}__expected"] = expected if graded else np.nan
        row[f"{unit.key}__grade"] = float(nearest_grade(expected)) if graded else np.nan
        if full:
            row[f"{unit.key}__oracle"] = true[index]
            row[f"{unit.key}__expected_ungated"] = expected
        truths.append(truth)
        scores.append(expected)
    known = np.isfinite(truths)
    row["truth"] = float(np.nanmean(truths)) if known.sum() >= scale.minimum_units else np.nan
    row["score"] = float(np.mean(scores)) if graded else np.nan
    if full:
        row["score_ungated"] = float(np.mean(scores))
    row["reason"] = "" if graded else scale.reasons[0].key
    return row
