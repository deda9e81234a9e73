"""How well an eye graph reads the real material that no reader learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.eye_crops import eye_of, face_of
from models.data.real import WHOLE_PROFILE, WHOLE_PROFILE_BOX, Still, stills
from models.eyes import EYES, EyeReader, eye_places, opening
from models.media import open_media
from models.records import Face

Floats = NDArray[np.floating[Any]]

SHUT_FACE = Face(
    box=WHOLE_PROFILE_BOX,
    landmarks={"right_eye": (905.0, 775.0), "nose": (620.0, 838.0)},
    confidence=1.0,
    view="profile",
    sharpness=0.0,
)
"""The face in the film of a shut eye; the head is fixed, so that one place serves all frames."""
SLIPS = 8
"""How often every eye is read, each time with another error of the finder."""


def slipped(face: Face, wide: float, rng: np.random.Generator) -> Face:
    """The face as a careless finder would give it: eyes a quarter of an eye width off at most.

    The nose, which sets the side of the square, is off by twice as much.
    """
    marks = {}
    for name, (x, y) in face.landmarks.items():
        reach = wide * (0.25 if name in EYES else 0.5)
        dx, dy = rng.uniform(-reach, reach, 2)
        marks[name] = (x + float(dx), y + float(dy))
    return replace(face, landmarks=marks)


def real_figures(graph: Path | bytes, material: Path) -> dict[str, Any]:
    """What a graph reaches on the held-out stills and on the film of a shut eye.

    Errors of landmarks are in eye widths as marked; the constant baseline is the mean opening of
    the stills that were learnt from.
    """
    reader = EyeReader(graph)
    learnt, held_out = stills(material, "train"), stills(material, "held_out")
    figures: dict[str, Any] = {}
    if held_out:
        figures["stills"] = still_figures(reader, held_out, learnt)
    if learnt and (material / WHOLE_PROFILE).is_file():
        all_open = [float(opening(eye_of(still))) for still in (*learnt, *held_out)]
        figures["shut"] = shut_figures(
            reader, material / WHOLE_PROFILE, float(np.percentile(all_open, 1))
        )
    return figures


def still_figures(
    reader: EyeReader, held_out: Sequence[Still], learnt: Sequence[Still]
) -> dict[str, Any]:
    """Errors on stills, each read `SLIPS` times from faces that are a little off."""
    rng = np.random.default_rng(5)
    away, missed, read, true = [], 0, [], []
    for still in held_out:
        luma, marked = still.luma(), eye_of(still)
        wide = float(np.linalg.norm(marked[1] - marked[3]))
        faces = [slipped(face_of(still), wide, rng) for _ in range(SLIPS)]
        places = [place for face in faces for place in eye_places(face)]
        for points in reader.measure([luma] * SLIPS, places):
            if points is None:
                missed += 1
                continue
            away.append(np.linalg.norm(points - marked, axis=1) / wide)
            read.append(float(opening(points)))
            true.append(float(opening(marked)))
    constant = float(np.mean([opening(eye_of(still)) for still in learnt])) if learnt else 0.0
    errors = np.subtract(read, true)
    # The constant needs to see nothing, so that it is judged on all stills.
    baseline = [constant - float(opening(eye_of(still))) for still in held_out]
    return {
        "stills": len(held_out),
        "readings": len(held_out) * SLIPS,
        "missed": missed,
        "landmark_error_median": _of(np.median, away),
        "landmark_error_p90": _of(lambda values: np.quantile(values, 0.9), away),
        "opening_mae": _of(np.mean, np.abs(errors)),
        "opening_bias": _of(np.mean, errors),
        "constant_mae": _of(np.mean, np.abs(baseline)),
        "constant_bias": _of(np.mean, baseline),
    }


def _of(statistic: Callable[[Any], Any], values: Any) -> float | None:
    """A statistic as JSON takes it: None where there are no values."""
    return float(statistic(values)) if len(values) else None


def shut_figures(reader: EyeReader, film: Path, threshold: float) -> dict[str, Any]:
    """Share of the frames of a shut eye whose opening lies below `threshold`."""
    rng = np.random.default_rng(6)
    wide, read, frames = 95.0, [], 0
    with open_media(film) as source:
        for frame in source:
            frames += 1
            faces = [slipped(SHUT_FACE, wide, rng) for _ in range(SLIPS)]
            found = reader.read([frame.luma] * SLIPS, faces)
            read += [face.opening for face in found]
    seen = [value for value in read if value is not None]
    below = sum(value < threshold for value in seen)
    return {
        "frames": frames,
        "readings": len(read),
        "seen": len(seen) / max(len(read), 1),
        "threshold": threshold,
        "below": below / max(len(read), 1),
        "opening_median": _of(np.median, seen),
        "opening_largest": _of(np.max, seen),
    }
