"""Dealing out augmented squares of eye patches: shifted, turned, lids closed, lit anew."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.config import EyesConfig
from models.data.eye_crops import PATCH, ROOM, Patches

Luma = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]

FINER = 2
"""Squares are first cut so many times as large and then averaged, as reading averages."""
FADES = 1.0
"""How far from the axis, in eye widths, fur still moves when the lids close."""


@dataclass(frozen=True)
class Squares:
    """Squares (n, 1, size, size) in 0..1, points (n, 4, 2) in 0..1 of them, NaN without an eye."""

    eyes: NDArray[np.float32]
    points: NDArray[np.float32]


def deal(patches: Patches, config: EyesConfig, step: int) -> Squares:
    """The squares of one step: a function of patches, configuration and step alone."""
    rng = np.random.default_rng([config.seed, 7, step])
    size = config.size
    kinds = [
        np.flatnonzero(patches.eyes & patches.real),
        np.flatnonzero(patches.eyes & ~patches.real),
        np.flatnonzero(~patches.eyes),
    ]
    shares = np.array([config.real_share, 1 - config.real_share, 0.0]) * (1 - config.negative_share)
    shares[2] = config.negative_share
    shares *= [len(kind) > 0 for kind in kinds]
    chosen = rng.choice(3, config.batch, p=shares / shares.sum())
    eyes = np.zeros((config.batch, size, size), np.float32)
    points = np.full((config.batch, 4, 2), np.nan, np.float32)
    for place, kind in enumerate(chosen):
        row = int(rng.choice(kinds[kind]))
        four = patches.points[row]
        square, moved = _square(patches.pictures[row], four, size, kind == 0, rng)
        if kind == 0:
            square = _another_eye(square, moved, rng)
        if rng.random() < 0.3:
            _put_behind(square, moved, rng)
        eyes[place], points[place] = square, moved
    return Squares(_lit(eyes, rng)[:, None], points)


def _square(
    patch: Luma, points: Floats, size: int, closing: bool, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """One square cut from a patch at random, and the points in it."""
    seen = bool(np.isfinite(points).all())
    width = float(np.linalg.norm(points[1] - points[3])) if seen else PATCH / ROOM / 2.2
    centre = points.mean(axis=0) if seen else np.full(2, PATCH / 2)
    # Half as the first look sees an eye, half as the second does.
    rough = rng.random() < 0.6
    away = rng.uniform(-0.3, 0.3, 2) if rough else rng.normal(0, 0.05, 2)
    zoom = math.exp(np.clip(rng.normal(0, 0.16 if rough else 0.07), -0.35, 0.35))
    angle = rng.uniform(-35, 35) if rng.random() < 0.5 else rng.normal(0, 8)
    # Little, because the mean opening grows with the spread, and readings follow the mean.
    stretch = math.exp(np.clip(rng.normal(0, 0.04), -0.1, 0.1))
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    # From square to patch: stretched along and across, turned, moved.
    scale = PATCH / ROOM / (FINER * size) * zoom
    turn = np.array([[cos, -sin], [sin, cos]]) @ np.diag([stretch, 1 / stretch]) * scale
    middle = (FINER * size - 1) / 2
    start = centre + width * away - turn @ [middle, middle]
    moved, source = points, np.hstack([turn, start[:, None]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    side = FINER * size
    if closing and rng.random() < 0.6:
        lids = Lids.at_random(points, rng)
        grid = np.mgrid[:side, :side].astype(np.float32)
        xs, ys = (a * grid[1] + b * grid[0] + c for a, b, c in source.tolist())
        xs, ys = lids.opened(xs, ys)
        large = cv2.remap(patch, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        moved = lids.closed(points)
    else:
        large = cv2.warpAffine(
            patch, source, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
    small = cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    inside = (moved - start) @ np.linalg.inv(turn).T
    return small, (inside + 0.5) / side


@dataclass(frozen=True)
class Lids:
    """The lids of an eye drawn together: `gap` of their distance is left, round a seam.

    The frame has its origin between front and back, u along that axis in half widths, v across it
    in pixels, downwards. Upper and lower lid are half ellipses through top and bottom; the seam
    lies `seam` (0 = upper lid, 1 = lower) between them. Inside the opening the picture is squeezed,
    and the fur beyond follows with a displacement that fades to nothing.
    """

    centre: Floats
    along: Floats
    half: float
    peaks: Floats
    """(u, v) of top and bottom."""
    gap: float
    seam: float

    @classmethod
    def at_random(cls, points: Floats, rng: np.random.Generator) -> Lids:
        """Lids of the eye with these points, shut at times."""
        top, front, bottom, back = points
        centre, axis = (front + back) / 2, back - front
        half = float(np.linalg.norm(axis)) / 2
        along = axis / (2 * half)
        across = np.array([-along[1], along[0]])
        peaks = np.array(
            [[(end - centre) @ along / half, (end - centre) @ across] for end in (top, bottom)]
        )
        peaks[:, 0] = np.clip(peaks[:, 0], -0.6, 0.6)
        gap = 0.0 if rng.random() < 0.15 else float(rng.uniform(0, 1)) ** 1.3
        return cls(centre, along, half, peaks, gap, float(rng.uniform(0.05, 0.95)))

    def _edges(self, u: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Upper and lower lid before and after closing, v at each u."""
        edges = []
        for peak, height in self.peaks.tolist():
            far = 1 - peak * np.sign(u - peak)
            edges.append(height * np.sqrt(np.clip(1 - ((u - peak) / far) ** 2, 0, 1)))
        upper, lower = edges
        shut = (1 - self.gap) * (lower - upper)
        return upper, lower, upper + self.seam * shut, lower - (1 - self.seam) * shut

    def opened(self, xs: Floats, ys: Floats) -> tuple[Floats, Floats]:
        """Where in the open eye that lies which the closed one shows at these pixels."""
        # Plain numbers, so that arrays stay of 32 bits.
        (x, y), (cos, sin), half = self.centre.tolist(), self.along.tolist(), self.half
        dx, dy = xs - x, ys - y
        u, v = (dx * cos + dy * sin) / half, dy * cos - dx * sin
        upper, lower, new_upper, new_lower = self._edges(u)
        end = 2 * half * FADES
        above = upper + (v - new_upper) * (end + upper) / (end + new_upper)
        below = lower + (v - new_lower) * (end - lower) / (end - new_lower)
        between = upper + (v - new_upper) * (lower - upper) / np.maximum(new_lower - new_upper, 0.1)
        w = np.where(v < new_upper, above, np.where(v > new_lower, below, between))
        w = np.where(np.abs(v) > end, v, w)
        along = u * half
        back = x + along * cos - w * sin, y + along * sin + w * cos
        return back[0].astype(np.float32), back[1].astype(np.float32)

    def closed(self, points: Floats) -> Floats:
        """The points of the eye once its lids are drawn together."""
        across = np.array([-self.along[1], self.along[0]])
        moved = points.astype(np.float64).copy()
        for index, (place, peak) in enumerate(zip((0, 2), self.peaks, strict=True)):
            edges = self._edges(peak[0])
            moved[place] += across * float(edges[2 + index] - edges[index])
        return moved


