"""The shape of the phantom's face: what deformations change and drawing reads.

Face coordinates: u to the right of the picture, v downwards, z towards the camera; 1 is half the
width of the head without ears, the origin lies between the eyes and the ears' roots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

Floats = NDArray[np.floating[Any]]


def f32(values: ArrayLike) -> Floats:
    """Values as an array of 32-bit floats."""
    return np.asarray(values, np.float32)


# Half width of the head (without ears) from crown to chin.
_PROFILE = (
    (-0.82, 0.00),
    (-0.79, 0.20),
    (-0.70, 0.42),
    (-0.50, 0.66),
    (-0.20, 0.82),
    (0.05, 0.86),
    (0.28, 0.80),
    (0.48, 0.64),
    (0.66, 0.49),
    (0.84, 0.41),
    (0.98, 0.32),
    (1.07, 0.18),
    (1.10, 0.00),
)

EYE = (0.50, -0.04)
EYE_RADIUS = 0.165
NOSE = (0.0, 0.80)
PAD = (0.24, 0.78)
EAR_ROOT = (0.56, -0.56)
EAR_TIP_REST = 0.92


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
    ear_apart     how far the roots have moved outward and back, 0..1
    whisker_fan   opening of the whisker fan, 1 = natural
    whisker_curve natural curve of a whisker, 1 = natural, 0 = straight
    whisker_swing degrees by which the whiskers are drawn back (up in a frontal picture)
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


@dataclass(frozen=True)
class Grid:
    """A square raster over the face: coordinates u, v of every cell, cells per unit of length."""

    side: int
    reach: float
    u: Floats
    v: Floats

    @property
    def per_unit(self) -> float:
        """Cells per unit of face length."""
        return self.side / (2 * self.reach)


@lru_cache(maxsize=2)
def grid(side: int = 160, reach: float = 1.2) -> Grid:
    """The raster the head is shaded on; v is centred on the middle of the head."""
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 * reach - reach
    u, v = np.meshgrid(axis, axis + V_CENTRE)
    return Grid(side, reach, u.astype(np.float32), v.astype(np.float32))


V_CENTRE = 0.14


@lru_cache(maxsize=1)
def outline(points: int = 40) -> Floats:
    """Outline of the head at rest, (2·points, 2): u and v, clockwise from the crown."""
    v_knots, w_knots = zip(*_PROFILE, strict=True)
    half_width = PchipInterpolator(v_knots, w_knots)
    turn = np.linspace(0, np.pi, points)
    v = (v_knots[0] + v_knots[-1]) / 2 - np.cos(turn) * (v_knots[-1] - v_knots[0]) / 2
    w = np.maximum(half_width(v), 0)
    right = np.stack([w, v], axis=1)
    left = np.stack([-w, v], axis=1)[::-1]
    return np.concatenate([right, left]).astype(np.float32)


@lru_cache(maxsize=1)
def cheek_bump() -> Floats:
    """Where cheeks bulge, 0..1 on the grid."""
    g = grid()
    return f32(np.exp(-(((np.abs(g.u) - 0.60) / 0.24) ** 2) - ((g.v - 0.42) / 0.24) ** 2))


@lru_cache(maxsize=1)
def bridge_bump() -> Floats:
    """Where the bridge of the nose bulges, 0..1 on the grid."""
    g = grid()
    return f32(np.exp(-((g.u / 0.19) ** 2) - ((g.v - 0.36) / 0.26) ** 2))


@lru_cache(maxsize=1)
def resting_height() -> Floats:
    """Height z of the head at rest on the grid: a dome, the snout, brows and whisker pads."""
    g = grid()
    half = np.interp(g.v, [p[0] for p in _PROFILE], [p[1] for p in _PROFILE])
    across = np.clip(1 - (g.u / np.maximum(half, 0.15)) ** 2, -0.6, 1)
    along = np.clip(1 - ((g.v - 0.10) / 1.05) ** 2, -0.4, 1)
    dome = 0.42 * across + 0.22 * along
    snout = 0.46 * np.exp(-((g.u / 0.34) ** 2) - ((g.v - 0.70) / 0.46) ** 2)
    brow = 0.07 * np.exp(
        -(((np.abs(g.u) - 0.44) / 0.20) ** 2) - ((g.v - EYE[1] + 0.22) / 0.14) ** 2
    )
    socket = -0.10 * np.exp(-(((np.abs(g.u) - EYE[0]) / 0.22) ** 2) - ((g.v - EYE[1]) / 0.20) ** 2)
    pads = 0.09 * np.exp(-(((np.abs(g.u) - PAD[0]) / 0.15) ** 2) - ((g.v - PAD[1]) / 0.15) ** 2)
    return f32(dome + snout + brow + socket + pads)


def height(shape: FaceShape) -> Floats:
    """Height z of the deformed head on the grid."""
    z = resting_height()
    if shape.cheeks:
        z = z + np.float32(0.34 * shape.cheeks) * cheek_bump()
    if shape.bridge:
        z = z + np.float32(0.40 * shape.bridge) * bridge_bump()
    return z


def sample(values: Floats, u: float, v: float) -> float:
    """The value of a grid map at one point of the face (nearest cell)."""
    g = grid()
    column = int(np.clip((u + g.reach) * g.per_unit, 0, g.side - 1))
    row = int(np.clip((v - V_CENTRE + g.reach) * g.per_unit, 0, g.side - 1))
    return float(values[row, column])
