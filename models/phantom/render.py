"""One picture of a mouse face with known action units: `render_face(params)`.

A height map of the face is deformed by the units, shaded as fur, turned to its pose and laid over
the lab's background; ears, eyes, nose, whiskers and paws are drawn where the pose puts them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from models.phantom.canvas import Canvas, Colour
from models.phantom.fur import Fur, fur
from models.phantom.look import Look, Picture, Scene, scene
from models.phantom.parts import (
    draw_ears,
    draw_eyes,
    draw_nose,
    draw_paws,
    draw_whiskers,
    ear_points,
    eye_points,
)
from models.phantom.pose import Pose, Projection
from models.phantom.shape import (
    EYE,
    NOSE,
    FaceShape,
    Floats,
    cheek_bump,
    f32,
    grid,
    height,
    outline,
    sample,
)
from models.phantom.units import deform, narrow_the_eyes
from models.records import View
from models.scale import Cause, Coat, Scale, State, load_scale

REACH = 1.85
# Smear of the face in pixels from which a unit is blurred for a rater, by how fine its cue is.
BLURRED_PX = 4.0
COVERED = 0.35
BLINK = 0.4
Point = tuple[float, float]
EyePoints = tuple[Point, Point, Point, Point]
FRONTAL, THREE_QUARTER = 20.0, 50.0


@dataclass(frozen=True)
class FaceParams:
    """Everything a picture depends on; equal parameters give equal pixels.

    intensities  unit key → 0..2, absent units are 0
    lids         how far blinking or sleep shut the eyes, 0..1, whatever the units say
    relaxed      how far the ears are relaxed, 0..1
    paws, paw_phase  how far paws cover the face (0..1) and where in their stroke they are (turns)
    smear        motion of the face during the exposure in pixels (x, y)
    grain        seed of the sensor noise of this picture
    """

    coat: Coat
    look: Look = field(default_factory=Look)
    intensities: Mapping[str, float] = field(default_factory=dict)
    pose: Pose = field(default_factory=Pose)
    state: State | None = None
    animal: int = 0
    lids: float = 0.0
    relaxed: float = 0.0
    paws: float = 0.0
    paw_phase: float = 0.0
    smear: tuple[float, float] = (0.0, 0.0)
    grain: int = 0
    size: tuple[int, int] = (320, 240)
    rest: tuple[float, float, float] | None = None
    """Centre and half head width where the body sits; None takes them from the pose."""


@dataclass(frozen=True)
class FaceTruth:
    """What is true of a picture.

    `not_scorable` holds the reason key of every unit that cannot be scored; `box` is the face with
    its ears as they stand at rest, without whiskers, in pixels: it depends on the pose alone.
    `eye_points` holds, for every eye that can be seen ("left" or "right" of the picture), the ends
    of its opening in pixels: top, front (towards the nose), bottom, back. Top and bottom are those
    of the lids as drawn, also in a blink and in sleep, where they meet.
    """

    intensities: dict[str, float]
    not_scorable: dict[str, str]
    state: str
    box: tuple[float, float, float, float]
    landmarks: dict[str, tuple[float, float]]
    view: View
    yaw: float
    eye_points: dict[str, EyePoints] = field(default_factory=dict)


def render_face(params: FaceParams, scale: Scale | None = None) -> tuple[Picture, FaceTruth]:
    """Render one face: uint8 RGB (height, width, 3) and what is true of it."""
    scale = scale or load_scale()
    shape = deform(scale, params.intensities, FaceShape())
    shape = replace(
        shape,
        eye_opening=shape.eye_opening * (1 - params.lids),
        eye_squeeze=shape.eye_squeeze * (1 - 0.6 * params.lids),
        ear_lean=shape.ear_lean + 16 * params.relaxed,
        ear_width=shape.ear_width * (1 - 0.10 * params.relaxed),
    )
    at = Projection.of(params.pose)
    z = height(shape)
    rest = params.rest or (params.pose.x, params.pose.y, params.pose.half_width)
    still = scene(params.look, params.coat, params.animal, params.size, rest)
    picture = _paint(params, shape, at, z, still)
    return picture, _truth(params, scale, shape, at, z)


def _paint(
    params: FaceParams, shape: FaceShape, at: Projection, z: Floats, still: Scene
) -> Picture:
    look, coat, pose = params.look, params.coat, params.pose
    width, high = params.size
    reach = REACH * pose.half_width
    x0, y0 = max(0, math.floor(pose.x - reach)), max(0, math.floor(pose.y - reach))
    x1 = min(width, math.ceil(pose.x + reach))
    y1 = min(high, math.ceil(pose.y + reach * 0.98))
    picture = still.background.copy()
    if x1 - x0 > 8 and y1 - y0 > 8:
        canvas = Canvas(picture[y0:y1, x0:x1].astype(np.float32), x0, y0)
        fur_seen = _colour(still, coat.fur)
        skin_seen = _colour(still, coat.skin)
        eye_seen = _colour(still, coat.eye)
        bright = look.ambient + (1 - look.ambient) * 0.85

        def lit(colour: tuple[float, float, float], factor: float) -> Colour:
            f = bright * factor
            return colour[0] * f, colour[1] * f, colour[2] * f

        draw_ears(canvas, shape, at, fur_seen, skin_seen, lit)
        coating = fur(coat, params.animal)
        rgba = _head(params, shape, at, z, coating, still)
        columns, rows = at.maps(z, (x0, y0, x1 - x0, y1 - y0))
        canvas.lay(cv2.remap(rgba, columns, rows, cv2.INTER_LINEAR, borderValue=(0, 0, 0, 0)))
        draw_eyes(canvas, shape, at, z, eye_seen, fur_seen)
        draw_nose(canvas, shape, at, z, lit(skin_seen, 1.0), fur_seen)
        draw_whiskers(canvas, shape, at, _whisker_colours(coat, look, still), params.animal)
        if params.paws > 0.02:
            draw_paws(canvas, at, params.paws, params.paw_phase, fur_seen, skin_seen)
        if look.infrared:
            # Shades of a part are mixed from its colour, so what they add is taken out again.
            canvas.pixels[:] = canvas.pixels.mean(axis=2, keepdims=True)
        patch = np.clip(canvas.pixels, 0, 255).astype(np.uint8)
        if look.lens_blur > 0.2:
            patch = cv2.GaussianBlur(patch, (0, 0), look.lens_blur).astype(np.uint8, copy=False)
        picture[y0:y1, x0:x1] = _smeared(patch, params.smear)
    return _exposed(picture, still, params.grain)


def _colour(still: Scene, rgb: tuple[int, int, int]) -> Colour:
    r, g, b = still.colour(rgb)
    return float(r), float(g), float(b)


def _whisker_colours(coat: Coat, look: Look, still: Scene) -> tuple[Colour, Colour]:
    # Whiskers show against what lies behind them: bright hairs before dark fur and dark walls.
    pale, dark = (250.0, 248.0, 244.0), (34.0, 30.0, 28.0)

    def against(rgb: tuple[int, int, int]) -> Colour:
        level = sum(rgb) / 3
        r, g, b = still.colour(pale if level < 128 else dark)
        return float(r), float(g), float(b)

    near = against(coat.fur)
    # Dark animals are their own backdrop for most of a whisker's length.
    return near, near if sum(coat.fur) < 3 * 128 else against(look.wall)


def _head(
    params: FaceParams,
    shape: FaceShape,
    at: Projection,
    z: Floats,
    coating: Fur,
    still: Scene,
) -> Picture:
    g = grid()
    look = params.look
    # Slopes of the height map, in face units; 8 is the weight of a 3×3 Sobel kernel.
    k = np.float32(g.per_unit / 8)
    slope_u = cv2.Sobel(z, cv2.CV_32F, 1, 0) * k
    slope_v = cv2.Sobel(z, cv2.CV_32F, 0, 1) * k
    (sy, cy), (sp, cp) = at.yaw, at.pitch
    lx, ly, lz = look.light
    # The light in the frame of the head.
    lz, ly = lz * cp - ly * -sp, ly * cp - lz * sp
    lx, lz = lx * cy - lz * sy, lz * cy + lx * sy
    length = np.sqrt(slope_u * slope_u + slope_v * slope_v + 1)
    lambert = (np.float32(lz) - np.float32(lx) * slope_u - np.float32(ly) * slope_v) / length
    hollow = z - cv2.GaussianBlur(z, (0, 0), 9)
    shade = look.ambient + (1 - look.ambient) * np.clip(0.25 + 0.85 * lambert, 0, 1.4)
    shade = shade * (1 + np.float32(2.2) * hollow)
    # Fur shines: without it the relief of a black face would be lost.
    shine = np.float32(40 * look.exposure) * np.clip(lambert, 0, 1) ** 5
    rgba = np.empty((g.side, g.side, 4), np.float32)
    colour = still.colour(coating.albedo)
    dark = 1 - colour[:, :, 1:2] * np.float32(1 / 255)
    rgba[:, :, :3] = colour * (shade[:, :, None] * np.float32(0.94)) + shine[:, :, None] * dark
    edge = coating.inside + np.float32(1.7) * coating.strands
    if shape.cheeks:
        edge = edge + np.float32(0.13 * g.per_unit * shape.cheeks) * cheek_bump()
    rgba[:, :, 3] = 127.5 + edge * np.float32(100)
    return np.asarray(np.clip(rgba, 0, 255), np.uint8)


def _smeared(patch: Picture, smear: tuple[float, float]) -> Picture:
    length = math.hypot(*smear)
    if length < 0.8:
        return patch
    reach = math.ceil(length / 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    half = f32(smear) / 2
    ends = np.round((f32([reach, reach]) + np.stack([-half, half])) * 16).astype(int)
    cv2.line(kernel, tuple(ends[0].tolist()), tuple(ends[1].tolist()), 255, 1, cv2.LINE_AA, 4)
    weights = kernel.astype(np.float32)
    return np.asarray(cv2.filter2D(patch, -1, weights / weights.sum()), np.uint8)


def _exposed(picture: Picture, still: Scene, grain: int) -> Picture:
    picture = np.asarray(cv2.multiply(picture, still.gain, scale=1 / 128), np.uint8)
    if still.look.noise <= 0:
        return picture
    dx, dy = (grain * 29) % 64, (grain * 47) % 64
    height_, width_ = picture.shape[:2]
    noise = still.noise[dy : dy + height_, dx : dx + width_]
    amount = still.look.noise / 24
    return np.asarray(cv2.addWeighted(picture, 1.0, noise, amount, -128 * amount), np.uint8)


def _truth(
    params: FaceParams, scale: Scale, shape: FaceShape, at: Projection, z: Floats
) -> FaceTruth:
    state = params.state or scale.graded_state
    rim = outline()
    head = np.concatenate([rim, np.full((len(rim), 1), 0.05, np.float32)], axis=1)
    upright = [ear_points(FaceShape(), side) for side in (-1, 1)]
    around = at.points(np.concatenate([head, *upright]))
    (left, top), (right, bottom) = around.min(axis=0), around.max(axis=0)
    marks = f32(
        [
            [-EYE[0], EYE[1], sample(z, -EYE[0], EYE[1]) + 0.10],
            [EYE[0], EYE[1], sample(z, EYE[0], EYE[1]) + 0.10],
            *[ear_points(shape, side).mean(axis=0) for side in (-1, 1)],
            [NOSE[0], NOSE[1], sample(z, *NOSE) + 0.06],
        ]
    )
    places = at.points(marks)
    landmarks = {
        name: (float(x), float(y)) for name, (x, y) in zip(scale.landmarks, places, strict=True)
    }
    yaw = abs(params.pose.yaw)
    return FaceTruth(
        intensities={key: float(params.intensities.get(key, 0.0)) for key in scale.unit_keys},
        not_scorable=_not_scorable(params, scale, state, (left, top, right, bottom)),
        state=state.key,
        box=(float(left), float(top), float(right), float(bottom)),
        landmarks=landmarks,
        view="frontal" if yaw < FRONTAL else "three_quarter" if yaw < THREE_QUARTER else "profile",
        yaw=float(params.pose.yaw),
        eye_points={
            side: (ends[0], ends[1], ends[2], ends[3])
            for side, ends in eye_points(shape, at, z).items()
        },
    )


def _not_scorable(
    params: FaceParams, scale: Scale, state: State, box: tuple[float, float, float, float]
) -> dict[str, str]:
    if not state.graded and state.reason:
        return dict.fromkeys(scale.unit_keys, state.reason)
    width, high = params.size
    outside = min(box[0], box[1], width - box[2], high - box[3]) < -0.12 * (box[2] - box[0])
    smear = math.hypot(*params.smear)
    causes: dict[str, Cause] = {}
    for unit in scale.units:
        if params.paws > COVERED:
            causes[unit.key] = "cover"
        elif outside:
            causes[unit.key] = "border"
        elif abs(params.pose.yaw) > unit.widest_yaw:
            causes[unit.key] = "angle"
        elif smear > BLURRED_PX * unit.widest_yaw / 24:
            causes[unit.key] = "blur"
        elif params.lids > BLINK and unit.deformation == narrow_the_eyes.__name__:
            # A blink in passing is no tightening.
            causes[unit.key] = "unnamed"
    return {key: scale.reason_because(cause).key for key, cause in causes.items()}
