"""From the rows of a manifest to targets: grades, scorable, states, and which frames to use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.manifest import targets, votes_of
from models.records import Vote
from models.scale import Scale

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Targets:
    """Targets of n frames; see `models.data.stream.Labelled` for the shapes."""

    above: Array
    scorable: Array
    states: Array


def targets_of(frames: pd.DataFrame, scale: Scale) -> Targets:
    """Targets of the rows of a manifest."""
    steps = max(unit.top_grade for unit in scale.units)
    above = np.full((len(frames), len(scale.units), steps), np.nan)
    scorable = np.full((len(frames), len(scale.units)), np.nan)
    for index, unit in enumerate(scale.units):
        p, scorable[:, index] = targets(frames, unit.key, len(unit.grades))
        tail = np.cumsum(p[:, ::-1], axis=1)[:, ::-1]
        above[:, index, : unit.top_grade] = np.clip(tail[:, 1:], 0, 1)
    allowed = [_allowed(votes_of(cell), scale) for cell in frames["votes"]]
    states = np.array(allowed, np.float64).reshape(len(frames), len(scale.states))
    return Targets(above, scorable, states)


def _allowed(votes: tuple[Vote, ...], scale: Scale) -> list[float]:
    """1 for every state that the majority of raters' votes leaves possible.

    A rater who graded something saw a graded state. One who graded nothing saw a state that is not
    graded: the one whose reason they gave, or any of them where the reason says no more.
    """
    by_rater: dict[str, list[Vote]] = {}
    for vote in votes:
        by_rater.setdefault(vote.rater, []).append(vote)
    graded, refused = 0, []
    for cells in by_rater.values():
        if any(vote.grade is not None for vote in cells):
            graded += 1
        elif len(cells) >= scale.minimum_units:
            reasons = [vote.reason for vote in cells if vote.reason]
            refused.append(max(sorted(set(reasons)), key=reasons.count) if reasons else "")
    if not graded and not refused:
        return [0.0] * len(scale.states)
    if graded >= len(refused):
        return [float(state.graded) for state in scale.states]
    fallback = scale.unknown_state.key
    exact = [
        state.key
        for state in scale.states
        if not state.graded and state.reason in refused and state.key != fallback
    ]
    if exact:
        return [float(state.key in exact) for state in scale.states]
    return [float(state.key == fallback) for state in scale.states]


def image_scores(above: Array, scorable: Array, minimum_units: int) -> Array:
    """Mean expected grade of the units that are scorable (n,); NaN under `minimum_units` of them.

    The expected grade is Σ_k P(grade > k).
    """
    grade = np.where(np.isfinite(above), above, 0).sum(2)
    known = np.isfinite(above).any(2) & ~(scorable < 0.5)
    count = known.sum(1)
    total = np.where(known, grade, 0).sum(1)
    return np.where(count >= minimum_units, total / np.maximum(count, 1), np.nan)


def shuffled(frames: pd.DataFrame, columns: list[str], seed: int) -> pd.DataFrame:
    """The frames with their targets and votes dealt anew among them: a negative control."""
    order = np.random.default_rng(seed).permutation(len(frames))
    result: dict[str, Any] = {name: frames[name].to_numpy() for name in frames.columns}
    for name in columns:
        result[name] = result[name][order]
    return pd.DataFrame(result)
