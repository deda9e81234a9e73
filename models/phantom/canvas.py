"""A patch of the picture that soft shapes are laid on."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.phantom.shape import Floats, f32

SHIFT = 4
Colour = tuple[float, float, float]


class Canvas:
    """Float RGB pixels of the rectangle (x0, y0, width, height) of a picture."""

    def __init__(self, pixels: NDArray[np.float32], x0: int, y0: int) -> None:
        self.pixels = pixels
        self.origin = f32([x0, y0])
        self.height, self.width = pixels.shape[:2]

    def fill(self, points: Floats, colour: Colour, alpha: float = 1.0, soft: float = 0.0) -> None:
        """Fill a polygon (n, 2) of picture coordinates; `soft` blurs its edge by so many pixels."""
        local = points - self.origin
        box = self._box(local, 2 + 3 * soft)
        if box is None:
            return
        x0, y0, x1, y1 = box
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [_fixed(local - f32([x0, y0]))], 255, cv2.LINE_AA, SHIFT)
        if soft:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), soft), np.uint8)
        self._blend(box, mask, colour, alpha)

    def strokes(
        self, lines: Floats, colour: Colour, alpha: float, thickness: int = 1, soft: float = 0.0
    ) -> None:
        """Draw polylines (lines, points, 2) of picture coordinates."""
        local = lines - self.origin
        box = self._box(local.reshape(-1, 2), 2 + thickness + 3 * soft)
        if box is None:
            return
        x0, y0, x1, y1 = box
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        paths = list(_fixed(local - f32([x0, y0])))
        cv2.polylines(mask, paths, False, 255, thickness, cv2.LINE_AA, SHIFT)
        if soft:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), soft), np.uint8)
        self._blend(box, mask, colour, alpha)

    def lay(self, rgba: NDArray[Any]) -> None:
        """Lay a picture with alpha (height, width, 4; 0..255) over the whole patch."""
        cover = rgba[:, :, 3:].astype(np.float32) * np.float32(1 / 255)
        self.pixels += (rgba[:, :, :3] - self.pixels) * cover

    def _box(self, local: Floats, margin: float) -> tuple[int, int, int, int] | None:
        x0, y0 = np.floor(local.min(axis=0) - margin).astype(int)
        x1, y1 = np.ceil(local.max(axis=0) + margin).astype(int) + 1
        x0, y0 = max(int(x0), 0), max(int(y0), 0)
        x1, y1 = min(int(x1), self.width), min(int(y1), self.height)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def _blend(
        self, box: tuple[int, int, int, int], mask: NDArray[np.uint8], colour: Colour, alpha: float
    ) -> None:
        x0, y0, x1, y1 = box
        part = self.pixels[y0:y1, x0:x1]
        cover = mask[:, :, None] * np.float32(alpha / 255)
        part += (f32(colour) - part) * cover


def _fixed(points: Floats) -> NDArray[np.int32]:
    return np.round(points * (1 << SHIFT)).astype(np.int32)
