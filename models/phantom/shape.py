"""The solid of the phantom's head: what deformations change, casting reads and parts stand on.

Face coordinates: u to the right of the picture, v downwards, z towards the camera; 1 is about half
the width of the head. Head coordinates: x to the right, a along the head from the tip of the nose
backwards, h upwards across it. A cross-section is an ellipse whose upper and lower half differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

Floats = NDArray[np.floating[Any]]

SIDES = (-1, 1)


def f32(values: ArrayLike) -> Floats:
    """Values as an array of 32-bit floats."""
    return np.asarray(values, np.float32)


# Distance from the nose, half width, height above and below the middle line. Proportions follow
# photographs of mice from the side and from the front: eye at 45 % of the way to the nape.
_SECTIONS = (
    (0.00, 0.055, 0.055, 0.05),
    (0.05, 0.130, 0.115, 0.11),
    (0.14, 0.205, 0.165, 0.19),
    (0.28, 0.295, 0.205, 0.29),
    (0.45, 0.355, 0.240, 0.36),
    (0.70, 0.425, 0.300, 0.41),
    (1.00, 0.530, 0.415, 0.47),
    (1.30, 0.660, 0.535, 0.55),
    (1.60, 0.780, 0.615, 0.63),
    (1.95, 0.880, 0.655, 0.70),
    (2.30, 0.910, 0.630, 0.73),
    (2.70, 0.840, 0.540, 0.74),
    (3.00, 0.700, 0.420, 0.66),
    (3.25, 0.460, 0.270, 0.45),
    (3.40, 0.100, 0.080, 0.10),
)
LENGTH = _SECTIONS[-1][0]
CELLS = 340

# How far the nose points downwards at pose zero, and where its tip is.
TILT = math.radians(24)
TIP = f32([0.0, 0.80, 1.40])
RIGHT = f32([1.0, 0.0, 0.0])
BACK = f32([0.0, -math.sin(TILT), -math.cos(TILT)])
UP = f32([0.0, -math.cos(TILT), math.sin(TILT)])

AXES = f32([RIGHT, BACK, UP])

# Places on the surface: distance from the nose, degrees from the ridge outward.
EYE, EYE_RADIUS = (1.42, 59.0), 0.185
EAR_ROOT = (2.28, 47.0)
EAR_LENGTH, EAR_HALF_WIDTH = 1.06, 0.46
PAD = (0.36, 100.0)


@dataclass(frozen=True)
class FaceShape:
    """A face at rest; every deformation changes some of these and nothing else.

    eye_opening   height of the lid opening, 1 = round, 0 = shut
    eye_squeeze   wrinkles and raised fur round the eye, 0..1
    bridge        bulge of the bridge of the nose, 0..1
    cheeks        bulge of the cheeks, 0..1
    ear_lean      degrees by which the ears lean outward from upright
    ear_width     width of the ear as seen, 1 = facing the camera
    ear_point     how pointed the ear looks, 0..1
    ear_apart     how far the ears have moved outward and back, 0..1
    whisker_fan   opening of the whisker fan, 1 = natural
    whisker_curve natural curve of a whisker, 1 = natural, 0 = straight
    whisker_swing degrees by which the whiskers are drawn back
    whisker_clump 0 = evenly spread, 1 = drawn together in bundles
    """

    eye_opening: float = 1.0
    eye_squeeze: float = 0.0
    bridge: float = 0.0
    cheeks: float = 0.0
    ear_lean: float = 24.0
    ear_width: float = 1.0
    ear_point: float = 0.0
    ear_apart: float = 0.0
    whisker_fan: float = 1.0
    whisker_curve: float = 1.0
    whisker_swing: float = 0.0
    whisker_clump: float = 0.0


@dataclass(frozen=True, eq=False)
class Solid:
    """Half width, height above, height below and bulge of the cheeks at CELLS distances."""

    width: Floats
    above: Floats
    below: Floats
    cheek: Floats

    def field(self, x: Floats, a: Floats, h: Floats) -> Floats:
        """1 on the surface, smaller inside, larger outside, at head coordinates of any shape."""
        cell = (np.clip(a, 0, LENGTH - 0.02) * np.float32(CELLS / LENGTH)).astype(np.int32)
        low = np.clip(np.float32(0.75) - h * np.float32(2.2), 0, 1)
        across = x / (self.width[cell] + self.cheek[cell] * low)
        over = h / np.where(h > 0, self.above[cell], self.below[cell])
        value = np.sqrt(across * across + over * over)
        return np.asarray(value - np.minimum(a, 0) * np.float32(6), np.float32)

    def at(self, a: ArrayLike, degrees: ArrayLike) -> Floats:
        """Surface points in face coordinates (n, 3); degrees count from the ridge to the right."""
        a, turn = f32(a), np.radians(f32(degrees))
        sin, cos = np.sin(turn), np.cos(turn)
        cell = (a * np.float32(CELLS / LENGTH)).astype(np.int32).clip(0, CELLS - 2)
        over = cos / np.where(cos > 0, self.above[cell], self.below[cell])
        reach = 1 / np.hypot(sin / self.width[cell], over)
        low = (0.75 - reach * cos * 2.2).clip(0, 1)
        reach = 1 / np.hypot(sin / (self.width[cell] + self.cheek[cell] * low), over)
        return placed(reach * sin, a, reach * cos)


def placed(x: ArrayLike, a: ArrayLike, h: ArrayLike) -> Floats:
    """Face coordinates (n, 3) of head coordinates."""
    return f32(TIP + np.stack([f32(x), f32(a), f32(h)], axis=-1) @ AXES)


@lru_cache(maxsize=1)
def _resting() -> Floats:
    knots = np.array(_SECTIONS)
    a = (np.arange(CELLS) + 0.5) * LENGTH / CELLS
    # Squared sections interpolate without a crease at the round tip.
    return f32(np.sqrt(np.maximum(PchipInterpolator(knots[:, 0], knots[:, 1:] ** 2)(a), 1e-3)).T)


@lru_cache(maxsize=1)
def resting() -> Solid:
    """The head at rest."""
    return solid(FaceShape())


def solid(shape: FaceShape) -> Solid:
    """The head with its bulges."""
    width, above, below = _resting()
    a = (np.arange(CELLS, dtype=np.float32) + np.float32(0.5)) * np.float32(LENGTH / CELLS)
    if shape.bridge:
        bump = np.exp(-(((a - 0.72) / 0.30) ** 2))
        above = above + np.float32(0.28 * shape.bridge) * bump
        width = width + np.float32(0.07 * shape.bridge) * bump
    cheek = np.float32(0.55 * shape.cheeks) * np.exp(-(((a - 1.12) / 0.34) ** 2))
    return Solid(f32(width), f32(above), f32(below), f32(cheek))


def folded(shape: FaceShape, a: Floats, turn: Floats) -> Floats:
    """How much of the light reaches fur where skin bulges: 1 where it lies flat.

    `a` and `turn` (degrees, 180 on the ridge) are places on the surface. On a bulge hairs stand
    apart and take more light, in the fold round it they keep it out; a solid lit from afar shows
    neither, and shading alone would leave a bulge hard to see in even light.
    """
    light = np.ones_like(a)
    side = np.abs(turn - 180)
    for amount, depth, a0, side0, along, round_ in (
        (shape.bridge, 0.21, 0.78, 0.0, 0.46, 62.0),
        (shape.cheeks, 0.34, 1.08, 112.0, 0.46, 46.0),
    ):
        if amount:
            far = np.hypot((a - a0) / along, (side - side0) / round_)
            fold = np.exp(-(((far - 1) / 0.30) ** 2))
            crest = np.exp(-((far / 0.62) ** 2))
            light = light * (1 + np.float32(amount * depth) * (0.6 * crest - fold))
    return f32(light)
