"""Heads seen from the side: drawn crudely, and cut out of real stills where there are some.

The phantom shows a face from the front. Real cages are full of mice seen from the side, in which
most units cannot be graded, so the finder has to know that view when it sees it. All heads here
look to the left; their visible eye and ear lie to the right of the nose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.heads import Floats, Head, Luma, place_of
from models.data.real import Still
from models.data.scenery import hair
from models.faces import VIEWS
from models.scale import Scale

PROFILE = VIEWS.index("profile")
SIZE = (320, 240)
SHRUNK = 432
SLIPPED = 0.25
"""Share of the way from nose to eye by which points are off that cannot be right."""

# Outline of a head that looks to the left, nose at the origin, length from nose to ear about 1.
_OUTLINE = (
    (0.00, 0.00), (0.06, -0.09), (0.22, -0.17), (0.42, -0.30), (0.62, -0.40), (0.85, -0.46),
    (1.10, -0.50), (1.60, -0.62), (2.20, -0.60), (2.20, 0.75), (1.60, 0.70), (1.15, 0.48),
    (0.85, 0.34), (0.55, 0.27), (0.30, 0.22), (0.12, 0.15), (0.02, 0.08),
)  # fmt: skip
_EYE, _EAR = (0.50, -0.16), (1.02, -0.36)
_NECK = 1.12
"""Where the head ends and the neck begins, for the box of a head whose ear is not seen."""
_FLAT, _DEEP = 0.55, 1.1
"""Least and most share of the outline's depth: with the least a head is half as deep as long."""
_LAID_BACK = 0.26
"""How far an ear that is laid back may lie below one that is raised."""
# The same of the real stills, in their own pixels: what of the head lies before the dark wall.
_STILL = (
    (112, 190), (124, 150), (168, 122), (235, 100), (285, 62), (325, 22), (345, -4), (868, -4),
    (868, 650), (742, 650), (640, 565), (560, 508), (440, 448), (345, 432), (290, 405),
    (190, 330), (148, 262), (118, 225),
)  # fmt: skip


def drawn_profile(scale: Scale, rng: np.random.Generator, size: tuple[int, int] = SIZE) -> Head:
    """A drawn head from nose to ear with a piece of body, cut out, light and coat at random."""
    width, height = size
    length = width * rng.uniform(0.42, 0.62)
    outline = _Laid(
        length, rng.uniform(-15, 15), rng.uniform(_FLAT, _DEEP), (0.08 * width, 0.55 * height)
    )
    rim = np.array(_OUTLINE) + rng.normal(0, 0.012, (len(_OUTLINE), 2))
    fur, image = _coat(size, rng)
    mask = np.zeros((height, width), np.float32)
    cv2.fillPoly(mask, [np.round(outline(_round(rim))).astype(np.int32)], 1.0)
    ear = _draw_ear(image, mask, outline, fur, rng)
    _draw_eye(image, outline(_EYE)[0], length, fur, outline.degrees, rng)
    _draw_nose(image, outline, fur, rng)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.008 * length)), np.float32)
    _draw_whiskers(image, mask, outline, rng)
    return Head(
        np.asarray(np.clip(image, 0, 255), np.uint8),
        np.asarray(np.clip(mask * 255, 0, 255), np.uint8),
        _box(outline, ear, size),
        _points(scale, outline, ear),
        PROFILE,
    )


def real_profile(still: Still, scale: Scale, rng: np.random.Generator) -> Head:
    """The head of a real still, cut out and lit anew; at times with a drawn ear and neck behind."""
    luma = still.luma()
    factor = SHRUNK / luma.shape[1]
    size = (SHRUNK, round(luma.shape[0] * factor))
    small = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
    nose, eye = (np.array(point) * factor for point in still_points(still))
    image = _recoated(small, rng)
    mask = np.zeros(small.shape, np.float32)
    cv2.fillPoly(mask, [np.round(np.array(_STILL) * factor).astype(np.int32)], 1.0)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 2.5), np.float32)
    points = np.full((len(scale.landmarks), 2), np.nan, np.float32)
    points[place_of(scale, "right_eye")], points[place_of(scale, "nose")] = eye, nose
    high, wide = small.shape
    box = (
        max(float(nose[0]) - 4, 0.0),
        0.0,
        float(wide),
        min(float(nose[1]) + 0.62 * SHRUNK, high),
    )
    if rng.random() < 0.5:
        return Head(
            np.asarray(np.clip(image, 0, 255), np.uint8),
            np.asarray(mask * 255, np.uint8) if rng.random() < 0.6 else None,
            box,
            points,
            PROFILE,
        )
    return _completed(image, mask, nose, eye, scale, rng)


