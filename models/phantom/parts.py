"""Ears, eyes, nose, whiskers and paws, drawn over or behind the head."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from models.phantom.canvas import Canvas, Colour
from models.phantom.pose import Projection
from models.phantom.shape import (
    EAR_ROOT,
    EAR_TIP_REST,
    EYE,
    EYE_RADIUS,
    NOSE,
    PAD,
    FaceShape,
    Floats,
    f32,
    sample,
)

SIDES = (-1, 1)
Paint = Callable[[tuple[float, float, float], float], Colour]

_TURN = np.linspace(0, 2 * np.pi, 28, endpoint=False, dtype=np.float32)
_HALF = np.linspace(0, np.pi, 12, dtype=np.float32)


def ear_points(shape: FaceShape, side: int, scale: float = 1.0) -> Floats:
    """Outline of an ear in face coordinates (n, 3); `scale` < 1 gives the inner ear."""
    lean = math.radians(shape.ear_lean) * side
    root_u = side * (EAR_ROOT[0] + 0.10 * shape.ear_apart)
    root_v = EAR_ROOT[1] + 0.14 * shape.ear_apart
    length = EAR_TIP_REST * (1 - 0.06 * shape.ear_apart)
    along = (1 - np.cos(_TURN)) / 2
    # A round ear narrows late; a pointed one narrows from half its length.
    taper = 1 - shape.ear_point * 0.72 * np.clip((along - 0.30) / 0.70, 0, 1) ** 1.3
    across = np.sin(_TURN) * 0.44 * shape.ear_width * taper
    middle = 0.46
    along = ((along - middle) * scale + middle) * length - 0.06
    across = across * scale
    u = root_u + across * math.cos(lean) + along * math.sin(lean)
    v = root_v + across * math.sin(lean) - along * math.cos(lean)
    z = np.full_like(u, -0.12) - 0.10 * along
    return np.stack([u, v, z], axis=1).astype(np.float32)


def draw_ears(
    canvas: Canvas, shape: FaceShape, at: Projection, fur: Colour, skin: Colour, lit: Paint
) -> None:
    """Both ears, behind the head."""
    for side in SIDES:
        facing = (side * 0.35, -0.2, 0.9)
        rim = at.points(ear_points(shape, side))
        blend = tuple(0.45 * f + 0.55 * s for f, s in zip(fur, skin, strict=True))
        canvas.fill(rim, lit((blend[0], blend[1], blend[2]), 0.80 + 0.1 * facing[2]), soft=0.7)
        shell = at.points(ear_points(shape, side, 0.84))
        canvas.fill(shell, lit(skin, 1.0), 0.9, soft=1.2)
        deep = ear_points(shape, side, 0.56)
        # The hollow lies towards the root.
        deep = deep + f32([0, 0.10, 0])
        canvas.fill(at.points(deep), lit(skin, 0.66), 0.75, soft=2.6)


def draw_eyes(
    canvas: Canvas, shape: FaceShape, at: Projection, z: Floats, eye: Colour, fur: Colour
) -> None:
    """Both eyes with lids, wrinkles and the glint of the light."""
    opening = max(shape.eye_opening, 0.0)
    dark: Colour = (fur[0] * 0.30, fur[1] * 0.26, fur[2] * 0.26)
    for side in SIDES:
        if at.pose.yaw * side > 48:
            continue
        local = _eye_frame(at, z, side)
        r = EYE_RADIUS
        x, y = np.cos(_TURN) * r, np.sin(_TURN) * r
        lid = np.where(y < 0, 1.0, 0.86)
        rim_height = 0.18 + 0.95 * opening
        canvas.fill(local(x * 1.20, y * lid * rim_height * 1.10), dark, 0.75, soft=0.9)
        if shape.eye_squeeze:
            _wrinkles(canvas, local, r, shape.eye_squeeze, dark, fur)
        if opening > 0.06:
            canvas.fill(local(x, y * lid * opening), eye)
            inner: Colour = (eye[0] * 0.55, eye[1] * 0.45, eye[2] * 0.45)
            canvas.fill(local(x * 0.55, y * 0.55 * min(opening, 0.9)), inner, 0.7, soft=0.8)
            glint = local(x * 0.20 - 0.30 * r, y * 0.20 - 0.34 * r * opening)
            canvas.fill(glint, (255.0, 255.0, 255.0), 0.9 * min(1.0, opening * 1.6), soft=0.5)
        else:
            seam = local(np.linspace(-r, r, 9), 0.10 * r * np.sin(_HALF[:9] * 1.37))
            canvas.strokes(seam[None], dark, 0.8, 1)


def eye_points(shape: FaceShape, at: Projection, z: Floats) -> dict[str, list[tuple[float, float]]]:
    """Pixels of the top, front, bottom and back of every eye that can be seen, by side."""
    opening = max(shape.eye_opening, 0.0) if shape.eye_opening > 0.06 else 0.0
    found = {}
    for side, name in zip(SIDES, ("left", "right"), strict=True):
        if at.pose.yaw * side > 48:
            continue
        r = EYE_RADIUS
        x = f32([0, -side * r, 0, side * r])
        y = f32([-r * opening, 0, 0.86 * r * opening, 0])
        ends = _eye_frame(at, z, side)(x, y)
        found[name] = [(float(px), float(py)) for px, py in ends]
    return found


def _eye_frame(at: Projection, z: Floats, side: int) -> Callable[[Floats, Floats], Floats]:
    # Eyes look sideways: their disc slopes away from the middle of the face.
    u0, v0 = side * EYE[0], EYE[1]
    z0 = sample(z, u0, v0) + 0.10
    tilt = -0.22 * side

    def local(x: Floats, y: Floats) -> Floats:
        du = x * math.cos(tilt) - y * math.sin(tilt)
        dv = x * math.sin(tilt) + y * math.cos(tilt)
        return at.points(
            np.stack([u0 + du, v0 + dv, z0 - 0.75 * side * du], axis=1).astype(np.float32)
        )

    return local


def _wrinkles(
    canvas: Canvas,
    local: Callable[[Floats, Floats], Floats],
    r: float,
    squeeze: float,
    dark: Colour,
    fur: Colour,
) -> None:
    steps = np.linspace(0, 1, 5, dtype=np.float32)
    bright: Colour = (
        min(fur[0] * 1.22 + 8, 255),
        min(fur[1] * 1.22 + 8, 255),
        min(fur[2] * 1.2 + 8, 255),
    )
    arc = np.linspace(-1.1, 1.1, 9, dtype=np.float32)
    for way, far in ((-1, 0.62), (1, 0.50)):
        ridge = local(r * arc, way * r * (far + 0.28 * (1 - arc**2)) * (1.25 - 0.4 * squeeze))
        canvas.strokes(ridge[None], bright, 0.55 * squeeze, 2, soft=1.0)
    lines = []
    for end in (-1, 1):
        for slope in (-0.7, 0.0, 0.7):
            x = end * r * (1.02 + 0.62 * steps)
            lines.append(local(x, r * slope * (0.2 + 0.8 * steps)))
    canvas.strokes(np.stack(lines), dark, 0.65 * squeeze, 1)


def draw_nose(
    canvas: Canvas, shape: FaceShape, at: Projection, z: Floats, skin: Colour, fur: Colour
) -> None:
    """Nose pad, nostrils and mouth."""
    u0, v0 = NOSE
    z0 = sample(z, u0, v0) + 0.06

    def local(x: Floats | list[float], y: Floats | list[float]) -> Floats:
        u = np.asarray(x, np.float32) + u0
        v = np.asarray(y, np.float32) + v0
        return at.points(np.stack([u, v, np.full_like(u, z0)], axis=1))

    dark: Colour = (skin[0] * 0.34, skin[1] * 0.24, skin[2] * 0.24)
    x, y = np.cos(_TURN), np.sin(_TURN)
    pad_y = y * 0.085 * (1 - 0.25 * np.abs(x) * (y > 0))
    canvas.fill(local(x * 0.150, pad_y + 0.01), dark, 0.35, soft=1.4)
    canvas.fill(local(x * 0.125, pad_y), skin, 0.95, soft=0.5)
    canvas.fill(local(x * 0.06, y * 0.022 - 0.035), (255.0, 240.0, 236.0), 0.30, soft=0.6)
    for side in SIDES:
        canvas.fill(local(x * 0.030 + side * 0.062, y * 0.022 + 0.015), dark, 0.85, soft=0.4)
    mouth = np.stack(
        [local([0.0, 0.0, side * 0.05, side * 0.13], [0.08, 0.14, 0.185, 0.20]) for side in SIDES]
    )
    canvas.strokes(mouth, dark, 0.55, 1)


def draw_whiskers(
    canvas: Canvas, shape: FaceShape, at: Projection, colours: tuple[Colour, Colour], animal: int
) -> None:
    """Whiskers of both pads; `colours` are those before fur and before the background."""
    rng = np.random.default_rng([animal, 5])
    count = 11
    lines = []
    spots = []
    t = np.linspace(0, 1, 9, dtype=np.float32)[None, :]
    for side in SIDES:
        place = np.linspace(-1, 1, count)
        fan = 40.0 * place + rng.normal(0, 3, count)
        bundles = np.array([-30.0, 2.0, 32.0])
        nearest = bundles[np.abs(fan[:, None] - bundles).argmin(axis=1)]
        fan = fan + 0.90 * shape.whisker_clump * (nearest - fan)
        angle = np.radians(fan * shape.whisker_fan + 4 - shape.whisker_swing)[:, None]
        length = (0.92 + 0.20 * rng.random(count))[:, None] * (1 - 0.06 * shape.whisker_clump)
        droop = 0.34 * shape.whisker_curve * (0.8 + 0.4 * rng.random(count))[:, None]
        root_u = (PAD[0] + rng.uniform(-0.07, 0.09, count))[:, None]
        root_v = (PAD[1] + 0.10 * place + rng.uniform(-0.03, 0.03, count))[:, None]
        u = side * (root_u + np.cos(angle) * length * t)
        v = root_v + np.sin(angle) * length * t + droop * t**2
        z = 0.45 - 0.55 * t + 0 * u
        points = at.points(np.stack([u, v, z], axis=2).reshape(-1, 3).astype(np.float32))
        lines.append(points.reshape(count, -1, 2))
        spots.append(points.reshape(count, -1, 2)[:, :2])
    paths = np.concatenate(lines)
    near, far = colours
    canvas.strokes(paths, far, 0.50 + 0.20 * shape.whisker_clump)
    canvas.strokes(paths[:, :4], near, 0.45)
    canvas.strokes(np.concatenate(spots), near, 0.5)


def draw_paws(
    canvas: Canvas,
    at: Projection,
    amount: float,
    phase: float,
    fur: Colour,
    skin: Colour,
) -> None:
    """Paws that wipe over the face; `amount` 0 (not there) to 1, `phase` in turns."""
    reach = 1.9 - 1.35 * amount
    for side in SIDES:
        stroke = math.sin(2 * math.pi * phase + 0.5 * side)
        u = side * (0.30 + 0.12 * stroke)
        v = reach - 0.28 * stroke
        elbow = f32([[side * 0.62, v + 0.52, 0.75], [u, v + 0.12, 0.95]])
        arm = at.points(elbow)
        thick = max(2, round(0.40 * at.pose.half_width))
        shade: Colour = (fur[0] * 0.85, fur[1] * 0.85, fur[2] * 0.85)
        canvas.strokes(arm[None], shade, 1.0, thick, soft=1.5)
        x, y = np.cos(_TURN), np.sin(_TURN)
        palm = np.stack([u + 0.17 * x, v + 0.20 * y, np.full_like(x, 1.0)], axis=1)
        edge: Colour = (skin[0] * 0.5, skin[1] * 0.45, skin[2] * 0.45)
        canvas.fill(at.points(palm), edge, 0.5, soft=1.5)
        canvas.fill(at.points(palm), skin, 0.95, soft=0.8)
        fingers = []
        for spread in (-0.13, -0.045, 0.045, 0.13):
            tip = [u + spread * 1.5 - side * 0.05, v - 0.36, 1.0]
            fingers.append(at.points(np.array([[u + spread, v - 0.10, 1.0], tip], np.float32)))
        canvas.strokes(np.stack(fingers), edge, 0.6, max(1, round(0.10 * at.pose.half_width)))
        canvas.strokes(np.stack(fingers), skin, 0.95, max(1, round(0.07 * at.pose.half_width)))
