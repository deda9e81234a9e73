"""From which likeness on two recordings count as copies of each other.

The figures the limits rest on are those of `models.media.likeness`: rendered clips, each changed in
twelve ways, stayed at or below 0.19 for the pictures and 0.16 for what moves; different clips began
at 0.19 and 0.28. Real recordings may lie elsewhere, so a curator looks at every pair.

Where nothing moves nothing is said: of 2,415 pairs of different real stills of one camera the half
lay below 0.07, some at 0.
"""

from __future__ import annotations

DISTANCE, MOTION = 0.22, 0.22
"""Most share of differing bits of the pictures, and of what moves."""
LOOSER = 1.5
"""Pairs up to so many times the limits are kept, so that a limit can be moved."""


def look_alike(distance: float, motion: float | None) -> bool:
    """Whether two recordings with this `distance` and `motion` look like one."""
    return motion is not None and distance <= DISTANCE and motion <= MOTION


def worth_keeping(distance: float, motion: float | None) -> bool:
    """Whether a pair is kept at all."""
    return motion is not None and distance <= LOOSER * DISTANCE and motion <= LOOSER * MOTION
