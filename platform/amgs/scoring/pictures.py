"""The best and worst frames of a scored video as pictures, each with its face box and grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.gallery import Shot

MOST = 6


def write(
    folder: Path,
    video: Path,
    predictions: Sequence[Any],
    kinds: Mapping[str, Sequence[dict[str, Any]]],
    shots: Mapping[int, Shot],
) -> dict[str, list[dict[str, Any]]]:
    """Write up to six JPEG files of each kind into ``folder``; return by kind what belongs to each.

    ``kinds`` are the best and worst frames of a result, by the name their files begin with;
    ``shots`` are the pictures kept while the video was scored. Where one is missing the video is
    read once more; a frame that cannot be read a second time is left out. Boxes are in pixels of
    the picture as written (x0, y0, x1, y1), which is at most 640 pixels long and ``scale`` times as
    large as the frame. Of every unit stand there the probability of the likeliest grade and that of
    being scorable.
    """
    by_pts = {prediction.key.pts: prediction for prediction in predictions}
    chosen = {
        name: [by_pts[one["pts"]] for one in frames if one["pts"] in by_pts][:MOST]
        for name, frames in kinds.items()
    }
    missing = [one for some in chosen.values() for one in some if one.key.pts not in shots]
    there = {**shots, **_read_again(video, missing)}
    shown: dict[str, list[dict[str, Any]]] = {}
    for name, some in chosen.items():
        shown[name] = []
        for number, prediction in enumerate(some, start=1):
            shot = there.get(prediction.key.pts)
            if shot is not None:
                file = f"{name}-{number}.jpg"
                (folder / file).write_bytes(shot.jpeg)
                shown[name].append({"file": file} | _told(shot, prediction))
    return shown


def _read_again(video: Path, predictions: Sequence[Any]) -> dict[int, Shot]:
    from models.gallery import drawn, reduced
    from models.media import read_frames

    read = read_frames(video, [one.key.pts for one in predictions])
    shots = {}
    for one in predictions:
        if frame := read.get(one.key.pts):
            shot = drawn(*reduced(frame.image), one)
            if shot is not None:
                shots[one.key.pts] = shot
    return shots


def _told(shot: Shot, prediction: Any) -> dict[str, Any]:
    return {
        "index": prediction.index if prediction.index >= 0 else None,
        "pts": prediction.key.pts,
        "time_s": prediction.time_s,
        "width": shot.width,
        "height": shot.height,
        "box": list(shot.box) if shot.box else None,
        "scale": shot.scale,
        "score": prediction.image_score,
        "grades": {
            grade.unit: {
                "grade": grade.grade,
                "reason": grade.reason,
                "set": grade.possible,
                "probability": round(max(grade.probabilities), 3),
                "scorable": round(grade.scorable, 3),
            }
            for grade in prediction.grades
        },
    }
