"""How alike two recordings look: perceptual hashes at a fixed time grid, and their distance.

A frame's hash is the pHash of 64 bits: the brightness averaged to 32×32, its two-dimensional cosine
transform (type II), the 8×8 lowest frequencies, one bit each for being above their median (after
Zauner, “Implementation and benchmarking of perceptual image hash functions”, 2010). Coding anew,
scaling and brightness change few of its bits.

Films of one fixed camera look alike though they are of different animals, so there is a second hash
of what moves: the same of each frame minus the mean of the recording's grid. Two films of the same
cage differ in it; a copy does not.

Measured on eight rendered clips of 8 s (eight animals, two coats, two cameras), each coded anew at
CRF 30 and changed in one of twelve ways: CRF 38; MJPEG; half and 1.7 times the width; 3, 6 and 10 %
of both sides cut off; mirrored; brighter; grey; half the frame rate; without its first 2 s.
`distance` stayed at or below 0.19 (0.13 without the cut of 10 %) and `motion` at or below 0.16. Of
the 45 pairs of ten different clips, two pairs of one animal under one camera among them, `distance`
was 0.19 at least and `motion` 0.28. Rendered clips say little of real ones: see where a lab's own
recordings lie before a limit is set.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from models.media.frames import Frame, Picture

STEP_S = 0.5
SIDE, LOW = 32, 8
# Under this mean change of brightness (0..255) between frame and mean there is no motion to hash.
STILL = 0.5
# Shifts leave at least this share of the shorter recording to be compared, and this many hashes.
LEAST_SHARE, LEAST = 0.5, 4
MOST = 4000

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Likeness:
    """What a recording looks like: hashes of 64 bits at every `step_s` seconds from its start.

    `pictures` and `mirrored` are hashes of the whole frame and of its mirror image, `motion` and
    `motion_mirrored` of what differs from the mean; the latter are 0 where nothing moves. All in
    order of time; of sets of pictures one for each picture.
    """

    step_s: float
    pictures: tuple[int, ...]
    mirrored: tuple[int, ...]
    motion: tuple[int, ...]
    motion_mirrored: tuple[int, ...]


@dataclass(frozen=True)
class Match:
    """The best place of one recording beside another.

    `distance` is the median share of differing bits of the pictures (0 the same, 0.5 unrelated),
    `motion` that of what moves, None where too little moves; `shift_s` says how much later the same
    moment comes in the second recording; `mirrored` that it is the mirror image; `compared` how
    many moments were compared.
    """

    distance: float
    motion: float | None
    shift_s: float
    mirrored: bool
    compared: int


class Likening:
    """Takes the likeness of a recording while somebody else reads it; `see` every frame in order.

    Each moment of the grid takes the first frame at or after it. At most 4000 moments are kept, so
    that a longer recording is hashed up to there (33 minutes at the usual step).
    """

    def __init__(self, step_s: float = STEP_S) -> None:
        self.step_s = step_s
        self._small: list[NDArray[np.float32]] = []
        self._due: float | None = None

    def see(self, frame: Frame) -> None:
        """Keep a frame small where the grid asks for it."""
        if self._due is None:
            self._due = frame.time_s
        if frame.time_s < self._due - 1e-6 or len(self._small) == MOST:
            return
        passed = math.floor((frame.time_s - self._due + 1e-6) / self.step_s)
        self._due += (passed + 1) * self.step_s
        self._small.append(_small(frame.luma))

    def likeness(self) -> Likeness:
        """The likeness of what was seen; raises ValueError where that is nothing."""
        if not self._small:
            raise ValueError("a likeness needs at least one frame")
        stack = np.stack(self._small)
        moving = stack - stack.mean(axis=0)
        still = np.abs(moving).mean(axis=(1, 2)) < STILL
        return Likeness(
            self.step_s,
            _ints(_hashes(stack)),
            _ints(_hashes(stack[:, :, ::-1])),
            _ints(np.where(still, np.uint64(0), _hashes(moving))),
            _ints(np.where(still, np.uint64(0), _hashes(moving[:, :, ::-1]))),
        )


def likeness(frames: Iterable[Frame], step_s: float = STEP_S) -> Likeness:
    """The likeness of a recording from all its frames in order; see `Likening`."""
    likening = Likening(step_s)
    for frame in frames:
        likening.see(frame)
    return likening.likeness()


@dataclass(frozen=True)
class Signature:
    """Some hashes of a recording's pictures and of their mirror images, evenly in time.

    As hexadecimal numbers of 16 digits: 64 bits are more than JSON keeps of a number everywhere.
    """

    pictures: tuple[str, ...]
    mirrored: tuple[str, ...]


def signature(of: Likeness, count: int = 16) -> Signature:
    """The signature of a recording: `count` moments of its likeness, all of a shorter one."""
    number = len(of.pictures)
    places = sorted({round(place) for place in np.linspace(0, number - 1, min(count, number))})
    return Signature(
        tuple(f"{of.pictures[place]:016x}" for place in places),
        tuple(f"{of.mirrored[place]:016x}" for place in places),
    )


def nearness(one: Signature, other: Signature) -> float:
    """A bound by which pairs are sorted out before `match`: 0 alike, 0.5 unrelated.

    The median over the moments of the shorter one of the least share of differing bits.
    """
    return min(
        _nearest(_numbers(one.pictures), _numbers(hashes))
        for hashes in (other.pictures, other.mirrored)
    )


def _nearest(one: Hashes, other: Hashes) -> float:
    if not len(one) or not len(other):
        return 1.0
    bits = _differing(one, other) / 64
    return float(min(np.median(bits.min(axis=1)), np.median(bits.min(axis=0))))


def _numbers(texts: Iterable[str]) -> Hashes:
    return np.array([int(text, 16) for text in texts], np.uint64)


def picture_hash(luma: Picture) -> int:
    """The hash of one picture's brightness, uint8 (height, width), as a number of 64 bits."""
    return int(_hashes(_small(luma)[None])[0])


