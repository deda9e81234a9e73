"""The tables of a phantom study: truth of every frame, score sheets, evaluation, oracle."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.phantom.clip import FrameTruth
from models.phantom.eyes import NAMES
from models.phantom.raters import Rater, draw_rater, expected_grade, rate
from models.records import Vote
from models.scale import Scale

NOT_SCORABLE = "9"
REASON_COLUMN = "reason"
# Raters of the evaluation: a panel of its own whom no lab has taught.
PANEL = 8
EYE_ENDS = ("top", "front", "bottom", "back")
BOX = ("box_x0", "box_y0", "box_x1", "box_y1")


def truth_columns(scale: Scale) -> list[str]:
    """Columns of `truth.csv`."""
    columns = ["file", "frame", "time_s", "state", "view", "yaw", "pitch"]
    columns += [f"{unit}_{what}" for unit in scale.unit_keys for what in ("intensity", "scorable")]
    columns += BOX
    columns += [f"{name}_{what}" for name in scale.landmarks for what in ("x", "y", "seen")]
    return columns + [
        f"{side}_{end}_{axis}" for side in NAMES for end in EYE_ENDS for axis in ("x", "y")
    ]


def truth_row(file: str, truth: FrameTruth, scale: Scale) -> list[str | int]:
    """What is true of a frame; eye points of an eye that cannot be seen are blank."""
    face = truth.face
    row: list[str | int] = [file, truth.frame, f"{truth.time_s:.4f}", face.state, face.view]
    row += [f"{face.yaw:.1f}", f"{face.pitch:.1f}"]
    for unit in scale.unit_keys:
        row += [f"{face.intensities[unit]:.3f}", int(unit not in face.not_scorable)]
    row += [f"{edge:.1f}" for edge in face.box]
    for name in scale.landmarks:
        x, y = face.landmarks[name]
        row += [f"{x:.1f}", f"{y:.1f}", int(name not in face.hidden)]
    for side in NAMES:
        points = face.eye_points.get(side)
        if points is None:
            row += [""] * (2 * len(EYE_ENDS))
        else:
            row += [f"{value:.2f}" for point in points for value in point]
    return row


def panel(seed: int, scale: Scale) -> list[Rater]:
    """The raters who judge one lab's frames for the evaluation; every lab has a panel of its own.

    One panel for all labs would lend its own mean severity to every figure of a study.
    """
    return [
        draw_rater(f"evaluation-{n + 1}", seed * 10 + 500_000 + n, 0.0, scale) for n in range(PANEL)
    ]


def write_votes(
    path: Path,
    frames: Iterable[tuple[str, int, Sequence[FrameTruth]]],
    raters: Sequence[Rater],
    scale: Scale,
    salt: int,
) -> None:
    """Write one row per frame and rater; `frames` are (file, seed, truths) of every recording."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "frame", "rater", *scale.unit_keys, REASON_COLUMN])
        for name, seed, truths in frames:
            rng = np.random.default_rng([seed, salt])
            for truth in truths:
                for rater in raters:
                    writer.writerow([name, truth.frame, *_row(truth, rater, rng, scale)])


def write_oracle(
    path: Path, frames: Iterable[tuple[str, int, Sequence[FrameTruth]]], scale: Scale
) -> None:
    """Write the expected grade of every unit given its rendered intensity: the best one can do.

    A unit that cannot be scored is blank; `image_score` is the mean over the others, blank under
    the scale's `minimum_units`.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "frame", *scale.unit_keys, "image_score"])
        for name, _, truths in frames:
            for truth in truths:
                grades: dict[str, Any] = {
                    unit.key: float(
                        expected_grade(unit, truth.face.intensities[unit.key], scale)[0]
                    )
                    for unit in scale.units
                    if unit.key not in truth.face.not_scorable
                }
                score = (
                    f"{sum(grades.values()) / len(grades):.4f}"
                    if len(grades) >= scale.minimum_units
                    else ""
                )
                cells = [f"{grades[key]:.4f}" if key in grades else "" for key in scale.unit_keys]
                writer.writerow([name, truth.frame, *cells, score])


def _row(truth: FrameTruth, rater: Rater, rng: np.random.Generator, scale: Scale) -> list[str]:
    votes: list[Vote] = rate(truth.face, rater, rng, scale)
    cells = [NOT_SCORABLE if vote.grade is None else str(vote.grade) for vote in votes]
    # A sheet has room for one reason per row: the most frequent one.
    reasons = Counter(vote.reason for vote in votes if vote.reason)
    return [rater.name, *cells, reasons.most_common(1)[0][0] if reasons else ""]
