"""The box a clip is filmed in: everything of the picture that is not the head."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from models.phantom.look import Look, Picture, seen
from models.phantom.shape import Floats, f32
from models.scale import Coat

# Centre and half head width where the body sits, and the yaw of the trunk in degrees.
Rest = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Scene:
    """The still part of a clip.

    `background` is the empty box, `body` (RGBA) the trunk at `corner`, `keep` and `add` what bars
    and panes before the animal leave of the picture and put over it, `gain` the light over the
    picture (128 = 1), `noise` grains about 128.
    """

    look: Look
    background: Picture
    body: Picture
    corner: tuple[int, int]
    foot: tuple[float, float]
    keep: Picture | None
    add: Picture | None
    gain: Picture
    noise: Picture

    def picture(self, breath: float, sway: tuple[float, float]) -> Picture:
        """The box with the body; `breath` (-1..1) widens it, `sway` shifts it in pixels."""
        picture = self.background.copy()
        high, wide = self.body.shape[:2]
        if not high or not wide:
            return picture
        grow = 1 + 0.011 * breath
        fx, fy = self.foot
        move = f32([[grow, 0, fx * (1 - grow) + sway[0]], [0, grow, fy * (1 - grow) + sway[1]]])
        trunk = cv2.warpAffine(self.body, move, (wide, high), flags=cv2.INTER_LINEAR)
        x0, y0 = self.corner
        part = picture[y0 : y0 + high, x0 : x0 + wide]
        cover = cv2.cvtColor(trunk[:, :, 3], cv2.COLOR_GRAY2RGB)
        part[:] = cv2.add(
            cv2.multiply(part, cv2.bitwise_not(cover), scale=1 / 255), trunk[:, :, :3]
        )
        return picture


@lru_cache(maxsize=16)
def scene(look: Look, coat: Coat, seed: int, size: tuple[int, int], rest: Rest) -> Scene:
    """The box of a clip of `size` (width, height) with the animal at its place."""
    rng = np.random.default_rng([seed, 23])
    width, height = size
    xs, ys = np.meshgrid(
        np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32)
    )
    blotches = _noise(rng, size, 24)[:, :, None]
    rgb = _room(look, rng, size, (xs, ys), blotches)
    rgb = _shadow(rgb, (xs * width, ys * height), rest)
    rgb = f32(cv2.GaussianBlur(rgb, (0, 0), 1.0 + look.lens_blur))
    body, corner, foot = _body(look, coat, rng, size, rest)
    shift = rng.uniform(-0.15, 0.15, 2)
    away = np.hypot(xs - 0.5 - 0.4 * look.light[0] - shift[0], ys - 0.35 - shift[1])
    gain = np.clip(1.08 - look.unevenness * away, 0.2, 1.25)
    noise = f32(rng.standard_normal((height + 64, width + 64, 3)))
    # Half of the grain is wider than a pixel, as after the filters of a real camera.
    noise = 0.75 * noise + 0.95 * f32(cv2.GaussianBlur(noise, (0, 0), 0.7))
    if look.infrared:
        noise = np.repeat(noise[:, :, :1], 3, axis=2)
    keep, add = _front(look, rng, size, (xs, ys))
    return Scene(
        look,
        np.clip(seen(look, rgb), 0, 255).astype(np.uint8),
        body,
        corner,
        foot,
        keep,
        add,
        np.repeat((gain * 128)[:, :, None], 3, axis=2).astype(np.uint8),
        np.clip(noise * 24 + 128, 0, 255).astype(np.uint8),
    )


def _noise(rng: np.random.Generator, size: tuple[int, int], grain: float) -> Floats:
    # Coarse noise is drawn small and enlarged.
    shrink = max(1, int(grain / 2))
    small = f32(rng.standard_normal((size[1] // shrink + 2, size[0] // shrink + 2)))
    small = f32(cv2.GaussianBlur(small, (0, 0), grain / shrink))
    values = f32(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)) if shrink > 1 else small
    values = values[: size[1], : size[0]]
    return values / np.float32(values.std())


def _room(
    look: Look,
    rng: np.random.Generator,
    size: tuple[int, int],
    grid: tuple[Floats, Floats],
    blotches: Floats,
) -> Floats:
    xs, ys = grid
    width = size[0]
    horizon = np.float32(rng.uniform(0.50, 0.68))
    tilt = np.float32(rng.uniform(-0.06, 0.06))
    ragged = 0.012 * _noise(rng, size, 3)
    floor = np.clip((ys - horizon - tilt * (xs - 0.5) + ragged) * 40, 0, 1)[:, :, None]
    wall: Floats = f32(look.wall) * (1 + 0.07 * blotches + 0.16 * (0.5 - ys[:, :, None]))
    # An edge of the box, where two walls meet.
    corner = np.float32(rng.uniform(0.05, 0.95))
    wall = wall * (
        1 - 0.14 * (xs > corner)[:, :, None] - 0.10 * np.exp(-np.abs(xs - corner) * 30)[:, :, None]
    )
    if look.litter == "chips":
        chips = (0.8 * _noise(rng, size, 1.1) + 0.8 * _noise(rng, size, 2.6))[:, :, None]
        bedding: Floats = f32(look.bedding) * (0.90 + 0.20 * chips)
    elif look.litter == "paper":
        crumple = np.abs(_noise(rng, size, 4.5))[:, :, None]
        bedding = f32(look.bedding) * (
            1.12 - 0.26 * crumple + 0.05 * _noise(rng, size, 1.2)[:, :, None]
        )
    else:
        bedding = f32(look.bedding) * (
            1 + 0.05 * blotches + 0.015 * _noise(rng, size, 1.2)[:, :, None]
        )
    bedding = bedding * (0.80 + 0.32 * np.clip((ys - horizon) / 0.4, 0, 1))[:, :, None]
    rgb: Floats = wall * (1 - floor) + bedding * floor
    for n in range(look.bars):
        centre = (n + 0.5 + rng.uniform(-0.05, 0.05)) / look.bars
        across = (xs - centre) * width / 3.0
        bar = np.exp(-(across**2))[:, :, None]
        metal = 168 + 60 * np.clip(0.5 - across, -1, 1)[:, :, None] * bar
        rgb = rgb * (1 - 0.7 * bar) + metal * 0.7 * bar * (0.75 + 0.1 * blotches)
    return f32(rgb)


def _shadow(rgb: Floats, at: tuple[Floats, Floats], rest: Rest) -> Floats:
    x, y, half, _ = rest
    shade = np.exp(
        -(((at[0] - x) / (2.0 * half)) ** 2) - ((at[1] - y - 2.0 * half) / (0.5 * half)) ** 2
    )
    return f32(rgb * (1 - 0.5 * shade[:, :, None]))


def _body(
    look: Look, coat: Coat, rng: np.random.Generator, size: tuple[int, int], rest: Rest
) -> tuple[Picture, tuple[int, int], tuple[float, float]]:
    """The trunk as premultiplied RGBA, its corner in the picture, its foot point within it."""
    x, y, half, heading = rest
    # The trunk lies opposite to where it is heading.
    aside = -math.sin(math.radians(heading)) * half
    stretch = 1.0 + 0.75 * abs(math.sin(math.radians(heading)))
    centre = (x + 0.95 * aside, y + 0.55 * half)
    rx, ry = rng.uniform(1.36, 1.62) * half * stretch, rng.uniform(1.30, 1.46) * half
    x0, y0 = max(0, math.floor(centre[0] - rx * 1.2)), max(0, math.floor(centre[1] - ry * 1.2))
    x1 = min(size[0], math.ceil(centre[0] + rx * 1.2))
    y1 = min(size[1], math.ceil(centre[1] + ry * 1.3))
    wide, high = max(0, x1 - x0), max(0, y1 - y0)
    if wide < 8 or high < 8:
        return np.zeros((0, 0, 4), np.uint8), (0, 0), (0.0, 0.0)
    xs, ys = np.meshgrid(np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32))
    across, along = (xs - centre[0]) / rx, (ys - centre[1]) / ry
    # Shoulders are narrower than haunches.
    across = across * (1.06 - 0.16 * along)
    fine = f32(cv2.GaussianBlur(f32(rng.standard_normal((high, wide))), (0, 0), 0.8, sigmaY=2.2))
    tufts = fine / np.float32(fine.std()) + 0.8 * _noise(rng, (wide, high), 3.0)
    # A loaf: flat below, rounded above.
    round_ = across**2 + np.where(along > 0, np.abs(along) ** 3.4, along**2) + 0.03 * tufts
    cover = np.clip((1 - round_) * 0.16 * half, 0, 1)
    lx, ly, lz = look.light
    rise = np.sqrt(np.clip(1.05 - across**2 - along**2, 0.02, 1))
    lit = np.clip(0.24 + 0.80 * (lz * rise + lx * across * 0.8 + ly * along * 0.8), 0, 1.2)
    light = (look.ambient * (0.88 - 0.20 * along) + (1 - look.ambient) * lit) * 0.95
    # The head throws its shadow on the chest.
    light = light * (
        1
        - 0.38
        * np.exp(-(((xs - x) / (0.9 * half)) ** 2) - ((ys - y - 0.9 * half) / (0.5 * half)) ** 2)
    )
    tone = 1 + (0.06 + 0.35 * coat.ticking) * tufts
    rgb: Floats = f32(coat.fur) * (light * tone)[:, :, None]
    for way in (-1, 1):
        fx = (xs - x - 0.5 * aside - way * 0.44 * half) / (0.17 * half)
        foot = fx**2 + ((ys - y - 1.86 * half) / (0.10 * half)) ** 2
        part = np.clip((1 - foot) * 3, 0, 1)
        toes = 1 - 0.22 * (np.cos(fx * 7) > 0.6) * (ys > y + 1.86 * half)
        rgb = rgb * (1 - part[:, :, None]) + f32(coat.skin) * (0.66 * part * toes)[:, :, None]
        cover = np.maximum(cover, part)
    blur = 0.5 + look.lens_blur
    rgba: Floats = np.dstack([np.clip(seen(look, rgb), 0, 255) * cover[:, :, None], cover * 255])
    rgba = f32(cv2.GaussianBlur(f32(rgba), (0, 0), blur))
    return np.clip(rgba, 0, 255).astype(np.uint8), (x0, y0), (x - x0, y + 1.9 * half - y0)


def _front(
    look: Look, rng: np.random.Generator, size: tuple[int, int], grid: tuple[Floats, Floats]
) -> tuple[Picture | None, Picture | None]:
    if not look.front_bars and not look.glare:
        return None, None
    xs, ys = grid
    keep: Floats = np.ones((size[1], size[0], 1), np.float32)
    add: Floats = np.zeros((size[1], size[0], 3), np.float32)
    for n in range(look.front_bars):
        centre = (n + 0.5 + rng.uniform(-0.08, 0.08)) / look.front_bars
        across = (xs - centre - 0.02 * (ys - 0.5)) * size[0] / (0.0085 * size[0] + 0.6)
        bar = 0.62 * np.exp(-(np.abs(across) ** 2.4))[:, :, None]
        keep = keep * (1 - bar)
        add = add * (1 - bar) + bar * (112 + 46 * np.clip(-across, -1, 1)[:, :, None])
    if look.glare:
        # A window and a lamp mirrored in the pane, and its dull veil.
        slope = rng.uniform(-0.5, 0.5)
        x0, wide = rng.uniform(0.05, 0.85), rng.uniform(0.05, 0.16)
        band = np.exp(-(np.abs((xs - x0 - slope * (ys - 0.5)) / wide) ** 4))
        lamp_x, lamp_y = rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.4)
        lamp = np.exp(-(((xs - lamp_x) / 0.06) ** 2) - ((ys - lamp_y) / 0.05) ** 2)
        scratches = np.clip(_noise(rng, size, 1.0) - 2.2, 0, 1)
        shine = look.glare * (58 * band + 190 * lamp + 60 * scratches + 16)
        add = add + shine[:, :, None] * f32([0.94, 0.98, 1.04])
    return (
        np.repeat(np.clip(keep * 255, 0, 255), 3, axis=2).astype(np.uint8),
        np.clip(seen(look, add), 0, 255).astype(np.uint8),
    )
