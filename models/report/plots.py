"""The plots of a report, each a small figure of its own, so that they fold on a phone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.figures.table import numbers, shares, texts
from models.report import tables
from models.report.markup import number
from models.scale import Scale, Unit
from models.stats.calibration import reliability

INK, MODEL, HUMAN, CONSTANT = "#444444", "#2a6f97", "#c77d2e", "#8a8a8a"
COATS = ("#2a6f97", "#c44e52", "#6a994e", "#8e6c8a")
MARKERS = ("o", "^", "s", "D")
FEWER_IS_BETTER = ("ungated", "graded_needlessly")
"""Figures of an ablation that context should make smaller."""


def panel(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure of this size in inches, with its axes."""
    made = Figure(figsize=(width, height))
    return made, made.subplots()


def scatter(graded: pd.DataFrame, top: int) -> Figure | None:
    """Image score of the model against the raters', one mark per frame."""
    return _against(
        numbers(graded, "truth"), numbers(graded, "score"), texts(graded, "coat"), top, "frame"
    )


def observations(table: pd.DataFrame, row: Mapping[str, Any], top: int) -> Figure | None:
    """Score of the model against the raters', one mark per observation, with the fitted line."""
    truth, score = numbers(table, "truth"), numbers(table, "score")
    drawn = _against(truth, score, texts(table, "coat"), top, "observation")
    if drawn is not None and row["slope"]:
        said = np.array([np.nanmin(score), np.nanmax(score)])
        (axes,) = drawn.axes
        axes.plot(row["intercept"] + row["slope"] * said, said, color=HUMAN, lw=1.4)
    return drawn


def _against(
    truth: np.ndarray, score: np.ndarray, coats: np.ndarray, top: int, noun: str
) -> Figure | None:
    known = np.isfinite(truth) & np.isfinite(score)
    if not known.any():
        return None
    drawn, axes = panel(3.5, 3.3)
    axes.plot([0, top], [0, top], color=INK, lw=0.8, zorder=0)
    size, shade = (10, 0.5) if known.sum() > 150 else (18, 0.7)
    for place, coat in enumerate(sorted(set(coats[known]))):
        rows = known & (coats == coat)
        axes.scatter(
            truth[rows], score[rows], s=size, alpha=shade, lw=0, label=coat or "unknown",
            color=COATS[place % len(COATS)], marker=MARKERS[place % len(MARKERS)],
        )  # fmt: skip
    room = (-0.05, top + 0.05)
    axes.set(xlim=room, ylim=room, xlabel=f"raters, per {noun}", ylabel="model")
    ticks = [0.5 * step for step in range(2 * top + 1)]
    axes.set(xticks=ticks, yticks=ticks)
    axes.set_aspect("equal")
    axes.legend(frameon=False, loc="lower right", handletextpad=0.1, borderaxespad=0.2)
    return drawn


def bland_altman(table: pd.DataFrame, row: Mapping[str, Any]) -> Figure | None:
    """Difference of model and raters against their mean, with bias and limits of agreement."""
    truth, score = numbers(table, "truth"), numbers(table, "score")
    if not len(table) or row["bias"] is None:
        return None
    drawn, axes = panel(3.4, 3.3)
    coats = texts(table, "coat")
    for place, coat in enumerate(sorted(set(coats))):
        rows = coats == coat
        axes.scatter(
            (score + truth)[rows] / 2, (score - truth)[rows], s=18, alpha=0.7, lw=0,
            color=COATS[place % len(COATS)], marker=MARKERS[place % len(MARKERS)],
        )  # fmt: skip
    axes.axhline(0, color=INK, lw=0.8)
    lines = [(row["bias"], "bias"), *zip(row["loa"], ("lower limit", "upper limit"), strict=True)]
    for value, name in lines:
        if value is not None:
            axes.axhline(value, color=HUMAN, lw=1.1, ls="-" if name == "bias" else "--")
            axes.annotate(
                f"{name} {number(value)}", (1.02, value),
                xycoords=("axes fraction", "data"), va="center", color=INK, fontsize=8,
            )  # fmt: skip
    reach = 1.15 * max(
        [0.05, *np.abs(score - truth), *(abs(value) for value, _ in lines if value is not None)]
    )
    axes.set(ylim=(-reach, reach), xlabel="mean of model and raters", ylabel="model − raters")
    return drawn


def risk(report: Mapping[str, Any]) -> Figure | None:
    """RMSE of the frames that are kept when the least certain are dropped."""
    curve, image = report["risk_coverage"], report["image_score"]
    if not curve["coverage"]:
        return None
    drawn, axes = panel(3.4, 3.3)
    axes.plot(100 * np.array(curve["coverage"]), curve["rmse"], color=MODEL, lw=2)
    top = max(curve["rmse"])
    lines = (("constant_rmse", "constant answer", CONSTANT), ("human_rmse", "one rater", HUMAN))
    for key, name, colour in lines:
        if image[key] is not None:
            top = max(top, image[key])
            axes.axhline(image[key], color=colour, lw=1.2, ls="--")
            axes.annotate(name, (1.02, image[key]), xycoords=("axes fraction", "data"),
                          va="center", color=colour, fontsize=8)  # fmt: skip
    axes.annotate("model", (1.02, curve["rmse"][0]), xycoords=("axes fraction", "data"),
                  va="center", color=MODEL, fontsize=8)  # fmt: skip
    axes.set(xlim=(0, 100), ylim=(0, 1.1 * top), xlabel="frames kept, % of those raters graded",
             ylabel="RMSE of the image score")  # fmt: skip
    return drawn


