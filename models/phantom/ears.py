"""Ears: thin shells of skin that stand beside the crown, before or behind the head."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from models.phantom.canvas import Canvas, Colour, mixed
from models.phantom.pose import Projection
from models.phantom.shape import (
    BACK,
    EAR_HALF_WIDTH,
    EAR_LENGTH,
    EAR_ROOT,
    RIGHT,
    UP,
    FaceShape,
    Floats,
    f32,
    resting,
)

_TURN = np.linspace(0, 2 * np.pi, 32, endpoint=False, dtype=np.float32)
_COS, _SIN = np.cos(_TURN), np.sin(_TURN)
_PART = (1 - _COS) / 2
# Soft spots of the hollow: up, aside, half width, half height; colour share, light, alpha, blur.
# Light shines through the thin edge; the hollow is deep and dark towards the root.
_SPOTS = (
    (0.72, 0.07, 0.26, 0.20, 0.12, 1.10, 0.45, 0.07),
    (0.36, -0.05, 0.24, 0.30, -0.15, 0.64, 0.70, 0.09),
    (0.20, -0.04, 0.13, 0.16, -0.20, 0.36, 0.80, 0.06),
)
_WHITE: Colour = (255.0, 238.0, 230.0)


@lru_cache(maxsize=4)
def _root(side: int) -> tuple[Floats, Floats]:
    """Where an ear grows at rest, and how far it moves when it is pulled back."""
    here, there = resting().at([EAR_ROOT[0], EAR_ROOT[0] + 0.10], [side * EAR_ROOT[1]] * 2)
    return f32(here - 0.10 * (side * 0.7 * RIGHT + 0.7 * UP)), f32(there - here)


def ear_frame(shape: FaceShape, side: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Root, and unit vectors along, across and out of an ear's hollow, in face coordinates."""
    root, pulled = _root(side)
    lean = math.radians(shape.ear_lean)
    along = math.cos(lean) * UP + (math.sin(lean) * side) * RIGHT
    along = along + (0.22 + 0.62 * shape.ear_apart) * BACK
    along = along / math.sqrt(float(along @ along))
    # At rest the hollow looks forward and a little outward; in pain outward and back.
    out = ((0.42 + 0.50 * shape.ear_apart) * side) * RIGHT - (0.90 - 0.40 * shape.ear_apart) * BACK
    out = out - (out @ along) * along
    out = out / math.sqrt(float(out @ out))
    across = f32(
        [
            along[1] * out[2] - along[2] * out[1],
            along[2] * out[0] - along[0] * out[2],
            along[0] * out[1] - along[1] * out[0],
        ]
    )
    return f32(root + shape.ear_apart * pulled), f32(along), across, f32(out)


def ear_points(shape: FaceShape, side: int) -> Floats:
    """Outline of an ear in face coordinates (n, 3)."""
    root, along, across, out = ear_frame(shape, side)
    length = EAR_LENGTH * (1 - 0.05 * shape.ear_apart)
    # Narrow at the root; a round ear narrows late, a pointed one from a third of its length.
    taper = 0.62 + 0.38 * np.clip(_PART / 0.40, 0, 1)
    taper = taper * (1 - shape.ear_point * 0.66 * np.clip((_PART - 0.30) / 0.70, 0, 1) ** 1.2)
    wide = _SIN * (EAR_HALF_WIDTH * shape.ear_width) * taper
    # The edges curl towards the hollow.
    curl = 0.55 * wide**2 + 0.10 * _PART * (1 - _PART)
    offsets = np.stack([_PART * length, wide, curl], axis=1)
    return f32(root + offsets @ np.stack([along, across, out]))


def draw_ear(
    canvas: Canvas,
    shape: FaceShape,
    at: Projection,
    side: int,
    outline: Floats,
    colours: tuple[Colour, Colour],
    light: float,
) -> None:
    """Draw one ear (`outline`: pixels and depths); the head is laid over it where it is nearer."""
    fur, skin = colours
    root, along, across, out = ear_frame(shape, side)
    facing = at.towards(out)
    half = at.pose.half_width
    rim = outline[:, :2]
    canvas.fill(rim, mixed(fur, skin, 0.42, light * (0.70 + 0.14 * abs(facing))))
    # The pixel steps of one unit along and across the ear.
    middle = at.points(f32([root + 0.4 * along, root + 1.4 * along, root + 0.4 * along + across]))
    centre, up, aside = middle[0], middle[1] - middle[0], middle[2] - middle[0]
    if facing < 0.04:
        canvas.fill(centre + 0.72 * (rim - centre), mixed(fur, skin, 0.30, light * 0.82), 0.8, 3.0)
        return
    canvas.fill(centre + 0.86 * (rim - centre), mixed(skin, fur, 0.06, light * 0.98), 0.92, 0.8)
    narrow = (1 - 0.45 * shape.ear_point) * shape.ear_width
    for high, wide, r, tall, share, bright, alpha, soft in _SPOTS:
        u = (high - 0.4 + tall * _COS)[:, None] * up
        w = ((wide * side + r * _SIN) * narrow)[:, None] * aside
        tone = mixed(skin, _WHITE if share > 0 else fur, abs(share), light * bright)
        canvas.fill(centre + u + w, tone, alpha, soft * half)
