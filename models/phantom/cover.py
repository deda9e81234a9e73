"""Things that come between the camera and the face: a tube, a heap of bedding, a gloved hand."""

from __future__ import annotations

import math

import cv2
import numpy as np

from models.phantom.look import Look, Picture, seen
from models.phantom.pose import Pose
from models.phantom.shape import Floats, f32

TUBE, HEAP, HAND = range(3)


def draw_cover(picture: Picture, look: Look, pose: Pose, amount: float, seed: int) -> Picture:
    """Cover the face in place: `amount` 0 (beside it) to 1 (over it), `seed` picks the thing."""
    rng = np.random.default_rng([seed, 61])
    kind = int(rng.choice((TUBE, HEAP, HAND)))
    high, wide = picture.shape[:2]
    half = pose.half_width
    start = rng.uniform(0, 2 * math.pi)
    if kind == TUBE:
        # A tube or a bar, upright or slanted, that slides in from the side.
        way = float(rng.choice([-1, 1]))
        x = pose.x + way * half * (0.1 + 3.2 * (1 - amount))
        lean, thick = rng.uniform(-0.35, 0.35), half * rng.uniform(0.55, 0.85)
        points = f32(
            [
                [x - thick - lean * high, -9],
                [x + thick - lean * high, -9],
                [x + thick + lean * high, high + 9],
                [x - thick + lean * high, high + 9],
            ]
        )
        points[:, 0] += lean * high * (1 - 2 * pose.y / high)
        colour = f32(rng.choice([[150, 40, 36], [96, 100, 104], [188, 176, 150]]))
    elif kind == HEAP:
        # Bedding or nest material heaped up before the animal.
        turn = np.linspace(0, math.pi, 40)
        bumps = 1 + 0.08 * np.sin(5 * turn + start) + 0.05 * np.sin(13 * turn)
        top = pose.y + half * (1.5 - 1.75 * amount)
        points = np.stack(
            [
                pose.x - 2.6 * half * np.cos(turn),
                high + 9 - (high + 9 - top) * np.sin(turn) ** 0.5 * bumps,
            ],
            axis=1,
        )
        colour = f32(look.bedding) * 1.04
    else:
        # A gloved finger or two that reach in from the side.
        way = float(rng.choice([-1, 1]))
        turn = np.linspace(-math.pi / 2, math.pi / 2, 24)
        tip = pose.x - way * half * (1.1 - 3.6 * (1 - amount))
        y, r = pose.y + half * rng.uniform(-0.25, 0.45), half * rng.uniform(0.55, 0.8)
        arc = np.stack([tip + way * r - way * r * np.cos(turn), y + r * np.sin(turn)], axis=1)
        edge = wide + 20 if way > 0 else -20
        points = np.vstack([arc, [[edge, y + 1.6 * r], [edge, y - 1.2 * r]]])
        colour = f32(rng.choice([[92, 120, 176], [188, 160, 204], [222, 214, 200]]))
    x0, y0, wide, high = cv2.boundingRect(f32(points).round().astype(np.int32))
    margin = math.ceil(0.5 * half)
    x0, x1 = max(0, x0 - margin), min(picture.shape[1], x0 + wide + margin)
    y0, y1 = max(0, y0 - margin), min(picture.shape[0], y0 + high + margin)
    if x1 - x0 < 4 or y1 - y0 < 4:
        return picture
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    fixed = np.round((f32(points) - f32([x0, y0])) * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4)
    # It lies before the plane of focus.
    side = max(3, round(2.4 * (1.6 + look.lens_blur)) | 1)
    soft = f32(cv2.blur(mask, (side, side))) * np.float32(1 / 255)
    round_ = max(3, round(0.45 * half) | 1)
    shade = 0.62 + f32(cv2.blur(mask, (round_, round_))) * np.float32(0.40 / 255)
    if kind == HEAP:
        grain = cv2.blur(f32(rng.standard_normal(shade.shape)), (3, 3))
        shade = shade * (1 + np.float32(0.40) * grain)
    tinted: Floats = f32(seen(look, colour)) * (look.ambient + (1 - look.ambient) * 0.8)
    part = picture[y0:y1, x0:x1]
    over = np.clip(shade[:, :, None] * tinted, 0, 255)
    part[:] = (part + (over - part) * soft[:, :, None]).astype(np.uint8)
    return picture
