"""A whole study: rows and a plan in, a folder with report, tables, figures and zip out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from models.figures.table import without_nan
from models.provenance import program_version
from models.result import DISCLAIMER
from models.scale import Scale, load_scale
from models.study.cautions import cautions
from models.study.comparisons import (
    distributions,
    high_grimace,
    human_agreement,
    mixed_model,
    power_table,
    primary_and_secondary,
    reversal,
    tested_outcome,
    time_course,
)
from models.study.files import write_tables, write_zip
from models.study.methods import methods_text
from models.study.observations import (
    Read,
    check_design,
    check_versions,
    fixed_units,
    observations,
    read_rows,
)
from models.study.outcomes import of_group
from models.study.plan import StudyPlan
from models.study.rows import StudyRow

Told = Callable[[float, str], None]
FORMAT = 1


def run_study(
    rows: Sequence[StudyRow], plan: StudyPlan, out: Path, on_progress: Told | None = None
) -> dict[str, Any]:
    """Analyse a study into the folder `out`; the content of report.json.

    Writes report.json, report.html, methods.txt, `tables/*.csv`, `figures/*.svg` and `*.png`, and
    study.zip with all of these and what reproduces them. `on_progress(share, sentence)` hears how
    far it is. Raises Refused where the rows or the plan cannot be analysed as they are.
    """
    told = on_progress or (lambda share, sentence: None)
    scale = load_scale()
    plan.check(scale)
    check_design(rows, plan)
    read = read_rows(rows, scale, lambda share, sentence: told(0.5 * share, sentence))
    check_versions(read)
    units = fixed_units(read, plan, scale)
    table = observations(read, plan, units, scale)
    told(0.55, "Computing")
    # Thousands of products of small matrices: threads would only wait for each other.
    with threadpool_limits(1, "blas"):
        report, frames = analyse(table, read, plan, units, scale)
    # Only now: matplotlib takes a second to import, a refusal does not need it.
    from models.study.figures import Drawer, draw_all, units_for_figures
    from models.study.page import write_page

    told(0.75, "Drawing")
    out.mkdir(parents=True, exist_ok=True)
    drawer = Drawer(out / "figures", footer(report))
    draw_all(drawer, table, report, units_for_figures(frames["animals"]), scale)
    told(0.9, "Writing")
    report["methods"] = methods_text(report, scale)
    report["figures"] = [
        {"key": one.key, "label": one.label, "caption": one.caption} for one in drawer.drawn
    ]
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
    (out / "methods.txt").write_text(report["methods"], encoding="utf-8")
    write_tables(out / "tables", report, report["values"], report["observations"])
    write_page(out / "report.html", report, drawer.drawn, scale)
    made = [out / name for name in ("report.json", "report.html", "methods.txt")]
    made += [out / "figures" / f"{one.key}.{end}" for one in drawer.drawn for end in ("svg", "png")]
    made += sorted((out / "tables").glob("*.csv"))
    write_zip(out, report, read, made)
    told(1.0, "Done")
    return report


def analyse(
    table: pd.DataFrame,
    read: Sequence[Read],
    plan: StudyPlan,
    units: Sequence[str],
    scale: Scale,
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Every number of the report, JSON-safe, and the tables `animals` and `units` it rests on."""
    found = primary_and_secondary(table, plan)
    per_unit, animals = found.pop("units"), found.pop("animals")
    tested = tested_outcome(plan)
    groups = found["groups"]
    found["primary"]["sizes"] = {
        group: int(of_group(per_unit, group, tested).size) for group in groups
    }
    readings = [one.reading for one in read if one.reading is not None]
    agreement, _ = human_agreement(table, plan, scale)
    report: dict[str, Any] = {
        "format": FORMAT,
        "program": program_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "disclaimer": DISCLAIMER,
        "phantom": any(one.phantom for one in readings),
        "model": {
            "name": next((one.model for one in readings if one.model), ""),
            "digest": readings[0].digest,
            "snapshot": readings[0].snapshot,
            "scored_at": sorted({one.scored_at for one in readings if one.scored_at}),
        },
        "plan": plan.to_json(),
        "units_used": list(units),
        "counts": _counts(table, read, per_unit, groups),
        "exclusions": [
            {"name": one.row.name, "animal": one.row.animal, "group": one.row.group,
             "time_h": one.row.time_h, "reason": one.row.excluded}
            for one in read if one.row.excluded
        ],
        "without_score": _without_score(table),
        "warnings": [],
        **found,
        "gate": _gate(table, plan),
        "time_course": time_course(table, plan),
        "reversal": reversal(table, animals, plan),
        "high_grimace": high_grimace(table, plan),
        "distribution": distributions(table),
        "mixed": mixed_model(table, plan),
        "power": power_table(per_unit, plan),
        "agreement": agreement,
        "values": per_unit.to_dict("records"),
        "observations": [
            {**{key: value for key, value in row.items() if key != "distribution"}}
            for row in table.to_dict("records")
        ],
        "files": _files(read),
    }  # fmt: skip
    report["warnings"] = cautions(table, read, report, plan, scale)
    plain: dict[str, Any] = without_nan(report)
    return plain, {"animals": animals, "units": per_unit}


