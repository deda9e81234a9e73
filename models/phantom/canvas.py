"""A patch of the picture that soft shapes are laid on, with the depth of the head under them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.phantom.shape import Floats, f32

SHIFT = 4
Colour = tuple[float, float, float]
# Depth of a flat part as a function of the pixel: constant, per x, per y.
Plane = tuple[float, float, float]
Span = tuple[int, int, int, int]


class Canvas:
    """Float RGB pixels of the rectangle (x0, y0, width, height) of a picture."""

    def __init__(self, pixels: NDArray[np.float32], x0: int, y0: int) -> None:
        self.pixels = pixels
        self.origin = f32([x0, y0])
        self.height, self.width = pixels.shape[:2]
        self.depth: NDArray[np.float32] | None = None

    def fill(
        self,
        points: Floats,
        colour: Colour,
        alpha: float = 1.0,
        soft: float = 0.0,
        plane: Plane | None = None,
    ) -> None:
        """Fill a polygon (n, 2) of picture coordinates; `soft` blurs its edge by so many pixels.

        With a `plane` only what lies before the head is painted.
        """
        found = self.mask(points, soft)
        if found is None:
            return
        span, mask = found
        if plane is None or self.depth is None:
            self._blend(span, mask, colour, alpha)
        else:
            x0, y0, x1, y1 = span
            ahead = self.plane(span, plane) - self.depth[y0:y1, x0:x1]
            self._blend(span, mask * np.clip(ahead * 12 + 0.5, 0, 1), colour, alpha)

    def mask(self, points: Floats, soft: float = 0.0) -> tuple[Span, NDArray[np.uint8]] | None:
        """Cover (0..255) of a polygon and the span (x0, y0, x1, y1) of the patch it lies in."""
        fixed = _fixed(points - self.origin)
        span = self._span(fixed, 2 + 2.2 * soft)
        if span is None:
            return None
        x0, y0, x1, y1 = span
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        fixed -= np.array([x0 << SHIFT, y0 << SHIFT], np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, SHIFT)
        return span, _softened(mask, soft)

    def strokes(
        self, lines: Floats, colour: Colour, alpha: float, thickness: int = 1, soft: float = 0.0
    ) -> None:
        """Draw polylines (lines, points, 2) of picture coordinates."""
        if not len(lines):
            return
        fixed = _fixed(lines - self.origin)
        span = self._span(fixed.reshape(-1, 2), 2 + thickness + 2.2 * soft)
        if span is None:
            return
        x0, y0, x1, y1 = span
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        fixed -= np.array([x0 << SHIFT, y0 << SHIFT], np.int32)
        cv2.polylines(mask, list(fixed), False, 255, thickness, cv2.LINE_AA, SHIFT)
        self._blend(span, _softened(mask, soft), colour, alpha)

    def lay(self, rgb: Floats, cover: Floats, x0: int, y0: int) -> None:
        """Lay colours (height, width, 3) with cover (height, width; 0..1) at a place."""
        left, top = x0 - int(self.origin[0]), y0 - int(self.origin[1])
        part = self.pixels[top : top + cover.shape[0], left : left + cover.shape[1]]
        part += (rgb - part) * cover[:, :, None]

    def plane(self, span: Span, plane: Plane) -> Floats:
        """Depth of a flat part at the pixels of a span."""
        x0, y0, x1, y1 = span
        xs = np.arange(x0, x1, dtype=np.float32) + np.float32(0.5 + self.origin[0])
        ys = np.arange(y0, y1, dtype=np.float32) + np.float32(0.5 + self.origin[1])
        level, per_x, per_y = (np.float32(value) for value in plane)
        return np.asarray(level + per_x * xs[None, :] + per_y * ys[:, None], np.float32)

    def visible(self, seen: Floats, slack: float) -> NDArray[np.bool_]:
        """Which points (n, 3: pixel and depth) do not lie deeper than the head by over `slack`."""
        if self.depth is None:
            return np.ones(len(seen), bool)
        place = (seen[:, :2] - self.origin).astype(np.int32)
        column = place[:, 0].clip(0, self.width - 1)
        row = place[:, 1].clip(0, self.height - 1)
        return np.asarray(seen[:, 2] > self.depth[row, column] - np.float32(slack), bool)

    def _span(self, fixed: NDArray[np.int32], margin: float) -> Span | None:
        x, y, wide, high = cv2.boundingRect(fixed)
        edge = int(margin) + 1
        x0, y0 = max((x >> SHIFT) - edge, 0), max((y >> SHIFT) - edge, 0)
        x1 = min(((x + wide) >> SHIFT) + edge + 1, self.width)
        y1 = min(((y + high) >> SHIFT) + edge + 1, self.height)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def _blend(
        self,
        span: Span,
        mask: NDArray[np.floating] | NDArray[np.uint8],
        colour: Colour,
        alpha: float,
    ) -> None:
        x0, y0, x1, y1 = span
        part = self.pixels[y0:y1, x0:x1]
        cover = mask[:, :, None] * np.float32(alpha / 255)
        part += (np.array(colour, np.float32) - part) * cover


def plane_through(seen: Floats) -> Plane:
    """The plane of depth that fits pixels and depths (n, 3) best."""
    middle = seen.mean(axis=0)
    x, y, z = (seen - middle).T
    # Seen on its edge a part has no slope to speak of: the ridge keeps it finite.
    xx, xy, yy = float(x @ x) + 4, float(x @ y), float(y @ y) + 4
    xz, yz = float(x @ z), float(y @ z)
    determinant = xx * yy - xy * xy
    sx, sy = (xz * yy - yz * xy) / determinant, (yz * xx - xz * xy) / determinant
    return float(middle[2] - sx * middle[0] - sy * middle[1]), sx, sy


def mixed(first: Colour, second: Colour, share: float, factor: float = 1.0) -> Colour:
    """A mixture of two colours, `share` of the second, times a factor."""
    keep, take = (1 - share) * factor, share * factor
    return (
        keep * first[0] + take * second[0],
        keep * first[1] + take * second[1],
        keep * first[2] + take * second[2],
    )


def _softened(mask: NDArray[np.uint8], soft: float) -> NDArray[np.uint8]:
    if soft < 0.5:
        return mask
    # Two passes of a box are as soft as a bell of this sigma and much cheaper.
    side = max(3, round(2.4 * soft) | 1)
    once = cv2.blur(mask, (side, side), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(once if soft < 1.5 else cv2.blur(once, (side, side)), np.uint8)


def _fixed(points: Floats) -> NDArray[np.int32]:
    return np.asarray(np.rint(points * np.float32(1 << SHIFT)), np.int32)
