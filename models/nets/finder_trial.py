"""Trying a finder on real recordings it has not learnt from, where they are there.

Recall on profile heads, and how many pictures without a gradable face would have been graded. These
figures say that heads are found and refused; they say nothing about grades of real mice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.config import CropConfig
from models.data.profiles import still_box
from models.data.real import WHOLE_PROFILE, WHOLE_PROFILE_BOX, Part, faceless, stills
from models.faces import FaceFinder, overlap
from models.grader import refuse_face
from models.media import open_media
from models.records import Face

Luma = NDArray[np.uint8]
Box = tuple[float, float, float, float]

ENOUGH = 0.5
"""Intersection over union from which a box counts for the true one."""
COLOURS = {"frontal": (60, 200, 60), "three_quarter": (0, 200, 230), "profile": (240, 140, 40),
           "none": (60, 60, 230)}  # fmt: skip
TILE, PER_ROW = (240, 180), 6


def recalled(face: Face, box: Box, crop: CropConfig) -> bool:
    """Whether a candidate is the profile head at `box`: sure enough, right view, right place."""
    return noticed(face, box, crop) and overlap(face.box, box) >= ENOUGH


def noticed(face: Face, box: Box, crop: CropConfig) -> bool:
    """The weaker rule: sure enough, right view, and the middle of its box lies in the true one."""
    x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    inside = box[0] < x < box[2] and box[1] < y < box[3]
    return inside and face.confidence >= crop.minimum_confidence and face.view == "profile"


def try_finder(finder: FaceFinder, folder: Path, crop: CropConfig) -> dict[str, Any]:
    """Figures of a finder on the real material of a folder.

    For the held-out stills and the film of a whole profile: frames, noticed (the middle of the box
    is inside the true one), recalled (the boxes overlap by `ENOUGH`), median overlap and least
    confidence. For every recording without a gradable face, both halves: frames, graded, and why
    the others were refused.
    """
    held = stills(folder, "held_out")
    lumas = [still.luma() for still in held]
    boxes = [still_box(still, luma.shape) for still, luma in zip(held, lumas, strict=True)]
    figures: dict[str, Any] = {
        "rule": f"confidence >= {crop.minimum_confidence}, view profile; recalled: overlap >= "
        f"{ENOUGH}, noticed: middle inside",
        "held_out_stills": _recall(finder, lumas, boxes, crop),
    }
    film = _film(folder / WHOLE_PROFILE)
    figures["whole_profile_film"] = _recall(finder, film, [WHOLE_PROFILE_BOX] * len(film), crop)
    parts: tuple[Part, ...] = ("train", "held_out")
    figures["faceless"] = {
        part: {
            name: _refusals(finder, some, crop)
            for name, some in faceless(folder, part, most=10_000).items()
        }
        for part in parts
    }
    return figures


def _recall(
    finder: FaceFinder, lumas: Sequence[Luma], boxes: Sequence[Box], crop: CropConfig
) -> dict[str, Any]:
    faces = [finder.find([luma])[0] for luma in lumas]
    overlaps = [overlap(face.box, box) for face, box in zip(faces, boxes, strict=True)]
    return {
        "n": len(faces),
        "noticed": sum(noticed(f, box, crop) for f, box in zip(faces, boxes, strict=True)),
        "recalled": sum(recalled(f, box, crop) for f, box in zip(faces, boxes, strict=True)),
        "median_overlap": round(float(np.median(overlaps)), 3) if overlaps else None,
        "least_confidence": round(min((face.confidence for face in faces), default=0.0), 3),
        "views": dict(Counter(face.view for face in faces)),
    }


def _refusals(finder: FaceFinder, lumas: Sequence[Luma], crop: CropConfig) -> dict[str, Any]:
    causes = Counter(refuse_face(finder.find([luma])[0], crop) or "graded" for luma in lumas)
    return {"n": len(lumas), "graded": causes.pop("graded", 0), "refused": dict(causes)}


def _film(path: Path) -> list[Luma]:
    if not path.is_file():
        return []
    with open_media(path) as media:
        return [np.array(frame.luma, np.uint8) for frame in media]


def detections(finder: FaceFinder, folder: Path, crop: CropConfig) -> Luma:
    """A contact sheet (height, width, 3) of what a finder sees in real pictures held out."""
    lumas = [still.luma() for still in stills(folder, "held_out")][::4]
    lumas += _film(folder / WHOLE_PROFILE)[::8]
    for some in faceless(folder, "held_out", most=4).values():
        lumas += some[:3]
    return drawn_sheet(finder, lumas, crop)


def drawn_sheet(finder: FaceFinder, lumas: Sequence[Luma], crop: CropConfig) -> Luma:
    """Pictures with the best candidate in each: box, landmarks, view, confidence, refusal."""
    tiles = [_tile(luma, finder.find([luma])[0], crop) for luma in lumas]
    blank = np.full((TILE[1], TILE[0], 3), 24, np.uint8)
    tiles += [blank] * (-len(tiles) % PER_ROW)
    rows = [np.hstack(tiles[at : at + PER_ROW]) for at in range(0, len(tiles), PER_ROW)]
    return np.asarray(np.vstack(rows or [blank]), np.uint8)


def _tile(luma: Luma, face: Face, crop: CropConfig) -> Luma:
    height, width = luma.shape
    scale = min(TILE[0] / width, (TILE[1] - 20) / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    tile = np.full((TILE[1], TILE[0], 3), 24, np.uint8)
    tile[: size[1], : size[0]] = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
    cause = refuse_face(face, crop)
    if cause != "absence":
        colour = COLOURS[face.view]
        x0, y0, x1, y1 = (round(value * scale) for value in face.box)
        cv2.rectangle(tile, (x0, y0), (x1 - 1, y1 - 1), colour, 1)
        for x, y in face.landmarks.values():
            cv2.circle(tile, (round(x * scale), round(y * scale)), 2, colour, -1, cv2.LINE_AA)
    said = f"{face.confidence:.2f} {face.view}: {cause or 'GRADED'}"
    cv2.putText(tile, said, (4, TILE[1] - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1,
                cv2.LINE_AA)  # fmt: skip
    return tile
