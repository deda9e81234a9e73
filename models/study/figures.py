"""The figures of a study, drawn once and kept as SVG and PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from models.report.markup import drawn_svg, number
from models.scale import Scale
from models.stats.courses import mean_over_units
from models.study.comparisons import WITHIN
from models.study.observations import EDGES
from models.study.outcomes import groups_of, of_group, per_unit, values_at

COLOURS = ("#2a6f97", "#c77d2e", "#6a994e", "#8e6c8a", "#b23a48", "#5c5c5c")
MARKERS = ("o", "s", "^", "D", "v", "P")
STATES = ("#2a6f97", "#9db9c9", "#c77d2e", "#e3c9a3", "#8e6c8a", "#cbbccb", "#6a994e", "#b9cfa9")
SOFT, INK = "#6b6b6b", "#333333"
UNEVEN = 8.0
"""Where the widest gap between times is so many times the narrowest, times stand evenly."""
DPI = 200
MARGIN = 0.1
"""Inches round a figure."""
NARROW = 6.0
"""Figures less wide, in inches, have small print in two lines."""


@dataclass(frozen=True)
class Drawn:
    """A figure: key (also its file name), label for those who do not see it, caption and SVG."""

    key: str
    label: str
    caption: str
    svg: str


class Drawer:
    """Draws figures into a folder; `footer` stands in small print under each."""

    def __init__(self, folder: Path, footer: str) -> None:
        self.folder = folder
        self.footer = footer
        self.drawn: list[Drawn] = []

    def add(self, key: str, label: str, caption: str, draw: Callable[[], Figure]) -> None:
        """Draw a figure and write it as SVG and as PNG of the same drawing."""
        made: list[Figure] = []

        def once() -> Figure:
            figure = draw()
            text = self.footer
            if figure.get_figwidth() < NARROW:
                parts = text.split(" · ")
                half = (len(parts) + 1) // 2
                text = " · ".join(parts[:half]) + "\n" + " · ".join(parts[half:])
            figure.axes[0].annotate(
                text, (0, 0), (0, -38), xycoords="axes fraction", textcoords="offset points",
                fontsize=6.5, color=SOFT, ha="left", va="top",
            )  # fmt: skip
            made.append(figure)
            return figure

        svg = drawn_svg(label, once)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{key}.svg").write_text(svg + "\n", encoding="utf-8")
        about = {"Title": label, "Description": self.footer, "Software": "aMGS"}
        # Everything lies where it was drawn: “tight” would lay it all out once more.
        edges = made[0].get_tightbbox().padded(MARGIN)
        made[0].savefig(
            self.folder / f"{key}.png", dpi=DPI, bbox_inches=edges, metadata=about,
            facecolor="white",
        )  # fmt: skip
        self.drawn.append(Drawn(key, label, caption, svg))


def draw_all(
    drawer: Drawer, table: pd.DataFrame, report: dict[str, Any], units: pd.DataFrame, scale: Scale
) -> None:
    """Every figure that this study has something to show for."""
    noun = report["plan"]["unit"]
    level = round(100 * (1 - report["plan"]["alpha"]))
    if table["time_h"].nunique() > 1:
        drawer.add(
            "time_course",
            "Mean score of every group over time",
            f"Mean score over {noun}s of each group with {level} % intervals from drawing {noun}s "
            f"anew; thin lines are single {noun}s. 0 h is the procedure.",
            lambda: _time_course(table, report, scale),
        )
    primary = report["primary"]
    drawer.add(
        "primary",
        f"Primary outcome of every {noun}: {primary['title']}",
        f"One mark per {noun}; bars are means with {level} % intervals.",
        lambda: _by_group(units, primary["outcome"], primary["title"], report, table),
    )
    if report["high_grimace"] and primary["outcome"] != "high_share":
        drawer.add(
            "high_share",
            f"Share of time at or above the cut-off, one mark per {noun}",
            f"Share of the scored time with a score of {report['plan']['cut_off']:g} or more, a "
            "cut-off fixed beforehand.",
            lambda: _by_group(units, "high_share", "share of time at or above cut-off", report,
                              table),
        )  # fmt: skip
    if report["distribution"]:
        drawer.add(
            "distribution",
            "Distribution of scores after baseline",
            f"Share of stretches of the recordings by score, every {noun} with the same weight.",
            lambda: _distribution(report),
        )
    drawer.add(
        "states",
        "What the animals did, by group",
        "Share of all frames after baseline, animals with equal weight. Only the first part is "
        "scored; a group of which less could be scored is not quite comparable.",
        lambda: _states(table, report, scale),
    )
    if report["agreement"]:
        drawer.add(
            "agreement",
            "Difference of model and human against their mean (Bland–Altman)",
            "One mark per observation; the solid line is the bias, dashed ones the limits of "
            "agreement.",
            lambda: _agreement(table, report),
        )


def _places(times: Sequence[float]) -> tuple[dict[float, float], bool]:
    """Where times stand on the axis, and whether that is to scale."""
    gaps = np.diff(times)
    if gaps.size > 1 and gaps.max() > UNEVEN * gaps.min():
        return {time: float(place) for place, time in enumerate(times)}, False
    return {time: time for time in times}, True


def _time_course(table: pd.DataFrame, report: dict[str, Any], scale: Scale) -> Figure:
    figure = Figure(figsize=(6.6, 3.6))
    axes = figure.subplots()
    times = sorted(set(table["time_h"]))
    places, to_scale = _places(times)
    where = list(places.values())
    step = min(np.diff(where)) if len(where) > 1 else 1.0
    groups = groups_of(table)
    highest = 0.0
    for place, group in enumerate(groups):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        shift = (place - (len(groups) - 1) / 2) * 0.06 * step
        here = table[table["group"] == group]
        by_time = {time: values_at(here, time).set_index("unit")["value"] for time in times
                   if (here["time_h"] == time).any()}  # fmt: skip
        single = pd.DataFrame(by_time)
        highest = max(highest, float(np.nanmax(single.to_numpy(), initial=0.0)))
        x = np.array([places[time] + shift for time in by_time])
        # One artist for all of them: hundreds of lines would take seconds.
        lines = [np.column_stack([x, course]) for course in single.to_numpy(np.float64)]
        axes.add_collection(LineCollection(lines, colors=colour, lw=0.6, alpha=0.25, zorder=1))
        rows = [row for row in report["time_course"] if row["group"] == group
                and row["mean"] is not None]  # fmt: skip
        at_times = [places[row["time_h"]] + shift for row in rows]
        axes.plot(at_times, [row["mean"] for row in rows], color=colour, lw=2, marker=marker,
                  ms=5.5, label=group, zorder=3)  # fmt: skip
        for at, row in zip(at_times, rows, strict=True):
            low, high = row["interval"]
            if low is not None and high is not None:
                highest = max(highest, high)
                axes.plot([at, at], [low, high], color=colour, lw=1.4, zorder=2)
    _zero_line(axes, places)
    top = max(unit.top_grade for unit in scale.units)
    axes.set_ylim(0, min(top, max(0.5, 1.08 * highest)))
    axes.set_xticks(where, [f"{time:g}".replace("-", "−") for time in times])
    axes.set(
        xlabel="hours after the procedure" + ("" if to_scale else " (not to scale)"),
        ylabel=f"score (0–{top})",
    )
    _legend(axes, len(groups))
    return figure


def _zero_line(axes: Axes, places: dict[float, float]) -> None:
    before = [place for time, place in places.items() if time <= 0]
    after = [place for time, place in places.items() if time > 0]
    if before and after:
        exact = 0.0 in places and places[0.0] == 0.0
        at = 0.0 if exact or places == {t: t for t in places} else (before[-1] + after[0]) / 2
        axes.axvline(at, color=SOFT, lw=0.8, ls=(0, (2, 3)), zorder=0)


def _legend(axes: Axes, groups: int) -> None:
    axes.legend(
        frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=min(groups, 4),
        borderaxespad=0.2, handletextpad=0.4, columnspacing=1.4,
    )  # fmt: skip


def _by_group(
    units: pd.DataFrame, outcome: str, title: str, report: dict[str, Any], table: pd.DataFrame
) -> Figure:
    groups = groups_of(table)
    figure = Figure(figsize=(max(3.2, 1.0 + 1.15 * len(groups)), 3.4))
    axes = figure.subplots()
    rng = np.random.default_rng(0)
    lowest = 0.0
    for place, group in enumerate(groups):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        values = of_group(units, group, outcome)
        lowest = min(lowest, float(values.min(initial=0.0)))
        shift = rng.uniform(-0.13, 0.13, values.size)
        axes.scatter(place + shift, values, s=22, color=colour, marker=marker, alpha=0.55, lw=0)
        plan = report["plan"]
        mean, (low, high) = mean_over_units(
            values, 1 - plan["alpha"], plan["draws"], plan["seed"], WITHIN[outcome]
        )
        axes.plot([place - 0.24, place + 0.24], [mean, mean], color=INK, lw=2)
        if np.isfinite(low):
            axes.plot([place, place], [low, high], color=INK, lw=1.3)
    names = [f"{group}\nn = {of_group(units, group, outcome).size}" for group in groups]
    axes.set_xticks(range(len(groups)), names)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    unit = {"auc": " (grades × h)", "high_share": ""}.get(outcome, " (grades)")
    axes.set_ylabel(f"{title}{unit}")
    if lowest < 0:
        axes.axhline(0, color=SOFT, lw=0.8, zorder=0)
    else:
        axes.set_ylim(bottom=0)
    return figure


def _distribution(report: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(4.8, 3.1))
    axes = figure.subplots()
    for place, row in enumerate(report["distribution"]):
        colour = COLOURS[place % len(COLOURS)]
        shares = 100 * np.array(row["shares"])
        centre = (EDGES[1:] + EDGES[:-1]) / 2
        axes.stairs(shares, EDGES, color=colour, lw=1.8, label=row["group"])
        axes.plot(centre, shares, ls="", marker=MARKERS[place % len(MARKERS)], ms=4, color=colour)
    cut = report["plan"]["cut_off"]
    if cut is not None:
        axes.axvline(cut, color=SOFT, lw=0.9, ls="--")
        axes.annotate(f"cut-off {cut:g}", (cut, 1), (4, 0), xycoords=("data", "axes fraction"),
                      textcoords="offset points", va="top", fontsize=8, color=SOFT)  # fmt: skip
    axes.set(xlabel="score", ylabel="share of the scored time (%)", xlim=(0, EDGES[-1]))
    axes.set_xticks(EDGES[::2])
    axes.set_ylim(bottom=0)
    _legend(axes, len(report["distribution"]))
    return figure


def _states(table: pd.DataFrame, report: dict[str, Any], scale: Scale) -> Figure:
    after = table[table["time_h"] > 0] if (table["time_h"] > 0).any() else table
    groups = groups_of(after)
    kept = after.assign(**{key: [said.get(key, 0.0) for said in after["states"]]
                           for key in scale.state_keys})  # fmt: skip
    by_animal = kept.groupby(["group", "animal"], observed=True)[["coverage", *scale.state_keys]]
    means = by_animal.mean().groupby("group", observed=True).mean().fillna(0.0).loc[groups]
    figure = Figure(figsize=(6.6, 0.9 + 0.42 * len(groups)))
    axes = figure.subplots()
    left = np.zeros(len(groups))
    graded = means["coverage"].to_numpy()
    awake = means[scale.graded_state.key].to_numpy()
    parts = [("scored", graded)]
    parts.append((f"{scale.graded_state.title.lower()}, not scorable",
                  np.maximum(awake - graded, 0)))  # fmt: skip
    for state in scale.states:
        if not state.graded:
            parts.append((state.title.lower(), means[state.key].to_numpy()))
    shown = 0
    for name, shares in parts:
        if shares.max() < 0.005:
            continue
        axes.barh(range(len(groups)), 100 * shares, left=100 * left, height=0.62, label=name,
                  color=STATES[shown % len(STATES)])  # fmt: skip
        left, shown = left + shares, shown + 1
    axes.set_yticks(range(len(groups)), groups)
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="share of the frames after baseline (%)")
    _legend(axes, 4)
    return figure


def _agreement(table: pd.DataFrame, report: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(5.0, 3.3))
    axes = figure.subplots()
    known = np.isfinite(table["human_score"]) & np.isfinite(table["value"]) & table["independent"]
    used = table[known]
    model, human = used["value"].to_numpy(), used["human_score"].to_numpy()
    for place, group in enumerate(groups_of(used)):
        rows = (used["group"] == group).to_numpy()
        axes.scatter((model + human)[rows] / 2, (model - human)[rows], s=18, alpha=0.6, lw=0,
                     color=COLOURS[place % len(COLOURS)], marker=MARKERS[place % len(MARKERS)],
                     label=group)  # fmt: skip
    found = report["agreement"]
    axes.axhline(0, color=SOFT, lw=0.8)
    lines = [("bias", found["bias"], "-"), ("lower limit", found["limits"][0], "--"),
             ("upper limit", found["limits"][1], "--")]  # fmt: skip
    for name, value, style in lines:
        if value is not None:
            axes.axhline(value, color=INK, lw=1.1, ls=style)
            axes.annotate(f"{name} {number(value)}", (1.02, value), color=INK, fontsize=8,
                          xycoords=("axes fraction", "data"), va="center")  # fmt: skip
    reach = 1.2 * max([0.1, *np.abs(model - human), *(abs(v) for _, v, _ in lines if v)])
    axes.set(ylim=(-reach, reach), xlabel="mean of model and human", ylabel="model − human")
    _legend(axes, len(groups_of(used)))
    return figure


def units_for_figures(animals: pd.DataFrame) -> pd.DataFrame:
    """The values per experimental unit that figures show."""
    return per_unit(animals, ["mean_score", "change", "auc", "high_share"])
