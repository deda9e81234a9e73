"""Measuring the eyes of a face with the eye graph: four points round each, and how open it is.

Needs numpy, OpenCV and ONNX Runtime only. Every eye is turned into the same picture, a small square
whose left side lies towards the nose, whichever eye it is and whichever way the animal looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
BATCH = 64


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

    def square(self) -> Square:
        """The square as whole pixels."""
        half = self.side / 2
        return Square.round_box((self.x - half, self.y - half, self.x + half, self.y + half), 1.0)

    def cut_from(self, luma: Luma, size: int) -> Luma:
        """The picture (size, size) of the eye, front on the left."""
        eye = self.square().cut_from(luma, size)
        return np.ascontiguousarray(eye[:, ::-1]) if self.mirrored else eye

    def to_picture(self, points: Floats) -> Floats:
        """Points (…, 2) in 0..1 of the cut square as pixels of the whole picture."""
        square, points = self.square(), np.asarray(points, np.float64)
        across = 1 - points[..., 0] if self.mirrored else points[..., 0]
        # 0 is the outer edge of the first pixel, whose centre has the whole number.
        x = square.left + across * square.edge - 0.5
        return np.stack([x, square.top + points[..., 1] * square.edge - 0.5], axis=-1)

    def to_square(self, points: Floats) -> Floats:
        """Pixels (…, 2) of the whole picture as 0..1 of the cut square."""
        square, points = self.square(), np.asarray(points, np.float64)
        across = (points[..., 0] + 0.5 - square.left) / square.edge
        if self.mirrored:
            across = 1 - across
        return np.stack([across, (points[..., 1] + 0.5 - square.top) / square.edge], axis=-1)


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

    `looks` is how often it looks: a second time at a square laid round what the first one found.
    """

    def __init__(self, graph: Path | bytes, threads: int = 1, looks: int = 2) -> None:
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
        results: list[Floats | None] = [None] * len(places)
        left = dict(enumerate(places))
        for look in range(self.looks):
            if not left:
                break
            fours, seen = self._run(
                [place.cut_from(lumas[index], self.size) for index, place in left.items()]
            )
            again = {}
            for (index, place), four, logit in zip(left.items(), fours, seen, strict=True):
                # A later look that doubts leaves what was measured before: it was an eye then.
                if logit > 0:
                    points = place.to_picture(four)
                    results[index], again[index] = points, _nearer(place, points)
            left = again if look + 1 < self.looks else {}
        return results

    def _run(self, eyes: Sequence[Luma]) -> tuple[Floats, Floats]:
        """Points (n, 4, 2) and logits (n,) of the squares."""
        parts = []
        for start in range(0, len(eyes), BATCH):
            batch = np.stack(eyes[start : start + BATCH])[:, None]
            inputs = {"eyes": batch.astype(np.float32) * np.float32(1 / 255)}
            parts.append(self.session.run(["points", "seen"], inputs))
        return np.concatenate([p for p, _ in parts]), np.concatenate([s for _, s in parts])


def _nearer(place: EyePlace, points: Floats) -> EyePlace:
    """The square laid round the points of an eye; its side changes by two fifths at most."""
    x, y = (float(value) for value in points.mean(axis=0))
    side = WIDTHS * math.dist(points[1], points[3])
    return replace(place, x=x, y=y, side=min(max(side, 0.7 * place.side), 1.4 * place.side))


def _with(face: Face, eyes: dict[str, Floats]) -> Face:
    """The face with what was measured, and without what an earlier reading said."""
    stale = {name for names in EYE_POINTS.values() for name in names}
    marks = {name: place for name, place in face.landmarks.items() if name not in stale}
    for eye, points in eyes.items():
        for name, (x, y) in zip(EYE_POINTS[eye], points, strict=True):
            marks[name] = (float(x), float(y))
    mean = float(np.mean([opening(points) for points in eyes.values()])) if eyes else None
    return replace(face, landmarks=marks, opening=mean)
