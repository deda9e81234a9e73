"""The best and worst frames of a scored video as pictures, each with its face box and grades."""

from __future__ import annotations

from collections.abc import Sequence
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
    best: Sequence[dict[str, Any]],
    name: str = "best",
) -> list[dict[str, Any]]:
    """Write up to six JPEG files into ``folder`` and return what belongs to each.

    ``best`` are those of a result, or its worst; files are called after ``name``. A frame that
    cannot be read a second time is left out. Boxes are in pixels of the picture as written
    (x0, y0, x1, y1), which is at most 640 pixels long and ``scale`` times as large as the frame.
    Of every unit stand there the probability of the likeliest grade and that of being scorable.
    """
    import cv2

    from models.media import read_frames

    by_pts = {prediction.key.pts: prediction for prediction in predictions}
    chosen = [by_pts[one["pts"]] for one in best if one["pts"] in by_pts][:MOST]
    frames = read_frames(video, [prediction.key.pts for prediction in chosen])
    shown = []
    for number, prediction in enumerate(chosen, start=1):
        frame = frames.get(prediction.key.pts)
        if frame is None:
            continue
        image = frame.image
        scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        box = None
        if prediction.face is not None:
            box = [round(value * scale, 1) for value in prediction.face.box]
            corners = [round(value) for value in box]
            cv2.rectangle(picture, corners[:2], corners[2:], BOX_COLOUR, 2)
        file = f"{name}-{number}.jpg"
        done, data = cv2.imencode(
            ".jpg",
            cv2.cvtColor(picture, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_JPEG_QUALITY, QUALITY],
        )
        if not done:
            continue
        (folder / file).write_bytes(data.tobytes())
        shown.append(
            {
                "file": file,
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
        )
    return shown