def confusion(row: Mapping[str, Any], unit: Unit) -> Figure:
    """Raters' nearest grade against the model's, counts shaded by the share of the row."""
    counts = np.array(row["confusion"], np.float64)
    drawn, axes = panel(1.6, 1.7)
    ticks = [str(grade) for grade in range(len(unit.grades))]
    _heat(axes, counts, ticks, ticks)
    axes.set(title=unit.short, xlabel="model", ylabel="raters")
    return drawn


def calibration(graded: pd.DataFrame, unit: Unit) -> Figure | None:
    """Stated probabilities against the share of raters who agree; marks grow with their number."""
    p, agree = shares(graded, unit, "p"), shares(graded, unit, "truth_p")
    known = np.isfinite(p).all(1) & np.isfinite(agree).all(1)
    rows = reliability(p[known].ravel(), agree[known].ravel())
    if not rows:
        return None
    drawn, axes = panel(1.45, 1.6)
    axes.plot([0, 1], [0, 1], color=INK, lw=0.8)
    said, seen = [row.confidence for row in rows], [row.observed for row in rows]
    weight = np.array([row.n for row in rows], np.float64)
    axes.plot(said, seen, color=MODEL, lw=1)
    axes.scatter(said, seen, s=4 + 40 * weight / weight.max(), color=MODEL, lw=0, zorder=3)
    axes.set(title=unit.short, xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="stated",
             ylabel="raters", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])  # fmt: skip
    axes.set_aspect("equal")
    return drawn


def slices(rows: Mapping[str, Mapping[str, Any]], noun: str) -> Figure | None:
    """RMSE of every slice as a bar with its interval, and ticks of one rater and the constant."""
    shown = {key: row for key, row in rows.items() if row["rmse"] is not None}
    if not shown:
        return None
    drawn, axes = panel(3.3, 1.0 + 0.28 * len(shown))
    places = np.arange(len(shown))[::-1]
    axes.barh(places, [row["rmse"] for row in shown.values()], color=MODEL, height=0.55,
              label="model")  # fmt: skip
    for place, row in zip(places, shown.values(), strict=True):
        low, high = row["interval"]["rmse"]
        if low is not None:
            axes.plot([low, high], [place, place], color="#0b2f45", lw=1.4)
    for key, colour, name in (
        ("human_rmse", HUMAN, "one rater"),
        ("constant_rmse", "#333333", "constant answer"),
    ):
        told = [(row[key], place) for place, row in zip(places, shown.values(), strict=True)
                if row[key] is not None]  # fmt: skip
        if told:
            axes.plot(*zip(*told, strict=True), "|", color=colour, ms=13, mew=2.4, label=name)
    names = [f"{key} ({row['n_animals']})" for key, row in shown.items()]
    axes.set_yticks(places, names)
    axes.set(xlabel="RMSE of the image score", ylim=(-0.6, len(shown) - 0.4))
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", length=0)
    axes.set_title(f"By {noun}", loc="left", pad=18)
    axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(-0.04, 0.98),
                handlelength=0.9, columnspacing=0.9, handletextpad=0.3, fontsize=7.5)  # fmt: skip
    return drawn


def states(figures: Mapping[str, Any], scale: Scale) -> Figure:
    """Rendered states against what the model says."""
    counts = np.array(figures["confusion"], np.float64)
    shown = np.flatnonzero((counts.sum(0) > 0) | (counts.sum(1) > 0))
    names = [scale.state(figures["keys"][place]).title for place in shown]
    side = 1.5 + 0.42 * len(shown)
    drawn, axes = panel(side, side - 0.3)
    _heat(axes, counts[np.ix_(shown, shown)], names, names)
    axes.tick_params(axis="x", rotation=40)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right")
        label.set_rotation_mode("anchor")
    axes.set(xlabel="model", ylabel="rendered")
    return drawn


def changes(
    figures: Mapping[str, Any], names: Mapping[str, str], part: str, title: str, factor: float
) -> Figure | None:
    """What context changes in one figure of an ablation, a line with its interval per kind.

    `names` are those of the kinds by key; `factor` takes shares to percentage points.
    """
    shown = [
        (names[key], factor * kind[part]["difference"], factor * np.array(kind[part]["interval"]))
        for key, kind in figures["kinds"].items()
        if tables.has_interval(kind[part])
    ]
    if not shown:
        return None
    drawn, axes = panel(2.9, 0.95 + 0.24 * len(shown))
    places = np.arange(len(shown))[::-1]
    wanted = -1 if part in FEWER_IS_BETTER else 1
    axes.axvline(0, color=INK, lw=0.8, zorder=0)
    for place, (_, difference, ends) in zip(places, shown, strict=True):
        clear = ends[0] > 0 or ends[1] < 0
        colour = (MODEL if wanted * difference > 0 else HUMAN) if clear else CONSTANT
        axes.plot(ends, [place, place], color=colour, lw=2.2, solid_capstyle="butt")
        axes.plot(difference, place, "o", color=colour, ms=5)
    axes.set_yticks(places, [name for name, _, _ in shown])
    axes.set(xlabel="grades" if factor == 1 else "percentage points", ylim=(-0.7, len(shown) - 0.3))
    axes.tick_params(axis="y", length=0)
    axes.set_title(title[:1].upper() + title[1:], loc="left")
    return drawn


def _heat(axes: Axes, counts: np.ndarray, rows: list[str], columns: list[str]) -> None:
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            shade = "white" if share[row, column] > 0.55 else "#222222"
            axes.text(column, row, f"{int(count)}", ha="center", va="center", color=shade,
                      fontsize=8)  # fmt: skip
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def by_unit(
    what: str, scale: Scale, draw: Callable[[Unit], Figure | None]
) -> list[tuple[str, Any]]:
    """One panel for every unit: its label and what draws it."""
    return [(f"{what}: {unit.title}", lambda unit=unit: draw(unit)) for unit in scale.units]
