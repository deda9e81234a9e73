"""Which frames of a recording are shown: those the model is surest of, and the least sure.

Of every SHOWN_S seconds one frame may be shown, so that whoever scores can keep its picture
(`models.gallery`); neighbours look alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.records import Prediction

Array = NDArray[np.float64]

BEST = 6
BEST_APART_S = 0.5
SHOWN_S = 0.2
"""Of the frames of a cell of this length the first may be shown."""
APART = 7
"""Most cells that one frame shown takes, with those nearer to it than BEST_APART_S."""


@dataclass(frozen=True)
class Best:
    """A frame worth a look: timestamp in time base units, seconds, place in the recording.

    `frame` is None where the recording was not counted from its beginning; the timestamp names the
    frame in any case.
    """

    pts: int
    time_s: float
    frame: int | None


class Frames(Protocol):
    """What is asked of n frames in order of time; `certainty` counts where `graded`."""

    @property
    def index(self) -> NDArray[np.int64]: ...
    @property
    def pts(self) -> NDArray[np.int64]: ...
    @property
    def time_s(self) -> Array: ...
    @property
    def graded(self) -> NDArray[np.bool_]: ...
    @property
    def certainty(self) -> Array: ...


def certainty(one: Prediction) -> float:
    """How sure the model is of a frame: the mean over units of p(grade) · p(scorable), 0 to 1."""
    sure = [
        max(unit.probabilities) * unit.scorable for unit in one.grades if unit.grade is not None
    ]
    return sum(sure) / len(one.grades)


def cell_of(times: Array) -> NDArray[np.int64]:
    """The cells of SHOWN_S seconds in which times (n,) lie."""
    return np.floor(times / SHOWN_S + 1e-6).astype(np.int64)


def surest(frames: Frames) -> tuple[Best, ...]:
    """The frames the model is surest of, in order of time."""
    order = np.argsort(-frames.certainty, kind="stable")
    return _chosen(frames, order[_among(frames)[order]])


def least_sure(frames: Frames) -> tuple[Best, ...]:
    """The graded frames of which the model is least sure, none of which is among the surest half.

    In a short recording they would else be the surest ones.
    """
    sure = frames.certainty[frames.graded]
    if not len(sure):
        return ()
    unsure = _among(frames) & (frames.certainty < np.median(sure))
    order = np.argsort(frames.certainty, kind="stable")
    return _chosen(frames, order[unsure[order]])


def _among(frames: Frames) -> NDArray[np.bool_]:
    """The graded frames that may be shown (n,): the first of each cell, or all where none of those
    is graded."""
    cells = cell_of(frames.time_s)
    first = np.ones(len(cells), np.bool_)
    first[1:] = cells[1:] != cells[:-1]
    among = frames.graded & first
    return among if among.any() else frames.graded


def _chosen(frames: Frames, order: NDArray[np.int64]) -> tuple[Best, ...]:
    chosen: list[int] = []
    for i in order:
        if len(chosen) == BEST:
            break
        if all(abs(frames.time_s[i] - frames.time_s[j]) >= BEST_APART_S for j in chosen):
            chosen.append(int(i))
    return tuple(
        Best(
            int(frames.pts[i]),
            float(frames.time_s[i]),
            int(frames.index[i]) if frames.index[i] >= 0 else None,
        )
        for i in sorted(chosen)
    )
