"""A picture of what an eye graph reads: given and read points on real eyes it never learnt from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.eye_crops import eye_of, face_of
from models.data.eye_figures import SHUT_FACE, slipped
from models.data.real import WHOLE_PROFILE, real_material, stills
from models.eyes import EyePlace, EyeReader, eye_places, opening, shrunk
from models.media import open_media
from models.records import Face

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]

TILE, COLUMNS = 220, 7
READ = ((60, 60, 255), (80, 220, 80), (255, 120, 60), (0, 220, 255))
"""Blue, green, red of top, front, bottom and back as read; as given they are white rings."""


def write_sheet(graph: Path | bytes, path: Path) -> bool:
    """Write the picture; False where there is no real material to show."""
    material = real_material()
    if material is None:
        return False
    reader = EyeReader(graph)
    rng = np.random.default_rng(4)
    tiles = []
    for luma, face, given, wide in _eyes(material):
        (place,) = eye_places(slipped(face, wide, rng))
        (read,) = reader.measure([luma], [place])
        tiles.append(_tile(luma, place, read, given))
    if not tiles:
        return False
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[n : n + COLUMNS]) for n in range(0, len(tiles), COLUMNS)]
    return bool(cv2.imwrite(str(path), np.vstack(rows)))


def _eyes(material: Path) -> Iterator[tuple[Picture, Face, Floats | None, float]]:
    """Every second held-out still and every fourth frame of the shut eye."""
    for still in stills(material, "held_out")[::2]:
        marked = eye_of(still)
        yield still.luma(), face_of(still), marked, float(np.linalg.norm(marked[1] - marked[3]))
    if (material / WHOLE_PROFILE).is_file():
        with open_media(material / WHOLE_PROFILE) as film:
            for frame in film:
                if frame.index % 4 == 0:
                    yield frame.luma, SHUT_FACE, None, 95.0


def _tile(luma: Picture, place: EyePlace, read: Floats | None, given: Floats | None) -> Picture:
    square = place.square
    tile = cv2.cvtColor(shrunk(square, luma, TILE), cv2.COLOR_GRAY2BGR)
    # Dark fur would hide its own lids.
    bright = max(float(np.quantile(tile, 0.98)), 1.0)
    tile = np.clip((tile / bright) ** 0.6 * 220, 0, 255).astype(np.uint8)

    def at(point: Floats) -> tuple[int, int]:
        x, y = (point + 0.5 - [square.left, square.top]) / square.edge * TILE - 0.5
        return round(float(x)), round(float(y))

    for point in [] if given is None else given:
        cv2.circle(tile, at(point), 5, (255, 255, 255), 1, cv2.LINE_AA)
    for point, colour in zip([] if read is None else read, READ, strict=False):
        cv2.circle(tile, at(point), 2, colour, -1, cv2.LINE_AA)
    text = "not seen" if read is None else f"{float(opening(read)):.2f}"
    if given is not None:
        text += f" ({float(opening(given)):.2f})"
    cv2.putText(tile, text, (6, TILE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255,) * 3, 1, 16)
    return np.asarray(cv2.copyMakeBorder(tile, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255,) * 3))
