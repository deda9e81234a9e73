"""The part of the picture that shows one animal, where several are in view."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.events import Refused
from models.media import open_media

Pixels = tuple[int, int, int, int]

NAME = re.compile(r"[^\W_](?:[\w. -]{0,38}[\w.-])?")
SMALLEST = 32
"""Sides under this many pixels hold no face that could be graded."""


@dataclass(frozen=True)
class AnimalRegion:
    """An animal's name and the left, top, right and bottom edge of its part of the picture.

    In pixels of the picture as displayed; right and bottom do not belong to it.
    """

    name: str
    box: Pixels


def region_of(name: str, box: Sequence[int]) -> AnimalRegion:
    """A region from what somebody gave; raises Refused where it cannot be one."""
    if not NAME.fullmatch(name):
        raise Refused(
            f"“{name}” cannot name an animal: use up to 40 letters, digits, spaces, dots and "
            "dashes, beginning with a letter or digit."
        )
    if len(box) != 4:
        raise Refused(
            f"The region of {name} needs four numbers: left, top, right and bottom edge in pixels."
        )
    x0, y0, x1, y1 = (int(value) for value in box)
    if min(x0, y0) < 0 or x1 - x0 < SMALLEST or y1 - y0 < SMALLEST:
        raise Refused(
            f"The region of {name} ({x0}, {y0}, {x1}, {y1}) is no part of a picture: left and top "
            f"begin at 0, right and bottom lie at least {SMALLEST} pixels further."
        )
    return AnimalRegion(name, (x0, y0, x1, y1))


def read_region(text: str) -> AnimalRegion:
    """The region that `NAME=x0,y0,x1,y1` stands for; raises Refused."""
    name, _, numbers = text.partition("=")
    try:
        return region_of(name.strip(), [int(part) for part in numbers.split(",")])
    except ValueError:
        raise Refused(
            f"“{text}” is no region; write the animal's name and four whole numbers of pixels, "
            "such as m1=0,0,640,720."
        ) from None


def within_picture(region: AnimalRegion, path: Path) -> Pixels:
    """The region cut to the picture of a recording; raises Refused where it lies outside it, and
    Unreadable."""
    with open_media(path) as media:
        height, width = next(iter(media)).luma.shape
    x0, y0, x1, y1 = region.box
    if min(width, x1) - x0 < SMALLEST or min(height, y1) - y0 < SMALLEST:
        raise Refused(
            f"The region of {region.name} ({x0}, {y0}, {x1}, {y1}) lies outside the picture of "
            f"{path.name}, which is {width} pixels wide and {height} high."
        )
    return x0, y0, min(width, x1), min(height, y1)
