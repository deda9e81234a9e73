"""Text burned into the pictures of a recording: captions, clocks, labels of a camera program.

What is looked for are lines of characters that stand still: in the mean of sampled frames, small
shapes of one brightness with sharp outlines, alike in height, side by side on one line, uneven in
width, height or filling, in the upper or lower part of the picture. It reads nothing.

Found is printed text of at least four characters from about eight pixels of height on in the
picture that is looked at (at most 1280 pixels wide or high), lighter or darker than what lies
behind it. Not found are handwriting, single signs, text that moves, stands upright or in the middle
third, and text on a ground as bright as itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.media.frames import Picture

LONGEST = 1280
MARGIN = 1 / 3
"""Share of the height, above and below, in which text is looked for."""
LEAST_HEIGHT, MOST_HEIGHT = 7, 0.12
"""Height of characters: pixels of the picture looked at, and share of its height."""
LEAST_CONTRAST = 40.0
"""Between strokes and what lies round them, in levels of 255."""
LEAST_CHARACTERS, LEAST_SHAPES = 4, 3
WIDEST = 4.5
"""Width of a shape over its height: up to five letters that touch."""

FRAME = (240, 170, 0)
"""Colour of a frame round text, RGB."""

Box = tuple[float, float, float, float]
Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class _Shape:
    left: int
    top: int
    width: int
    height: int
    area: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


class TextLook:
    """Looks for burned-in text while somebody else reads a recording; `see` some frames of it."""

    def __init__(self) -> None:
        self._sum: NDArray[np.float32] | None = None
        self._count = 0

    def see(self, luma: Picture) -> None:
        """Take the brightness of one frame, uint8 (height, width); frames of one size count."""
        small = _looked_at(luma).astype(np.float32)
        if self._sum is None:
            self._sum = small
        elif self._sum.shape != small.shape:
            return
        else:
            self._sum += small
        self._count += 1

    def boxes(self) -> tuple[Box, ...]:
        """Lines of text as (x0, y0, x1, y1) in shares of width and height, from top to bottom."""
        if self._sum is None:
            return ()
        mean = np.clip(self._sum / self._count, 0, 255).astype(np.uint8)
        return text_lines(mean)


def text_lines(luma: Picture) -> tuple[Box, ...]:
    """Lines of text in one picture, uint8 (height, width), as `TextLook.boxes` gives them."""
    height, width = luma.shape
    found: list[Box] = []
    for plane in (luma, 255 - luma):
        for line in _lines(_shapes(plane), height):
            x0, y0 = min(one.left for one in line), min(one.top for one in line)
            x1, y1 = max(one.right for one in line), max(one.bottom for one in line)
            found.append((x0 / width, y0 / height, x1 / width, y1 / height))
    return tuple(sorted(found, key=lambda box: (box[1], box[0])))


def framed(image: Picture, boxes: tuple[Box, ...]) -> Picture:
    """A copy of a picture, uint8 RGB (height, width, 3), with a frame round every box."""
    shown = np.ascontiguousarray(image).copy()
    height, width = shown.shape[:2]
    thick = max(1, round(max(height, width) / 320))
    for x0, y0, x1, y1 in boxes:
        first = (round(x0 * width) - 3 * thick, round(y0 * height) - 3 * thick)
        second = (round(x1 * width) + 3 * thick, round(y1 * height) + 3 * thick)
        cv2.rectangle(shown, first, second, FRAME, thick)
    return shown


def _looked_at(luma: Picture) -> Picture:
    height, width = luma.shape
    scale = LONGEST / max(height, width)
    if scale >= 1:
        return luma
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)


def _shapes(luma: Picture) -> list[_Shape]:
    """Bright shapes of the size of characters with one brightness and sharp outlines."""
    height, width = luma.shape
    tallest = max(LEAST_HEIGHT + 1, int(MOST_HEIGHT * height))
    # What is narrower than a character is high stays in a top-hat; grounds and shadows do not.
    side = tallest | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    raised = cv2.morphologyEx(luma, cv2.MORPH_TOPHAT, kernel)
    # Half the contrast of the neighbourhood keeps the soft rims of two letters from meeting.
    near = cv2.dilate(raised, np.ones((7, 7), np.uint8))
    mask = np.asarray(raised >= np.maximum(LEAST_CONTRAST, 0.5 * near), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    steep = cv2.morphologyEx(luma, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    gradient, high_above = np.asarray(steep, np.uint8), np.asarray(raised, np.uint8)
    found = []
    for label in range(1, count):
        left, top, wide, high, area = (int(value) for value in stats[label])
        inside = MARGIN * height
        if not LEAST_HEIGHT <= high <= tallest or wide > WIDEST * high:
            continue
        if inside < top + high / 2 < height - inside:
            continue
        if left == 0 or top == 0 or left + wide == width or top + high == height:
            continue
        if not 0.12 <= area / (wide * high) <= 0.97:
            continue
        part = labels[top : top + high, left : left + wide] == label
        if _is_printed(
            part,
            luma[top : top + high, left : left + wide],
            gradient[top : top + high, left : left + wide],
            high_above[top : top + high, left : left + wide],
        ):
            found.append(_Shape(left, top, wide, high, area))
    return found


def _is_printed(part: NDArray[np.bool_], luma: Picture, gradient: Picture, raised: Picture) -> bool:
    """Whether a shape has one brightness inside and falls off within a pixel or two outside."""
    values = luma[part].astype(np.float32)
    contrast = float(np.percentile(raised[part], 75))
    if contrast < LEAST_CONTRAST:
        return False
    # The upper half of the values is the core of the strokes; rims are mixed with the ground.
    core = values[values >= np.median(values)]
    if float(core.std()) > 0.15 * contrast:
        return False
    padded = np.pad(part, 1)
    rim = (
        part
        & ~np.asarray(cv2.erode(padded.astype(np.uint8), np.ones((3, 3), np.uint8)), bool)[
            1:-1, 1:-1
        ]
    )
    return float(np.median(gradient[rim])) >= 0.6 * contrast


def _lines(shapes: list[_Shape], height: int) -> list[list[_Shape]]:
    """Characters side by side: alike in height, on one line, not further apart than two."""
    lines: list[list[_Shape]] = []
    for one in sorted(shapes, key=lambda shape: shape.left):
        best = None
        for line in lines:
            last = line[-1]
            tall = float(np.median([member.height for member in line]))
            gap = one.left - last.right
            if (
                -0.3 * tall <= gap <= 1.3 * tall
                and 0.6 <= one.height / tall <= 1.6
                and abs(one.bottom - last.bottom) <= 0.3 * tall
                and (best is None or gap < one.left - best[-1].right)
            ):
                best = line
        if best is None:
            lines.append([one])
        else:
            best.append(one)
    return [line for line in lines if _is_text(line)]


def _is_text(line: list[_Shape]) -> bool:
    characters = sum(max(1, round(one.width / (0.8 * one.height))) for one in line)
    if len(line) < LEAST_SHAPES or characters < LEAST_CHARACTERS:
        return False
    heights = np.array([one.height for one in line], float)
    bottoms = np.array([one.bottom for one in line], float)
    tall = float(np.median(heights))
    # Letters stand on a line: most bottoms agree to a pixel or so.
    level = np.abs(bottoms - np.median(bottoms)) <= max(1.5, 0.08 * tall)
    alike = np.abs(heights - tall) <= max(1.5, 0.3 * tall)
    if level.mean() < 0.7 or alike.mean() < 0.6:
        return False
    # A row of bars, holes or stripes repeats itself; letters and digits do not.
    widths = np.array([one.width for one in line], float)
    shares = np.array([one.area / (one.width * one.height) for one in line])
    uneven = (widths.std() / widths.mean() > 0.12, shares.std() > 0.06, heights.std() > 0.08 * tall)
    return any(uneven)
