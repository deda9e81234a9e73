"""Fur: hair strands that run from the nose backwards, drawn once per animal and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from models.phantom.shape import NOSE, V_CENTRE, Floats, f32, grid, outline
from models.scale import Coat


@dataclass(frozen=True, eq=False)
class Fur:
    """Maps on the face grid: strands (-1..1), albedo RGB, distance to the outline (cells)."""

    strands: Floats
    albedo: Floats
    inside: Floats


@lru_cache(maxsize=32)
def fur(coat: Coat, animal: int) -> Fur:
    """The fur of one animal; `animal` seeds its strands and markings."""
    rng = np.random.default_rng([animal, 11])
    g = grid()
    strands = _strands(rng)
    mottle = f32(
        cv2.GaussianBlur(rng.standard_normal((g.side, g.side)).astype(np.float32), (0, 0), 7)
    )
    mottle = mottle / float(np.abs(mottle).max())
    # Short bright hairs on the muzzle, darker ones towards the crown, as on every coat.
    snout = np.exp(-((g.u / 0.30) ** 2) - ((g.v - 0.86) / 0.26) ** 2).astype(np.float32)
    around_eyes = np.exp(-(((np.abs(g.u) - 0.50) / 0.23) ** 2) - ((g.v + 0.04) / 0.22) ** 2).astype(
        np.float32
    )
    base = np.asarray(coat.fur, np.float32)
    skin = np.asarray(coat.skin, np.float32)
    contrast = 0.10 + coat.ticking
    tone = 1 + contrast * strands + 0.07 * mottle
    albedo = base * tone[:, :, None]
    thin = (0.38 * snout + 0.22 * around_eyes)[:, :, None]
    albedo = albedo * (1 - thin) + skin * thin
    return Fur(strands, albedo.astype(np.float32), _inside())


@lru_cache(maxsize=1)
def _inside() -> Floats:
    g = grid()
    points = (outline() - f32([0, V_CENTRE]) + g.reach) * g.per_unit
    mask = np.zeros((g.side, g.side), np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    within = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    without = cv2.distanceTransform((mask <= 127).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(within - without, np.float32)


def _strands(rng: np.random.Generator) -> Floats:
    # Noise that is fine across and long along rays from the nose, warped from polar coordinates.
    g = grid()
    rays, steps = 720, 160
    noise = f32(rng.standard_normal((rays, steps)))
    noise = f32(cv2.GaussianBlur(noise, (0, 0), sigmaX=4.0, sigmaY=0.8))
    fine = f32(rng.standard_normal((rays, steps)))
    noise = noise / noise.std() + 0.6 * cv2.GaussianBlur(fine, (0, 0), 1.2, sigmaY=0.6)
    centre = (float(g.reach * g.per_unit), float((NOSE[1] - V_CENTRE + g.reach) * g.per_unit))
    flat = cv2.warpPolar(
        noise,
        (g.side, g.side),
        centre,
        g.side * 1.2,
        cv2.WARP_POLAR_LINEAR | cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR,
    )
    flat = flat - flat.mean()
    return np.asarray(np.clip(flat / (2 * flat.std()), -1, 1), np.float32)
