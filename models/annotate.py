"""A film with what the model said drawn on every frame: box, grades, score, state, limits."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from models.media.frames import Frame, Picture
from models.media.proxy import Progress, Proxy, make_drawn
from models.media.thumbnails import clock
from models.records import Prediction
from models.scale import Scale

LIMITS = "research measure, not a welfare decision"
INK, BAND, BOX, NONE = (235, 235, 235), (20, 24, 28), (86, 200, 190), (190, 190, 190)
FACE = cv2.FONT_HERSHEY_SIMPLEX
BAND_SHARE = 0.16
"""Height of the band of words under the picture, as a share of the picture's."""


def annotated_film(
    source: Path,
    target: Path,
    predictions: Iterable[Prediction],
    scale: Scale,
    *,
    model: str,
    phantom: bool,
    progress: Progress | None = None,
) -> Proxy:
    """Write a silent H.264 film without tags, every frame at its own time, words in a band below.

    `predictions` are those of the film in order of time; `progress` hears the number of frames
    done. Raises Unreadable where no frame can be read.
    """

    def drawn(frames: Iterator[Frame]) -> Iterator[Frame]:
        said = iter(predictions)
        held = next(said, None)
        for frame in frames:
            # Frames and predictions come in the same order; one that is not told of is left bare.
            while held is not None and held.key.pts < frame.pts:
                held = next(said, None)
            found = held if held is not None and held.key.pts == frame.pts else None
            yield _drawn(frame, found, scale, model, phantom)

    return make_drawn(source, target, drawn, progress)


def _drawn(frame: Frame, said: Prediction | None, scale: Scale, model: str, phantom: bool) -> Frame:
    image = frame.image
    height, width = image.shape[:2]
    band = max(48, round(BAND_SHARE * height))
    picture = np.full((height + band, width, 3), BAND, np.uint8)
    picture[:height] = image
    words = [f"{clock(frame.time_s)}  no prediction", ""]
    if said is not None:
        if said.face is not None:
            x0, y0, x1, y1 = (round(value) for value in said.face.box)
            colour = BOX if said.image_score is not None else NONE
            cv2.rectangle(picture[:height], (x0, y0), (x1, y1), colour, max(1, width // 320))
        words = _words(said, scale)
    origin = f"aMGS {model}{', PHANTOM: says nothing of real mice' if phantom else ''}; {LIMITS}"
    lines = [*words, origin]
    for place, line in enumerate(lines):
        _write(picture, line, height, band, place, len(lines))
    return replace(frame, to_image=lambda: picture, to_luma=lambda: picture[..., 1])


def _words(said: Prediction, scale: Scale) -> list[str]:
    state = scale.state(said.state).title
    if said.image_score is not None:
        first = f"{clock(said.time_s)}  score {said.image_score:.2f} of 2  {state}"
    else:
        why = scale.reason(said.reason).title if said.reason else state
        first = f"{clock(said.time_s)}  not graded: {why}"
    grades = {grade.unit: grade.grade for grade in said.grades}
    shown = [
        f"{unit.short} {'-' if grades.get(unit.key) is None else grades[unit.key]}"
        for unit in scale.units
    ]
    return [first, "  ".join(itertools.chain(shown)) if said.grades else ""]


def _write(picture: Picture, line: str, top: int, band: int, place: int, count: int) -> None:
    """Write a line of the band, as large as fits."""
    if not line:
        return
    width = picture.shape[1]
    step = band / count
    scale = step * 0.72 / 22
    # OpenCV's letters are ASCII alone.
    text = line.encode("ascii", "replace").decode()
    (wide, _), _ = cv2.getTextSize(text, FACE, scale, 1)
    scale = min(scale, scale * (width - 12) / max(wide, 1))
    place_y = round(top + step * (place + 0.72))
    thick = 1 if scale < 0.9 else 2
    cv2.putText(picture, text, (6, place_y), FACE, scale, INK, thick, cv2.LINE_AA)
