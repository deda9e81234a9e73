"""What a lab's recordings look like: light, camera, box. Not the mouse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.phantom.shape import Floats, f32

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
    front_bars   number of thin bars, out of focus, before the animal
    glare        brightness of what a pane before the animal mirrors, 0..1
    ghost        share of light that a side pane mirrors back: a faint second animal, 0..1
    interlaced   odd lines were exposed half a frame later
    closeness    how much nearer parts are enlarged: 0.05 a long lens, 0.2 a phone held close
    litter       kind of bedding: "chips", "paper", "bare"
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
    front_bars: int = 0
    glare: float = 0.0
    ghost: float = 0.0
    interlaced: bool = False
    closeness: float = 0.10
    litter: str = "chips"


def seen(look: Look, rgb: tuple[float, ...] | Floats) -> Floats:
    """Colours (…, 3) as light and camera show them."""
    shown = f32(rgb) * f32(look.tint) * np.float32(look.exposure)
    if look.infrared:
        # Pigment hides less in the infrared: dark coats come out lighter than in white light.
        grey = 14 + 0.94 * (shown @ f32([0.45, 0.35, 0.20]))
        shown = np.repeat(grey[..., None], 3, axis=-1)
    return np.asarray(shown, np.float32)
