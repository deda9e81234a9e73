"""Values of frames as curves over time: means over stretches, of a number that a page can draw."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tools.protocol import Curve, ToolContext

Array = NDArray[np.float64]
MOST_BINS = 1200
WIDTHS_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


def curve(title: str, times: Array, values: Array, unit: str = "", width: float = 0.0) -> Curve:
    """Means of the values (n,), NaN where not known, over stretches of `width` seconds.

    With the width 0 it is the least one that leaves at most MOST_BINS points; a stretch without a
    value is None.
    """
    if not len(times):
        return Curve(title, (), (), unit)
    length = float(times[-1] - times[0])
    if not width:
        if len(times) <= MOST_BINS:
            return Curve(title, [round(float(t), 3) for t in times], rounded(values), unit)
        width = next((w for w in WIDTHS_S[1:] if length <= w * MOST_BINS), length / MOST_BINS)
    place = np.floor((times - times[0]) / width + 1e-9).astype(np.int64)
    known = np.isfinite(values)
    number = np.bincount(place[known], minlength=int(place[-1]) + 1)
    total = np.bincount(place[known], values[known], minlength=int(place[-1]) + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(number > 0, total / number, np.nan)
    middles = times[0] + width * (np.arange(len(means)) + 0.5)
    return Curve(title, [round(float(t), 3) for t in middles], rounded(means), unit)


def rounded(values: Iterable[float], digits: int = 5) -> list[float | None]:
    """The values with so many decimals, None for what is not known."""
    return [round(float(v), digits) if np.isfinite(v) else None for v in values]


def percent(share: float, digits: int = 0) -> str:
    """A share of one as percent for a sentence; no line breaks before the sign."""
    return f"{100 * share:.{digits}f}\N{NARROW NO-BREAK SPACE}%"


def frame_gap(times: Array) -> float | None:
    """Seconds between neighbouring frames, median; None where there are fewer than two."""
    return float(np.median(np.diff(times))) if len(times) > 1 else None


def spans(times: Array) -> Array:
    """Seconds for which each frame stands: to the next one, at most five usual ones."""
    if len(times) < 2:
        return np.zeros(len(times))
    gaps = np.diff(times)
    usual = float(np.median(gaps))
    return np.append(np.minimum(gaps, 5 * usual), usual)


def write_table(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]], context: ToolContext
) -> None:
    """Write a CSV whose every row says whether it rests on rendered faces, and by which bundle."""
    bundle = context.used_bundle
    origin = [] if bundle is None else ["yes" if bundle.phantom else "no", bundle.digest[:12]]
    names = [] if bundle is None else ["phantom", "bundle"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*columns, *names])
        for row in rows:
            writer.writerow([*("" if cell is None else cell for cell in row), *origin])
