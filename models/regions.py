"""Where the units lie in a face crop: the boxes of the scale file as masks."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from models.config import CropConfig
from models.scale import Scale

Array = NDArray[np.float64]


def region_masks(scale: Scale, crop: CropConfig) -> Array:
    """The region of every unit as 0 or 1, shape (units, size, size).

    Boxes are fractions of a frontal face box, which fills the crop but for its margin; a head that
    is turned is not followed. A pixel belongs to a box that holds its centre.
    """
    place = face_fractions(crop)
    masks = np.zeros((len(scale.units), crop.size, crop.size))
    for index, unit in enumerate(scale.units):
        for x0, y0, x1, y1 in scale.region(unit.region).boxes:
            rows = (place >= y0) & (place < y1)
            columns = (place >= x0) & (place < x1)
            masks[index] = np.maximum(masks[index], np.outer(rows, columns))
    return masks


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


def region_windows(
    scale: Scale, crop: CropConfig, margin: float
) -> list[list[tuple[int, int, int, int, bool]]]:
    """Per unit the parts of the crop (left, top, width, height, mirrored) that hold its boxes.

    In pixels; a box reaches `margin` (share of the face box) further on every side, as far as the
    crop goes. All windows of a unit have one size; of several, those in the right half of the face
    are to be mirrored.
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
        for (x0, y0, x1, y1), (left, _, right, _) in zip(edges, boxes, strict=True):
            corner = [
                min(max(round((low + high - length) / 2), 0), crop.size - length)
                for low, high, length in ((x0, x1, size[0]), (y0, y1, size[1]))
            ]
            mirrored = len(boxes) > 1 and (left + right) / 2 > 0.5
            windows.append((corner[0], corner[1], size[0], size[1], mirrored))
        result.append(windows)
    return result
