"""Predictions as a table for spreadsheets and statistics programs: one row per frame."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from models.records import Prediction
from models.scale import Scale, load_scale

DIGITS = 12
"""Digits of a digest that tell bundles apart for a reader."""
LIMITS = "research measure, no welfare decision; low does not mean no pain"
"""What every row of a table says, since rows of several tables get mixed."""
UNKNOWN = "unknown"
ORIGIN = ("phantom", "model", "bundle", "snapshot", "scored_at", "independent", "limits")
BETWEEN = "|"
"""Between the grades of a set: with a comma, spreadsheets of many countries read a number."""


def write_csv(
    path: str | Path,
    predictions: Iterable[Prediction],
    *,
    scale: Scale | None = None,
    phantom: bool = False,
    model: str = "",
    bundle: str = "",
    snapshot: str = "",
    scored_at: str = "",
    independent: str = UNKNOWN,
) -> None:
    """Write one row per frame: state, reason, image score, and grade, reason and set per unit.

    A grade is 0, 1 or 2 and empty where the unit is not scored; then `<unit>_reason` says why.
    `<unit>_set` holds the grades that can be meant, such as `0|1`. `frame` is empty where the place
    of a frame in the recording was not counted. `unfamiliar` says that a face is unlike those the
    model has learnt from.
    `phantom` marks every row as resting on rendered faces. Every row names the `model`, the
    first digits of the digest of its `bundle`, the `snapshot` it learned from and when it was
    scored, says whether the recording is `independent` of what the model learned from (“yes”, “no”
    or “unknown”), and what a score is not.
    """
    scale = scale or load_scale()
    columns = ["frame", "time_s", "state", "reason", "image_score", "units_scored"]
    for unit in scale.unit_keys:
        columns += [unit, f"{unit}_reason", f"{unit}_set"]
    columns.append("unfamiliar")
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*columns, *ORIGIN])
        for one in predictions:
            by_unit = {grade.unit: grade for grade in one.grades}
            scored = sum(grade.grade is not None for grade in one.grades)
            frame = one.index if one.index >= 0 else ""
            row: list[str | int] = [frame, f"{one.time_s:.6f}", one.state, one.reason or ""]
            row += ["" if one.image_score is None else f"{one.image_score:.4f}", scored]
            for unit in scale.unit_keys:
                grade = by_unit.get(unit)
                known = grade is not None and grade.grade is not None
                row.append(grade.grade if grade and grade.grade is not None else "")
                # A frame without any grade has one reason for all of its units.
                reason = grade.reason if grade is not None else one.reason
                row.append("" if known else reason or "")
                held = grade.possible if grade is not None else None
                row.append(BETWEEN.join(map(str, held or ())))
            row.append("yes" if one.unfamiliar else "no")
            origin = ["yes" if phantom else "no", model, bundle[:DIGITS], snapshot]
            origin += [scored_at, independent, LIMITS]
            writer.writerow([*row, *origin])
