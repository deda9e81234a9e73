"""Nose, mouth, whiskers, paws and food, drawn over the head where the pose puts them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models.phantom.canvas import Canvas, Colour, mixed
from models.phantom.pose import Projection
from models.phantom.shape import (
    BACK,
    PAD,
    RIGHT,
    SIDES,
    TIP,
    UP,
    FaceShape,
    Floats,
    Solid,
    f32,
    resting,
)

_TURN = np.linspace(0, 2 * np.pi, 20, endpoint=False, dtype=np.float32)
_COS, _SIN = np.cos(_TURN), np.sin(_TURN)
WHISKERS = 15
# The line of the lips on both sides: distance from the nose, degrees from the ridge.
_LIPS = (
    f32([0.00, 0.05, 0.10, 0.18, 0.30, 0.42] * 2),
    f32([-180, -176, -164, -150, -138, -130, 180, 176, 164, 150, 138, 130]),
)


def draw_nose(
    canvas: Canvas, head: Solid, at: Projection, skin: Colour, fur: Colour, sniff: float
) -> None:
    """Nose pad, nostrils, lips; `sniff` (-1..1) lifts and widens the pad."""
    lift = 0.018 * sniff * UP
    centre = TIP - 0.035 * BACK + 0.02 * UP + lift

    def pad(x: Floats, y: Floats) -> Floats:
        # A cap: what lies outward lies further back.
        deep = 0.9 * (x * x + y * y)
        return at.points(centre + x[:, None] * RIGHT + y[:, None] * UP + deep[:, None] * BACK)

    half = at.pose.half_width
    facing = -at.towards(BACK)
    dark = mixed(skin, (0, 0, 0), 0.72)
    if facing > -0.2:
        wide = 0.105 + 0.006 * sniff
        lower = np.where(_SIN < 0, 1 - 0.35 * np.abs(_COS), 1)
        canvas.fill(pad(_COS * wide * 1.22, _SIN * 0.085 * lower), dark, 0.30, 0.03 * half)
        canvas.fill(pad(_COS * wide, _SIN * 0.072 * lower), mixed(skin, fur, 0.05), 0.9, 0.6)
        canvas.fill(pad(_COS * 0.05, _SIN * 0.018 + 0.036), (255.0, 244.0, 240.0), 0.28, 0.6)
        for side in SIDES:
            x = _COS * 0.026 + side * (0.056 + 0.004 * sniff)
            canvas.fill(pad(x, _SIN * 0.020 - 0.014 - side * 0.1 * _COS * 0.02), dark, 0.85, 0.45)
    # Philtrum and lips run back along the underside.
    lips = at.seen(head.at(_LIPS[0], _LIPS[1]))
    seen = canvas.visible(lips, 0.07).reshape(2, -1)
    lines = lips[:, :2].reshape(2, -1, 2)
    pairs = np.stack([lines[:, :-1], lines[:, 1:]], axis=2)[seen[:, :-1] & seen[:, 1:]]
    canvas.strokes(pairs, dark, 0.42, 1)


@dataclass(frozen=True, eq=False)
class _Bristles:
    """The whiskers of one pad: place in the fan (-1..1), row, jitters of angle, length, droop."""

    place: Floats
    row: Floats
    fan: Floats
    back: Floats
    length: Floats
    droop: Floats


@lru_cache(maxsize=64)
def _bristles(animal: int) -> tuple[_Bristles, _Bristles]:
    rng = np.random.default_rng([animal, 5])
    n = WHISKERS

    def pad() -> _Bristles:
        return _Bristles(
            np.linspace(-1, 1, n) + rng.normal(0, 0.06, n),
            rng.permutation(n) / n,
            rng.normal(0, 5, n),
            rng.normal(0, 5, n),
            0.85 + 0.75 * rng.random(n),
            0.7 + 0.6 * rng.random(n),
        )

    return pad(), pad()


def whisker_lines(shape: FaceShape, at: Projection, animal: int, sweep: float) -> Floats:
    """Pixels and depths (whiskers, points, 3); `sweep` is how far they are swung forward, deg."""
    t = np.linspace(0, 1, 8, dtype=np.float32)[None, :]
    lines = []
    for side, pad in zip(SIDES, _bristles(animal), strict=True):
        fan = 46.0 * pad.place + pad.fan
        bundles = np.array([-30.0, 0.0, 30.0])
        nearest = bundles[np.abs(fan[:, None] - bundles).argmin(axis=1)]
        fan = fan + 0.92 * shape.whisker_clump * (nearest - fan)
        up = np.radians(-fan * shape.whisker_fan - 4 + 0.45 * shape.whisker_swing)[:, None]
        # Rear whiskers stand more sideways; drawn back they lie along the cheek.
        back = np.radians(8 + 30 * pad.row + pad.back + shape.whisker_swing - sweep)[:, None]
        length = pad.length[:, None] * (1 - 0.05 * shape.whisker_clump)
        droop = 0.30 * shape.whisker_curve * pad.droop[:, None]
        # Whiskers stand on the resting head: what bulges elsewhere does not move them.
        roots = resting().at(PAD[0] - 0.14 + 0.34 * pad.row, side * (PAD[1] + 26 * pad.place))
        reach, out = length * t, np.cos(up) * np.cos(back)
        x = side * out * reach
        along = np.cos(up) * np.sin(back) * reach + 0.20 * shape.whisker_curve * t**2
        rise = np.sin(up) * reach - droop * t**2
        line = (
            roots[:, None] + x[..., None] * RIGHT + along[..., None] * BACK + rise[..., None] * UP
        )
        lines.append(at.seen(f32(line).reshape(-1, 3)).reshape(WHISKERS, -1, 3))
    return np.concatenate(lines)


def draw_whiskers(
    canvas: Canvas, lines: Floats, colours: tuple[Colour, Colour], clump: float
) -> None:
    """Whiskers of both pads; `colours` are those before fur and before the background."""
    seen = canvas.visible(lines.reshape(-1, 3), 0.10).reshape(lines.shape[:2])
    both = seen[:, :-1] & seen[:, 1:]
    pairs = np.stack([lines[:, :-1, :2], lines[:, 1:, :2]], axis=2)
    near, far = colours
    # Tips are fainter than roots.
    canvas.strokes(pairs[:, :3][both[:, :3]], near, 0.32 + 0.20 * clump)
    canvas.strokes(pairs[:, 3:5][both[:, 3:5]], far, 0.30 + 0.24 * clump)
    canvas.strokes(pairs[:, 5:][both[:, 5:]], far, 0.17 + 0.24 * clump)


def draw_paws(
    canvas: Canvas,
    at: Projection,
    amount: float,
    phase: float,
    fur: Colour,
    skin: Colour,
) -> None:
    """Paws that wipe over the face; `amount` 0 (not there) to 1, `phase` in turns."""
    mouth = at.points((TIP + 0.10 * BACK)[None])[0]
    half = at.pose.half_width
    crown = at.points((TIP + 1.3 * BACK + 0.5 * UP)[None])[0]
    stroke_way = crown - mouth
    for side in SIDES:
        # Both paws circle, a little out of step, from the mouth over the eyes and back.
        stroke = 0.5 + 0.5 * math.sin(2 * math.pi * phase + 0.35 * side)
        width = 0.22 + 0.22 * math.sin(math.pi * stroke)
        place = mouth + stroke_way * (0.10 + 0.78 * stroke) + f32([side * width * half, 0])
        place = place + f32([side * 0.1, 1.25]) * half * (1 - amount)
        _paw(canvas, place, f32([side * 0.55, 1.0]), half, fur, skin, side)


def draw_food(
    canvas: Canvas, at: Projection, amount: float, phase: float, fur: Colour, skin: Colour
) -> None:
    """A pellet held with both paws before the mouth; `phase` in turns of chewing."""
    half = at.pose.half_width
    mouth = at.points((TIP + 0.16 * BACK - 0.16 * UP)[None])[0]
    mouth = mouth + f32([0.0, 0.05 * math.sin(2 * math.pi * phase) + 0.9 * (1 - amount)]) * half
    for side in SIDES:
        _paw(
            canvas,
            mouth + f32([side * 0.30, 0.16]) * half,
            f32([side * 0.5, 1.0]),
            half,
            fur,
            skin,
            side,
        )
    rough = 1 + 0.10 * np.sin(3 * _TURN + 1.0) + 0.06 * np.sin(7 * _TURN)
    tilt = f32([[0.96, -0.28], [0.28, 0.96]])
    pellet = np.stack([0.36 * _COS * rough, 0.17 * _SIN * rough], axis=1) @ tilt
    brown = (150.0, 118.0, 78.0)
    canvas.fill(mouth + pellet * half, mixed(brown, (0, 0, 0), 0.45), 1.0, 0.6)
    canvas.fill(mouth + pellet * half * 0.86 - f32([0.01, 0.03]) * half, brown, 0.9, 0.04 * half)


def _paw(
    canvas: Canvas, place: Floats, arm: Floats, half: float, fur: Colour, skin: Colour, side: int
) -> None:
    way = arm / np.linalg.norm(arm)
    across = f32([-way[1], way[0]])
    # A short furry arm that thickens towards the elbow and is lost in the fur of the chest.
    for near, thick, shade, alpha in ((0.80, 0.56, 0.30, 0.55), (0.62, 0.44, 0.16, 0.95)):
        sleeve = np.stack([place + way * 0.12 * half, place + way * near * half])
        wide = max(2, round(thick * half))
        canvas.strokes(sleeve[None], mixed(fur, (0, 0, 0), shade), alpha, wide, soft=0.07 * half)
    palm = place + np.outer(_COS * 0.16, across) * half + np.outer(_SIN * 0.20, way) * half
    edge = mixed(skin, (0, 0, 0), 0.5)
    canvas.fill(palm, edge, 0.5, 1.4)
    canvas.fill(palm * 0.9 + place * 0.1, skin, 0.95, 0.7)
    fingers = []
    for spread in (-0.13, -0.045, 0.045, 0.13):
        root = place + (across * spread - way * 0.13) * half
        tip = root + (across * spread * 0.6 - way * 0.20 - across * side * 0.05) * half
        fingers.append(np.stack([root, tip]))
    lines = np.stack(fingers)
    canvas.strokes(lines, edge, 0.55, max(1, round(0.10 * half)), soft=0.6)
    canvas.strokes(lines, skin, 0.95, max(1, round(0.07 * half)))
