"""A challenger beside a champion: the figures people weigh before they decide, in one order.

Nothing is judged here, that is what gates are for; only what was measured is put side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from curation.evidence import number, part
from models.scale import load_scale

Better = Literal["less", "more", "near"]
WORST = 6
"""Groups that are named because the challenger may lose most there."""


@dataclass(frozen=True)
class Line:
    """One figure of both models: `interval` is that of the difference, where it was measured.

    `better` says which way is better: less, more, or near `ideal`. `ours_interval` and
    `theirs_interval` are the 95 % intervals of the figures themselves.
    """

    key: str
    title: str
    ours: float | None
    theirs: float | None
    better: Better
    difference: float | None = None
    interval: tuple[float, float] | None = None
    ours_interval: tuple[float, float] | None = None
    theirs_interval: tuple[float, float] | None = None
    ideal: float = 0.0

    @property
    def improved(self) -> bool | None:
        """Whether the challenger's figure is the better one; None where they are equal or unknown.

        It says nothing about chance: that is what intervals and gates are for.
        """
        if self.ours is None or self.theirs is None or self.ours == self.theirs:
            return None
        if self.better == "near":
            return abs(self.ours - self.ideal) < abs(self.theirs - self.ideal)
        return (self.ours < self.theirs) == (self.better == "less")


def figures(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], comparison: Mapping[str, Any]
) -> tuple[Line, ...]:
    """The figures of the whole benchmark, from two reports and their comparison."""
    paired = _interval(comparison.get("interval"))
    return tuple(
        _line(key, title, ours, theirs, path, better, ideal, paired if key == "rmse" else None)
        for key, title, path, better, ideal in _FIGURES
    )


def units(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[tuple[str, Line], ...]:
    """Title of the unit and one line each for kappa, RMSE and calibration error."""
    return tuple(_of_units(ours, theirs))


def worst_groups(comparison: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The groups of lab and coat in which the challenger may lose most, the worst first.

    Sorted by the far end of the interval of the difference; groups that could not be assessed are
    not among them.
    """
    rows = [
        {"group": key, **part(part(comparison, "groups"), key)}
        for key in part(comparison, "groups")
    ]
    known = [row for row in rows if row.get("assessed") and _interval(row.get("interval"))]
    return tuple(sorted(known, key=lambda row: -row["interval"][1])[:WORST])


def grouped(verdicts: list[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The verdicts by what they say: refused, not assessed, passed, told."""
    result: dict[str, list[Mapping[str, Any]]] = {
        "refused": [],
        "not_assessed": [],
        "passed": [],
        "told": [],
    }
    for verdict in verdicts:
        passed = verdict.get("passed")
        if passed is None:
            result["told" if verdict.get("told") else "not_assessed"].append(verdict)
        else:
            result["passed" if passed else "refused"].append(verdict)
    return result


_FIGURES: tuple[tuple[str, str, tuple[str, ...], Better, float], ...] = (
    ("rmse", "Error of the image score (RMSE)", ("image_score", "rmse"), "less", 0.0),
    ("r", "Correlation with the raters", ("image_score", "r"), "more", 0.0),
    ("coverage", "Share of frames that get a score", ("image_score", "coverage"), "more", 0.0),
    ("icc", "Agreement per observation (ICC)", ("observation", "icc"), "more", 0.0),
    ("observation_rmse", "Error per observation (RMSE)", ("observation", "rmse"), "less", 0.0),
    ("slope", "Slope per observation", ("observation", "slope"), "near", 1.0),
    ("bias", "Bias per observation", ("observation", "bias"), "near", 0.0),
    ("area", "Error over all coverages", ("risk_coverage", "area"), "less", 0.0),
)


def _of_units(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[tuple[str, Line]]:
    kinds: tuple[tuple[str, Better], ...] = (("kappa", "more"), ("rmse", "less"), ("ece", "less"))
    for unit in load_scale().units:
        for key, better in kinds:
            path = ("units", unit.key, key)
            yield unit.title, _line(key, key, ours, theirs, path, better, 0.0, None)


def _line(
    key: str,
    title: str,
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    path: tuple[str, ...],
    better: Better,
    ideal: float,
    interval: tuple[float, float] | None,
) -> Line:
    one, other = _at(ours, path), _at(theirs, path)
    own = [
        _interval(part(_parent(side, path), "interval").get(path[-1])) for side in (ours, theirs)
    ]
    difference = None if one is None or other is None else one - other
    return Line(key, title, one, other, better, difference, interval, own[0], own[1], ideal)


def _parent(report: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    for name in path[:-1]:
        report = part(report, name)
    return report


def _at(report: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    return number(_parent(report, path).get(path[-1]))


def _interval(value: Any) -> tuple[float, float] | None:
    ends = [number(end) for end in value] if isinstance(value, list | tuple) else []
    known = [end for end in ends if end is not None]
    return (known[0], known[1]) if len(known) == 2 == len(ends) else None
