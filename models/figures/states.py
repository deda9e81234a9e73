"""Figures of the states, where the table tells which state was rendered.

Two errors pull against each other: grades given to sleeping animals, and animals in strong pain
taken for asleep. Both are told, with the frames that the gate of the states leaves.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.figures.table import Rows, numbers, texts
from models.scale import Scale
from models.stats.bootstrap import cluster_mean_interval

HIGH = 1.0
"""Mean grade from which a face counts as grimacing: every unit at least moderate on average."""


def state_figures(graded: pd.DataFrame, scale: Scale) -> dict[str, Any] | None:
    """Confusion of states and the shares that matter; None where no state is known to be true.

    The state with shut eyes that may be sleep or pain is the one whose reason is the unnamed one.
    A share has `share`, `n`, `n_animals`, `interval` (95 %, over animals) and, where it rests on a
    score, `ungated`: the share without the gate of the states.
    """
    truth, said = texts(graded, "true_state"), texts(graded, "state")
    known = np.isin(truth, scale.state_keys)
    if not known.any():
        return None
    awake = np.isin(truth, [state.key for state in scale.states if state.graded])
    asleep = truth == _state_for(scale, "sleep")
    unclear = truth == _state_for(scale, "unnamed")
    score, free = numbers(graded, "score"), numbers(graded, "score_ungated")
    ungated = free if "score_ungated" in graded else None
    scorable = awake & np.isfinite(numbers(graded, "truth"))
    pain = _pain(graded)
    animals = texts(graded, "animal")

    def told(rows: Rows, yes: Rows, without: Rows | None = None) -> dict[str, Any]:
        row = _share(rows, yes, animals)
        row["ungated"] = math.nan if without is None else _share(rows, without, animals)["share"]
        return row

    high_free = None if ungated is None else ungated >= HIGH
    kept_free = None if ungated is None else np.isfinite(ungated)
    passed = np.isin(said, [state.key for state in scale.states if state.graded])
    painful = scorable & (pain >= HIGH)
    return {
        "n": int(known.sum()),
        "keys": list(scale.state_keys),
        "confusion": _confusion(truth[known], said[known], scale),
        "right": _share(known, truth == said, animals),
        "asleep_graded_high": told(asleep, score >= HIGH, high_free),
        "asleep_graded": told(asleep, np.isfinite(score), kept_free),
        "unclear_taken_for_asleep": told(unclear, said == _state_for(scale, "sleep")),
        "unclear_graded": told(unclear, np.isfinite(score), kept_free),
        "awake_scorable_kept": told(scorable, np.isfinite(score), kept_free),
        "awake_scorable_called_awake": told(scorable, passed),
        "painful_awake_kept": told(painful, np.isfinite(score), kept_free),
        "painful_awake_called_awake": told(painful, passed),
        "painful_awake_taken_for_asleep": told(painful, said == _state_for(scale, "sleep")),
    }


def sleep_errors(graded: pd.DataFrame, scale: Scale) -> dict[str, Any]:
    """Both directions of the error about sleep, as the raters tell who sleeps and who is in pain.

    `asleep_graded_high`: frames most raters call asleep that get a score of at least HIGH;
    `pain_taken_for_asleep`: frames the raters grade at least HIGH that are called asleep. Shares
    with `n`, `n_animals` and `interval` (95 %, over animals); null where there are no such frames.
    """
    animals, score = texts(graded, "animal"), numbers(graded, "score")
    sleeping = _called_asleep(graded, scale.reason_because("sleep").key)
    painful = numbers(graded, "truth") >= HIGH
    taken = texts(graded, "state") == _state_for(scale, "sleep")
    return {
        "asleep_graded_high": _share(sleeping, score >= HIGH, animals),
        "pain_taken_for_asleep": _share(painful, taken, animals),
    }


def _called_asleep(graded: pd.DataFrame, reason: str) -> Rows:
    """Whether more than half of a frame's raters gave sleep as the reason not to grade it."""
    result = np.zeros(len(graded), bool)
    for row, cell in enumerate(graded["votes"]):
        said: dict[str, bool] = {}
        for vote in json.loads(cell) if isinstance(cell, str) and cell else ():
            said[vote["rater"]] = said.get(vote["rater"], False) or vote["reason"] == reason
        result[row] = sum(said.values()) * 2 > len(said)
    return result


def _pain(graded: pd.DataFrame) -> NDArray[np.float64]:
    """What was rendered, else what the oracle says, else what the raters say."""
    pain = numbers(graded, "true_pain")
    for column in ("oracle", "truth"):
        pain = np.where(np.isfinite(pain), pain, numbers(graded, column))
    return pain


def _state_for(scale: Scale, cause: Any) -> str:
    reason = scale.reason_because(cause).key
    return next((state.key for state in scale.states if state.reason == reason), "")


def _share(rows: Rows, yes: Rows, animals: NDArray[Any]) -> dict[str, Any]:
    held = yes[rows].astype(np.float64)
    return {
        "share": float(held.mean()) if held.size else math.nan,
        "n": int(held.size),
        "n_animals": len(set(animals[rows])),
        "interval": list(cluster_mean_interval(held, animals[rows].tolist())),
    }


def _confusion(truth: NDArray[Any], said: NDArray[Any], scale: Scale) -> list[list[int]]:
    keys = scale.state_keys
    return [[int(((truth == row) & (said == column)).sum()) for column in keys] for row in keys]
