"""The tables of a report."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from models.figures.ablation import HOLDING
from models.report.markup import change, number, percent, span, table
from models.scale import Scale

Row = Mapping[str, Any]
STATE_ROWS = (
    ("asleep_graded_high", "asleep, score of 1 or more"),
    ("asleep_graded", "asleep, any score"),
    ("unclear_taken_for_asleep", "still with shut eyes, taken for asleep"),
    ("unclear_graded", "still with shut eyes, any score"),
    ("awake_scorable_kept", "awake and scorable, scored"),
    ("awake_scorable_called_awake", "awake and scorable, called awake"),
    ("painful_awake_kept", "awake with high grimacing, scored"),
    ("painful_awake_called_awake", "awake with high grimacing, called awake"),
)

CHANGED = (
    ("ungated", "error of the image score", 3, 1.0),
    ("graded", "scored, where raters scored", 1, 100.0),
    ("graded_needlessly", "scored, where raters did not", 1, 100.0),
    ("state_right", "state named rightly", 1, 100.0),
)
"""What context may change: key in the ablation, name, digits, factor from the figure to its unit
(grades for the error, percent for shares)."""

FEWEST = 10
"""Frames a change needs for an interval: with two or three, animals drawn anew say nothing."""


def image_score(report: Row, top: int) -> str:
    """The image score with its baselines."""
    image = report["image_score"]
    best = image["oracle"] or {}
    rows = [
        ["RMSE", number(image["rmse"]), span(image["interval"]["rmse"]),
         number(image["human_rmse"]), number(image["constant_rmse"]), number(best.get("rmse"))],
        ["r", number(image["r"]), span(image["interval"]["r"]), number(image["human_r"]), "–",
         number(best.get("r"))],
        ["MAE", number(image["mae"]), "", number(image["human_mae"]),
         number(image["constant_mae"]), number(best.get("mae"))],
        ["share graded", percent(image["coverage"]), "", "", "", ""],
        ["frames", number(image["n"]), "", "", "", ""],
    ]  # fmt: skip
    head = ["", "model", "95 %", "one rater against the others", "constant answer", "best possible"]
    keep = len(head) if image["oracle"] else -1
    return table(
        f"Image score (0–{top}) against the mean of {report['truth']}; intervals over animals",
        head[:keep] if keep < 0 else head,
        [row[:keep] if keep < 0 else row for row in rows],
    )


def units(report: Row, scale: Scale) -> str:
    """Every unit with its baselines."""
    told = [(unit, report["units"][unit.key]) for unit in scale.units]
    agreement = table(
        "Agreement per unit; κ is quadratic-weighted. In the difference both κ are against the "
        "mean of the other raters",
        ["unit", "κ", "95 %", "κ of one rater", "difference to one rater", "95 %",
         "share graded", "frames"],
        [[html.escape(unit.title), number(row["kappa"]), span(row["interval"]["kappa"]),
          number(row["human_kappa"]), number(row["against_one_rater"]["difference"]),
          span(row["against_one_rater"]["interval"]), percent(row["coverage"]), number(row["n"])]
         for unit, row in told],
    )  # fmt: skip
    errors = table(
        "Errors per unit in grades, and how far stated probabilities are off",
        ["unit", "RMSE", "95 %", "one rater", "constant", "r", "MAE", "calibration error",
         "by chance", "AUC scorable"],
        [[html.escape(unit.title), number(row["rmse"]), span(row["interval"]["rmse"]),
          number(row["human_rmse"]), number(row["constant_rmse"]), number(row["r"]),
          number(row["mae"]), number(row["ece"], 3), number(row.get("ece_by_chance"), 3),
          number(row["scorable_auc"])]
         for unit, row in told],
    )  # fmt: skip
    return agreement + errors


def slices(report: Row, name: str) -> str:
    """The image score and the observations of every slice of one kind."""
    rows = report["by"][name]
    noun = name.replace("_", " × ")
    frames = table(
        f"Frames by {noun}; κ is the mean over units",
        [noun, "frames", "animals", "graded", "RMSE", "95 %", "one rater", "constant", "r", "MAE",
         "κ", "κ of one rater"],
        [[html.escape(key), number(row["n"]), number(row["n_animals"]), percent(row["coverage"]),
          number(row["rmse"]), span(row["interval"]["rmse"]), number(row["human_rmse"]),
          number(row["constant_rmse"]), number(row["r"]), number(row["mae"]),
          number(row["kappa"]), number(row["human_kappa"])]
         for key, row in rows.items()],
    )  # fmt: skip
    means = table(
        f"Observations by {noun}",
        [noun, *OBSERVED],
        [[html.escape(key), *_observed(row["observation"])] for key, row in rows.items()],
    )
    return frames + means


OBSERVED = ("observations", "RMSE", "one rater", "constant", "r", "bias", "limits of agreement",
            "slope", "intercept", "ICC(2,1)", "ICC of one rater")  # fmt: skip


def _observed(row: Row) -> list[str]:
    return [
        number(row["n"]), number(row["rmse"]), number(row["human_rmse"]),
        number(row["constant_rmse"]), number(row["r"]), number(row["bias"]), span(row["loa"]),
        number(row["slope"]), number(row["intercept"]), number(row["icc"]),
        number(row["human_icc"]),
    ]  # fmt: skip


def observations(report: Row) -> str:
    """All observations, with intervals over animals."""
    row = report["observation"]
    ends = row["interval"]
    rows = [
        ["RMSE", number(row["rmse"]), span(ends["rmse"]), number(row["human_rmse"]),
         number(row["constant_rmse"])],
        ["r", number(row["r"]), span(ends["r"]), number(row["human_r"]), "–"],
        ["ICC(2,1)", number(row["icc"]), "", number(row["human_icc"]), "–"],
        ["MAE", number(row["mae"]), "", "", number(row["constant_mae"])],
        ["bias", number(row["bias"]), span(ends["bias"]), "", ""],
        ["limits of agreement", span(row["loa"]), "", "", ""],
        ["calibration slope", number(row["slope"]), span(ends["slope"]), "", ""],
        ["calibration intercept", number(row["intercept"]), "", "", ""],
        ["observations", number(row["n"]), "", "", ""],
    ]  # fmt: skip
    return table(
        "Observations (animal × time point), what users publish; intervals over animals",
        ["", "model", "95 %", "one rater against the others", "constant answer"],
        rows,
    )


def gate(report: Row) -> str:
    """The image score with and without the gate of the states."""
    if report["ungated"] is None:
        return ""
    rows = []
    for name, part in (("with the gate", report), ("without", report["ungated"])):
        image, seen = part["image_score"], part["observation"]
        rows.append(
            [name, number(image["n"]), percent(image["coverage"]), number(image["rmse"]),
             number(image["r"]), number(seen["rmse"]), number(seen["slope"]), number(seen["icc"])]
        )  # fmt: skip
    return table(
        "With and without the gate of the states",
        ["", "frames", "graded", "RMSE", "r", "RMSE of observations", "slope", "ICC(2,1)"],
        rows,
    )


def states(report: Row) -> str:
    """What is made of animals that sleep, and of those that sit still in pain."""
    figures = report["state_figures"]
    if figures is None:
        return ""
    rows = [
        [name, percent(figures[key]["share"]), span(figures[key]["interval"], percent),
         percent(figures[key]["ungated"]), number(figures[key]["n"]),
         number(figures[key]["n_animals"])]
        for key, name in STATE_ROWS
    ]  # fmt: skip
    return table(
        "Share of frames whose rendered state is known",
        ["", "share", "95 %", "without the gate", "frames", "animals"],
        rows,
    )


def sets(report: Row, scale: Scale) -> str:
    """How often the prediction sets hold a rater's grade."""
    figures = report["sets"]
    if figures is None:
        return ""
    rows = []
    for unit in scale.units:
        row = figures["units"][unit.key]
        pooled, worst = row["pooled"], _lowest(row["groups"])
        away = row["elsewhere"] or row["left_out"] or {}
        sizes = [lab["size"] for lab in away.values() if lab["size"] is not None]
        rows.append(
            [html.escape(unit.title), percent(pooled["coverage"]),
             span(pooled["interval"], percent), number(pooled["size"]), worst, _lowest(away),
             number(sum(sizes) / len(sizes)) if sizes else "–"]
        )  # fmt: skip
    return table(
        f"Prediction sets that aim to hold a rater's grade in {100 * (1 - figures['alpha']):.0f} % "
        "of frames",
        [
            "unit",
            "held",
            "95 %",
            "grades in a set",
            "lowest lab × coat",
            "lowest unseen lab",
            "grades in a set, unseen labs",
        ],
        rows,
    )


