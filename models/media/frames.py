"""One frame of a recording, and the refusal every reader raises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


class Unreadable(Exception):
    """A file that is no readable recording; `sentence` says so plainly and says what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame in display orientation, converted to pixels only when asked.

    `index` counts frames in presentation order from 0, `pts` is the exact timestamp in units of
    `time_base` (numerator, denominator) seconds.
    """

    index: int
    pts: int
    time_base: tuple[int, int]
    stream: int
    to_image: Callable[[], Picture] = field(repr=False)
    to_luma: Callable[[], Picture] = field(repr=False)

    @property
    def time_s(self) -> float:
        """Presentation time in seconds."""
        return self.pts * self.time_base[0] / self.time_base[1]

    @cached_property
    def image(self) -> Picture:
        """The picture as uint8 RGB, shape (height, width, 3)."""
        return self.to_image()

    @cached_property
    def luma(self) -> Picture:
        """The brightness plane as stored, reduced to 8 bits, uint8, shape (height, width)."""
        return self.to_luma()
