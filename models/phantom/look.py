"""What a lab's recordings look like: light, camera, background. Not the mouse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from models.phantom.shape import Floats, f32
from models.scale import Coat

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Look:
    """The look of one lab's recordings.

    light        direction the light comes from: right, down, towards the camera
    ambient      share of light that comes from everywhere, 0..1
    tint         RGB factors of the light
    exposure     brightness of the whole picture, 1 = neutral
    unevenness   fall-off of the light towards the far corner, 0..1
    wall, bedding  sRGB colours of the box
    bars         number of cage bars in the background, 0 = none
    lens_blur    blur of the lens in pixels (sigma)
    noise        noise of the sensor in grey levels (standard deviation)
    infrared     a camera without colours
    quality      constant rate factor of the H.264 encoder (higher = smaller and worse)
    """

    light: tuple[float, float, float] = (-0.35, -0.65, 0.70)
    ambient: float = 0.45
    tint: tuple[float, float, float] = (1.0, 0.97, 0.92)
    exposure: float = 1.0
    unevenness: float = 0.25
    wall: tuple[int, int, int] = (120, 126, 130)
    bedding: tuple[int, int, int] = (158, 134, 100)
    bars: int = 0
    lens_blur: float = 0.5
    noise: float = 3.0
    infrared: bool = False
    quality: int = 23


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything of a clip that does not move: background, light over the picture, noise."""

    look: Look
    background: Picture
    gain: Picture
    noise: Picture

    def colour(self, rgb: tuple[float, ...] | Floats) -> Floats:
        """An sRGB colour, or an array of them, as this light and camera show it."""
        return seen(self.look, np.asarray(rgb, np.float32))


def seen(look: Look, rgb: Floats) -> Floats:
    """Colours (…, 3) as light and camera show them."""
    shown = rgb * f32(look.tint) * f32(look.exposure)
    if look.infrared:
        grey = shown @ f32([0.45, 0.35, 0.20])
        shown = np.repeat(grey[..., None], 3, axis=-1)
    return np.asarray(shown, np.float32)


@lru_cache(maxsize=16)
def scene(
    look: Look,
    coat: Coat,
    seed: int,
    size: tuple[int, int],
    body: tuple[float, float, float] | None,
) -> Scene:
    """The still part of a clip of `size` (width, height).

    `body` is the centre and half head width of the animal whose body is painted into the
    background, None for an empty box.
    """
    rng = np.random.default_rng([seed, 23])
    width, height = size
    xs, ys = np.meshgrid(
        np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32)
    )
    horizon = np.float32(rng.uniform(0.50, 0.68))
    tilt = np.float32(rng.uniform(-0.06, 0.06))
    floor = np.clip((ys - horizon - tilt * (xs - 0.5)) * 40, 0, 1)[:, :, None]
    blotches = _noise(rng, size, 24)[:, :, None]
    wall = f32(look.wall) * (1 + 0.10 * blotches + 0.12 * (0.5 - ys[:, :, None]))
    chips = (_noise(rng, size, 1.2) + 0.7 * _noise(rng, size, 3))[:, :, None]
    bedding = f32(look.bedding) * (0.92 + 0.20 * chips)
    rgb: Floats = wall * (1 - floor) + bedding * floor
    for n in range(look.bars):
        centre = (n + 0.5 + rng.uniform(-0.05, 0.05)) / look.bars
        bar = np.exp(-(((xs - centre) * width / 3.0) ** 2))[:, :, None] * (1 - floor)
        rgb = rgb * (1 - 0.55 * bar) + 210 * 0.55 * bar * (0.6 + 0.4 * blotches)
    if body is not None:
        rgb = _body(rgb, coat, rng, body)
    rgb = f32(cv2.GaussianBlur(rgb, (0, 0), 0.9 + look.lens_blur))
    shift = rng.uniform(-0.15, 0.15, 2)
    away = np.hypot(xs - 0.5 - 0.4 * look.light[0] - shift[0], ys - 0.35 - shift[1])
    gain = np.clip(1.08 - look.unevenness * away, 0.2, 1.25)
    noise = f32(np.clip(rng.standard_normal((height + 64, width + 64, 3)) * 24 + 128, 0, 255))
    if look.infrared:
        noise = np.repeat(noise[:, :, :1], 3, axis=2)
    return Scene(
        look,
        np.clip(seen(look, rgb), 0, 255).astype(np.uint8),
        np.repeat((gain * 128)[:, :, None], 3, axis=2).astype(np.uint8),
        noise.astype(np.uint8),
    )


def _noise(rng: np.random.Generator, size: tuple[int, int], grain: float) -> Floats:
    values = f32(rng.standard_normal((size[1], size[0])))
    values = f32(cv2.GaussianBlur(values, (0, 0), grain))
    return values / np.float32(values.std())


def _body(
    rgb: Floats, coat: Coat, rng: np.random.Generator, body: tuple[float, float, float]
) -> Floats:
    # A loaf of fur behind and under the head, with a few tufts, and two pink feet.
    x, y, half = body
    height, width = rgb.shape[:2]
    size = (width, height)
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    side = rng.uniform(-0.35, 0.35)
    across = (xs - x - side * half) / (1.55 * half)
    along = (ys - y - 0.62 * half) / (1.28 * half)
    tufts = _noise(rng, size, 1.6)
    round_ = across**2 + along**2 + 0.03 * tufts
    cover = np.clip((1 - round_) * 9, 0, 1)[:, :, None]
    light = 0.62 + 0.30 * np.sqrt(np.clip(1 - round_, 0, 1)) - 0.22 * along + 0.05 * tufts
    fur = f32(coat.fur) * (light * (1 + coat.ticking * tufts))[:, :, None]
    # The floor under the animal lies in its shadow.
    shade = np.exp(-(across**2) * 0.7 - ((ys - y - 1.80 * half) / (0.34 * half)) ** 2)
    rgb = rgb * (1 - 0.45 * shade[:, :, None])
    rgb = rgb * (1 - cover) + fur * cover
    for way in (-1, 1):
        foot = ((xs - x - way * 0.48 * half) / (0.20 * half)) ** 2 + (
            (ys - y - 1.78 * half) / (0.12 * half)
        ) ** 2
        part = np.clip((1 - foot) * 3, 0, 1)[:, :, None]
        rgb = rgb * (1 - part) + f32(coat.skin) * (0.85 + 0.08 * tufts[:, :, None]) * part
    return np.asarray(rgb, np.float32)