def match(one: Likeness, other: Likeness) -> Match:
    """How alike two recordings are where they lie best, in time and mirrored or not.

    Raises ValueError where their grids differ.
    """
    if one.step_s != other.step_s:
        raise ValueError("recordings are compared on one grid of time")
    first = np.array(one.pictures, np.uint64), np.array(one.motion, np.uint64)
    found = []
    for mirrored in (False, True):
        pictures, motion = (
            (other.mirrored, other.motion_mirrored) if mirrored else (other.pictures, other.motion)
        )
        bits = _differing(first[0], np.array(pictures, np.uint64))
        second = np.array(motion, np.uint64)
        moved = _differing(first[1], second)
        moved[(first[1] == 0)[:, None] | (second == 0)[None]] = np.nan
        found += [(*pair, mirrored) for pair in _shifts(bits, moved)]
    best = min(found, key=_rank)
    distance, motion_distance, shift, compared, mirrored = best
    return Match(distance, motion_distance, shift * one.step_s, mirrored, compared)


def _rank(row: tuple[float, float | None, int, int, bool]) -> tuple[float, bool, int, int]:
    """Order of places: the likest first; of equals the upright, the longest, the least shifted."""
    distance, motion, shift, compared, mirrored = row
    # Where nothing moves, nothing speaks for the place.
    return distance + (0.5 if motion is None else motion), mirrored, -compared, abs(shift)


def _shifts(bits: NDArray[Any], moved: NDArray[Any]) -> list[tuple[float, float | None, int, int]]:
    rows, columns = bits.shape
    shorter = min(rows, columns)
    least = min(shorter, max(LEAST, int(np.ceil(LEAST_SHARE * shorter))))
    found: list[tuple[float, float | None, int, int]] = []
    for shift in range(least - rows, columns - least + 1):
        along = np.diagonal(bits, shift)
        moving = np.diagonal(moved, shift)
        moving = moving[~np.isnan(moving)]
        motion = float(np.median(moving)) / 64 if len(moving) >= LEAST else None
        found.append((float(np.median(along)) / 64, motion, shift, len(along)))
    return found


def _small(luma: Picture) -> NDArray[np.float32]:
    small = cv2.resize(np.ascontiguousarray(luma), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _hashes(stack: NDArray[Any]) -> Hashes:
    """The hashes of pictures (n, side, side)."""
    low = dctn(stack, axes=(1, 2), norm="ortho")[:, :LOW, :LOW].reshape(len(stack), -1)
    # The mean brightness is no feature: its bit is always 0.
    low[:, 0] = -np.inf
    above = low > np.median(low[:, 1:], axis=1, keepdims=True)
    weights = np.uint64(1) << np.arange(LOW * LOW, dtype=np.uint64)
    return np.asarray((above * weights).sum(axis=1, dtype=np.uint64), np.uint64)


def _differing(one: Hashes, other: Hashes) -> NDArray[np.float64]:
    return np.asarray(np.bitwise_count(one[:, None] ^ other[None]), np.float64)


def _ints(hashes: Hashes) -> tuple[int, ...]:
    return tuple(int(value) for value in hashes)
