"""Head pose: points of the face to pixels, and pixels back to the face."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from models.phantom.shape import V_CENTRE, Floats, grid

# The head turns about a point behind the eyes, not about its front.
PIVOT = 0.25
# How much nearer parts are enlarged (weak perspective).
NEARER = 0.10


@dataclass(frozen=True)
class Pose:
    """Where the face is: yaw, pitch, roll in degrees, centre and half head width in pixels."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    x: float = 160.0
    y: float = 120.0
    half_width: float = 46.0


@dataclass(frozen=True)
class Projection:
    """A pose with its sines and cosines worked out."""

    pose: Pose
    yaw: tuple[float, float]
    pitch: tuple[float, float]
    roll: tuple[float, float]

    @classmethod
    def of(cls, pose: Pose) -> Projection:
        """The projection of a pose."""

        def turn(degrees: float) -> tuple[float, float]:
            return math.sin(math.radians(degrees)), math.cos(math.radians(degrees))

        return cls(pose, turn(pose.yaw), turn(pose.pitch), turn(pose.roll))

    def points(self, uvz: Floats) -> Floats:
        """Pixels (n, 2) of face points (n, 3)."""
        u, v, z = uvz[:, 0], uvz[:, 1], uvz[:, 2] - PIVOT
        (sy, cy), (sp, cp), (sr, cr) = self.yaw, self.pitch, self.roll
        x = u * cy + z * sy
        deep = z * cy - u * sy
        y = v * cp + deep * sp
        near = (1 + NEARER * (deep * cp - v * sp)) * self.pose.half_width
        x, y = x * near, y * near
        return np.stack(
            [self.pose.x + x * cr - y * sr, self.pose.y + x * sr + y * cr], axis=1
        ).astype(np.float32)

    def maps(self, z: Floats, rect: tuple[int, int, int, int]) -> tuple[Floats, Floats]:
        """For every pixel of rect (x0, y0, width, height) the cell of the face grid seen there.

        Solves pixel = points(u, v, z(u, v)) by fixed-point iteration at half resolution; the slopes
        of the height map keep it contracting for the poses in use (up to about 40 degrees), but for
        the far flank of the snout, which is smeared a little.
        """
        x0, y0, width, height = rect
        half = np.float32(self.pose.half_width)
        xs = (np.arange(0, width, 2, dtype=np.float32) + np.float32(1 + x0 - self.pose.x)) / half
        ys = (np.arange(0, height, 2, dtype=np.float32) + np.float32(1 + y0 - self.pose.y)) / half
        dx, dy = np.meshgrid(xs, ys)
        (sy, cy), (sp, cp), (sr, cr) = self.yaw, self.pitch, self.roll
        x = dx * cr + dy * sr
        y = dy * cr - dx * sr
        u, v = x, y
        for _ in range(6):
            column, row = self._cells(u, v)
            deep_z = cv2.remap(z, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            deep_z = deep_z - PIVOT
            deep = deep_z * cy - u * sy
            near = 1 + NEARER * (deep * cp - v * sp)
            u = (x / near - deep_z * sy) / cy
            v = (y / near - deep * sp) / cp
        column, row = self._cells(u, v)
        size = (width, height)
        return (
            np.asarray(cv2.resize(column, size, interpolation=cv2.INTER_LINEAR), np.float32),
            np.asarray(cv2.resize(row, size, interpolation=cv2.INTER_LINEAR), np.float32),
        )

    @staticmethod
    def _cells(u: Floats, v: Floats) -> tuple[Floats, Floats]:
        g = grid()
        scale = np.float32(g.per_unit)
        column = (u + np.float32(g.reach)) * scale - np.float32(0.5)
        row = (v + np.float32(g.reach - V_CENTRE)) * scale - np.float32(0.5)
        return column, row
