"""A made-up study, to try the analysis on: numbers are drawn, no mouse and no film is behind them.

Every file says that it rests on a phantom.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.exports import write_json, written_through
from models.records import FrameKey, Grade, Prediction
from models.result import summarise
from models.scale import Scale, load_scale
from models.study.plan import StudyPlan
from models.study.table import COLUMNS

GROUPS = {"sham": 0.1, "vehicle": 1.0, "drug": 0.4}
"""Groups, and how much of the full effect each has."""
FULL = 0.75
LOADINGS = (1.2, 0.8, 0.8, 1.1, 0.9)
ORIGIN = {"bundle": "0" * 64, "snapshot": "made-up", "model": "made-up example"}


@dataclass(frozen=True)
class ExampleSize:
    """How large a made-up study is."""

    animals: int = 10
    times: tuple[float, ...] = (-24.0, 1.0, 4.0, 8.0, 24.0)
    seconds: float = 60.0
    fps: float = 2.0


def write_example(table: Path, size: ExampleSize | None = None, seed: int = 3) -> Path:
    """Write a table, its results beside it and a plan; the path of the plan."""
    size = size or ExampleSize()
    scale, rng = load_scale(), np.random.default_rng(seed)
    folder = table.parent / f"{table.stem}-results"
    rows = []
    for place, (group, share) in enumerate(GROUPS.items()):
        for number in range(size.animals):
            animal = f"m{place * size.animals + number + 1:02d}"
            cage = f"c{number // 2 * len(GROUPS) + place + 1:02d}"
            base, own = 0.25 + 0.07 * rng.standard_normal(), 1 + 0.25 * rng.standard_normal()
            for time in size.times:
                name = f"{animal}_{time:g}h"
                level = base + 0.06 * rng.standard_normal()
                if time > 0:
                    level += FULL * share * own * math.exp(-((math.log(time / 4)) ** 2) / 3.5)
                excluded = (
                    "the camera fell over" if (number, time) == (3, size.times[-1]) and not place
                    else ""
                )  # fmt: skip
                write_recording(folder / name, level, size, scale, rng)
                human = float(np.clip(level + 0.12 * rng.standard_normal(), 0, 2))
                known = time in size.times[:2]
                rows.append(
                    {"name": name, "animal": animal, "cage": cage, "group": group,
                     "time_h": f"{time:g}", "dose": "5 mg/kg" if group == "drug" else "",
                     "result": f"{folder.name}/{name}/result.json",
                     "predictions": f"{folder.name}/{name}/predictions.parquet",
                     "excluded": excluded, "human_score": f"{human:.2f}" if known else ""}
                )  # fmt: skip
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    plan = StudyPlan(control="sham", vehicle="vehicle", drug="drug", cut_off=0.8)
    path = table.with_name(f"{table.stem}-plan.json")
    path.write_text(json.dumps(plan.to_json(), indent=2) + "\n", encoding="utf-8")
    return path


def write_recording(
    folder: Path, level: float, size: ExampleSize, scale: Scale, rng: np.random.Generator
) -> None:
    """Write result.json and predictions.parquet of a recording whose frames have this level."""
    folder.mkdir(parents=True, exist_ok=True)
    predictions = _predictions(level, size, scale, rng)
    written = written_through(
        folder / "predictions.parquet", predictions, scale=scale, phantom=True, **ORIGIN
    )
    result = summarise(written, scale, phantom=True)
    origin = {"recording": f"{folder.name}.mp4", "phantom": True, **ORIGIN}
    write_json(folder / "result.json", result, origin)


def _predictions(
    level: float, size: ExampleSize, scale: Scale, rng: np.random.Generator
) -> Iterator[Prediction]:
    top = max(unit.top_grade for unit in scale.units)
    resting = [state for state in scale.states if not state.graded and state.reason]
    asleep = False
    slow = 0.0
    for index in range(round(size.seconds * size.fps)):
        slow = 0.9 * slow + 0.07 * rng.standard_normal()
        # A spell of another state now and then, half a minute or so in twenty.
        asleep = rng.random() < (0.93 if asleep else 0.008)
        grades, values = [], []
        for unit, loading in zip(scale.units, LOADINGS, strict=True):
            value = float(np.clip(loading * (level + slow) + 0.12 * rng.standard_normal(), 0, top))
            scorable = not asleep and rng.random() > unit.not_scorable_rate / 2
            grades.append(_grade(unit.key, value, scorable, scale, top))
            values += [value] if scorable else []
        state = resting[0] if asleep else scale.graded_state
        graded = not asleep and len(values) >= scale.minimum_units
        yield Prediction(
            key=FrameKey("0" * 64, 0, index, (1, round(size.fps))),
            index=index,
            time_s=index / size.fps,
            state=state.key,
            face=None,
            grades=tuple(grades),
            image_score=float(np.mean(values)) if graded else None,
            reason=None if graded else resting[0].reason,
        )


def _grade(unit: str, value: float, scorable: bool, scale: Scale, top: int) -> Grade:
    low = min(int(value), top - 1)
    p = [0.0] * (top + 1)
    p[low], p[low + 1] = 1 - (value - low), value - low
    reason = next(one.key for one in scale.reasons if one.level == "unit")
    grade = round(value) if scorable else None
    told: Sequence[float] = p
    return Grade(unit, grade, None if scorable else reason, tuple(told), 0.97 if scorable else 0.2)
