"""Casting the head: for every pixel the point of the solid that it sees, its depth and normal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.phantom.pose import PIVOT, Projection
from models.phantom.shape import AXES, TIP, Floats, Solid, f32

STEP = 2
SLABS = 18
# Depth where there is no head.
NOWHERE = -9.0
_RINGS = np.meshgrid(
    [0.0, 0.1, 0.25, 0.5, 0.9, 1.3, 1.7, 2.1, 2.6, 3.1], np.arange(0, 360, 30), indexing="ij"
)


@dataclass(frozen=True, eq=False)
class Cast:
    """What the pixels of a rectangle (x0, y0, width, height) see of the head, full resolution.

    `inside` is the distance to the outline in pixels (positive inside), `depth` that of the
    surface, `a` the distance from the nose, `turn` the angle round the head in degrees from the
    chin (0..360, 180 = ridge), `normal` (height, width, 3) towards right, down, camera.
    """

    rect: tuple[int, int, int, int]
    inside: Floats
    depth: Floats
    a: Floats
    turn: Floats
    normal: Floats


def head_points(head: Solid, at: Projection) -> Floats:
    """Pixels and depths (n, 3) of points all over the head."""
    return at.seen(head.at(_RINGS[0].ravel(), _RINGS[1].ravel()))


def cast(head: Solid, at: Projection, bounds: tuple[int, int, int, int]) -> Cast | None:
    """Cast the head within bounds (x0, y0, x1, y1); None where no part of it lies there.

    Rays are sampled at half resolution in slabs of constant depth, front to back, and the first
    crossing is interpolated: robust for any pose, unlike solving for the height over a plane.
    """
    points = head_points(head, at)
    x0, y0 = (math.floor(v) - 5 for v in points[:, :2].min(axis=0))
    x1, y1 = (math.ceil(v) + 5 for v in points[:, :2].max(axis=0))
    x0, y0, x1, y1 = max(x0, bounds[0]), max(y0, bounds[1]), min(x1, bounds[2]), min(y1, bounds[3])
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    x1, y1 = x1 - (x1 - x0) % STEP, y1 - (y1 - y0) % STEP
    half = np.float32(at.pose.half_width)
    # A sample stands for the middle of its STEP × STEP pixels.
    xs = (np.arange(x0, x1, STEP, dtype=np.float32) + np.float32(STEP / 2 - at.pose.x)) / half
    ys = (np.arange(y0, y1, STEP, dtype=np.float32) + np.float32(STEP / 2 - at.pose.y)) / half
    nearest = float(points[:, 2].max()) + 0.02
    # Behind its widest part the head only hides itself.
    furthest = max(float(points[:, 2].min()), nearest - 2.6)
    depths = np.linspace(nearest, furthest, SLABS, dtype=np.float32)
    near = 1 + np.float32(at.nearer) * depths
    origin = AXES @ (f32([0, 0, PIVOT]) - TIP)
    back = AXES @ at.turn.T
    flat = xs[None, :, None] * back[:, 0] + ys[:, None, None] * back[:, 1]
    rows, columns = len(ys), len(xs)
    flat = flat.reshape(-1, 3)

    def head_coordinates(depth: Floats, scale: Floats) -> list[Floats]:
        return [flat[:, i] / scale + (back[i, 2] * depth + origin[i]) for i in range(3)]

    x, a, h = head_coordinates(depths[:, None], near[:, None])
    values = head.field(x, a, h)
    every = np.arange(values.shape[1])
    first = (values < 1).argmax(axis=0)
    closest = values.argmin(axis=0)
    hit = values[first, every] < 1
    least = values[closest, every]
    before = np.maximum(first - 1, 0)
    outer, inner = values[before, every], values[first, every]
    part = np.clip((outer - 1) / np.maximum(outer - inner, 1e-4), 0, 1)
    found = depths[before] + part * (depths[first] - depths[before])
    # Pixels just beside the head continue its nearest part, so that hairs have a colour.
    depth = np.where(hit, found, depths[closest])
    x, a, h = head_coordinates(depth, 1 + np.float32(at.nearer) * depth)
    here = head.field(x, a, h)
    eps = np.float32(0.05)
    slope = np.stack(
        [
            head.field(x + eps, a, h) - here,
            head.field(x, a + eps, h) - here,
            head.field(x, a, h + eps) - here,
        ],
        axis=1,
    )
    normal = slope @ back
    length = np.maximum(np.sqrt((slope * slope).sum(axis=1)), 1e-5)
    # The field grows by |slope| / eps per unit of length across the surface.
    inside = (1 - least) * np.minimum(eps / length, 1.2) * half
    size = (x1 - x0, y1 - y0)

    def full(values: Floats, interpolation: int = cv2.INTER_LINEAR) -> NDArray[np.float32]:
        raster = f32(values).reshape(rows, columns, -1)
        return np.asarray(cv2.resize(raster, size, interpolation=interpolation), np.float32)

    maps = full(np.column_stack([inside, a, h, x]))
    normals = full(normal / length[:, None])
    # The seam of the angle lies at the chin, where it is hardly seen.
    turn = cv2.phase(np.ascontiguousarray(-maps[..., 2]), maps[..., 3], angleInDegrees=True)
    solid_depth = np.where(hit, depth, np.float32(NOWHERE))
    return Cast(
        (x0, y0, size[0], size[1]),
        maps[..., 0],
        full(solid_depth, cv2.INTER_NEAREST),
        maps[..., 1],
        np.asarray(turn, np.float32),
        normals,
    )
