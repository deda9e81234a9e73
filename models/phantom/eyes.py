"""Eyes: globes that bulge from the sides of the head, their lids, wrinkles and glints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models.phantom.canvas import Canvas, Colour, Plane, mixed, plane_through
from models.phantom.pose import Projection
from models.phantom.shape import (
    BACK,
    EYE,
    EYE_RADIUS,
    RIGHT,
    SIDES,
    UP,
    FaceShape,
    Floats,
    f32,
    resting,
)

NAMES = ("left", "right")
# Height of the upper and the lower lid of an open eye in radii.
UPPER, LOWER = 0.95, 0.84
# Under this opening the lids meet.
SEAM = 0.03
# How far the seam of shut lids hangs below the corners, in radii.
SAG = 0.16
# Depth by which the globe stands out of the head.
BULGE = 0.11
# An eye that faces the camera this much lies before the head altogether.
IN_FRONT = 0.35
_FRONT = -0.75 * BACK + 0.22 * UP

_TURN = np.linspace(0, 2 * np.pi, 28, endpoint=False, dtype=np.float32)
_COS, _SIN = np.cos(_TURN), np.sin(_TURN)
_SEAM_X = np.linspace(-1, 1, 9, dtype=np.float32)
_ARC = np.linspace(-1.1, 1.1, 9, dtype=np.float32)
_STEPS = np.linspace(0, 1, 4, dtype=np.float32)
_WHITE: Colour = (255.0, 255.0, 255.0)
_BLACK: Colour = (0.0, 0.0, 0.0)
_SKY: Colour = (190.0, 196.0, 205.0)


@dataclass(frozen=True, eq=False)
class EyeFrame:
    """An eye in face coordinates: `front` points towards the nose, `up` across the lids."""

    centre: Floats
    front: Floats
    up: Floats
    facing: float

    def at(self, front: Floats, up: Floats) -> Floats:
        """Face points (n, 3) of points in the plane of the lids."""
        return f32(self.centre + front[:, None] * self.front + up[:, None] * self.up)


def eye_frame(at: Projection, side: int) -> EyeFrame:
    """The frame of an eye as the camera sees it.

    A globe looks round from wherever it is seen, so the plane of its outline is taken half way
    between that of the lids and that of the picture.
    """
    centre, out = _seat(side)
    facing = at.towards(out)
    plane = out + np.float32(0.85) * at.turn[2]
    plane = plane / math.sqrt(float(plane @ plane))
    # Towards the nose: forward, and inward as the front of the head narrows.
    front = _FRONT + (-0.75 * side) * RIGHT
    front = front - (front @ plane) * plane
    front = front / math.sqrt(float(front @ front))
    up = f32(
        [
            front[1] * plane[2] - front[2] * plane[1],
            front[2] * plane[0] - front[0] * plane[2],
            front[0] * plane[1] - front[1] * plane[0],
        ]
    )
    return EyeFrame(centre, f32(front), up if up @ UP > 0 else -up, facing)


@lru_cache(maxsize=4)
def _seat(side: int) -> tuple[Floats, Floats]:
    """Centre of an eye and the direction in which it looks, in face coordinates."""
    out = 0.84 * side * RIGHT + 0.36 * UP - 0.40 * BACK
    out = out / np.linalg.norm(out)
    return f32(resting().at([EYE[0]], [side * EYE[1]])[0] + 0.03 * out), f32(out)


def opening_of(shape: FaceShape) -> float:
    """Opening of the lids, 0 where they meet."""
    return shape.eye_opening if shape.eye_opening > SEAM else 0.0


def eye_points(shape: FaceShape, at: Projection, frame: EyeFrame) -> Floats:
    """Pixels and depths (4, 3) of the top, front, bottom and back of the opening of an eye."""
    opening, r = opening_of(shape), EYE_RADIUS
    front = f32([0, r, 0, -r])
    up = f32([UPPER * r * opening, 0, -LOWER * r * opening, 0])
    if opening == 0:
        up = f32([-SAG * r, 0, -SAG * r, 0])
    return at.seen(frame.at(front, up))


def is_seen(canvas: Canvas, at: Projection, frame: EyeFrame) -> bool:
    """Whether an eye faces the camera and most of it lies before the head."""
    if frame.facing < -0.10:
        return False
    r = 0.7 * EYE_RADIUS
    spread = frame.at(f32([0, r, -r, 0, 0]), f32([0, 0, 0, r, -r]))
    return int(canvas.visible(at.seen(spread), BULGE).sum()) >= 4


def draw_eyes(
    canvas: Canvas,
    shape: FaceShape,
    at: Projection,
    eye: Colour,
    fur: Colour,
    skin: Colour,
    light: tuple[float, float, float],
) -> dict[str, Floats]:
    """Both eyes; returns pixels and depths (4, 3) of the points of those that can be seen."""
    found = {}
    for side, name in zip(SIDES, NAMES, strict=True):
        frame = eye_frame(at, side)
        if frame.facing < -0.25:
            continue
        if is_seen(canvas, at, frame):
            found[name] = eye_points(shape, at, frame)
        _draw_eye(canvas, shape, at, frame, (eye, fur, skin), light)
    return found


@dataclass(frozen=True, eq=False)
class _Lens:
    """An eye in pixels: its centre and the steps of one radius to the front and up."""

    centre: Floats
    front: Floats
    up: Floats
    radius: float

    def at(self, front: Floats, up: Floats) -> Floats:
        return f32(self.centre + front[:, None] * self.front + up[:, None] * self.up)


def _draw_eye(
    canvas: Canvas,
    shape: FaceShape,
    at: Projection,
    frame: EyeFrame,
    colours: tuple[Colour, Colour, Colour],
    light: tuple[float, float, float],
) -> None:
    eye, fur, skin = colours
    r, opening, squeeze = EYE_RADIUS, opening_of(shape), shape.eye_squeeze
    plane = None
    if frame.facing < IN_FRONT:
        plane = plane_through(at.seen(frame.at(_COS * r, _SIN * r)) + f32([0, 0, BULGE]))
    places = at.seen(frame.at(f32([0, r, 0]), f32([0, 0, r])))
    lens = _Lens(
        places[0, :2],
        places[1, :2] - places[0, :2],
        places[2, :2] - places[0, :2],
        r * at.pose.half_width,
    )
    shut = 1 - opening
    dark = mixed(fur, skin, 0.25, 0.34)
    # The socket, and the lids that arch over the globe.
    canvas.fill(
        lens.at(_COS * 1.28, _SIN * 1.20),
        mixed(fur, skin, 0.2, 0.62),
        0.42,
        0.26 * lens.radius,
        plane,
    )
    if opening < 0.75:
        canvas.fill(
            lens.at(_COS * 1.05, _SIN * 0.92 + 0.04),
            mixed(fur, skin, 0.22, 0.90),
            0.8 * shut,
            0.2 * lens.radius,
            plane,
        )
        canvas.fill(
            lens.at(_COS * 0.6, _SIN * 0.22 + 0.48),
            mixed(fur, _WHITE, 0.12),
            0.5 * shut,
            0.16 * lens.radius,
            plane,
        )
    centre_seen = bool(canvas.visible(places[:1], BULGE)[0])
    if squeeze and centre_seen:
        _wrinkles(canvas, lens, squeeze, (dark, mixed(fur, _WHITE, 0.16)))
    if opening == 0:
        if centre_seen:
            seam = lens.at(_SEAM_X, -SAG * (1 - _SEAM_X**2))
            canvas.strokes(seam[None], dark, 0.85, max(1, round(0.16 * lens.radius)))
        return
    _draw_globe(canvas, lens, opening, (eye, mixed(skin, dark, 0.66)), light, plane)


def _draw_globe(
    canvas: Canvas,
    lens: _Lens,
    opening: float,
    colours: tuple[Colour, Colour],
    light: tuple[float, float, float],
    plane: Plane | None,
) -> None:
    eye, margin = colours
    # Lids meet in points at the corners once they are half shut.
    sharp = 0.9 * (1 - min(opening, 1.0)) ** 2
    lid = np.where(_SIN > 0, UPPER, LOWER) * _SIN * np.abs(_SIN) ** sharp
    canvas.fill(lens.at(_COS * 1.14, lid * min(1.0, opening + 0.05) * 1.14), margin, 0.9, 0, plane)
    canvas.fill(lens.at(_COS, lid * opening), mixed(eye, _BLACK, 0.42), 1.0, 0, plane)
    if opening > 0.35:
        low = _SIN * 0.52 * min(opening, 0.95) - 0.22 * opening
        canvas.fill(lens.at(_COS * 0.66, low), eye, 0.55, 0.24 * lens.radius, plane)
        pupil = _SIN * 0.40 * min(opening, 0.9) + 0.06
        canvas.fill(
            lens.at(_COS * 0.40, pupil), mixed(eye, _BLACK, 0.72), 0.6, 0.16 * lens.radius, plane
        )
    # The globe mirrors the lamp on the side from which the light comes, and the room dully.
    bright = min(1.0, opening * 1.5)
    spot = lens.centre + f32([light[0], light[1]]) * (0.36 * lens.radius)
    ring = np.stack([_COS, _SIN], axis=1) * lens.radius
    canvas.fill(
        spot + ring * f32([0.5, 0.42 * opening]), _SKY, 0.16 * opening, 0.2 * lens.radius, plane
    )
    canvas.fill(spot + ring * f32([0.18, 0.18 * bright]), _WHITE, 0.92 * bright, 0, plane)


def _wrinkles(canvas: Canvas, lens: _Lens, squeeze: float, colours: tuple[Colour, Colour]) -> None:
    # Raised fur above and below, furrows that run from both corners.
    dark, bright = colours
    ridges, folds = [], []
    for way, far in ((1, 0.66), (-1, 0.54)):
        up = way * (far + 0.30 * (1 - _ARC**2)) * (1.30 - 0.4 * squeeze)
        ridges.append(lens.at(_ARC, up))
        folds.append(lens.at(_ARC * 0.9, up * 0.62))
    wide = max(1, round(0.26 * lens.radius))
    canvas.strokes(np.stack(ridges), bright, 0.50 * squeeze, wide, soft=0.9)
    canvas.strokes(np.stack(folds), dark, 0.34 * squeeze, 1)
    lines = [
        lens.at(end * (1.0 + 0.66 * _STEPS), slope * (0.15 + 0.85 * _STEPS))
        for end in (-1, 1)
        for slope in (-0.7, 0.0, 0.7)
    ]
    canvas.strokes(np.stack(lines), dark, 0.55 * squeeze, 1)
