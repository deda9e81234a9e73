"""Showing figures: report.html with plots and card.md, both self-contained."""

from __future__ import annotations

import html
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from models.scale import Scale
from models.stats.calibration import reliability

INK, OURS, OTHER = "#444444", "#2a6f97", "#c77d2e"
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222;
background:#fff}table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:right}
th:first-child,td:first-child{text-align:left}.note{background:#fdf3dc;
border-left:4px solid #c77d2e;padding:.6rem 1rem;font-weight:600}
figure{margin:1.5rem 0}svg{max-width:100%;height:auto}
caption{text-align:left;color:#555;padding-bottom:.3rem}
"""


def write_report(
    path: Path, report: dict[str, Any], graded: pd.DataFrame, scale: Scale, title: str
) -> None:
    """Write report.html: what the figures rest on first, then tables and plots."""
    sections = [
        f'<p class="note">{html.escape(report["sentence"])}</p>',
        f"<h1>{html.escape(title)}: report</h1>",
        f"<p>{_rests_on(report)}</p>",
        _image_table(report),
        _figure(lambda: _scatter(graded), "Image score of the model against the raters' mean."),
        _unit_table(report, scale),
        _figure(lambda: _confusions(report, scale), "Raters' nearest grade against the model's."),
        _figure(
            lambda: _reliability(graded, scale), "Stated probability against raters who agree."
        ),
        *(_slice_table(report, name) for name in report["by"]),
        _figure(lambda: _slice_plot(report), "Error per slice; ticks mark the constant answer."),
        _observation_table(report),
        _count_table(report),
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


def _number(value: Any, digits: int = 2) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


def _table(caption: str, head: list[str], rows: list[list[str]]) -> str:
    def line(cells: list[str], tag: str) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        return "<tr>" + "".join(f"<{tag}{scope}>{cell}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return (
        f"<table><caption>{caption}</caption><thead>{line(head, 'th')}</thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _image_table(report: dict[str, Any]) -> str:
    image = report["image_score"]
    between = {
        key: " … ".join(_number(end) for end in image["interval"][key]) for key in ("rmse", "r")
    }
    return _table(
        "Image score (0–2) against the raters' mean; 95 % intervals over animals",
        ["", "model", "95 %", "one rater against the others", "constant answer"],
        [
            ["RMSE", _number(image["rmse"]), between["rmse"], _number(image["human_rmse"]),
             _number(image["constant_rmse"])],
            ["r", _number(image["r"]), between["r"], _number(image["human_r"]), "–"],
            ["MAE", _number(image["mae"]), "", "", ""],
            ["share graded", _number(image["coverage"]), "", "", ""],
            ["frames", _number(image["n"]), "", "", ""],
        ],
    )  # fmt: skip


def _unit_table(report: dict[str, Any], scale: Scale) -> str:
    head = ["unit", "κ", "κ of one rater", "RMSE", "RMSE constant", "r", "ECE", "AUC scorable",
            "share graded", "frames"]  # fmt: skip
    keys = ("kappa", "human_kappa", "rmse", "constant_rmse", "r", "ece", "scorable_auc",
            "coverage", "n")  # fmt: skip
    rows = [
        [html.escape(unit.title), *(_number(report["units"][unit.key][key]) for key in keys)]
        for unit in scale.units
    ]
    return _table("Per unit; κ is quadratic-weighted", head, rows)


def _slice_table(report: dict[str, Any], name: str) -> str:
    rows = [
        [html.escape(key), *(_number(row[k]) for k in ("n", "n_animals", "rmse", "r", "mae",
         "constant_rmse"))]
        for key, row in report["by"][name].items()
    ]  # fmt: skip
    head = [name.replace("_", " × "), "frames", "animals", "RMSE", "r", "MAE", "RMSE constant"]
    return _table(f"Image score by {name.replace('_', ' × ')}", head, rows)


def _observation_table(report: dict[str, Any]) -> str:
    row = report["observation"]
    limits = " … ".join(_number(end) for end in row["loa"])
    keys = ("n", "bias", "slope", "intercept", "icc", "rmse")
    return _table(
        "Observations (animal × time point), what users publish",
        ["observations", "bias", "calibration slope", "intercept", "ICC(2,1)", "RMSE",
         "limits of agreement"],
        [[*(_number(row[key]) for key in keys), limits]],
    )  # fmt: skip


def _count_table(report: dict[str, Any]) -> str:
    rows = [[html.escape(key), str(count)] for key, count in report["reasons"].items()]
    return _table("Frames not graded, by reason", ["reason", "frames"], rows)


def _figure(draw: Callable[[], Figure | None], caption: str) -> str:
    """A plot as inline SVG, with a fixed salt so that the same figures give the same bytes."""
    with rc_context({"svg.hashsalt": "amgs", "svg.fonttype": "none", "font.size": 9}):
        figure = draw()
        if figure is None:
            return ""
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    text = buffer.getvalue()
    label = html.escape(caption)
    svg = text[text.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    return f"<figure>{svg}<figcaption>{label}</figcaption></figure>"


def _scatter(graded: pd.DataFrame) -> Figure | None:
    rows = graded[np.isfinite(graded["truth"]) & np.isfinite(graded["score"])]
    if rows.empty:
        return None
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.subplots()
    axes.plot([0, 2], [0, 2], color=INK, lw=0.8)
    for coat, part in rows.groupby("coat"):
        axes.scatter(part["truth"], part["score"], s=9, alpha=0.6, label=str(coat))
    axes.set(xlim=(-0.05, 2.05), ylim=(-0.05, 2.05), xlabel="raters", ylabel="model")
    axes.legend(frameon=False)
    return figure


def _confusions(report: dict[str, Any], scale: Scale) -> Figure:
    figure = Figure(figsize=(2.0 * len(scale.units), 2.3))
    for axes, unit in zip(np.atleast_1d(figure.subplots(1, len(scale.units))), scale.units,
                          strict=True):  # fmt: skip
        counts = np.array(report["units"][unit.key]["confusion"], np.float64)
        share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            shade = "white" if share[row, column] > 0.6 else "black"
            axes.text(column, row, f"{int(count)}", ha="center", va="center", color=shade)
        ticks = range(len(unit.grades))
        axes.set(title=unit.short, xlabel="model", xticks=ticks, yticks=ticks)
        axes.set_ylabel("raters")
    figure.tight_layout()
    return figure


def _reliability(graded: pd.DataFrame, scale: Scale) -> Figure | None:
    figure = Figure(figsize=(2.0 * len(scale.units), 2.2))
    panels = np.atleast_1d(figure.subplots(1, len(scale.units), sharey=True))
    for axes, unit in zip(panels, scale.units, strict=True):
        grades = range(len(unit.grades))
        p = graded[[f"{unit.key}__p{grade}" for grade in grades]].to_numpy(np.float64)
        truth = graded[[f"{unit.key}__truth_p{grade}" for grade in grades]].to_numpy(np.float64)
        known = np.isfinite(p).all(1) & np.isfinite(truth).all(1)
        axes.plot([0, 1], [0, 1], color=INK, lw=0.8)
        rows = reliability(p[known].ravel(), truth[known].ravel())
        axes.plot([row.confidence for row in rows], [row.observed for row in rows], "o-",
                  color=OURS, ms=3)  # fmt: skip
        axes.set(title=unit.short, xlim=(0, 1), ylim=(0, 1), xlabel="stated")
    panels[0].set_ylabel("raters")
    figure.tight_layout()
    return figure


def _slice_plot(report: dict[str, Any]) -> Figure | None:
    rows = [
        (key, row["rmse"], row["constant_rmse"])
        for name in report["by"]
        for key, row in report["by"][name].items()
        if row["rmse"] is not None
    ]
    if not rows:
        return None
    figure = Figure(figsize=(6.5, 0.9 + 0.2 * len(rows)))
    axes = figure.subplots()
    places = np.arange(len(rows))[::-1]
    axes.barh(places, [row[1] for row in rows], color=OURS, height=0.6)
    axes.plot([row[2] for row in rows], places, "|", color=OTHER, ms=9, mew=2)
    axes.set_yticks(places, [row[0] for row in rows])
    axes.set_xlabel("RMSE of the image score")
    return figure


def model_card(
    info: dict[str, Any], report: dict[str, Any], scale: Scale, calibration: dict[str, Any]
) -> str:
    """card.md: what the model is for, what it rests on, what it reaches and where it ends."""
    image, training = report["image_score"], report["training"]
    units = "\n".join(
        f"| {unit.title} | {_number(report['units'][unit.key]['kappa'])} | "
        f"{_number(report['units'][unit.key]['human_kappa'])} | "
        f"{_number(report['units'][unit.key]['rmse'])} | "
        f"{_number(report['units'][unit.key]['constant_rmse'])} |"
        for unit in scale.units
    )
    parts = "\n".join(
        f"| {name} | {_sources(part['trained_on'])} | {_sources(part['judged_on'])} |"
        for name, part in info["parts"].items()
    )
    control = (
        "\n**Negative control:** the labels of this run were shuffled on purpose.\n"
        if training.get("shuffled_labels")
        else ""
    )
    distance = calibration["out_of_distribution"]
    return f"""# Model card: {scale.title}, recipe {info["config"]}

{report["sentence"]}
{control}
## For what
Grades {len(scale.units)} facial action units of a mouse from 0 in single video frames, and says why
where it does not grade. A research measure: no welfare, veterinary or humane-endpoint decision may
rest on it, and a low score does not mean that there is no pain.

## What each part rests on
| part | trained on | judged on |
| --- | --- | --- |
{parts}

Snapshot {info["snapshot_digest"]}; {training.get("n_train")} training frames; seed
{training.get("seed")}.

## What it reaches
Image score on {report["n_frames"]} frames of {report["n_animals"]} animals it never saw: RMSE
{_number(image["rmse"])}, r {_number(image["r"])}, {_number(image["coverage"])} of the frames that
raters graded. The constant answer has RMSE {_number(image["constant_rmse"])}; one rater against the
mean of the others RMSE {_number(image["human_rmse"])}, r {_number(image["human_r"])}.

| unit | κ | κ of one rater | RMSE | RMSE constant |
| --- | --- | --- | --- | --- |
{units}

## Where it ends
No grade without a face, with a face under {info["inputs"]["minimum_face"]} pixels, in profile,
unlike the training faces (distance limit from {distance["n"]} calibration frames), in a state that
is not graded, or with fewer than {scale.minimum_units} scorable units. It looks at single frames:
it cannot tell sleep from pain with shut eyes by what happens before and after. Figures on other
labs, cameras, coats or assays than those of the snapshot are unknown.
"""


def _sources(sources: list[dict[str, Any]]) -> str:
    return (
        ", ".join(
            f"{source['name']}{' (phantom)' if source['phantom'] else ''}" for source in sources
        )
        or "nothing"
    )
