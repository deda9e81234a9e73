"""Finding the face in a luma plane with the finder's ONNX graph, and cutting the crop to grade.

Needs numpy, OpenCV and ONNX Runtime only: training, evaluation and scoring all find and cut faces
here, so that a crop is the same wherever it is made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.config import CropConfig
from models.records import Face, View
from models.stats.ordinal import sigmoid

Luma = NDArray[np.uint8]
Floats = NDArray[np.float32]

VIEWS: tuple[View, ...] = ("frontal", "three_quarter", "profile")
STRIDE = 8
PAD = 16


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


class FaceFinder:
    """Finds the most likely face in each picture.

    `long_side` is the longer side of the picture the network sees, `landmarks` their names
    in the order of the graph.
    """

    def __init__(
        self, graph: Path | bytes, long_side: int, landmarks: Sequence[str], threads: int = 1
    ) -> None:
        self.session = session(graph, threads)
        self.long_side = long_side
        self.landmarks = tuple(landmarks)

    def find(self, lumas: Sequence[Luma]) -> list[Face]:
        """The best candidate of each picture (uint8, (height, width), one shape for all).

        A candidate always comes back; whether its confidence is enough is the caller's question.
        """
        if not lumas:
            return []
        height, width = lumas[0].shape
        scale = self.long_side / max(height, width)
        inputs = np.stack([shrink(luma, self.long_side) for luma in lumas])[:, None]
        maps = self.session.run(None, {"luma": inputs})
        return [
            self._face(luma, [part[index] for part in maps], scale)
            for index, luma in enumerate(lumas)
        ]

    def _face(self, luma: Luma, maps: list[Floats], scale: float) -> Face:
        height, width = luma.shape
        heat, box, marks, view = maps
        # Peaks in the padding are no place in the picture.
        rows = max(1, min(heat.shape[1], round(height * scale / STRIDE)))
        columns = max(1, min(heat.shape[2], round(width * scale / STRIDE)))
        likely = sigmoid(heat[0, :rows, :columns])
        y, x = (int(place) for place in np.unravel_index(int(likely.argmax()), likely.shape))
        cell = STRIDE / scale
        dx, dy, log_width, log_height = (float(value) for value in box[:, y, x])
        cx, cy = (x + 0.5 + dx) * cell, (y + 0.5 + dy) * cell
        half_w, half_h = (0.5 * cell * math.exp(min(v, 5.0)) for v in (log_width, log_height))
        found = (
            min(max(cx - half_w, 0.0), width),
            min(max(cy - half_h, 0.0), height),
            min(max(cx + half_w, 0.0), width),
            min(max(cy + half_h, 0.0), height),
        )
        places = marks[:, y, x].reshape(-1, 2)
        return Face(
            box=found,
            landmarks={
                name: (float((x + 0.5 + px) * cell), float((y + 0.5 + py) * cell))
                for name, (px, py) in zip(self.landmarks, places, strict=True)
            },
            confidence=float(likely[y, x]),
            view=VIEWS[int(view[:, y, x].argmax())],
            sharpness=sharpness(luma, found),
        )


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


def cut(luma: Luma, box: tuple[float, float, float, float], crop: CropConfig) -> Luma:
    """The square crop (size, size) round a box, the border repeated where it leaves the picture."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0, 2.0) * (1 + 2 * crop.margin)
    left, top = (x0 + x1 - side) / 2, (y0 + y1 - side) / 2
    edge = max(2, round(side))
    column, row = round(left), round(top)
    height, width = luma.shape
    inside = luma[max(row, 0) : min(row + edge, height), max(column, 0) : min(column + edge, width)]
    if inside.size == 0:
        return np.zeros((crop.size, crop.size), np.uint8)
    above, before = max(-row, 0), max(-column, 0)
    square = cv2.copyMakeBorder(
        np.ascontiguousarray(inside),
        above,
        edge - inside.shape[0] - above,
        before,
        edge - inside.shape[1] - before,
        cv2.BORDER_REPLICATE,
    )
    how = cv2.INTER_AREA if edge > crop.size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (crop.size, crop.size), interpolation=how), np.uint8)


def sharpness(luma: Luma, box: tuple[float, float, float, float], side: int = 64) -> float:
    """Variance of the Laplacian inside a box, resized to `side` pixels so that sizes compare."""
    x0, y0, x1, y1 = (round(value) for value in box)
    inside = luma[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    if inside.shape[0] < 3 or inside.shape[1] < 3:
        return 0.0
    how = cv2.INTER_AREA if min(inside.shape) > side else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(inside), (side, side), interpolation=how)
    return float(cv2.Laplacian(small, cv2.CV_32F).var())


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return float(width * height / (sum(areas) - width * height))
