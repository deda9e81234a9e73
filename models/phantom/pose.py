"""Head pose: points of the face to pixels and depths."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.phantom.shape import Floats, f32

# The head turns about a point behind the eyes, not about its front.
PIVOT = -0.10
_PIVOT = f32([0, 0, PIVOT])
# How much nearer parts are enlarged (weak perspective) by an ordinary lens.
NEARER = 0.10


@dataclass(frozen=True)
class Pose:
    """Where the face is: yaw, pitch, roll in degrees, centre and half head width in pixels.

    Positive yaw turns the nose to the right of the picture, positive pitch downwards.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    x: float = 160.0
    y: float = 120.0
    half_width: float = 46.0


@dataclass(frozen=True, eq=False)
class Projection:
    """A pose as a rotation: `turn` takes face coordinates to right, down, towards the camera."""

    pose: Pose
    turn: Floats
    nearer: float

    @classmethod
    def of(cls, pose: Pose, nearer: float = NEARER) -> Projection:
        """The projection of a pose by a lens that enlarges nearer parts."""
        yaw, pitch, roll = (math.radians(angle) for angle in (pose.yaw, pose.pitch, pose.roll))
        (sy, cy), (sp, cp), (sr, cr) = ((math.sin(a), math.cos(a)) for a in (yaw, pitch, roll))
        about_v = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_u = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return cls(pose, f32(about_z @ about_u @ about_v), nearer)

    def seen(self, uvz: Floats) -> Floats:
        """Pixels and depth (n, 3) of face points (n, 3); a larger depth is nearer."""
        turned = (uvz - _PIVOT) @ self.turn.T
        near = (1 + self.nearer * turned[:, 2]) * self.pose.half_width
        turned[:, 0] = turned[:, 0] * near + self.pose.x
        turned[:, 1] = turned[:, 1] * near + self.pose.y
        return np.asarray(turned, np.float32)

    def points(self, uvz: Floats) -> Floats:
        """Pixels (n, 2) of face points (n, 3)."""
        return self.seen(uvz)[:, :2]

    def towards(self, uvz: Floats) -> float:
        """How far a direction of the face points towards the camera, -1..1 for unit vectors."""
        return float(self.turn[2] @ uvz)
