"""Where on a face crop each unit is to be seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.config import CropConfig
from models.scale import Scale

FINE = 4


def region_masks(scale: Scale, crop: CropConfig, side: int | None = None) -> NDArray[np.float32]:
    """The share of each cell that lies in a unit's region, (units, side, side), of a frontal face.

    `side` is the number of cells along the crop's edge, by default one per pixel. A face that is
    higher than wide, or wider than high, fills its square crop in one direction only; regions are
    laid out for a square face box.
    """
    side = side or crop.size
    grid = np.zeros((len(scale.units), side * FINE, side * FINE), np.float32)
    # Centres of fine cells in fractions of the face box, which the crop surrounds by its margin.
    along = (np.arange(side * FINE) + 0.5) / (side * FINE) * (1 + 2 * crop.margin) - crop.margin
    for unit, mask in zip(scale.units, grid, strict=True):
        for x0, y0, x1, y1 in scale.region(unit.region).boxes:
            across = (along >= x0) & (along < x1)
            down = (along >= y0) & (along < y1)
            mask[np.ix_(down, across)] = 1
    return np.asarray(grid.reshape(len(grid), side, FINE, side, FINE).mean(axis=(2, 4)), np.float32)
