"""What gates are shown and what they say, with the figures and sentences they share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Evidence:
    """All that the gates may see of a challenger.

    `report` and `champion` are report.json of challenger and champion (None where none serves),
    `comparison` is compare.json, `bundle_info` is bundle.json with the verified `digest` added.
    `replacement` is replace.json; `left_out` is the table of the recipe on labs left out of
    training (`recipe`, `snapshot`, `labs`), None where that was not run.
    """

    report: Mapping[str, Any]
    champion: Mapping[str, Any] | None
    comparison: Mapping[str, Any] | None
    bundle_info: Mapping[str, Any]
    production: bool
    replacement: Mapping[str, Any] | None = None
    left_out: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Verdict:
    """What one gate says; `passed` is None where the evidence does not allow to assess it.

    `told` says that the profile asks for nothing here: the figure stands beside the others.
    """

    gate: str
    title: str
    passed: bool | None
    value: float | None
    threshold: float | None
    sentence: str
    told: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as a dictionary of plain values."""
        return asdict(self)


def at_least(gate: str, title: str, value: float | None, threshold: float, words: str) -> Verdict:
    """The verdict on a figure that must be there and large enough."""
    # A missing figure refuses: a report without it is no evidence.
    passed = value is not None and value >= threshold
    sentence = f"{words} {say(value)}; at least {threshold:.2f} is needed."
    return Verdict(gate, title, passed, value, threshold, sentence)


def at_most(
    gate: str, title: str, value: float | None, threshold: float | None, words: str, missing: str
) -> Verdict:
    """The verdict on a figure that must not be too large.

    Where it is `missing` it is not assessed; where the profile sets no threshold it is only told.
    """
    if threshold is None:
        sentence = missing if value is None else f"{words}; this profile asks for nothing."
        return Verdict(gate, title, None, value, None, sentence, told=True)
    if value is None:
        return Verdict(gate, title, None, None, threshold, missing)
    sentence = f"{words}; at most {threshold:.2f} is allowed."
    return Verdict(gate, title, value <= threshold, value, threshold, sentence)


def part(report: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A part of a report, empty where it has none."""
    found = report.get(key)
    return found if isinstance(found, Mapping) else {}


def number(value: Any) -> float | None:
    """A finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def upper(interval: Any) -> float | None:
    """The upper end of an interval, None where there is none."""
    if isinstance(interval, list | tuple) and len(interval) == 2:
        return number(interval[1])
    return None


def say(value: float | None, digits: int = 2) -> str:
    """A figure as text."""
    return "not known" if value is None else f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    """A difference as text."""
    return "not known" if value is None else f"{value:+.3f}"
