"""Landmarks of any program in one shape, and how open an eye is by four of them."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from curation.labels.rows import Landmarks
from curation.labels.words import normal

SIDES = ("top", "front", "bottom", "back")
"""The four points round an eye that openness is measured from; front lies towards the nose."""
_EYE = re.compile(r"(?:eye|eyelid|lid|palpebral)")
_SIDE_WORDS = {
    "top": ("top", "upper", "up", "dorsal"),
    "front": ("front", "nasal", "anterior", "rostral", "inner"),
    "bottom": ("bottom", "lower", "low", "ventral"),
    "back": ("back", "temporal", "posterior", "caudal", "outer"),
}


def eye_points(points: tuple[str, ...]) -> dict[str, tuple[str, str, str, str]]:
    """Return eye → its four points in the order of `SIDES`, of eyes with all four beyond doubt.

    The eye is `left`, `right` or `eye`, as the names say; a proposal to be confirmed.
    """
    found: dict[str, dict[str, str]] = {}
    doubtful: set[str] = set()
    for point in points:
        words = normal(point).split("_")
        sides = [side for side, known in _SIDE_WORDS.items() if set(words) & set(known)]
        if not any(_EYE.search(word) for word in words) or len(sides) != 1:
            continue
        which = "left" if {"left", "l"} & set(words) else ""
        which = which or ("right" if {"right", "r"} & set(words) else "eye")
        if sides[0] in found.setdefault(which, {}):
            doubtful.add(which)
        found[which][sides[0]] = point
    return {
        which: (sides["top"], sides["front"], sides["bottom"], sides["back"])
        for which, sides in found.items()
        if which not in doubtful and len(sides) == len(SIDES)
    }


def eye_openings(
    landmarks: Landmarks, points: tuple[str, str, str, str], least: float = 0.0
) -> NDArray[np.float64]:
    """Return the height over the width of an eye in every frame (n,), NaN where it is not known.

    `points` are the names of its four points in the order of `SIDES`; a point whose likelihood is
    below `least` counts as missing. The formula is `models.eyes.opening`. Raises KeyError for a
    point that the landmarks do not have.
    """
    from models.eyes import opening

    for point in points:
        if point not in landmarks.points:
            raise KeyError(point)
    places = [landmarks.points.index(point) for point in points]
    xy = landmarks.xy[:, places]
    unsure = landmarks.likelihood[:, places] < least
    known = np.isfinite(xy).all(axis=(1, 2)) & ~unsure.any(axis=1)
    width = np.linalg.norm(xy[:, 1] - xy[:, 3], axis=-1)
    known &= width > 0
    found = np.full(len(xy), np.nan)
    found[known] = opening(xy[known])
    return found
