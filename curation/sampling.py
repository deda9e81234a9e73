"""Which frames to rate: the audit sample that acceptance rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

AUDIT_FRAMES = 60
"""Frames of an audit sample, or all where a version has fewer."""


@dataclass(frozen=True)
class FrameInfo:
    """What sampling may know of a frame: nothing of grades, group or treatment."""

    id: str
    observation: str
    animal: str


def audit_sample(
    frames: Sequence[FrameInfo], n: int = AUDIT_FRAMES, seed: int | str = 0
) -> list[str]:
    """Return the ids of `n` frames drawn at random over observations, or of all if there are fewer.

    Every observation gives one frame before any gives a second, so that a long video does not
    crowd out a short one; within an observation the draw is uniform. The order returned is random
    over everything, and the same frames and seed give the same sample in any input order.
    """
    by_observation: dict[str, list[str]] = {}
    for frame in frames:
        by_observation.setdefault(frame.observation, []).append(frame.id)
    turns: list[tuple[int, str, str]] = []
    for observation, ids in by_observation.items():
        shuffled = sorted(set(ids), key=lambda frame: _ticket(seed, "frame", frame))
        place = _ticket(seed, "observation", observation)
        turns.extend((turn, place, frame) for turn, frame in enumerate(shuffled))
    drawn = [frame for _, _, frame in sorted(turns)[: max(n, 0)]]
    return sorted(drawn, key=lambda frame: _ticket(seed, "order", frame))


def _ticket(seed: int | str, use: str, name: str) -> str:
    # A hash instead of a generator: the draw of one frame does not depend on how many others exist.
    return hashlib.sha256(f"{seed}:{use}:{name}".encode()).hexdigest()
