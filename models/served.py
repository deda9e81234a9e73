"""A bundle as strangers get it: with the facts that `amgs_pyfunc.py` needs and plots of its report.

The loader knows no scale and no YAML: what of the bundle's configuration it needs is written out.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models import amgs_pyfunc
from models.bundle import Bundle
from models.grader import told_states
from models.report import plots
from models.report.markup import drawn_svg
from models.scale import Scale

LOADER = Path(amgs_pyfunc.__file__)
"""The one file that travels along."""
FACTS = "facts.json"
COLUMNS = (
    ("score", "double"),
    ("state", "string"),
    ("reason", "string"),
    ("confidence", "double"),
    ("distance", "double"),
)


def served_facts(bundle: Bundle) -> dict[str, Any]:
    """What `amgs_pyfunc.Model` reads from `facts.json`."""
    scale = bundle.scale
    told = told_states(scale, bundle.info["states"])
    sleep = scale.reason_because("sleep").key
    awake = scale.graded_state.key
    return {
        "format": amgs_pyfunc.FORMAT,
        "digest": bundle.digest,
        "phantom": bundle.phantom,
        "scale": scale.name,
        "minimum_units": scale.minimum_units,
        "units": [{"key": unit.key, "grades": len(unit.grades)} for unit in scale.units],
        "states": [
            {"key": state.key, "graded": state.graded, "reason": state.reason, "told": bool(known)}
            for state, known in zip(scale.states, told, strict=True)
        ],
        "unknown_state": scale.unknown_state.key,
        "sleep_or_awake": [
            awake,
            next((state.key for state in scale.states if state.reason == sleep), awake),
        ],
        "reasons": {reason.cause: reason.key for reason in reversed(scale.reasons)},
        "crop": asdict(bundle.crop),
        "long_side": bundle.config.finder.long_side,
        "landmarks": list(scale.landmarks),
    }


def write_served(bundle: Bundle, folder: Path) -> Path:
    """Write `facts.json` and the bundle below a new folder; returns the folder."""
    folder.mkdir(parents=True)
    shutil.copytree(bundle.path, folder / "bundle")
    text = json.dumps(served_facts(bundle), indent=1)
    (folder / FACTS).write_text(text, encoding="utf-8")
    return folder


def output_columns(scale: Scale) -> tuple[tuple[str, str], ...]:
    """Name and type (double or string) of every column that the loader returns."""
    per_unit = [
        (f"{unit.key}__{part}", "double")
        for unit in scale.units
        for part in (*(f"p{grade}" for grade in range(len(unit.grades))), "scorable", "grade")
    ]
    return (*COLUMNS, *per_unit)


def example_pictures() -> NDArray[np.uint8]:
    """Two plain grey pictures (2, 96, 96, 1), one brightening, one darkening: no face in either."""
    ramp = np.linspace(0, 255, 96).astype(np.uint8)
    picture = np.repeat(ramp[None], 96, 0)
    return np.stack([picture, picture[:, ::-1]])[..., None]


def write_plots(
    report: Mapping[str, Any], scale: Scale, curves: list[dict[str, Any]], folder: Path
) -> None:
    """Confusion matrices, risk–coverage and training curves as SVG, each with its numbers as JSON.

    What the report does not hold is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    units = report.get("units") or {}
    for unit in scale.units:
        row = units.get(unit.key) or {}
        if row.get("confusion"):
            label = f"{unit.title}: raters against the model"
            _write(folder / f"confusion_{unit.key}", label, plots.confusion(row, unit))
            _numbers(folder / f"confusion_{unit.key}", row["confusion"])
    risk = report.get("risk_coverage") or {}
    if risk.get("coverage"):
        _write(folder / "risk_coverage", "Risk against coverage", plots.risk(report))
        _numbers(folder / "risk_coverage", risk)
    if curves:
        _write(folder / "training_curves", "Training curves", _curves(curves))
        _numbers(folder / "training_curves", curves)


def _curves(curves: list[dict[str, Any]]) -> Figure | None:
    names = sorted({name for point in curves for name in point["metrics"] if "loss" in name})
    if not names:
        return None
    drawn, axes = plots.panel(4.5, 3.0)
    for name in names:
        known = [
            (point["step"], point["metrics"][name]) for point in curves if name in point["metrics"]
        ]
        axes.plot(*zip(*known, strict=True), label=name, lw=1.2)
    axes.set(xlabel="step", ylabel="loss")
    axes.legend(frameon=False)
    return drawn


def _write(path: Path, label: str, drawn: Figure | None) -> None:
    if drawn is not None:
        path.with_suffix(".svg").write_text(drawn_svg(label, lambda: drawn), encoding="utf-8")


def _numbers(path: Path, value: Any) -> None:
    path.with_suffix(".json").write_text(json.dumps(value, indent=1), encoding="utf-8")
