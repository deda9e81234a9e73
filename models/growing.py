"""What is known of a recording while it is still being scored: a coarse course that grows.

Unit by unit as in `models.result`, but in sums: a part of a recording adds its own without knowing
the others, and parts are joined by adding. No interval, no score of the whole: a first look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from models.records import Prediction
from models.result import BIN_WIDTHS_S, MOST_BINS
from models.scale import Scale

Cells = dict[int, list[float]]
"""Per bin: frames, graded frames, then per unit how many grades and their sum."""


def width_for(length_s: float) -> float:
    """The width in seconds of the bins of a recording of this length."""
    fitting = (width for width in BIN_WIDTHS_S if length_s <= width * MOST_BINS)
    return next(fitting, BIN_WIDTHS_S[-1])


class Growing:
    """Collects predictions into bins of `width_s` seconds on an absolute grid of time."""

    def __init__(self, scale: Scale, width_s: float) -> None:
        self.width_s = width_s
        self.frames = self.graded = 0
        self._place = {key: number for number, key in enumerate(scale.unit_keys)}
        self._cells: Cells = {}

    def see(self, one: Prediction) -> None:
        """Add one frame."""
        number = int(np.floor(one.time_s / self.width_s + 1e-9))
        cell = self._cells.get(number)
        if cell is None:
            cell = self._cells[number] = [0.0] * (2 + 2 * len(self._place))
        self.frames += 1
        cell[0] += 1
        if one.image_score is None:
            return
        self.graded += 1
        cell[1] += 1
        for grade in one.grades:
            if grade.grade is not None:
                at = 2 + 2 * self._place[grade.unit]
                cell[at] += 1
                cell[at + 1] += sum(k * p for k, p in enumerate(grade.probabilities))

    def to_json(self) -> dict[str, Any]:
        """The bins as plain numbers, for `course`."""
        return {
            "width_s": self.width_s,
            "frames": self.frames,
            "graded": self.graded,
            "cells": [[number, *cell] for number, cell in sorted(self._cells.items())],
        }


def course(parts: Iterable[Mapping[str, Any]], scale: Scale) -> dict[str, Any]:
    """The parts of a recording as one course: frames, graded frames, coverage and bins.

    A bin has `t0`, `t1` (seconds), `score` (mean over units of their means over its graded frames,
    None under the scale's `minimum_units`), `n_graded` and `n`.
    """
    frames = graded = 0
    width = 1.0
    cells: Cells = {}
    for part in parts:
        if not part:
            continue
        frames, graded, width = frames + part["frames"], graded + part["graded"], part["width_s"]
        for number, *values in part["cells"]:
            known = cells.get(number)
            cells[number] = (
                [a + b for a, b in zip(known, values, strict=True)] if known else list(values)
            )
    bins = []
    for number, (n, n_graded, *units) in sorted(cells.items()):
        means = [
            total / count for count, total in zip(units[::2], units[1::2], strict=True) if count
        ]
        bins.append(
            {
                "t0": number * width,
                "t1": (number + 1) * width,
                "score": float(np.mean(means)) if len(means) >= scale.minimum_units else None,
                "n_graded": int(n_graded),
                "n": int(n),
            }
        )
    return {
        "frames": frames,
        "graded": graded,
        "coverage": graded / frames if frames else 0.0,
        "bins": bins,
    }
