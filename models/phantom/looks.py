"""The cameras, lights and boxes of the phantom's labs. All of it is fictional."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.phantom.look import Look


@dataclass(frozen=True)
class Camera:
    """A lab's camera: its look, frame rate and picture size (width, height)."""

    look: Look
    fps: int
    size: tuple[int, int]


CAMERAS = (
    # White light through a clean pane.
    Camera(
        Look(
            light=(-0.35, -0.65, 0.70),
            wall=(66, 72, 78),
            bedding=(128, 106, 80),
            tint=(1.0, 0.98, 0.95),
            unevenness=0.25,
            glare=0.25,
        ),
        12,
        (320, 240),
    ),
    # Warm light, a pale box whose walls mirror, nest paper.
    Camera(
        Look(
            light=(0.45, -0.50, 0.75),
            ambient=0.52,
            wall=(172, 172, 164),
            bedding=(206, 196, 176),
            tint=(1.06, 0.98, 0.86),
            exposure=0.94,
            unevenness=0.35,
            noise=4.0,
            lens_blur=0.7,
            quality=25,
            ghost=0.07,
            litter="paper",
        ),
        15,
        (320, 240),
    ),
    # An infrared camera that interlaces, before a cage.
    Camera(
        Look(
            light=(0.05, -0.80, 0.60),
            ambient=0.40,
            wall=(96, 98, 100),
            bedding=(120, 116, 110),
            bars=7,
            front_bars=6,
            infrared=True,
            noise=5.0,
            exposure=1.05,
            unevenness=0.45,
            quality=24,
            interlaced=True,
        ),
        12,
        (320, 256),
    ),
    # A phone held close to scratched perspex, in cold light from one side.
    Camera(
        Look(
            light=(-0.60, -0.35, 0.72),
            ambient=0.35,
            wall=(118, 128, 122),
            bedding=(150, 132, 104),
            tint=(0.92, 1.0, 1.08),
            unevenness=0.5,
            noise=3.5,
            glare=0.8,
            closeness=0.18,
        ),
        15,
        (304, 228),
    ),
    # A soft old lens and strong compression, bars behind and before.
    Camera(
        Look(
            light=(0.30, -0.70, 0.65),
            ambient=0.55,
            wall=(140, 120, 108),
            bedding=(176, 150, 118),
            tint=(1.04, 0.96, 0.90),
            bars=5,
            front_bars=5,
            noise=2.5,
            lens_blur=0.9,
            quality=27,
            closeness=0.06,
        ),
        12,
        (352, 264),
    ),
)

# The camera of the lab that only judges: like no other in light, box and lens.
INDEPENDENT = Camera(
    Look(
        light=(0.55, -0.30, 0.78),
        ambient=0.42,
        wall=(44, 46, 52),
        bedding=(92, 96, 98),
        tint=(1.0, 1.03, 1.0),
        exposure=1.08,
        unevenness=0.4,
        noise=4.5,
        lens_blur=0.6,
        quality=26,
        glare=0.5,
        ghost=0.05,
        closeness=0.14,
        litter="bare",
    ),
    30,
    (336, 252),
)

LOOKS = tuple(camera.look for camera in CAMERAS)


def camera_of(n: int) -> Camera:
    """The camera of lab n: one of CAMERAS, then ever new ones."""
    return CAMERAS[n] if n < len(CAMERAS) else _another(n)


def _another(n: int) -> Camera:
    rng = np.random.default_rng([n, 31])

    def colour(low: int, high: int) -> tuple[int, int, int]:
        base = rng.integers(low, high)
        r, g, b = (base + rng.integers(-14, 15, 3)).clip(20, 235)
        return int(r), int(g), int(b)

    look = Look(
        light=(float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.8, -0.3)), 0.7),
        ambient=float(rng.uniform(0.35, 0.55)),
        wall=colour(60, 180),
        bedding=colour(100, 190),
        bars=int(rng.choice([0, 0, 5, 7])),
        noise=float(rng.uniform(2.5, 5)),
        exposure=float(rng.uniform(0.9, 1.08)),
        unevenness=float(rng.uniform(0.2, 0.5)),
        lens_blur=float(rng.uniform(0.4, 0.9)),
        infrared=bool(rng.uniform() < 0.35),
        quality=int(rng.integers(22, 28)),
    )
    return Camera(look, int(rng.choice([12, 15, 25, 30])), (320, 240))
