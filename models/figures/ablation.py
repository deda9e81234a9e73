"""What the seconds round a frame are worth: the same frames graded with and without context.

Where one picture says little, in and near a blink, in motion blur, in grooming, context should help
most; so the difference is told for these frames apart. Both tables are those of
`models.predictions.grade_frames`, with the optional columns of `models.figures.table`.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.figures.table import Array, Rows, numbers, texts, with_evaluation, without_nan
from models.scale import Scale
from models.stats.bootstrap import cluster_draws, percentile_interval

NEAR_S = 0.5
"""Seconds from a blink within which a frame counts as near it."""
ALL, NEAR_BLINK, BLURRED = "all", "near_blink", "blurred"
HOLDING = "recordings_with_"
"""Before another kind: all frames of the observations that hold a frame of it. Raters give no score
to a frame that is blurred or shows grooming; what it does to its neighbours can be told."""


def ablation_figures(
    with_context: pd.DataFrame,
    without: pd.DataFrame,
    scale: Scale,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Errors with and without context over all frames and over kinds of frames; NaN becomes null.

    The tables hold the same frames; optional columns (`evaluation_votes`, `true_state`,
    `true_blink_s`) are read from the first. Kinds: `all`; `near_blink`, at most NEAR_S from one;
    `blurred`, by at least half of the raters; every state but the graded one; and each of these
    again as `recordings_with_…`, all frames of the observations that hold such a frame. Of a kind:
    `n`, `n_animals`; `score`, the RMSE of the image score over frames that both graded, `ungated`
    the same without the gate of the states, `units` that of each unit; `graded`, the share given a
    score, where the raters gave one too or where they did not (`graded_needlessly`); `state_right`,
    the share whose true state is named. Each has `with`, `without`, `difference` (with - without)
    and its 95 % `interval` over animals. Raises ValueError where the frames differ.
    """
    theirs = without.set_index("frame").reindex(with_context["frame"]).reset_index()
    if len(without) != len(with_context) or theirs["animal"].isna().any():
        raise ValueError("the tables with and without context hold different frames")
    table, _ = with_evaluation(with_context.reset_index(drop=True), scale)
    kinds = _kinds(table, scale)
    return {
        "near_s": NEAR_S,
        "kinds": {
            name: without_nan(_kind(table, theirs, rows, scale, draws, seed))
            for name, rows in kinds.items()
            if rows.any()
        },
    }


def _kinds(table: pd.DataFrame, scale: Scale) -> dict[str, Rows]:
    true = texts(table, "true_state")
    blurred = scale.reason_because("blur").key
    some = {
        NEAR_BLINK: numbers(table, "true_blink_s") <= NEAR_S,
        BLURRED: np.array([_share_saying(cell, blurred) >= 0.5 for cell in table["votes"]]),
        **{state.key: true == state.key for state in scale.states if not state.graded},
    }
    film = table["animal"].astype(str) + "|" + table["observation"].astype(str)
    holding = {HOLDING + name: film.isin(film[rows]).to_numpy() for name, rows in some.items()}
    return {ALL: np.ones(len(table), bool), **some, **holding}


def _share_saying(cell: Any, reason: str) -> float:
    """The share of a frame's raters who gave this reason for any unit."""
    votes = json.loads(cell) if isinstance(cell, str) and cell else []
    raters = {vote["rater"] for vote in votes}
    saying = {vote["rater"] for vote in votes if vote["reason"] == reason}
    return len(saying) / len(raters) if raters else 0.0


def _kind(
    table: pd.DataFrame, theirs: pd.DataFrame, rows: Rows, scale: Scale, draws: int, seed: int
) -> dict[str, Any]:
    animals = texts(table, "animal")
    truth = numbers(table, "truth")
    rated = np.isfinite(truth)

    def rmse(column: str, target: Array) -> dict[str, Any]:
        one, two = numbers(table, column), numbers(theirs, column)
        both = rows & np.isfinite(target) & np.isfinite(one) & np.isfinite(two)
        squares = [(values - target) ** 2 for values in (one, two)]
        return _paired(squares, both, animals, draws, seed, np.sqrt)

    def share(yes: list[Rows], among: Rows) -> dict[str, Any]:
        return _paired(
            [part.astype(np.float64) for part in yes], rows & among, animals, draws, seed
        )

    scored = [np.isfinite(numbers(part, "score")) for part in (table, theirs)]
    true = texts(table, "true_state")
    right = [texts(part, "state") == true for part in (table, theirs)]
    return {
        "n": int(rows.sum()),
        "n_animals": len(set(animals[rows])),
        "score": rmse("score", truth),
        "ungated": rmse("score_ungated", truth),
        "units": {
            key: rmse(f"{key}__expected", numbers(table, f"{key}__truth"))
            for key in scale.unit_keys
        },
        "graded": share(scored, rated),
        "graded_needlessly": share(scored, ~rated),
        "state_right": share(right, true != ""),
    }


def _paired(
    values: list[Array],
    rows: Rows,
    animals: NDArray[Any],
    draws: int,
    seed: int,
    of_mean: Any = lambda mean: mean,
) -> dict[str, Any]:
    """Means of both columns over some rows, their difference and its interval over animals."""
    result: dict[str, Any] = {
        "n": int(rows.sum()),
        "with": math.nan,
        "without": math.nan,
        "difference": math.nan,
        "interval": [math.nan, math.nan],
    }
    if not rows.any():
        return result
    columns = np.stack([np.ones(int(rows.sum())), *(column[rows] for column in values)])
    n, *totals = columns.sum(1)
    ours, others = (float(of_mean(total / n)) for total in totals)
    result |= {"with": ours, "without": others, "difference": ours - others}
    if len(set(animals[rows])) >= 2:
        codes, counts = cluster_draws(animals[rows].tolist(), draws, seed)
        sums = np.stack([np.bincount(codes, part, minlength=counts.shape[1]) for part in columns])
        drawn_n, *drawn = (counts @ sums.T).T
        one, two = (of_mean(total / drawn_n) for total in drawn)
        result["interval"] = list(percentile_interval(one - two))
    return result
