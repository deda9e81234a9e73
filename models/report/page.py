"""report.html: what the figures rest on first, then tables and plots."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pandas as pd

from models.figures import observation_scores
from models.figures.table import with_evaluation
from models.report import plots, tables
from models.report.markup import STYLE, figure, number
from models.scale import Scale


def write_report(
    path: Path, report: dict[str, Any], graded: pd.DataFrame, scale: Scale, title: str
) -> None:
    """Write report.html from the content of report.json and the table it was computed from."""
    seen, _ = with_evaluation(graded, scale)
    top = max(unit.top_grade for unit in scale.units)
    sections = [
        f'<p class="note">{html.escape(report["sentence"])}</p>',
        f"<h1>{html.escape(title)}: report</h1>",
        f"<p>{_rests_on(report)}</p>",
        *_image(report, seen, top),
        *_units(report, seen, scale),
        *_observations(report, seen, scale, top),
        *_slices(report),
        *_limits(report, scale),
        *_context(report, scale),
        *_explanation(report, scale),
    ]
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"{''.join(sections)}</main></body></html>\n"
    )
    path.write_text(page, encoding="utf-8")


def _rests_on(report: dict[str, Any]) -> str:
    training = report["training"]
    shuffled = (
        " <strong>Its labels were shuffled on purpose: this is a negative control.</strong>"
        if training.get("shuffled_labels")
        else ""
    )
    chosen = "drawn at random" if report.get("random_share") else "not drawn at random"
    return (
        f"Split {html.escape(report['split'])}: {report['n_frames']} frames, {chosen}, of "
        f"{report['n_animals']} animals from {report['n_labs']} labs. "
        f"Recipe {html.escape(str(training.get('config')))}.{shuffled}"
    )


def _image(report: dict[str, Any], seen: pd.DataFrame, top: int) -> list[str]:
    curve = report["risk_coverage"]
    return [
        "<h2>Image score</h2>",
        tables.image_score(report, top),
        figure(
            "First: every frame, the line is perfect agreement. Second: the error of the frames "
            "that are left when the least certain are dropped, in the order of the "
            f"{curve['order']} "
            f"(mean RMSE over all shares {number(curve['area'])}, best possible order "
            f"{number(curve['best_area'])}).",
            ("Image score of the model against the raters' mean", lambda: plots.scatter(seen, top)),
            ("RMSE against the share of frames that are kept", lambda: plots.risk(report)),
        ),
    ]


def _units(report: dict[str, Any], seen: pd.DataFrame, scale: Scale) -> list[str]:
    return [
        "<h2>Units</h2>",
        tables.units(report, scale),
        figure(
            "Confusion: raters' nearest grade in rows, the model's in columns.",
            *plots.by_unit(
                "Confusion", scale, lambda unit: plots.confusion(report["units"][unit.key], unit)
            ),
            small=True,
        ),
        figure(
            "Calibration: stated probability of each grade against the share of raters who gave "
            "it; larger marks stand for more frames.",
            *plots.by_unit("Calibration", scale, lambda unit: plots.calibration(seen, unit)),
            small=True,
        ),
    ]


def _observations(report: dict[str, Any], seen: pd.DataFrame, scale: Scale, top: int) -> list[str]:
    table, row = observation_scores(seen, scale), report["observation"]
    return [
        "<h2>Observations</h2>",
        tables.observations(report),
        figure(
            "First: every observation; grey is perfect agreement, orange the fitted line. Second: "
            "Bland–Altman plot of the same.",
            ("Observations, model against raters", lambda: plots.observations(table, row, top)),
            ("Bland–Altman plot of observations", lambda: plots.bland_altman(table, row)),
        ),
    ]


def _slices(report: dict[str, Any]) -> list[str]:
    gap = report["coat_gap"]["largest"]
    told = f"<p>Largest difference in RMSE between two coats: {number(gap)}.</p>" if gap else ""
    parts = ["<h2>Slices</h2>", told]
    drawn = [
        (
            f"Error by {name.replace('_', ' and ')}",
            lambda rows=rows, name=name: plots.slices(rows, name.replace("_", " × ")),
        )
        for name, rows in report["by"].items()
    ]
    parts.append(
        figure(
            "Error per slice with its 95 % interval; number of animals in brackets. Orange ticks: "
            "one rater against the others; black ticks: the constant answer.",
            *drawn,
        )
    )
    for name in report["by"]:
        noun = name.replace("_", " × ")
        parts.append(
            f"<details><summary>Figures by {noun}</summary>{tables.slices(report, name)}</details>"
        )
    return parts


def _limits(report: dict[str, Any], scale: Scale) -> list[str]:
    figures = report["state_figures"]
    drawn = ""
    if figures is not None:
        drawn = figure(
            "Rendered states in rows, what the model says in columns; a frame that is refused "
            "before its state is looked at has the state of which nothing is known.",
            ("Confusion of states", lambda: plots.states(figures, scale)),
        )
    parts = [tables.gate(report), drawn, tables.states(report), tables.reasons(report, scale)]
    held = tables.sets(report, scale)
    return [
        "<h2>States and frames without a grade</h2>" if any(parts) else "",
        *parts,
        f"<h2>Prediction sets</h2>{held}" if held else "",
    ]


def _context(report: dict[str, Any], scale: Scale) -> list[str]:
    told = tables.context(report, scale)
    if not told:
        return []
    figures = report["ablation"]
    names = tables.kinds(figures, scale)
    return [
        "<h2>What the seconds round a frame are worth</h2>",
        "<p>The same frames, graded twice by the same model: once with the seconds before and "
        "after each of them, once from the single picture alone. Context helps where the error "
        "falls, where fewer frames are scored that raters did not score, and where the other two "
        "shares grow. Where an interval holds 0, these animals do not tell whether anything "
        "changes.</p>",
        figure(
            "With context minus without, with the 95 % interval over animals, for kinds of frames "
            f"of at least {tables.FEWEST} frames. Blue: context helps; orange: it harms; grey: the "
            "interval holds 0.",
            *[
                (
                    f"Change by context: {title}",
                    lambda part=part, title=title, factor=factor: plots.changes(
                        figures, names, part, title, factor
                    ),
                )
                for part, title, _, factor in tables.CHANGED
            ],
        ),
        told,
        "<details><summary>Figures with and without context</summary>"
        f"{tables.both_ways(report, scale)}</details>",
    ]


def _explanation(report: dict[str, Any], scale: Scale) -> list[str]:
    told = tables.explanation(report, scale)
    return [f"<h2>What the grades rest on</h2>{told}"] if told else []
