"""Where the units lie in a face crop: the boxes of the scale file as masks and as windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.config import CropConfig
from models.scale import Scale, Unit

Array = NDArray[np.float64]


class Window(NamedTuple):
    """A part of the crop in pixels; a `mirrored` one is turned over before it is looked at.

    Where it lies is said for a frontal face. In another it is moved by what the landmarks have
    moved, each weighed by its `pull` (landmarks,), and blotted out round the landmarks it `hides`.
    """

    left: int
    top: int
    width: int
    height: int
    mirrored: bool
    pull: tuple[float, ...]
    hides: tuple[int, ...]


def region_masks(scale: Scale, crop: CropConfig, places: Array | None = None) -> Array:
    """The region of every unit as 0 or 1, shape (units, size, size).

    Boxes are fractions of a frontal face box, which fills the crop but for its margin. `places`
    (landmarks, 2), shares of the crop, moves them with a head that is turned; see `pulls`. A pixel
    belongs to a box that holds its centre.
    """
    place = face_fractions(crop)
    moved = np.zeros((len(scale.landmarks), 2))
    if places is not None:
        moved = (places - landmark_homes(scale, crop)) * (1 + 2 * crop.margin)
    masks = np.zeros((len(scale.units), crop.size, crop.size))
    for index, unit in enumerate(scale.units):
        for box in scale.region(unit.region).boxes:
            x, y = np.asarray(pulls(scale, box)) @ moved
            rows = (place >= box[1] + y) & (place < box[3] + y)
            columns = (place >= box[0] + x) & (place < box[2] + x)
            masks[index] = np.maximum(masks[index], np.outer(rows, columns))
    return masks


def pulls(scale: Scale, box: Sequence[float]) -> tuple[float, ...]:
    """How much each landmark moves a box (x0, y0, x1, y1) of the face along with itself; sums to 1.

    Weights fall with the square of the distance between the landmark's place in a frontal face and
    the middle of the box (inverse distance weighting, Shepard 1968): the ear's box goes with the
    ear, that of the bridge with the nose and both eyes.
    """
    middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    squares = np.square(_places(scale) - middle).sum(1)
    weights = 1 / (squares + 1e-3)
    return tuple(float(value) for value in weights / weights.sum())


def hidden_landmarks(scale: Scale, unit: Unit) -> tuple[int, ...]:
    """The landmarks that the scale shows to units of other regions only."""
    return tuple(
        index
        for index, point in enumerate(scale.points)
        if point.region is not None and point.region != unit.region
    )


def landmark_homes(scale: Scale, crop: CropConfig) -> Array:
    """Where the landmarks of a frontal face lie (landmarks, 2), in shares of the crop's side."""
    return np.asarray((_places(scale) + crop.margin) / (1 + 2 * crop.margin))


def face_mask(scale: Scale, crop: CropConfig) -> Array:
    """1 on the face and 0 on the background (size, size).

    The face is the ellipse that the face box encloses, and the regions of all units, because ears
    reach into the corners of the box.
    """
    place = (face_fractions(crop) - 0.5) / 0.5
    ellipse = (place[:, None] ** 2 + place[None, :] ** 2 <= 1).astype(np.float64)
    return np.asarray(np.maximum(ellipse, region_masks(scale, crop).max(0)))


def face_fractions(crop: CropConfig) -> Array:
    """Where the centres of the crop's pixels lie along the face box (size,): 0 … 1 is inside."""
    share = (np.arange(crop.size) + 0.5) / crop.size
    return np.asarray(share * (1 + 2 * crop.margin) - crop.margin)


def region_cells(scale: Scale, crop: CropConfig, side: int) -> NDArray[np.float32]:
    """The share of each of side × side cells of the crop that lies in a unit's region.

    Shape (units, side, side); of use where a network's feature map is coarser than its crop.
    """
    masks = region_masks(scale, crop).astype(np.float32)
    cells = [cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA) for mask in masks]
    return np.stack(cells).astype(np.float32)


def _places(scale: Scale) -> Array:
    return np.array([point.place for point in scale.points], np.float64)


def region_windows(scale: Scale, crop: CropConfig, margin: float) -> list[list[Window]]:
    """Per unit the `Window`s that hold its boxes in a frontal face.

    A box reaches `margin` (share of the face box) further on every side, as far as the crop goes.
    All windows of a unit have one size; of several, those in the right half of the face are
    mirrored.
    """

    def pixels(place: float) -> float:
        return (place + crop.margin) / (1 + 2 * crop.margin) * crop.size

    result = []
    for unit in scale.units:
        boxes = scale.region(unit.region).boxes
        edges = [
            (pixels(x0 - margin), pixels(y0 - margin), pixels(x1 + margin), pixels(y1 + margin))
            for x0, y0, x1, y1 in boxes
        ]
        size = [
            min(crop.size, math.ceil(max(edge[k + 2] - edge[k] for edge in edges))) for k in (0, 1)
        ]
        windows = []
        for (x0, y0, x1, y1), box in zip(edges, boxes, strict=True):
            corner = [
                min(max(round((low + high - length) / 2), 0), crop.size - length)
                for low, high, length in ((x0, x1, size[0]), (y0, y1, size[1]))
            ]
            mirrored = len(boxes) > 1 and (box[0] + box[2]) / 2 > 0.5
            place = (corner[0], corner[1], size[0], size[1])
            hides = hidden_landmarks(scale, unit)
            windows.append(Window(*place, mirrored, pulls(scale, box), hides))
        result.append(windows)
    return result