def _another_eye(square: Floats, points: Floats, rng: np.random.Generator) -> Floats:
    """Sometimes other contents between the lids: pale, red or dark eyes, another glint, a slit."""
    if rng.random() < 0.6:
        return square
    size = square.shape[0]
    top, front, bottom, back = points * size - 0.5
    turn = np.linspace(0, math.pi, 9)[:, None]
    middle, half = (front + back) / 2, (front - back) / 2
    upper, lower = (
        middle + half * np.cos(turn) + (end - middle) * np.sin(turn) for end in (top, bottom)
    )
    mask = np.zeros((size, size), np.uint8)
    outline = np.concatenate([upper, lower[::-1]])
    cv2.fillPoly(mask, [_fixed(outline)], 255, cv2.LINE_AA, 4)
    if np.linalg.norm(top - bottom) < 0.4 * np.linalg.norm(half):
        # Lids that meet throw a shadow, and lashes hang over it.
        thick = int(rng.integers(1, 3))
        cv2.polylines(mask, [_fixed((upper + lower) / 2)], False, 255, thick, cv2.LINE_AA, 4)
    cover = cv2.GaussianBlur(mask, (0, 0), 0.8).astype(np.float32) / 255
    shade, kept = float(rng.uniform(0, 120)), float(rng.uniform(0.2, 1.0))
    result = square * (1 - cover * (1 - kept)) + shade * (1 - kept) * cover
    if rng.random() < 0.5 and cover.max() > 0.9:
        x, y = _fixed(middle + rng.normal(0, 0.2, 2) * np.linalg.norm(half)).tolist()
        radius, bright = round(float(rng.uniform(0.4, 2.0)) * 16), float(rng.uniform(120, 255))
        cv2.circle(result, (x, y), radius, bright, -1, cv2.LINE_AA, 4)
    return np.asarray(result, np.float32)


