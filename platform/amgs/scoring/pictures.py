"""The best and worst frames of a scored video as pictures, each with its face box and grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MOST = 6
LONG_SIDE = 640
QUALITY = 85
BOX_COLOUR = (43, 122, 11)  # red, green, blue


def write(
    folder: Path,
    video: Path,
    predictions: Sequence[Any],
    kinds: Mapping[str, Sequence[dict[str, Any]]],
) -> dict[str, list[dict[str, Any]]]:
    """Write up to six JPEG files of each kind into ``folder``; return by kind what belongs to each.

    ``kinds`` are the best and worst frames of a result, by the name their files begin with; the
    video is read once for all of them. A frame that cannot be read a second time is left out. Boxes
    are in pixels of the picture as written (x0, y0, x1, y1), which is at most 640 pixels long and
    ``scale`` times as large as the frame. Of every unit stand there the probability of the
    likeliest grade and that of being scorable.
    """
    from models.media import read_frames

    by_pts = {prediction.key.pts: prediction for prediction in predictions}
    chosen = {
        name: [by_pts[one["pts"]] for one in frames if one["pts"] in by_pts][:MOST]
        for name, frames in kinds.items()
    }
    read = read_frames(video, [one.key.pts for some in chosen.values() for one in some])
    shown: dict[str, list[dict[str, Any]]] = {}
    for name, some in chosen.items():
        shown[name] = []
        for number, prediction in enumerate(some, start=1):
            frame = read.get(prediction.key.pts)
            told = frame and _picture(folder / f"{name}-{number}.jpg", frame.image, prediction)
            if told:
                shown[name].append(told)
    return shown


def _picture(path: Path, image: Any, prediction: Any) -> dict[str, Any] | None:
    """Write one frame; ``None`` where it cannot be encoded."""
    import cv2

    scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    box = None
    if prediction.face is not None:
        box = [round(value * scale, 1) for value in prediction.face.box]
        corners = [round(value) for value in box]
        cv2.rectangle(picture, corners[:2], corners[2:], BOX_COLOUR, 2)
    turned = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        return None
    path.write_bytes(data.tobytes())
    return {
        "file": path.name,
        "index": prediction.index if prediction.index >= 0 else None,
        "pts": prediction.key.pts,
        "time_s": prediction.time_s,
        "width": size[0],
        "height": size[1],
        "box": box,
        "scale": round(scale, 6),
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
