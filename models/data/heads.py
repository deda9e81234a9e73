"""Heads that a finder's pictures are composed of: a picture, its matte and what is true of it.

Phantom faces come from the renderer; out of proportion they stand for heads that are no mouse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.faces import VIEWS
from models.phantom.look import Look
from models.phantom.pose import Pose
from models.phantom.render import FaceParams, FaceTruth, render_face
from models.scale import Scale

Luma = NDArray[np.uint8]
Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]

FURTHEST_YAW, FURTHEST_PITCH, FURTHEST_ROLL = 58.0, 24.0, 24.0
SOURCE = (320, 240)
STRANGE = VIEWS.index("none")
# Grey of the two walls a face is rendered before to find its matte.
_WALL = 200


@dataclass(frozen=True)
class Head:
    """A head in a picture (height, width).

    `matte` is 255 where the animal is, behind which another background can be put; None keeps the
    background. The picture is as bright where the matte is half as where it is full, unless it is
    `dimmed` by its matte already. `points` (landmarks, 2) in pixels, NaN where one cannot be seen;
    `view` its place in `VIEWS`.
    """

    picture: Luma
    matte: Luma | None
    box: Box
    points: Floats
    view: int
    dimmed: bool = False


def place_of(scale: Scale, landmark: str) -> int:
    """The place of a landmark in the scale."""
    return scale.landmarks.index(landmark)


def phantom_head(params: FaceParams, scale: Scale, cut_out: bool = False) -> Head:
    """A rendered face; cut out, it is rendered twice, before a black and before a grey wall."""
    if not cut_out:
        picture, truth = render_face(params, scale)
        return _head(_grey(picture), None, truth, scale)
    black, grey = (
        replace(
            params.look, wall=(n,) * 3, bedding=(n,) * 3, bars=0, noise=0.0, unevenness=0.0
        )
        for n in (0, _WALL)
    )  # fmt: skip
    picture, truth = render_face(replace(params, look=black), scale)
    front = _grey(picture)
    behind = _grey(render_face(replace(params, look=grey), scale)[0]).astype(np.float32) - front
    # Bedding is darker in its gaps; whatever the wall brightens by half of the most is background.
    wall = max(float(np.percentile(behind, 95)) * 0.5, 1.0)
    matte = np.clip(1 - behind / wall, 0, 1) * 255
    return replace(_head(front, np.asarray(matte, np.uint8), truth, scale), dimmed=True)


def _head(picture: Luma, matte: Luma | None, truth: FaceTruth, scale: Scale) -> Head:
    points = np.array([truth.landmarks[name] for name in scale.landmarks], np.float32)
    x0, y0, x1, y1 = (float(value) for value in truth.box)
    return Head(picture, matte, (x0, y0, x1, y1), points, VIEWS.index(truth.view))


def _grey(picture: NDArray[np.uint8]) -> Luma:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def bent(head: Head, knots: tuple[float, float, float], wide: float) -> Head:
    """A head whose parts have other proportions.

    `knots` stretch what lies above the eyes, between eyes and the nose's tip, and the width of the
    lower half; `wide` the whole width, all about the middle between the eyes. Positions are kept to
    a fifth of a pixel by solving the stretch the other way round.
    """
    height, width = head.picture.shape
    eyes = np.nanmean(head.points[:2], axis=0)
    cx, cy = (float(value) for value in eyes)
    above, below, jaw = knots
    y = np.arange(height, dtype=np.float32)
    source_y = np.where(y < cy, cy + (y - cy) / above, cy + (y - cy) / below).astype(np.float32)
    # Below the eyes the width changes little by little until it is that of the jaw.
    deep = max(head.box[3] - cy, 1.0) * below
    factor = wide * (1 + (jaw - 1) * np.clip((y - cy) / deep, 0, 1))
    x = np.arange(width, dtype=np.float32)
    source_x = cx + (x[None, :] - cx) / factor[:, None]
    maps = source_x.astype(np.float32), np.repeat(source_y[:, None], width, axis=1)

    def warp(image: Luma) -> Luma:
        drawn = cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(drawn, np.uint8)

    def move(points: Floats) -> Floats:
        down = points[:, 1] - cy
        new_y = cy + np.where(down < 0, down * above, down * below)
        share = wide * (1 + (jaw - 1) * np.clip((new_y - cy) / deep, 0, 1))
        return np.stack([cx + (points[:, 0] - cx) * share, new_y], axis=1).astype(np.float32)

    x0, y0, x1, y1 = head.box
    corners = move(np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]], np.float32))
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    return Head(
        warp(head.picture),
        None if head.matte is None else warp(head.matte),
        (float(left), float(top), float(right), float(bottom)),
        move(head.points),
        head.view,
        head.dimmed,
    )


def varied(head: Head, rng: np.random.Generator) -> Head:
    """A face with slightly other proportions, as animals and lenses differ."""
    below, jaw, wide = np.exp(rng.normal(0, 0.09, 3))
    # Ears laid back are short ears; they must not make a stranger of a mouse.
    above = math.exp(rng.uniform(math.log(0.65), math.log(1.15)))
    return bent(head, (above, float(below), float(jaw)), float(wide))


def stranger(head: Head, rng: np.random.Generator) -> Head:
    """A face so far out of proportion that it is no mouse: like a rat, a hamster or a cat."""
    kind = rng.random()
    if kind < 0.45:
        knots = (rng.uniform(0.2, 0.4), rng.uniform(1.5, 2.0), rng.uniform(0.85, 1.1))
        head = bent(head, knots, float(rng.uniform(0.75, 0.95)))
    elif kind < 0.8:
        knots = (rng.uniform(0.15, 0.3), rng.uniform(0.8, 1.0), rng.uniform(1.25, 1.5))
        head = bent(head, knots, float(rng.uniform(1.05, 1.2)))
    else:
        knots = (rng.uniform(0.25, 0.4), rng.uniform(0.65, 0.9), rng.uniform(1.0, 1.3))
        head = _with_pointed_ears(bent(head, knots, float(rng.uniform(0.9, 1.2))), rng)
    return replace(head, view=STRANGE)


def upright(head: Head) -> bool:
    """Whether a face looks at us with its eyes level, so that it can be put out of proportion."""
    (x0, y0), (x1, y1) = head.points[:2]
    level = abs(float(y1 - y0)) < 0.2 * abs(float(x1 - x0))
    return level and VIEWS[head.view] in ("frontal", "three_quarter")


def _with_pointed_ears(head: Head, rng: np.random.Generator) -> Head:
    picture = head.picture.copy()
    matte = None if head.matte is None else head.matte.copy()
    x0, y0, x1, _ = head.box
    eyes = head.points[:2]
    wide = x1 - x0
    level = float(np.nanmean(eyes[:, 1]))
    shade = float(rng.uniform(10, 235))
    for side, x in ((-1, x0 + 0.25 * wide), (1, x1 - 0.25 * wide)):
        tip = (x + side * 0.12 * wide, y0 - rng.uniform(0.1, 0.3) * wide)
        foot = level - 0.1 * wide
        triangle = np.array([(x - 0.17 * wide, foot), tip, (x + 0.17 * wide, foot)])
        inner = triangle.mean(0) + 0.55 * (triangle - triangle.mean(0))
        for image, value, shape in (
            (picture, shade, triangle),
            (picture, shade * 0.7, inner),
            (matte, 255.0, triangle),
        ):
            if image is not None:
                cv2.fillPoly(image, [np.round(shape).astype(np.int32)], value, cv2.LINE_AA)
    box = (x0, min(y0, y0 - 0.15 * wide), x1, head.box[3])
    return replace(head, picture=picture, matte=matte, box=box)


def any_look(rng: np.random.Generator) -> Look:
    """A laboratory nobody has seen: light, walls, bedding, bars and camera at random."""
    angle, high = rng.uniform(0, 2 * math.pi), rng.uniform(0.5, 0.9)
    flat = math.sqrt(1 - high**2)
    grey = rng.uniform(5, 240)
    wall = tuple(int(v) for v in np.clip(grey + rng.normal(0, 10, 3), 0, 255))
    bedding = tuple(int(v) for v in np.clip(rng.uniform(20, 230) + rng.normal(0, 25, 3), 0, 255))
    return replace(
        Look(),
        light=(flat * math.cos(angle), flat * math.sin(angle), high),
        ambient=rng.uniform(0.25, 0.75),
        exposure=rng.uniform(0.6, 1.3),
        unevenness=rng.uniform(0, 0.6),
        wall=(wall[0], wall[1], wall[2]),
        bedding=(bedding[0], bedding[1], bedding[2]),
        bars=int(rng.choice([0, 0, 0, 5, 9])),
        lens_blur=rng.uniform(0.2, 1.2),
        noise=rng.uniform(0, 8),
        infrared=bool(rng.random() < 0.4),
    )


def any_face(rng: np.random.Generator, stage: np.random.Generator, scale: Scale) -> FaceParams:
    """A face at random on a stage: animal, coat, laboratory and resting place."""
    coat = scale.coats[int(stage.integers(len(scale.coats)))]
    half = float(stage.uniform(36, 70))
    x, y = float(stage.uniform(100, SOURCE[0] - 100)), float(stage.uniform(100, SOURCE[1] - 90))
    animal, look = int(stage.integers(1 << 16)), any_look(stage)
    resting = rng.random() < 0.15
    wide = rng.random() < 0.15
    yaw = rng.uniform(-1, 1) * FURTHEST_YAW if wide else rng.normal(0, 20)
    return FaceParams(
        coat=coat,
        look=look,
        intensities={
            unit.key: float(rng.uniform(0, 2)) if rng.random() < 0.6 else 0.0
            for unit in scale.units
        },
        pose=Pose(
            yaw=float(np.clip(yaw, -FURTHEST_YAW, FURTHEST_YAW)),
            pitch=float(np.clip(rng.normal(0, 10), -FURTHEST_PITCH, FURTHEST_PITCH)),
            roll=float(rng.uniform(-FURTHEST_ROLL, FURTHEST_ROLL)),
            x=x + float(rng.uniform(-12, 12)),
            y=y + float(rng.uniform(-12, 12)),
            half_width=half * float(rng.uniform(0.93, 1.07)),
        ),
        animal=animal,
        lids=1.0 if resting else float(rng.uniform(0, 0.2)),
        relaxed=1.0 if resting else 0.0,
        paws=float(rng.uniform(0.2, 0.8)) if rng.random() < 0.1 else 0.0,
        paw_phase=float(rng.random()),
        smear=(float(rng.uniform(-5, 5)), float(rng.uniform(-5, 5)))
        if rng.random() < 0.2
        else (0.0, 0.0),
        grain=int(rng.integers(1 << 16)),
        size=SOURCE,
        rest=(x, y, half),
    )