def _fixed(points: Floats) -> NDArray[np.int32]:
    return np.round(points * 16).astype(np.int32)


def _put_behind(square: Floats, points: Floats, rng: np.random.Generator) -> None:
    """Let the head end somewhere beside the eye, and another grey begin."""
    size = square.shape[0]
    ramp = (np.arange(size, dtype=np.float32) + 0.5) / size
    angle = rng.uniform(0, 2 * math.pi)
    cos, sin = math.cos(angle), math.sin(angle)
    along = ramp[None] * cos + ramp[:, None] * sin
    seen = bool(np.isfinite(points).all())
    reach = (points @ [cos, sin]).max() if seen else rng.uniform(-0.5, 1.0)
    end = float(reach) + rng.uniform(0.04, 0.3)
    cover = np.clip((along - end) * size / rng.uniform(1, 4), 0, 1)
    square += (float(rng.uniform(0, 255)) - square) * cover


def _lit(eyes: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Other light and another camera: tone, gradient, hairs, blur, noise, sometimes inverted."""
    number, size = eyes.shape[:2]

    def each(low: float, high: float) -> NDArray[np.float32]:
        return rng.uniform(low, high, (number, 1, 1)).astype(np.float32)

    # Pictures of the dark are first spread over the whole range: what another camera would show.
    low, high = np.quantile(eyes[:, ::2, ::2].reshape(number, -1), [0.02, 0.98], axis=1)
    spread = np.maximum(high - low, 12.0)
    lit = np.clip((eyes - low[:, None, None]) / spread[:, None, None], 0, 1.3).astype(np.float32)
    lit = lit ** np.exp(each(-0.8, 0.8))
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    lit = lit * (1 + each(-0.4, 0.4) * ramp[None, None] + each(-0.4, 0.4) * ramp[None, :, None])
    dark, contrast = each(0, 0.35), each(0.12, 0.9)
    lit = np.asarray(dark + contrast * lit, np.float32)
    inverted = rng.random(number) < 0.04
    lit[inverted] = 1 - lit[inverted]
    for index in range(number):
        kind = rng.random()
        if kind < 0.25:
            start, end = rng.uniform(-0.2, 1.2, (2, 2)) * size * 16
            cv2.line(
                lit[index], (int(start[0]), int(start[1])), (int(end[0]), int(end[1])),
                float(rng.uniform(0, 1)), 1, cv2.LINE_AA, 4,
            )  # fmt: skip
        if rng.random() < 0.5:
            sigma = float(rng.uniform(0.3, 1.3))
            lit[index] = cv2.GaussianBlur(lit[index], (0, 0), sigma)
    noise = rng.standard_normal(lit.shape, np.float32) * contrast * each(0, 0.08)
    return np.asarray(np.clip(lit + noise, 0, 1), np.float32)