def _lowest(rows: Row) -> str:
    told = [(row["coverage"], key) for key, row in rows.items() if row["coverage"] is not None]
    if not told:
        return "–"
    coverage, key = min(told)
    return f"{percent(coverage)} ({html.escape(str(key))})"


def context(report: Row, scale: Scale) -> str:
    """What the seconds round a frame change, for every kind of frame; empty where not measured."""
    figures = report.get("ablation")
    if not figures:
        return ""
    names = kinds(figures, scale)
    rows = []
    for key, name in names.items():
        kind = figures["kinds"][key]
        told = [_changed(kind[part], digits, factor) for part, _, digits, factor in CHANGED]
        rows.append([html.escape(name), number(kind["n"]), *told])
    return table(
        "Change by context, with its 95 % interval over animals: the error in grades, the shares "
        "in percentage points",
        ["", "frames", *(name for _, name, _, _ in CHANGED)],
        rows,
    )


def both_ways(report: Row, scale: Scale) -> str:
    """The figures with and without context that the changes are differences of."""
    figures = report.get("ablation")
    if not figures:
        return ""
    rows = []
    for key, name in kinds(figures, scale).items():
        kind, cells = figures["kinds"][key], []
        for part, _, digits, factor in CHANGED:
            for which in ("with", "without"):
                value = kind[part][which]
                told = number(value, digits) if factor == 1 else percent(value)
                cells.append(told)
            cells.append(number(kind[part]["n"]))
        rows.append([html.escape(name), number(kind["n_animals"]), *cells])
    head = [text for _, name, _, _ in CHANGED for text in (f"{name}: with", "without", "frames")]
    return table(
        "With and without context: RMSE over the frames graded both ways, whatever the state; "
        "shares of the frames that each is about",
        ["", "animals", *head],
        rows,
    )


