"""Measuring the eyes of a face with the eye graph: four points round each, and how open it is.

Needs numpy, OpenCV and ONNX Runtime only. Every eye is turned into the same picture, a small square
whose left side lies towards the nose, whichever eye it is and whichever way the animal looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.faces import Luma, Square, session
from models.records import Face

Floats = NDArray[np.floating[Any]]

REVISION = 1
"""Raise when cutting or reading changes, so that no graph fitted the old way is used again."""
EYES = ("left_eye", "right_eye")
NOSE = "nose"
POINTS = ("top", "front", "bottom", "back")
"""Front is the corner towards the nose."""
EYE_POINTS = {eye: tuple(f"{eye}_{point}" for point in POINTS) for eye in EYES}
"""Eye → the names of its four points among a face's landmarks; left is the left of the picture."""
SIDE = 0.72
"""Side of the square round an eye, in distances from the nose to the eye: about 2.2 eye widths."""
WIDTHS = 2.2
"""Side of the square of the second look, in widths of the eye that the first one found."""
CENTRED, CLOSE = 0.08, 0.18
"""A second look is spared where the eye lies that near the middle, in sides of the square, and the
logarithm of its width is that near the expected one."""
LOOKS = 2
"""How often an eye is looked at that does not lie in the middle of its square."""
BATCH = 64
_MEASURED = {name for names in EYE_POINTS.values() for name in names}


@dataclass(frozen=True)
class EyePlace:
    """Where to look for an eye: centre and side of a square in pixels.

    `mirrored` is True where the nose lies to the right of the eye, so that the square has to be
    mirrored to show the front on the left.
    """

    eye: str
    x: float
    y: float
    side: float
    mirrored: bool

    @cached_property
    def square(self) -> Square:
        """The square as whole pixels."""
        half = self.side / 2
        return Square.round_box((self.x - half, self.y - half, self.x + half, self.y + half), 1.0)

    @property
    def to_pixels(self) -> tuple[float, float, float, float]:
        """Factors of x and y from 0..1 of the cut square to pixels, and what to add to them."""
        square = self.square
        # 0 is the outer edge of the first pixel, whose centre has the whole number.
        left, top = square.left - 0.5, square.top - 0.5
        if self.mirrored:
            return -square.edge, square.edge, left + square.edge, top
        return square.edge, square.edge, left, top

    def cut_from(self, luma: Luma, size: int) -> Luma:
        """The picture (size, size) of the eye, front on the left."""
        eye = shrunk(self.square, luma, size)
        return eye[:, ::-1] if self.mirrored else eye

    def to_picture(self, points: Floats) -> Floats:
        """Points (…, 2) in 0..1 of the cut square as pixels of the whole picture."""
        numbers = np.array(self.to_pixels)
        return np.asarray(np.asarray(points, np.float64) * numbers[:2] + numbers[2:])

    def to_square(self, points: Floats) -> Floats:
        """Pixels (…, 2) of the whole picture as 0..1 of the cut square."""
        zero, one = self.to_picture(np.array([[0.0, 0.0], [1.0, 1.0]]))
        return np.asarray((np.asarray(points, np.float64) - zero) / (one - zero))


