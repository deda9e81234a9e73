"""What the page draws that puts a challenger beside a champion: curves, and frames that differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from amgs.core.base import Actor
from amgs.core.errors import NotFound
from amgs.repository import queries as repository
from amgs.repository.frames import still_of
from models.scale import load_scale

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT, LEFT, BOTTOM = 220.0, 180.0, 34.0, 30.0


def units_of(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per unit with its kappa, RMSE and calibration error."""
    rows: dict[str, dict[str, Any]] = {}
    for line in lines:
        rows.setdefault(line["unit"], {"unit": line["unit"]})[line["key"]] = line
    return list(rows.values())


def reliability(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a diagram per unit: what the models state against how often raters agree."""
    found = []
    for unit in load_scale().units:
        curves = [_bins(report, unit.key) for report in (ours, theirs)]
        if not curves[0]:
            continue
        spoken = f"{unit.title}: " + ", ".join(
            f"stated {100 * stated:.0f} %, raters {100 * seen:.0f} %" for stated, seen in curves[0]
        )
        drawn = _drawn(curves, (0.0, 1.0), (0.0, 1.0), spoken, "stated", diagonal=True)
        found.append({"title": unit.title, "drawn": drawn})
    return found


def _bins(report: Mapping[str, Any], unit: str) -> Points:
    rows = ((report.get("units") or {}).get(unit) or {}).get("reliability") or []
    return [(float(row["stated"]), float(row["observed"])) for row in rows]


def risk(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> SafeString | None:
    """Return the error of the frames that are kept as the least certain ones are dropped."""
    curves = [_risk(report) for report in (ours, theirs)]
    if not curves[0]:
        return None
    top = 1.1 * max(value for curve in curves for _, value in curve)
    spoken = (
        f"Error of this version from {curves[0][0][1]:.3f} with all frames to "
        f"{curves[0][-1][1]:.3f} with the surest."
    )
    return _drawn(curves, (0.0, 1.0), (0.0, top), spoken, "frames kept")


def _risk(report: Mapping[str, Any]) -> Points:
    curve = report.get("risk_coverage") or {}
    pairs = zip(curve.get("coverage") or [], curve.get("rmse") or [], strict=False)
    return [(float(x), float(y)) for x, y in pairs if x is not None and y is not None]


def _drawn(
    curves: Sequence[Points],
    across: tuple[float, float],
    up: tuple[float, float],
    spoken: str,
    title: str,
    diagonal: bool = False,
) -> SafeString:
    """Return two curves as SVG, the challenger's full, the champion's dashed."""

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x = (point[0] - across[0]) / (across[1] - across[0])
        y = (point[1] - up[0]) / ((up[1] - up[0]) or 1.0)
        return (
            round(LEFT + min(max(x, 0.0), 1.0) * (WIDTH - LEFT - 8), 1),
            round(HEIGHT - BOTTOM - min(max(y, 0.0), 1.0) * (HEIGHT - BOTTOM - 8), 1),
        )

    parts = []
    for share in (0.0, 0.5, 1.0):
        value = up[0] + share * (up[1] - up[0])
        (x0, y), (x1, _) = place((across[0], value)), place((across[1], value))
        parts.append(f'<line class="grid" x1="{x0}" x2="{x1}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{x0 - 5}" y="{y + 4}" text-anchor="end">{value:.2f}</text>')
        x, bottom = place((across[0] + share * (across[1] - across[0]), up[0]))
        parts.append(
            f'<text x="{x}" y="{bottom + 13}" text-anchor="middle">{100 * share:.0f} %</text>'
        )
    parts.append(f'<text x="{WIDTH - 8}" y="{HEIGHT - 3}" text-anchor="end">{escape(title)}</text>')
    if diagonal:
        (x0, y0), (x1, y1) = place((0.0, 0.0)), place((1.0, 1.0))
        parts.append(f'<line class="ideal" x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}"/>')
    for curve, look in zip(curves, ("ours", "theirs"), strict=True):
        if curve:
            path = " ".join(f"{x},{y}" for x, y in map(place, curve))
            parts.append(f'<polyline class="{look}" points="{path}"/>')
    return mark_safe(  # noqa: S308  numbers of our own and escaped text
        f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" '
        f'aria-label="{escape(spoken)}">{"".join(parts)}</svg>'
    )


def pictures(user: Any, actor: Actor, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the frames on which two models differ most, each with what all three said of it.

    ``still`` is the address of its picture, ``None`` where it may not be shown to this person.
    """
    titles = {unit.key: unit.title for unit in load_scale().units}
    found = []
    for row in rows:
        units = [
            {
                "title": titles.get(key, key),
                "raters": three[0],
                "ours": three[1],
                "theirs": three[2],
            }
            for key, three in (row.get("units") or {}).items()
        ]
        found.append({**row, "units": units, "still": _still(user, actor, row)})
    return found


def _still(user: Any, actor: Actor, row: Mapping[str, Any]) -> str | None:
    try:
        name = str(row.get("dataset") or "").replace("/", ".")
        version = repository.find_version(user, name)
        return still_of(actor, version, str(row["frame"]))
    except NotFound:
        return None
