"""Fur: hairs that run from the nose backwards, drawn once per animal and kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from models.phantom.cast import Cast
from models.phantom.shape import EYE, LENGTH, Floats, f32
from models.scale import Coat

# Cells along the head and round it.
LONG, ROUND = 288, 320


@dataclass(frozen=True, eq=False)
class Fur:
    """One map over the head, rows round it from the chin, columns from the nose backwards.

    Channels: albedo RGB (0..255) with the strands in it, and the pattern of the strands (-1..1).
    """

    map: Floats

    def over(self, seen: Cast) -> tuple[Floats, Floats]:
        """Albedo (height, width, 3) and strands (height, width) of the pixels of a cast."""
        columns = seen.a * np.float32((LONG - 1) / LENGTH)
        rows = seen.turn * np.float32((ROUND - 1) / 360)
        shown = cv2.remap(
            self.map, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(shown[..., :3], np.float32), np.asarray(shown[..., 3], np.float32)


@lru_cache(maxsize=32)
def fur(coat: Coat, animal: int) -> Fur:
    """The fur of one animal; `animal` seeds its hairs and shades."""
    rng = np.random.default_rng([animal, 11])
    a, turn = np.meshgrid(
        np.linspace(0, LENGTH, LONG, dtype=np.float32), np.linspace(0, 360, ROUND, dtype=np.float32)
    )
    side = np.abs(turn - 180)  # 0 on the ridge, 180 at the chin
    strands = _strands(rng)
    mottle = _soft(rng, 16.0)
    # Bands of agouti hairs: speckles that are short along the hair.
    bands = _soft(rng, 1.0, 1.6)
    base = np.asarray(coat.fur, np.float32)
    skin = np.asarray(coat.skin, np.float32)
    tone = 1 + (0.13 + 0.5 * coat.ticking) * strands + 0.05 * mottle + 0.5 * coat.ticking * bands
    # The belly side is paler on every coat, the crown darker.
    tone = tone * (1 + 0.10 * np.clip((side - 95) / 60, 0, 1) - 0.07 * np.clip(1 - side / 50, 0, 1))
    albedo = base * tone[:, :, None]

    def patch(a0: float, side0: float, ra: float, rs: float) -> Floats:
        return np.exp(-(((a - a0) / ra) ** 2) - ((side - side0) / rs) ** 2).astype(np.float32)

    def mix(amount: Floats, colour: Floats) -> None:
        nonlocal albedo
        albedo = albedo * (1 - amount[:, :, None]) + colour * amount[:, :, None]

    # Skin shines through short hair at the muzzle and round the lids.
    mix(0.55 * np.clip(1 - a / 0.22, 0, 1), skin)
    mix(0.30 * patch(0.40, 105, 0.24, 34), np.minimum(skin * 0.6 + base * 0.55, 250))
    ring = np.hypot((a - EYE[0]) * 1.0, (side - EYE[1]) * (math.pi / 180) * 0.62)
    mix(0.34 * np.exp(-(((ring - 0.22) / 0.07) ** 2)), skin * 0.62 + base * 0.28)
    mix(0.22 * patch(2.15, 52, 0.20, 15), skin)
    # Rows of dark pits from which the whiskers grow.
    pits = _pits(rng)
    albedo = albedo * (1 - 0.38 * pits[:, :, None])
    return Fur(np.dstack([np.clip(albedo, 2, 252), strands]).astype(np.float32))


def _soft(rng: np.random.Generator, along: float, across: float | None = None) -> Floats:
    values = f32(rng.standard_normal((ROUND, LONG)))
    values = f32(cv2.GaussianBlur(values, (0, 0), sigmaX=along, sigmaY=across or along))
    return values / np.float32(values.std())


def _strands(rng: np.random.Generator) -> Floats:
    # Fine across and long along the lie of the hair, which swings outward behind the eyes.
    hairs = 0.8 * _soft(rng, 4.5, 0.7) + 0.6 * _soft(rng, 2.2, 0.6) + 0.7 * _soft(rng, 7.0, 2.2)
    columns, rows = np.meshgrid(
        np.arange(LONG, dtype=np.float32), np.arange(ROUND, dtype=np.float32)
    )
    wave = 5 * np.sin(columns / LONG * 5 + rows / ROUND * 4 * math.pi + rng.uniform(0, 6))
    lean = (rows / ROUND - 0.5) * columns / LONG * 40
    hairs = cv2.remap(
        f32(hairs), columns, f32(rows + wave + lean), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    hairs = hairs - hairs.mean()
    return np.asarray(np.clip(hairs / (2 * hairs.std()), -1, 1), np.float32)


def _pits(rng: np.random.Generator) -> Floats:
    pits = np.zeros((ROUND, LONG), np.uint8)
    for way in (-1, 1):
        for row in range(5):
            for column in range(4):
                at = 0.22 + 0.10 * column + rng.normal(0, 0.012)
                turn = 180 + way * (78 + 14 * row + rng.normal(0, 1.5))
                centre = np.array([at * (LONG - 1) / LENGTH, turn * (ROUND - 1) / 360])
                x, y = np.round(centre * 16).astype(int).tolist()
                cv2.circle(pits, (x, y), 22, 255, -1, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(pits, (0, 0), 0.7), np.float32) / 255