def shrunk(square: Square, luma: Luma, size: int) -> Luma:
    """The square resized to (size, size), the border repeated where it leaves the picture.

    In steps that each cost little: every so many pixels, linearly to twice the size, means of four.
    Averaging areas in one step takes ten times as long for most sides.
    """
    height, width = luma.shape
    left, top, edge = square.left, square.top, square.edge
    step = max(1, edge // (2 * size))
    if left < 0 or top < 0 or left + edge > width or top + edge > height:
        rows = np.clip(np.arange(top + step // 2, top + edge, step), 0, height - 1)
        columns = np.clip(np.arange(left + step // 2, left + edge, step), 0, width - 1)
        inside = luma[rows[:, None], columns]
    else:
        inside = luma[top + step // 2 : top + edge : step, left + step // 2 : left + edge : step]
        if step > 1:
            inside = np.ascontiguousarray(inside)
    if edge > size:
        twice = cv2.resize(inside, (2 * size, 2 * size), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.resize(twice, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(inside, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def eye_places(face: Face) -> list[EyePlace]:
    """Where the view allows an eye to be seen: both from the front, the near one from the side.

    The yardstick is the longest of the distances nose to eye and eye to eye, which a turned or
    nodding head shortens unequally.
    """
    known = {
        name: place
        for name, place in face.landmarks.items()
        if name in (*EYES, NOSE) and all(math.isfinite(value) for value in place)
    }
    eyes = [name for name in EYES if name in known]
    x0, y0, x1, y1 = face.box
    longer = max(x1 - x0, y1 - y0, 2.0)
    nose = known.get(NOSE, ((x0 + x1) / 2, y1))
    if face.view == "profile" and len(eyes) == 2:
        # A mouse that looks to the left of the picture shows the eye right of its nose.
        eyes = [EYES[1] if nose[0] < (x0 + x1) / 2 else EYES[0]]
    lengths = [math.dist(known[eye], nose) for eye in eyes]
    if len(eyes) == 2:
        lengths.append(math.dist(known[eyes[0]], known[eyes[1]]))
    yardstick = min(max([*lengths, 0.2 * longer]), longer)
    return [EyePlace(eye, *known[eye], SIDE * yardstick, nose[0] > known[eye][0]) for eye in eyes]


def opening(points: Floats) -> Floats:
    """Height ÷ width of eyes given by `POINTS` (…, 4, 2): top to bottom over front to back."""
    top, front, bottom, back = (np.asarray(points)[..., place, :] for place in range(len(POINTS)))
    width = np.linalg.norm(front - back, axis=-1)
    return np.asarray(np.linalg.norm(top - bottom, axis=-1) / np.maximum(width, 1e-6))


class EyeReader:
    """Reads the eyes of faces with the graph `eyes` (n, 1, s, s) → `points`, `seen`.

    `looks` is how often it looks at an eye that does not lie in the middle of its square: the
    second time at a square laid round what the first one found.
    """

    def __init__(self, graph: Path | bytes, threads: int = 1, looks: int = LOOKS) -> None:
        self.session = session(graph, threads)
        self.size = int(self.session.get_inputs()[0].shape[-1])
        self.looks = looks

    def read(self, lumas: Sequence[Luma], faces: Sequence[Face]) -> list[Face]:
        """The faces, one per picture (uint8), with `opening` and the points of the eyes seen.

        `opening` is None where no eye is seen.
        """
        wanted = [(index, place) for index, face in enumerate(faces) for place in eye_places(face)]
        results = self.measure(
            [lumas[index] for index, _ in wanted], [place for _, place in wanted]
        )
        found: list[dict[str, Floats]] = [{} for _ in faces]
        for (index, place), points in zip(wanted, results, strict=True):
            if points is not None:
                found[index][place.eye] = points
        return [_with(face, eyes) for face, eyes in zip(faces, found, strict=True)]

    def measure(self, lumas: Sequence[Luma], places: Sequence[EyePlace]) -> list[Floats | None]:
        """The points (4, 2) in pixels at each place, one picture each; None where no eye is."""
        results: dict[int, Floats | None] = dict.fromkeys(range(len(places)))
        left = dict(enumerate(places))
        for _ in range(self.looks):
            if not left:
                break
            fours, seen = self._run([(lumas[index], place) for index, place in left.items()])
            numbers = np.array([place.to_pixels for place in left.values()])[:, None]
            points = fours.astype(np.float64) * numbers[..., :2] + numbers[..., 2:]
            # The closer look decides: what it doubts only looked like an eye from afar.
            sure = np.flatnonzero(seen > 0)
            order = list(left)
            results |= dict.fromkeys(order)
            results |= {order[row]: points[row] for row in sure}
            nearer = _nearer([left[order[row]] for row in sure], points[sure])
            left = {order[row]: near for row, near in zip(sure, nearer, strict=True) if near}
        return list(results.values())

    def _run(self, eyes: Sequence[tuple[Luma, EyePlace]]) -> tuple[Floats, Floats]:
        """Points (n, 4, 2) and logits (n,) of the squares."""
        parts = []
        for start in range(0, len(eyes), BATCH):
            some = eyes[start : start + BATCH]
            batch = np.empty((len(some), 1, self.size, self.size), np.float32)
            for row, (luma, place) in enumerate(some):
                batch[row, 0] = place.cut_from(luma, self.size)
            batch *= np.float32(1 / 255)
            parts.append(self.session.run(["points", "seen"], {"eyes": batch}))
        if len(parts) == 1:
            return parts[0][0], parts[0][1]
        return np.concatenate([p for p, _ in parts]), np.concatenate([s for _, s in parts])


def _nearer(places: Sequence[EyePlace], points: Floats) -> list[EyePlace | None]:
    """The squares laid round the points (n, 4, 2) of eyes, None where nearly the one looked at.

    A side changes by two fifths at most.
    """
    if not places:
        return []
    before = np.array([(place.x, place.y, place.side) for place in places])
    middle, side = points.mean(1), WIDTHS * np.linalg.norm(points[:, 1] - points[:, 3], axis=1)
    side = np.clip(side, 0.7 * before[:, 2], 1.4 * before[:, 2])
    off = np.linalg.norm(middle - before[:, :2], axis=1) / before[:, 2]
    spared = (off < CENTRED) & (np.abs(np.log(side / before[:, 2])) < CLOSE)
    return [
        None if done else EyePlace(place.eye, x, y, wide, place.mirrored)
        for place, done, (x, y), wide in zip(
            places, spared.tolist(), middle.tolist(), side.tolist(), strict=True
        )
    ]


def _with(face: Face, eyes: dict[str, Floats]) -> Face:
    """The face with what was measured, and without what an earlier reading said."""
    marks = {name: place for name, place in face.landmarks.items() if name not in _MEASURED}
    openings = []
    for eye, points in eyes.items():
        top, front, bottom, back = points.tolist()
        openings.append(math.dist(top, bottom) / max(math.dist(front, back), 1e-6))
        for name, (x, y) in zip(EYE_POINTS[eye], (top, front, bottom, back), strict=True):
            marks[name] = (x, y)
    mean = sum(openings) / len(openings) if openings else None
    return replace(face, landmarks=marks, opening=mean)