def footer(report: dict[str, Any]) -> str:
    """The small print under every figure."""
    model = report["model"]
    named = model["name"] or (f"bundle {model['digest'][:12]}" if model["digest"] else "")
    parts = ["aMGS", named, report["date"], "a research measure"]
    if report["phantom"]:
        parts.append("PHANTOM: rendered faces, says nothing about mice")
    return " · ".join(part for part in parts if part)


def _counts(
    table: pd.DataFrame, read: Sequence[Read], units: pd.DataFrame, groups: Sequence[str]
) -> dict[str, Any]:
    return {
        "rows": len(read),
        "recordings": sum(one.reading is not None for one in read),
        "excluded": sum(bool(one.row.excluded) for one in read),
        "observations": len(table),
        "scored": int(np.isfinite(table["value"]).sum()),
        "animals": int(table["animal"].nunique()),
        "cages": int(table.loc[table["cage"] != "", "cage"].nunique()),
        "frames": int(table["frames"].sum()),
        "graded": int(table["graded"].sum()),
        "groups": {
            group: {
                "units": int((units["group"] == group).sum()),
                "animals": int(table.loc[table["group"] == group, "animal"].nunique()),
                "observations": int((table["group"] == group).sum()),
                "scored": int(np.isfinite(table.loc[table["group"] == group, "value"]).sum()),
                "coverage": float(table.loc[table["group"] == group, "coverage"].mean()),
            }
            for group in groups
        },
    }


def _without_score(table: pd.DataFrame) -> list[dict[str, Any]]:
    lost = table[~np.isfinite(table["value"])]
    return [
        {"name": row["recordings"], "animal": row["animal"], "group": str(row["group"]),
         "time_h": row["time_h"], "reason": row["reason"],
         "kind": "too few frames could be graded" if row["reason"].startswith("only ")
         else row["reason"].rstrip(".") or "no score"}
        for _, row in lost.iterrows()
    ]  # fmt: skip


def _gate(table: pd.DataFrame, plan: StudyPlan) -> list[dict[str, Any]]:
    """The difference of every pair with and without the gate of the states, where both are told."""
    from models.study.comparisons import pairs_of
    from models.study.outcomes import groups_of, per_animal, per_unit

    sides = {}
    for name, column in (("gated", "score"), ("ungated", "score_ungated")):
        animals = per_animal(table.assign(value=table[column]), plan)
        sides[name] = per_unit(animals, ["mean_score"])
    rows = []
    for first, second in pairs_of(groups_of(table), plan):
        row: dict[str, Any] = {"reference": first, "group": second}
        for name, units in sides.items():
            x, y = (of_group(units, one, "mean_score") for one in (first, second))
            row[name] = float(y.mean() - x.mean()) if x.size and y.size else None
        both = row["gated"] is not None and row["ungated"] is not None
        rows.append(row | {"apart": row["ungated"] - row["gated"] if both else None})
    return rows


def _files(read: Sequence[Read]) -> list[dict[str, Any]]:
    def digest(path: str | Path | None) -> str:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""

    return [
        {"name": one.row.name, "result_sha256": digest(one.row.result),
         "predictions_sha256": digest(one.row.predictions)}
        for one in read if one.reading is not None
    ]  # fmt: skip