def with_holder(head: Head, rng: np.random.Generator) -> Head:
    """The head held by a bar on its crown, with screws, which is no part of the head."""
    if head.matte is None:
        return head
    picture, matte = head.picture.copy(), head.matte.copy()
    x0, y0, x1, y1 = head.box
    wide, high = x1 - x0, y1 - y0
    shade = float(rng.choice([rng.uniform(0, 70), rng.uniform(40, 250)]))
    foot = np.array([x0 + wide * rng.uniform(0.4, 0.75), y0 + high * rng.uniform(0.0, 0.25)])
    thick = max(2, int(high * rng.uniform(0.08, 0.35)))
    far = np.array([picture.shape[1] + 40.0, foot[1] - high * rng.uniform(-0.1, 0.9)])
    knee = np.array([foot[0] + wide * rng.uniform(0.2, 0.7), foot[1] - high * rng.uniform(0, 0.2)])
    line = [np.round(np.stack([foot, knee, far])).astype(np.int32)]
    for image, value in ((picture, shade), (matte, 255.0)):
        cv2.polylines(image, line, False, value, thick, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 4))):
        at = foot + rng.uniform(-0.15, 0.6) * (knee - foot)
        top = at - np.array([0, high * rng.uniform(0.15, 0.5)])
        metal = float(rng.uniform(20, 240))
        size = max(2, int(high * rng.uniform(0.06, 0.2)))
        for image, value in ((picture, metal), (matte, 255.0)):
            cv2.line(image, _cell(at), _cell(top), value, max(1, size // 2), cv2.LINE_AA)
            cv2.ellipse(image, _cell(top), (size, max(1, size // 2)), 0, 0, 360, value, -1)
    return Head(picture, matte, head.box, head.points, head.view, head.dimmed)


def still_points(still: Still) -> tuple[tuple[float, float], tuple[float, float]]:
    """Tip of the nose and centre of the eye in a real still, in pixels."""
    rim = [still.points[f"eye {part}"] for part in ("top", "front", "bottom", "back")]
    x, y = np.mean(rim, axis=0)
    return still.points["nose tip"], (float(x), float(y))


def credible(stills: Sequence[Still]) -> list[Still]:
    """The stills in which the points of the nose are about where they are in the others.

    A head that is held does not move by a quarter of its length; a hand that marks it slips.
    """
    if not stills:
        return []
    noses, eyes = (np.array(some) for some in zip(*map(still_points, stills), strict=True))
    lines = eyes - noses
    usual = np.median(lines, axis=0)
    off = np.hypot(*(lines - usual).T) / max(float(np.hypot(*usual)), 1.0)
    return [still for still, away in zip(stills, off, strict=True) if away < SLIPPED]


def still_box(still: Still, shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """The face box of a real still (height, width): from the nose to where the picture ends.

    Ear and crown are out of the picture, the throat is about as far below the nose's tip as the eye
    is behind it.
    """
    nose, _ = still_points(still)
    factor = shape[1] / SHRUNK
    bottom = min(nose[1] + 0.62 * SHRUNK * factor, float(shape[0]))
    return max(nose[0] - 4 * factor, 0.0), 0.0, float(shape[1]), bottom


class _Laid:
    """Places of the outline in a picture: its length in pixels, turn, and how deep the head is."""

    def __init__(
        self, length: float, degrees: float, taper: float, nose: tuple[float, float]
    ) -> None:
        self.length, self.degrees, self.taper, self.nose = length, degrees, taper, np.array(nose)

    def __call__(self, points: object) -> Floats:
        flat = np.asarray(points, np.float64).reshape(-1, 2) * [1, self.taper] * self.length
        cos, sin = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        return np.asarray(flat @ np.array([[cos, sin], [-sin, cos]]) + self.nose, np.float32)


@dataclass(frozen=True)
class _Ear:
    """A drawn ear: its middle (2,) and its rim (n, 2) in pixels."""

    middle: Floats
    rim: Floats


def _completed(
    image: Floats, mask: Floats, nose: Floats, eye: Floats, scale: Scale, rng: np.random.Generator
) -> Head:
    """A real head with what its still does not show: crown, ear and neck, drawn in its own fur."""
    high, wide = image.shape
    above, behind, below = int(0.35 * wide), int(0.55 * wide), int(0.25 * wide)
    size = (wide + behind, high + above + below)
    shift = np.array([0, above])
    line = eye - nose
    reach = float(np.hypot(*line)) / float(np.hypot(*_EYE))
    degrees = math.degrees(math.atan2(line[1], line[0]) - math.atan2(_EYE[1], _EYE[0]))
    at = nose + shift
    outline = _Laid(reach, degrees, 1.0, (float(at[0]), float(at[1])))
    patch = image[int(0.45 * high) : int(0.8 * high), int(0.75 * wide) : wide - 4]
    tile = np.pad(
        patch, ((0, size[1]), (0, size[0])), mode="symmetric"
    )[: size[1], : size[0]].astype(np.float32)  # fmt: skip
    fur = float(patch.mean())
    rough = hair(size, 2.0, rng.uniform(-30, 30), rng) * np.float32(max(2.0, float(patch.std())))
    body = np.asarray(0.6 * tile + 0.4 * (fur + rough), np.float32)
    whole = np.zeros((size[1], size[0]), np.float32)
    cv2.fillPoly(whole, [np.round(outline(_round(np.array(_OUTLINE)))).astype(np.int32)], 1.0)
    # The still lies over the drawing and fades into it where its own picture ends.
    fade = np.minimum(np.clip((wide - np.arange(wide)) / (0.12 * wide), 0, 1)[None, :],
                      np.clip(np.arange(high) / (0.06 * high), 0, 1)[:, None])  # fmt: skip
    fade = np.minimum(fade, np.clip((high - np.arange(high)) / (0.06 * high), 0, 1)[:, None])
    over = np.zeros_like(whole)
    over[above : above + high, :wide] = mask * fade
    under = np.zeros_like(body)
    under[above : above + high, :wide] = image
    # Where only the still shows the head, e.g. its lower lip, its own mask is enough.
    full = np.maximum(whole, np.asarray(over, np.float32))
    painted = np.asarray(body * (1 - over) + under * over, np.float32)
    ear = _draw_ear(painted, full, outline, max(fur, 20.0), rng)
    full = np.asarray(cv2.GaussianBlur(full, (0, 0), 1.5), np.float32)
    return Head(
        np.asarray(np.clip(painted, 0, 255), np.uint8),
        np.asarray(np.clip(full * 255, 0, 255), np.uint8),
        _box(outline, ear, size),
        _points(scale, outline, ear),
        PROFILE,
    )


def _recoated(luma: Luma, rng: np.random.Generator) -> Floats:
    """The still as it is with another gamma, or its fur without its light on another coat."""
    image = luma.astype(np.float32)
    if rng.random() < 0.4:
        return np.asarray(255 * (image / 255) ** rng.uniform(0.35, 1.1), np.float32)
    light = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(12, 40)), np.float32)
    relief = np.clip((image + 6) / (light + 6), 0.1, 1.8) ** np.float32(rng.uniform(0.4, 1.1))
    high, wide = luma.shape
    ramp = np.linspace(rng.uniform(0.6, 1.2), rng.uniform(0.6, 1.2), high)[:, None]
    ramp = ramp * np.linspace(rng.uniform(0.7, 1.1), rng.uniform(0.7, 1.1), wide)[None, :]
    return np.asarray(np.clip(relief * ramp * rng.uniform(25, 220), 0, 255), np.float32)


def _coat(size: tuple[int, int], rng: np.random.Generator) -> tuple[float, Floats]:
    """Mean grey of a coat, and fur lit from above or below."""
    width, height = size
    fur = float(rng.uniform(12, 235))
    ramp = np.linspace(rng.uniform(-40, 40), rng.uniform(-40, 40), height)[:, None]
    ramp = ramp + np.linspace(rng.uniform(-25, 25), rng.uniform(-25, 25), width)[None, :]
    strands = hair(size, rng.uniform(0.6, 2.0), rng.uniform(-30, 30), rng)
    blotches = cv2.resize(rng.standard_normal((5, 7)).astype(np.float32), size)
    image = fur + ramp + rng.uniform(3, 30) * strands + rng.uniform(0, 18) * blotches
    return fur, np.asarray(image, np.float32)


def _round(rim: NDArray[np.float64]) -> NDArray[np.float64]:
    """A closed outline with its corners cut twice (Chaikin 1974)."""
    for _ in range(2):
        after = np.roll(rim, -1, axis=0)
        rim = np.stack([0.75 * rim + 0.25 * after, 0.25 * rim + 0.75 * after], 1).reshape(-1, 2)
    return rim


def _box(
    outline: _Laid, ear: _Ear | None, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """The box of a head: from nose to ear and from crown to throat, without the neck."""
    rim = _round(np.array(_OUTLINE))
    parts = [outline(rim[rim[:, 0] <= _NECK])]
    if ear is not None:
        parts.append(ear.rim)
    head = np.concatenate(parts)
    (x0, y0), (x1, y1) = head.min(0), head.max(0)
    return (
        max(float(x0), 0.0),
        max(float(y0), 0.0),
        min(float(x1), float(size[0])),
        min(float(y1), float(size[1])),
    )


def _points(scale: Scale, outline: _Laid, ear: _Ear | None) -> Floats:
    points = np.full((len(scale.landmarks), 2), np.nan, np.float32)
    points[place_of(scale, "right_eye")] = outline(_EYE)[0]
    points[place_of(scale, "nose")] = outline((0.02, 0.0))[0]
    if ear is not None:
        points[place_of(scale, "right_ear")] = ear.middle
    return points


def _draw_ear(
    image: Floats, mask: Floats, outline: _Laid, fur: float, rng: np.random.Generator
) -> _Ear | None:
    if rng.random() < 0.12:
        return None
    lower = np.array([0.0, rng.uniform(0, _LAID_BACK)])
    place = np.array(_EAR) + lower + rng.normal(0, 0.04, 2)
    at: Floats = outline(place)[0]
    wide, high = (outline.length * rng.uniform(0.10, 0.23) for _ in range(2))
    skin = float(np.clip(fur + rng.uniform(-80, 80), 5, 250))
    angle = outline.degrees + rng.uniform(-40, 40)
    axes = (max(1, int(wide)), max(1, int(high)))
    cv2.ellipse(image, _cell(at), axes, angle, 0, 360, skin, -1, cv2.LINE_AA)
    cv2.ellipse(mask, _cell(at), axes, angle, 0, 360, 1.0, -1, cv2.LINE_AA)
    inner = (max(1, int(wide * rng.uniform(0.5, 0.8))), max(1, int(high * rng.uniform(0.5, 0.8))))
    shade = float(np.clip(skin + rng.uniform(-60, 40), 0, 255))
    inside = at + np.float32(0.1 * outline.length) * rng.uniform(-0.6, 0.6, 2).astype(np.float32)
    cv2.ellipse(image, _cell(inside), inner, angle, 0, 360, shade, -1, cv2.LINE_AA)
    rim = cv2.ellipse2Poly(_cell(at), axes, round(angle), 0, 360, 10)
    return _Ear(at, np.asarray(rim, np.float32))


def _draw_eye(
    image: Floats, at: Floats, length: float, fur: float, degrees: float, rng: np.random.Generator
) -> None:
    radius = max(1, int(length * rng.uniform(0.045, 0.10)))
    dark = float(np.clip(fur - rng.uniform(30, 200), 0, 255))
    opening = max(1, int(radius * rng.choice([0.15, 0.3, 0.6, 0.85, 1.0])))
    rim = float(np.clip(fur + rng.uniform(-40, 40), 0, 255))
    cv2.ellipse(image, _cell(at), (radius + 2, opening + 2), degrees, 0, 360, rim, -1, cv2.LINE_AA)
    cv2.ellipse(image, _cell(at), (radius, opening), degrees, 0, 360, dark, -1, cv2.LINE_AA)
    if opening > 2 and rng.random() < 0.7:
        glint = at - np.float32(radius * 0.3)
        cv2.circle(image, _cell(glint), max(1, radius // 4), 240.0, -1, cv2.LINE_AA)


def _draw_nose(image: Floats, outline: _Laid, fur: float, rng: np.random.Generator) -> None:
    shade = float(np.clip(fur + rng.uniform(-60, 60), 0, 255))
    size = max(1, int(outline.length * rng.uniform(0.02, 0.05)))
    cv2.circle(image, _cell(outline((0.04, 0.0))[0]), size, shade, -1, cv2.LINE_AA)
    mouth = outline([(0.10, 0.12), (0.24, 0.13), (0.36, 0.17)])
    dark = float(np.clip(fur - rng.uniform(10, 60), 0, 255))
    cv2.polylines(image, [np.round(mouth).astype(np.int32)], False, dark, 1, cv2.LINE_AA)


def _draw_whiskers(image: Floats, mask: Floats, outline: _Laid, rng: np.random.Generator) -> None:
    shade = float(rng.choice([rng.uniform(0, 70), rng.uniform(180, 255)]))
    for _ in range(int(rng.integers(0, 16))):
        start = np.array([0.12 + 0.14 * rng.random(), 0.04 * rng.normal()])
        way, reach = rng.uniform(0.2, 2.9), rng.uniform(0.2, 0.6)
        bend = rng.uniform(-0.5, 0.5)
        steps = np.linspace(0, 1, 6)[:, None]
        turn = way + bend * steps
        line = start + reach * steps * np.concatenate([-np.cos(turn), np.sin(turn)], axis=1)
        cells = [np.round(outline(line)).astype(np.int32)]
        cv2.polylines(image, cells, False, shade, 1, cv2.LINE_AA)
        cv2.polylines(mask, cells, False, float(rng.uniform(0.5, 1.0)), 1, cv2.LINE_AA)


def _cell(at: Sequence[float] | NDArray[np.floating]) -> tuple[int, int]:
    return round(float(at[0])), round(float(at[1]))
