"""Finding the face in a luma plane with the finder's ONNX graph, and cutting the crop to grade.

Needs numpy, OpenCV and ONNX Runtime only: training, evaluation and scoring all find and cut faces
here, so that a crop is the same wherever it is made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.config import CropConfig
from models.records import Face, View
from models.stats.ordinal import sigmoid

Luma = NDArray[np.uint8]
Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]

VIEWS: tuple[View, ...] = ("frontal", "three_quarter", "profile", "none")
"""Views in the order of the graph; “none” is a head that is no mouse."""
REVISION = 3
"""Raise when finding or cutting changes, so that no crop made the old way is used again."""
STRIDE = 8
PAD = 32
PROFILE = VIEWS.index("profile")
SURE = 0.5
"""Probability above which a view is believed that costs the frame its grades."""
SAME_FACE = 0.3
"""Overlap from which two candidates of one picture are the same face."""
FAINT = 0.15
"""Heat under which a further peak of the first look gets no second one."""
EVEN, PER_UNEVEN = 2.2, 0.03
INNER = 64
"""Side to which the inside of a box is resized before its quality is measured."""
AROUND = 2.0
"""Side of the second look, in sides of the face found by the first."""


def session(graph: Path | bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU with this many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads would take the cores from decoding between two calls.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class Peak:
    """What the maps say at their highest place; box and places (landmarks, 2) in pixels."""

    confidence: float
    box: Box
    places: NDArray[np.float64]
    views: NDArray[np.float64]

    def moved(self, factor: float, left: float, top: float) -> Peak:
        """The same in a picture `factor` times as large that begins at (-left, -top)."""
        x0, y0, x1, y1 = (value * factor for value in self.box)
        return Peak(
            self.confidence,
            (x0 + left, y0 + top, x1 + left, y1 + top),
            self.places * factor + [left, top],
            self.views,
        )


@dataclass(frozen=True)
class Square:
    """A square of whole pixels, which may reach beyond the picture."""

    left: int
    top: int
    edge: int

    @classmethod
    def round_box(cls, box: Box, factor: float) -> Square:
        """The square round a box, `factor` times its longer side."""
        x0, y0, x1, y1 = box
        side = max(x1 - x0, y1 - y0, 2.0) * factor
        return cls(round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2), max(2, round(side)))

    def thinned(self, luma: Luma, size: int) -> tuple[Square, Luma]:
        """Square and picture with every n-th pixel, where 1.5 times `size` of them are left.

        Area averaging of a square of a thousand pixels would cost more than the network.
        """
        step = max(1, int(self.edge / (1.5 * size)))
        if step == 1:
            return self, luma
        square = Square(self.left // step, self.top // step, self.edge // step)
        return square, luma[::step, ::step]

    def of(self, luma: Luma) -> Luma:
        """What the square holds (edge, edge), the border repeated; black where it lies outside."""
        height, width = luma.shape
        right, bottom = self.left + self.edge, self.top + self.edge
        inside = luma[max(self.top, 0) : min(bottom, height), max(self.left, 0) : min(right, width)]
        if inside.size == 0:
            return np.zeros((self.edge, self.edge), np.uint8)
        inside = np.ascontiguousarray(inside)
        if inside.shape == (self.edge, self.edge):
            return inside
        above, before = max(-self.top, 0), max(-self.left, 0)
        bordered = cv2.copyMakeBorder(
            inside,
            above,
            self.edge - inside.shape[0] - above,
            before,
            self.edge - inside.shape[1] - before,
            cv2.BORDER_REPLICATE,
        )
        return np.asarray(bordered, np.uint8)

    def cut_from(self, luma: Luma, size: int) -> Luma:
        """The square resized to (size, size) by averaging areas."""
        how = cv2.INTER_AREA if self.edge > size else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(self.of(luma), (size, size), interpolation=how), np.uint8)


class FaceFinder:
    """Finds faces in pictures.

    `long_side` is the longer side of the picture the network sees, a multiple of 32; `landmarks`
    are their names in the order of the graph.
    """

    def __init__(
        self, graph: Path | bytes, long_side: int, landmarks: Sequence[str], threads: int = 1
    ) -> None:
        self.session = session(graph, threads)
        self.long_side = long_side
        self.landmarks = tuple(landmarks)

    def find(self, lumas: Sequence[Luma], times: Sequence[float] | None = None) -> list[Face]:
        """The best candidate of each picture (uint8, (height, width), one shape for all).

        Looks twice: at the whole picture, then at the part round what it found, enlarged, which
        places the box several times as well and doubts what only looked like a face from afar. A
        candidate always comes back; whether its confidence is enough is the caller's question.
        `times` (seconds) are for finders that count.
        """
        if not lumas:
            return []
        far = [peaks[0] for peaks in self._far(lumas, 1, 0.0)]
        near = self._near(lumas, [peak.box for peak in far])
        return [self._face(luma, *both) for luma, *both in zip(lumas, far, near, strict=True)]

    def find_all(self, luma: Luma, least: float = 0.4, most: int = 6) -> list[Face]:
        """Every face of a picture with at least this confidence, the surest first.

        Each peak of the first look gets a second one of its own; candidates that overlap a surer
        one by `SAME_FACE` or whose centre lies in it are the same face.
        """
        far = self._far([luma], most, FAINT)[0]
        lumas = [luma] * len(far)
        near = self._near(lumas, [peak.box for peak in far])
        faces = [self._face(*one) for one in zip(lumas, far, near, strict=True)]
        kept: list[Face] = []
        for face in sorted(faces, key=lambda face: -face.confidence):
            if face.confidence >= least and not any(same_face(face, other) for other in kept):
                kept.append(face)
        return kept

    def follow(self, lumas: Sequence[Luma], boxes: Sequence[Box]) -> list[Face]:
        """The face near a known box in each picture (one shape for all), by the second look alone.

        Half the work of `find`. Its confidence is that of one look: below what `find` asks for,
        the animal has moved away and the caller has to `find` it again.
        """
        if not lumas:
            return []
        near = self._near(lumas, boxes)
        return [self._face(luma, peak, peak) for luma, peak in zip(lumas, near, strict=True)]

    def _far(self, lumas: Sequence[Luma], most: int, least: float) -> list[list[Peak]]:
        """The highest peaks of each whole picture, in its pixels; the highest one always."""
        height, width = lumas[0].shape
        scale = self.long_side / max(height, width)
        inputs = np.stack([shrink(luma, self.long_side) for luma in lumas])[:, None]
        # Peaks in the padding are no place in the picture.
        rows, columns = (max(1, round(side * scale / STRIDE)) for side in (height, width))
        return [
            [peak.moved(1 / scale, 0.0, 0.0) for peak in _peaks(maps, rows, columns, most, least)]
            for maps in self._run(inputs)
        ]

    def _near(self, lumas: Sequence[Luma], boxes: Sequence[Box]) -> list[Peak]:
        """The highest peak of a second look round each box, in pixels of the picture."""
        squares = [Square.round_box(box, AROUND) for box in boxes]
        patches = np.stack(
            [
                thin.cut_from(fewer, self.long_side)
                for thin, fewer in (
                    square.thinned(luma, self.long_side)
                    for square, luma in zip(squares, lumas, strict=True)
                )
            ]
        )
        inputs = patches[:, None].astype(np.float32) / np.float32(255)
        cells = self.long_side // STRIDE
        return [
            _peaks(maps, cells, cells, 1, 0.0)[0].moved(
                square.edge / self.long_side, square.left, square.top
            )
            for square, maps in zip(squares, self._run(inputs), strict=True)
        ]

    def _run(self, inputs: Floats) -> list[list[Floats]]:
        """The maps of each input (n, 1, height, width) in 0..1."""
        maps = self.session.run(None, {"luma": np.asarray(inputs, np.float32)})
        return [[part[index] for part in maps] for index in range(len(inputs))]

    def _face(self, luma: Luma, far: Peak, near: Peak) -> Face:
        height, width = luma.shape
        x0, y0, x1, y1 = near.box
        box = (
            min(max(x0, 0.0), width),
            min(max(y0, 0.0), height),
            min(max(x1, 0.0), width),
            min(max(y1, 0.0), height),
        )
        views = (far.views + near.views) / 2
        view = _view(views)
        confidence = math.sqrt(far.confidence * near.confidence)
        if view != "none":
            # What may be another animal's head is no sure mouse.
            confidence *= 1 - float(sum(views[len(VIEWS) - 1 :]))
        small = inner(luma, box)
        return Face(
            box=box,
            landmarks={
                name: (float(x), float(y))
                for name, (x, y) in zip(self.landmarks, near.places, strict=True)
            },
            confidence=confidence,
            view=view,
            sharpness=_sharpness(small),
            exposure=float(small.mean()) / 255 if small.size else 0.0,
            blur=motion_blur(small),
        )


def _peaks(maps: list[Floats], rows: int, columns: int, most: int, least: float) -> list[Peak]:
    """The highest places of the maps, at most `most`; the highest one always, others if sure."""
    heat, box, marks, view = maps
    logits = heat[0, :rows, :columns]
    if most == 1:
        places = [int(logits.argmax())]
    else:
        likely = sigmoid(logits).astype(np.float32)
        tallest = cv2.dilate(likely, np.ones((3, 3), np.uint8))
        top = np.where(likely >= tallest, likely, 0.0)
        places = np.argsort(-top, axis=None, kind="stable")[:most].tolist()
    peaks: list[Peak] = []
    for place in places:
        y, x = divmod(place, logits.shape[1])
        confidence = float(sigmoid(logits[y, x]))
        if peaks and confidence < least:
            break
        dx, dy, log_width, log_height = (float(value) for value in box[:, y, x])
        cx, cy = (x + 0.5 + dx) * STRIDE, (y + 0.5 + dy) * STRIDE
        half_w, half_h = (0.5 * STRIDE * math.exp(min(v, 5.0)) for v in (log_width, log_height))
        odds = np.exp(view[:, y, x] - view[:, y, x].max())
        peaks.append(
            Peak(
                confidence=confidence,
                box=(cx - half_w, cy - half_h, cx + half_w, cy + half_h),
                places=(np.array([x, y]) + 0.5 + marks[:, y, x].reshape(-1, 2)) * STRIDE,
                views=odds / odds.sum(),
            )
        )
    return peaks


def _view(likely: NDArray[np.float64]) -> View:
    """The likeliest view; one that costs the frame its grades only where it is probable."""
    for place in range(PROFILE, len(likely)):
        if likely[place] > SURE:
            return VIEWS[place]
    return VIEWS[int(likely[:PROFILE].argmax())]


def shrink(luma: Luma, long_side: int) -> Floats:
    """The luma plane in 0..1 with this longer side, padded at right and below for the strides."""
    height, width = luma.shape
    scale = long_side / max(height, width)
    # Nearest first where the plane is much larger: area averaging of 4K planes would cost more than
    # the network, and a factor of two is left for it to average.
    step = max(1, int(1 / (2 * scale)))
    small = cv2.resize(
        np.ascontiguousarray(luma[::step, ::step]),
        (max(1, round(width * scale)), max(1, round(height * scale))),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    down, right = -small.shape[0] % PAD, -small.shape[1] % PAD
    padded = cv2.copyMakeBorder(small, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return padded.astype(np.float32) / np.float32(255)


def cut(luma: Luma, box: Box, crop: CropConfig) -> Luma:
    """The square crop (size, size) round a box, the border repeated where it leaves the picture.

    Linearly to the largest doubling of the size that the square holds, then means of four: within
    a grey level of averaging areas in one step, which takes three times as long.
    """
    square = Square.round_box(box, 1 + 2 * crop.margin).of(luma)
    side = 2 * crop.size if len(square) > crop.size else crop.size
    while 2 * side <= len(square):
        side *= 2
    small = cv2.resize(square, (side, side), interpolation=cv2.INTER_LINEAR)
    while side > crop.size:
        side //= 2
        small = cv2.resize(small, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def in_crop(points: NDArray[Any], boxes: NDArray[Any], crop: CropConfig) -> NDArray[np.float64]:
    """Points (n, k, 2) of pictures in shares of the sides of the crops round boxes (n, 4)."""
    low, high = np.float64(boxes[:, :2]), np.float64(boxes[:, 2:])
    side = np.maximum((high - low).max(1), 2.0) * (1 + 2 * crop.margin)
    corner = (low + high - side[:, None]) / 2
    return np.asarray((points - corner[:, None]) / side[:, None, None], np.float64)


def inner(luma: Luma, box: Box, side: int = INNER) -> Luma:
    """What a box holds, resized to (side, side) so that sizes compare; empty where it is thin."""
    x0, y0, x1, y1 = (round(value) for value in box)
    inside = luma[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    if inside.shape[0] < 3 or inside.shape[1] < 3:
        return np.zeros((0, 0), np.uint8)
    step = max(1, min(inside.shape) // (2 * side))
    inside = inside[::step, ::step]
    how = cv2.INTER_AREA if min(inside.shape) > side else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(inside), (side, side), interpolation=how)
    return np.asarray(small, np.uint8)


def sharpness(luma: Luma, box: Box) -> float:
    """Variance of the Laplacian inside a box, resized so that sizes compare."""
    return _sharpness(inner(luma, box))


def _sharpness(small: Luma) -> float:
    return float(cv2.Laplacian(small, cv2.CV_32F).var()) if small.size else 0.0


def motion_blur(small: Luma) -> float:
    """Motion blur of a face of `inner` in shares of its width, 0 = none.

    Motion takes the fine detail along its way and leaves that across it: the amplitude of the upper
    half of the spectrum is compared between the richest and the poorest of eight ways. On rendered
    faces smeared by known lengths the unevenness grew nearly in proportion; that is where `EVEN`
    and `PER_UNEVEN` are from.
    """
    if not small.size:
        return 0.0
    window, sectors = _spectrum(small.shape[0])
    image = small.astype(np.float32)
    relief = image - cv2.GaussianBlur(image, (0, 0), 6)
    half = np.fft.rfft2(relief * window)
    ways = sectors @ (half.real**2 + half.imag**2).ravel() + 1e-6
    return max(0.0, math.sqrt(float(ways.max() / ways.min())) - EVEN) * PER_UNEVEN


@lru_cache(maxsize=2)
def _spectrum(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Window (side, side) and weights (8, side · (side / 2 + 1)) of eight ways in the fine detail.

    The weights are those of half a spectrum, as of any real picture: the other half mirrors it.
    """
    window = np.outer(np.hanning(side), np.hanning(side))
    cycles = np.fft.fftfreq(side) * side
    y, x = np.meshgrid(cycles, cycles, indexing="ij")
    rate, way = np.hypot(x, y), np.arctan2(y, x)
    fine = (rate > 0.1 * side) & (rate < 0.37 * side)
    apart = [np.abs((way - k * np.pi / 8 + np.pi / 2) % np.pi - np.pi / 2) for k in range(8)]
    kept = side // 2 + 1
    twice = np.where((np.arange(kept) > 0) & (np.arange(kept) < kept - 1), 2.0, 1.0)
    weights = [(rate * fine * (angle < np.pi / 10))[:, :kept] * twice for angle in apart]
    return window, np.stack([one.ravel() for one in weights])


def same_face(one: Face, other: Face) -> bool:
    """Whether two candidates of one picture are the same face."""
    x, y = (one.box[0] + one.box[2]) / 2, (one.box[1] + one.box[3]) / 2
    x0, y0, x1, y1 = other.box
    return overlap(one.box, other.box) >= SAME_FACE or (x0 < x < x1 and y0 < y < y1)


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return float(width * height / (sum(areas) - width * height))
