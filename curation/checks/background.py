"""Camera, light and length of the recordings, which may tell the group or the time point."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from curation.checks import Check, Finding
from curation.checks.order import FACTORS
from curation.facts import VersionFacts
from curation.telling import Row, Told, enough, rows_of, told_by

Value = Callable[[Mapping[str, Any]], float | None]


def _number(key: str) -> Value:
    return lambda media: None if media.get(key) is None else float(media[key])


def _log(key: str) -> Value:
    def value(media: Mapping[str, Any]) -> float | None:
        number = float(media.get(key) or 0.0)
        return math.log(number) if number > 0 else None

    return value


def _size(media: Mapping[str, Any]) -> float | None:
    area = int(media.get("width") or 0) * int(media.get("height") or 0)
    return math.log(area) if area else None


NUMBERS: dict[str, tuple[Value, float, str]] = {
    "brightness of the edge of the picture": (_number("edge_brightness"), 8.0, "{:.0f} of 255"),
    "brightness of the picture": (_number("brightness_median"), 8.0, "{:.0f} of 255"),
    "sharpness of the picture": (_log("sharpness_median"), math.log(1.5), "{:.0f}"),
    "size of the picture": (_size, math.log(1.05), "{:,.0f} pixels"),
    "frame rate": (_log("average_fps"), math.log(1.05), "{:.1f} frames per second"),
    "length": (_log("duration_s"), math.log(1.2), "{:.0f} s"),
}
"""What is held against the factors: how it is read, the least difference that somebody could see
(ours; of logarithms a ratio), and how it is told."""
_WORDS = ("codec", "container", "pixel_format", "grayscale")
CODING = "way the files are coded"


def background_tells_nothing(facts: VersionFacts) -> Finding:
    """Warns where light, sharpness, size, rate, length or coding separate groups or time points.

    Whoever learns from such pictures, a model too, may learn the camera instead of the face. Fewer
    than eight animals are not judged.
    """
    rows = rows_of(facts)
    if not any(enough(rows, factor) for factor in FACTORS):
        return Finding(True, "Too few animals to tell whether the pictures tell a group.")
    values: dict[str, Sequence[float | None]] = {
        name: [value(row.recording.media or {}) for row in rows]
        for name, (value, _, _) in NUMBERS.items()
    }
    values[CODING] = _coding(rows)
    least = {name: least for name, (_, least, _) in NUMBERS.items()} | {CODING: 0.5}
    for factor in FACTORS:
        told = told_by(values, rows, factor, least)
        if told is not None:
            return _finding(told, rows)
    return Finding(True, "Light, camera and length separate neither groups nor time points.")


def _finding(told: Told, rows: Sequence[Row]) -> Finding:
    (low, first), (high, last) = told.means[0], told.means[-1]
    figures = ""
    if told.what in NUMBERS:
        _, _, words = NUMBERS[told.what]
        if told.what not in ("brightness of the edge of the picture", "brightness of the picture"):
            first, last = math.exp(first), math.exp(last)
        figures = f" ({words.format(first)} in {low}, {words.format(last)} in {high})"
    shown = []
    for level in (low, high):
        of_level = [
            row
            for row in rows
            if level == (row.group if told.factor == "group" else row.time_point)
        ]
        shown += [(row.recording.id, "") for row in of_level[:2]]
    return Finding(
        False,
        f"The {told.what} tells the {told.factor}{figures}. A rater may notice it, and a model may "
        "learn it instead of the face. If groups or time points were filmed apart, say so; film "
        "them mixed next time.",
        (low, high),
        tuple(shown),
    )


def _coding(rows: Sequence[Row]) -> list[float | None]:
    found: list[str | None] = []
    for row in rows:
        media = row.recording.media or {}
        told = [str(media[key]) for key in _WORDS if media.get(key) is not None]
        found.append(" ".join(told) if len(told) == len(_WORDS) else None)
    order = {text: float(place) for place, text in enumerate(sorted({t for t in found if t}))}
    return [None if text is None else order[text] for text in found]


CHECK = Check("background", "Light and camera", "warns", background_tells_nothing)
