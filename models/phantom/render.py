"""One picture of a mouse face with known action units: `render_face(params)`.

A solid head is deformed by the units, cast into the picture, covered with fur and laid over the
lab's box; ears, eyes, nose, whiskers, paws, food and what hides the face are drawn where the pose
puts them.
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from models.phantom.box import Scene, scene
from models.phantom.camera import exposed, smeared, woven
from models.phantom.canvas import Canvas, Colour, plane_through
from models.phantom.cast import NOWHERE, Cast, cast, head_points
from models.phantom.cover import draw_cover
from models.phantom.ears import draw_ear, ear_points
from models.phantom.eyes import draw_eyes
from models.phantom.fur import Fur, fur
from models.phantom.look import Look, Picture, seen
from models.phantom.parts import draw_food, draw_nose, draw_paws, draw_whiskers, whisker_lines
from models.phantom.pose import Projection
from models.phantom.shape import LENGTH, SIDES, FaceShape, Floats, Solid, f32, folded, solid
from models.phantom.truth import FaceParams, FaceTruth, seen_parts, truth_of
from models.phantom.units import deform
from models.scale import Coat, Scale, load_scale

__all__ = ["FaceParams", "FaceTruth", "render_face"]

# Whiskers are cut where they leave this many half head widths beyond the head.
MARGIN = 1.0
# Beyond this distance from the nose the head dissolves into the fur of the neck.
NAPE = 2.55


def render_face(params: FaceParams, scale: Scale | None = None) -> tuple[Picture, FaceTruth]:
    """Render one face: uint8 RGB (height, width, 3) and what is true of it."""
    scale = scale or load_scale()
    shape = shape_of(params, scale)
    at = Projection.of(params.pose, params.look.closeness)
    rest = params.rest or (params.pose.x, params.pose.y, params.pose.half_width)
    still = scene(params.look, params.coat, params.animal, params.size, (*rest, params.heading))
    ears = [at.seen(ear_points(shape, side)) for side in SIDES]
    picture, canvas, eyes = _paint(params, shape, at, still, ears)
    return picture, truth_of(params, scale, at, seen_parts(canvas, at, ears, eyes))


def shape_of(params: FaceParams, scale: Scale) -> FaceShape:
    """The face as its units, lids and relaxed ears make it."""
    shape = deform(scale, params.intensities, FaceShape())
    return replace(
        shape,
        eye_opening=shape.eye_opening * (1 - params.lids),
        eye_squeeze=shape.eye_squeeze * (1 - 0.6 * params.lids),
        ear_lean=shape.ear_lean + 20 * params.relaxed,
        ear_width=shape.ear_width * (1 - 0.08 * params.relaxed),
    )


def _paint(
    params: FaceParams, shape: FaceShape, at: Projection, still: Scene, ears: list[Floats]
) -> tuple[Picture, Canvas, dict[str, Floats]]:
    look, coat, pose = params.look, params.coat, params.pose
    rest = params.rest or (pose.x, pose.y, pose.half_width)
    sway = (0.35 * (pose.x - rest[0]), 0.25 * (pose.y - rest[1]))
    picture = still.picture(params.breath, sway)
    head = solid(shape)
    whiskers = whisker_lines(shape, at, params.animal, params.sweep)
    x0, y0, x1, y1 = _bounds(head, ears, at, params)
    canvas = Canvas(picture[y0:y1, x0:x1].astype(np.float32), x0, y0)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return exposed(picture, still, params.grain), canvas, {}
    ambient = look.ambient + (1 - look.ambient) * 0.80
    fur_seen, skin_seen = _colour(look, coat.fur), _colour(look, coat.skin)
    for side, outline in zip(SIDES, ears, strict=True):
        draw_ear(canvas, shape, at, side, outline, (fur_seen, skin_seen), ambient)
    hit = cast(head, at, (x0, y0, x1, y1))
    if hit is not None:
        folds = folded(shape, hit.a, hit.turn)
        _lay_head(canvas, hit, fur(coat, params.animal), folds, look, ears, pose.half_width)
    lit_fur, lit_skin = _dimmed(fur_seen, ambient), _dimmed(skin_seen, ambient)
    eyes = draw_eyes(canvas, shape, at, _colour(look, coat.eye), lit_fur, lit_skin, look.light)
    draw_nose(canvas, head, at, lit_skin, lit_fur, params.sniff)
    draw_whiskers(canvas, whiskers, _whisker_colours(coat, look), shape.whisker_clump)
    if params.food > 0.02:
        draw_food(canvas, at, params.food, params.paw_phase, lit_fur, lit_skin)
    if params.paws > 0.02:
        draw_paws(canvas, at, params.paws, params.paw_phase, lit_fur, lit_skin)
    if look.infrared:
        # Shades of a part are mixed from its colour, so what they add is taken out again.
        canvas.pixels[:] = canvas.pixels.mean(axis=2, keepdims=True)
    patch = np.clip(canvas.pixels, 0, 255).astype(np.uint8)
    if look.lens_blur > 0.2:
        patch = cv2.GaussianBlur(patch, (0, 0), look.lens_blur).astype(np.uint8, copy=False)
    patch = smeared(patch, params.smear)
    if look.interlaced:
        patch = woven(patch, (0.7 * params.smear[0], 0.7 * params.smear[1]))
    picture[y0:y1, x0:x1] = patch
    if params.cover > 0.02:
        picture = draw_cover(picture, look, pose, params.cover, params.animal)
    return exposed(picture, still, params.grain), canvas, eyes


def _bounds(
    head: Solid, ears: list[Floats], at: Projection, params: FaceParams
) -> tuple[int, int, int, int]:
    points = np.concatenate([head_points(head, at), *ears])[:, :2]
    margin = MARGIN * at.pose.half_width
    below = margin * (1.5 if params.paws or params.food else 0.8)
    size = params.size
    x0, y0 = (math.floor(v) for v in points.min(axis=0) - f32([margin, 5]))
    x1, y1 = (math.ceil(v) for v in points.max(axis=0) + f32([margin, below]))
    return max(0, x0), max(0, y0), min(size[0], x1), min(size[1], y1)


def _lay_head(
    canvas: Canvas,
    hit: Cast,
    coating: Fur,
    folds: Floats,
    look: Look,
    ears: list[Floats],
    half: float,
) -> None:
    albedo, strands = coating.over(hit)
    light = f32(look.light) / np.float32(np.linalg.norm(look.light))
    lambert = hit.normal @ light
    facing = hit.normal[:, :, 2]
    down = hit.normal[:, :, 1]
    shade = np.float32(look.ambient) * (np.float32(0.88) - np.float32(0.22) * down)
    shade = shade + np.float32(1 - look.ambient) * np.clip(0.24 + 0.80 * lambert, 0, 1.3)
    # Fur scatters light at grazing angles and shines across the hair: a black face has relief.
    rim = np.clip(1 - facing, 0, 1) ** 2
    gloss = np.clip(lambert, 0, 1) ** 4 * (1 + 0.5 * strands)
    shine = np.float32(look.exposure) * (np.float32(34) * gloss + np.float32(15) * rim)
    colour = seen(look, albedo)
    dark = 1 - colour[:, :, 1:2] * np.float32(1 / 255)
    rgb = (colour * shade[:, :, None] + shine[:, :, None] * dark) * folds[:, :, None]
    # Towards the neck the outline dissolves into the fur of the body.
    neck = np.clip((hit.a - np.float32(1.5)) * np.float32(0.8), 0, 1)
    soft = np.float32(1) / (np.float32(1.25) + np.float32(0.20 * half) * neck)
    cover = np.clip(0.5 * (1 - neck) + soft * (hit.inside + (1.5 + 1.5 * neck) * strands), 0, 1)
    cover = cover * np.clip((LENGTH - hit.a + 0.12 * strands) / (LENGTH - NAPE), 0, 1)
    x0, y0, wide, high = hit.rect
    left, top = x0 - int(canvas.origin[0]), y0 - int(canvas.origin[1])
    depth = np.full((canvas.height, canvas.width), np.float32(NOWHERE))
    depth[top : top + high, left : left + wide] = hit.depth
    covers = np.zeros_like(depth)
    covers[top : top + high, left : left + wide] = cover
    for outline in ears:
        # Where an ear is nearer than the head it stays in sight.
        found = canvas.mask(outline[:, :2])
        if found is not None:
            span, mask = found
            part = np.s_[span[1] : span[3], span[0] : span[2]]
            ahead = canvas.plane(span, plane_through(outline)) - depth[part]
            covers[part] *= 1 - mask * np.float32(1 / 255) * np.clip(ahead * 12 + 0.5, 0, 1)
    canvas.lay(rgb, covers[top : top + high, left : left + wide], x0, y0)
    canvas.depth = depth


def _colour(look: Look, rgb: tuple[int, int, int]) -> Colour:
    r, g, b = seen(look, rgb)
    return float(r), float(g), float(b)


def _dimmed(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def _whisker_colours(coat: Coat, look: Look) -> tuple[Colour, Colour]:
    # Whiskers show against what lies behind them: bright hairs before dark fur and dark walls.
    pale, dark = (236, 233, 228), (52, 46, 42)

    def against(rgb: tuple[int, int, int]) -> Colour:
        return _colour(look, pale if sum(rgb) / 3 < 128 else dark)

    near = against(coat.fur)
    # Dark animals are their own backdrop for most of a whisker's length.
    return near, near if sum(coat.fur) < 3 * 128 else against(look.wall)
