"""The content of report.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.figures.frames import coat_gap, image_figures, more_of_unit, risk_figures, unit_figures
from models.figures.humans import observation_pairs
from models.figures.observations import (
    ORIGIN,
    observation_codes,
    observation_figures,
    observation_scores,
)
from models.figures.sets import set_figures
from models.figures.states import sleep_errors, state_figures
from models.figures.table import (
    Votes,
    read_votes,
    with_evaluation,
    without_gate,
    without_nan,
)
from models.scale import Scale

FORMAT = 1
PHANTOM_SENTENCE = (
    "These figures rest on phantom data, rendered mouse faces with simulated raters: they show "
    "that the machinery works and say nothing about real mice."
)
REAL_SENTENCE = (
    "These figures rest on the grades of human raters. A score is a research measure, not a "
    "welfare or veterinary decision, and a low score does not mean that there is no pain."
)
GROUPINGS: dict[str, tuple[str, ...]] = {
    "coat": ("coat",),
    "lab": ("lab",),
    "assay": ("assay",),
    "sex": ("sex",),
    "lab_coat": ("lab", "coat"),
}


def judged(frames: pd.DataFrame) -> pd.DataFrame:
    """The frames statistics may rest on: the random share, or all where nothing was chosen."""
    return frames.iloc[judged_rows(frames)].reset_index(drop=True)


def judged_rows(frames: pd.DataFrame) -> NDArray[np.int64]:
    """Which rows `judged` keeps."""
    share = np.flatnonzero(frames["random_share"].to_numpy(bool))
    return share if len(share) else np.arange(len(frames))


def compute_report(
    graded: pd.DataFrame,
    constant: dict[str, float],
    scale: Scale,
    *,
    split: str,
    benchmark_digest: str,
    training: dict[str, Any],
    draws: int = 400,
    seed: int = 0,
    sets: Mapping[str, Any] | None = None,
    explanation: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of report.json from `models.predictions.grade_frames`; NaN becomes null.

    `constant` are the baselines of `models.predictions.constants`; `sets` is that part of
    `calibration.json`, `explanation` what `models.explain.faithfulness` measured. RMSE and the like
    are over frames that both the raters and the model graded; `coverage` is the share of frames
    graded by the raters that the model graded too. `models.figures.table` names the optional
    columns; with evaluation raters the figures are against them. `ungated` holds the figures that
    depend on it without the gate of the states.
    """
    phantom = bool(graded["phantom"].any())
    table, evaluated = with_evaluation(graded, scale)
    votes = read_votes(table["votes"], scale.unit_keys)
    free = without_gate(table, scale)
    reasons = graded["reason"][graded["reason"] != ""].value_counts()
    report = {
        "format": FORMAT,
        "phantom": phantom,
        "split": split,
        "benchmark_digest": benchmark_digest,
        "n_frames": len(graded),
        "n_animals": int(graded["animal"].nunique()),
        "n_labs": int(graded["lab"].nunique()),
        "random_share": bool(graded["random_share"].all()),
        "truth": "raters asked for this evaluation" if evaluated else "raters",
        **_figures(table, votes, constant, scale, draws, seed),
        "ungated": None if free is None else _figures(free, votes, constant, scale, draws, seed),
        "sets": set_figures(table, sets, scale),
        "state_figures": state_figures(table, scale),
        "sleep": sleep_errors(table, scale),
        "explanation": explanation,
        "reasons": {str(key): int(count) for key, count in reasons.items()},
        "states": {str(k): int(n) for k, n in graded["state"].value_counts().items()},
        "training": training,
        "sentence": PHANTOM_SENTENCE if phantom else REAL_SENTENCE,
    }
    plain: dict[str, Any] = without_nan(report)
    return plain


def _figures(
    table: pd.DataFrame,
    votes: Votes,
    constant: dict[str, float],
    scale: Scale,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """The figures that are told with and without the gate of the states."""
    observations = observation_scores(table, scale)
    _, codes = observation_codes(table)
    pairs, whose = observation_pairs(votes, codes, scale)
    origin = table.iloc[np.unique(codes, return_index=True)[1]].reset_index(drop=True)
    humans = pd.DataFrame({"own": pairs[:, 0], "others": pairs[:, 1]}).join(
        origin.iloc[whose].reset_index(drop=True)[list(ORIGIN)]
    )
    return {
        "image_score": image_figures(table, votes, scale, constant[""], draws, seed),
        "units": {
            unit.key: {
                **unit_figures(table, votes, scale, unit, constant[unit.key]),
                **more_of_unit(table, votes, scale, unit, draws, seed),
            }
            for unit in scale.units
        },
        "by": {
            name: _slices(
                table, votes, columns, (observations, humans), constant, scale, draws, seed
            )
            for name, columns in GROUPINGS.items()
        },
        "coat_gap": coat_gap(table, scale, draws, seed),
        "observation": observation_figures(observations, pairs, constant[""], draws, seed),
        "risk_coverage": risk_figures(table, scale),
    }


def _slices(
    table: pd.DataFrame,
    votes: Votes,
    columns: tuple[str, ...],
    observations: tuple[pd.DataFrame, pd.DataFrame],
    constant: dict[str, float],
    scale: Scale,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """The figures of every slice; `kappa` is the mean over units that have one.

    `observations` are those of the model and those of one rater against the others.
    """
    result: dict[str, Any] = {}
    for key, rows in table.reset_index(drop=True).groupby(list(columns), sort=True):
        name = "|".join(str(part) for part in key)
        seen = votes.at(rows.index.to_numpy())
        units = {
            unit.key: unit_figures(rows, seen, scale, unit, constant[unit.key])
            for unit in scale.units
        }
        ours, humans = (_where(part, columns, key) for part in observations)
        result[name or "unknown"] = {
            **image_figures(rows, seen, scale, constant[""], draws, seed),
            **{kind: _mean([row[kind] for row in units.values()]) for kind in ("kappa", "ece")},
            "human_kappa": _mean([row["human_kappa"] for row in units.values()]),
            "units": units,
            "observation": observation_figures(
                ours, humans[["own", "others"]].to_numpy(np.float64), constant[""]
            ),
        }
    return result


def _where(table: pd.DataFrame, columns: tuple[str, ...], key: tuple[Any, ...]) -> pd.DataFrame:
    for column, value in zip(columns, key, strict=True):
        table = table[table[column].astype(str) == str(value)]
    return table


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