def kinds(figures: Row, scale: Scale) -> dict[str, str]:
    """The kinds of frames of an ablation by key, each with the name readers know it by."""
    known = {
        "all": "all frames",
        "near_blink": f"within {figures['near_s']:g} s of a blink",
        "blurred": "blurred",
    }
    known |= {state.key: state.title.lower() for state in scale.states}
    known |= {HOLDING + key: f"recordings with {known[key]}" for key in [*known]}
    return {key: known.get(key, key) for key in figures["kinds"]}


def _changed(figure: Row, digits: int, factor: float) -> str:
    if figure["difference"] is None:
        return "–"
    told = change(factor * figure["difference"], digits)
    if not has_interval(figure):
        return f"{told} ({figure['n']} frame{'s' * (figure['n'] != 1)})"
    ends = span([factor * end for end in figure["interval"]], lambda end: number(end, digits))
    return f"{told} ({ends})"


def has_interval(figure: Row) -> bool:
    """Whether a figure of an ablation rests on enough frames for its interval to mean anything."""
    return figure["n"] >= FEWEST and None not in figure["interval"]


def explanation(report: Row, scale: Scale) -> str:
    """How faithful the saliency is, unit by unit."""
    figures = report["explanation"]
    if not figures:
        return ""
    rows = []
    for unit in scale.units:
        row = figures["units"][unit.key]
        rows.append(
            [html.escape(unit.title), percent(row["energy"]), percent(row["region_area"]),
             *(number(row["deletion"][key], 3) for key in ("saliency", "centre", "random")),
             *(number(row["insertion"][key], 3) for key in ("saliency", "centre", "random")),
             number(row["background_swap"])]
        )  # fmt: skip
    return table(
        f"Faithfulness of the saliency on {figures['n']} faces: agreement with the whole picture "
        "while the most salient parts are taken away (deletion: less is better) or are all there "
        "is (insertion: more is better), against two other orders",
        ["unit", "saliency in region", "area of region", "deletion", "centre first", "random",
         "insertion", "centre first", "random", "shift by other background"],
        rows,
    )  # fmt: skip


def reasons(report: Row, scale: Scale) -> str:
    """Frames that were not graded, by reason."""
    titles = {reason.key: reason.title for reason in scale.reasons}
    return table(
        "Frames not graded, by reason",
        ["reason", "frames"],
        [[html.escape(titles.get(key, key)), str(count)]
         for key, count in report["reasons"].items()],
    )  # fmt: skip
