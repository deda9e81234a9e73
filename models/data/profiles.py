"""Heads seen from the side, drawn crudely: what a finder of frontal faces must tell from them.

The phantom turns its head by 40 degrees at most. Real cages are full of mice seen from the side, in
which most units cannot be graded, so the finder has to know that view when it sees it.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]

# Outline of a head that looks to the left, nose at the origin, length from nose to ear about 1.
_OUTLINE = (
    (0.00, 0.00), (0.06, -0.09), (0.22, -0.17), (0.42, -0.30), (0.62, -0.40), (0.85, -0.46),
    (1.10, -0.50), (1.60, -0.62), (2.20, -0.60), (2.20, 0.75), (1.60, 0.70), (1.15, 0.48),
    (0.85, 0.34), (0.55, 0.27), (0.30, 0.22), (0.12, 0.15), (0.02, 0.08),
)  # fmt: skip
_EYE, _EAR = (0.50, -0.16), (1.02, -0.36)


def draw_profile(background: Luma, rng: np.random.Generator) -> tuple[Luma, Box]:
    """A head from the side over a background (height, width), with its box from nose to ear."""
    height, width = background.shape
    length = width * math.exp(rng.uniform(math.log(0.2), math.log(1.2)))
    turn, taper = math.radians(rng.uniform(-25, 25)), rng.uniform(0.8, 1.25)
    nose = np.array(
        [rng.uniform(0, max(width - 0.8 * length, 1)), height * rng.uniform(0.25, 0.85)]
    )

    def place(points: object) -> Floats:
        flat = np.asarray(points, np.float64).reshape(-1, 2) * [1, taper] * length
        cos, sin = math.cos(turn), math.sin(turn)
        return np.asarray(flat @ np.array([[cos, sin], [-sin, cos]]) + nose, np.float32)

    outline = place(_OUTLINE)
    # Light from above, hair along the head, softened at the edge.
    fur, contrast = rng.uniform(20, 230), rng.uniform(4, 30)
    hair = cv2.GaussianBlur(
        rng.standard_normal((height, width)).astype(np.float32), (0, 0), 2.2, sigmaY=0.7
    )
    ramp = np.linspace(rng.uniform(-40, 40), rng.uniform(-40, 40), height)[:, None]
    coat = fur + ramp + contrast * hair / max(float(hair.std()), 1e-6)
    mask = np.zeros((height, width), np.float32)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1.0)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.015 * length)), np.float32)
    image = np.asarray(background * (1 - mask) + coat * mask, np.float32)
    _draw_ear(image, place(_EAR)[0], length, fur, turn, rng)
    _draw_eye(image, place(_EYE)[0], length, fur, turn, rng)
    for _ in range(int(rng.integers(0, 12))):
        start = place((0.15 + 0.1 * rng.random(), 0.08 * rng.random()))[0]
        way = rng.uniform(0.3, 2.8)
        end = start + length * rng.uniform(0.2, 0.6) * np.array([-math.cos(way), math.sin(way)])
        cv2.line(image, _cell(start), _cell(end), float(rng.uniform(0, 255)), 1, cv2.LINE_AA)
    head = np.concatenate([place(_OUTLINE[:7]), place(_OUTLINE[12:]), place((1.2, -0.6))])
    (x0, y0), (x1, y1) = head.min(0), head.max(0)
    box = (max(float(x0), 0), max(float(y0), 0), min(float(x1), width), min(float(y1), height))
    return np.asarray(np.clip(image, 0, 255), np.uint8), box


def _draw_ear(
    image: Floats, at: Floats, length: float, fur: float, turn: float, rng: np.random.Generator
) -> None:
    if rng.random() < 0.15:
        return
    wide, high = length * rng.uniform(0.12, 0.22), length * rng.uniform(0.14, 0.26)
    skin = float(np.clip(fur + rng.uniform(-70, 70), 0, 255))
    axes, angle = (max(1, int(wide)), max(1, int(high))), math.degrees(turn) + rng.uniform(-30, 30)
    cv2.ellipse(image, _cell(at), axes, angle, 0, 360, skin, -1, cv2.LINE_AA)
    inner = (max(1, int(wide * 0.65)), max(1, int(high * 0.65)))
    shade = float(np.clip(skin + rng.uniform(-40, 40), 0, 255))
    cv2.ellipse(image, _cell(at), inner, angle, 0, 360, shade, -1, cv2.LINE_AA)


def _draw_eye(
    image: Floats, at: Floats, length: float, fur: float, turn: float, rng: np.random.Generator
) -> None:
    radius = max(1, int(length * rng.uniform(0.05, 0.10)))
    dark = float(np.clip(fur - rng.uniform(30, 200), 0, 255))
    opening = max(1, int(radius * rng.choice([0.15, 0.6, 1.0, 1.0])))
    angle = math.degrees(turn)
    cv2.ellipse(image, _cell(at), (radius, opening), angle, 0, 360, dark, -1, cv2.LINE_AA)
    if opening > 2 and rng.random() < 0.7:
        glint = at - np.float32(radius * 0.3)
        cv2.circle(image, _cell(glint), max(1, radius // 4), 240.0, -1, cv2.LINE_AA)


def _cell(at: NDArray[np.floating]) -> tuple[int, int]:
    return round(float(at[0])), round(float(at[1]))
