"""Small pictures of a recording: thumbnails, and a contact sheet of frames evenly in time."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from models.media.frames import Frame, Picture
from models.records import MediaFacts

QUALITY = 85
LABEL_HEIGHT = 14
PAPER, INK = (24, 24, 24), (235, 235, 235)


@dataclass(frozen=True)
class Cell:
    """A frame on a contact sheet: which one, and its box (x0, y0, x1, y1) in pixels there."""

    index: int
    pts: int
    time_s: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class ContactSheet:
    """A contact sheet as JPEG bytes, with the frames on it in their order."""

    data: bytes
    cells: tuple[Cell, ...]


def thumbnail(image: Picture, longest: int = 320) -> bytes:
    """A picture, uint8 RGB (height, width, 3), as JPEG with at most `longest` pixels a side."""
    return _jpeg(Image.fromarray(shrunk(image, longest)))


def shrunk(image: Picture, longest: int) -> Picture:
    """The picture with at most `longest` pixels a side, by averaging areas; never enlarged."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def evenly_in_time(frames: Iterable[Frame], facts: MediaFacts, count: int) -> Iterator[Frame]:
    """At most `count` of the frames, one for each equal part of the recording's length.

    Each part gives the first frame from its middle on, so that a variable rate crowds nowhere; a
    recording of fewer frames gives each once. `frames` are those of the whole recording.
    """
    base = facts.time_base[0] / facts.time_base[1]
    start = facts.first_pts * base
    length = facts.duration_s or facts.frame_count * base
    # Of few frames each is wanted, though a middle may lie behind the last one.
    if facts.frame_count <= count:
        yield from frames
        return
    part = 0
    for frame in frames:
        if frame.time_s < start + (part + 0.5) / count * length:
            continue
        yield frame
        part = math.floor((frame.time_s - start) / length * count - 0.5 + 1e-9) + 1
        if part >= count:
            return


def contact_sheet(frames: Iterable[Frame], columns: int = 4, cell_width: int = 240) -> ContactSheet:
    """The frames side by side in their order, each with its time beneath; at least one is needed.

    Cells are `cell_width` pixels wide and as high as the first frame asks for; frames of another
    shape are fitted in. Raises ValueError without a frame.
    """
    kept: list[tuple[Frame, Picture]] = []
    height = 0
    for frame in frames:
        if not height:
            rows, across = frame.luma.shape
            height = max(1, round(cell_width * rows / across))
        kept.append((frame, _fitted(frame.image, cell_width, height)))
    if not kept:
        raise ValueError("a contact sheet shows at least one frame")
    columns = min(columns, len(kept))
    step = height + LABEL_HEIGHT
    sheet = Image.new("RGB", (columns * cell_width, math.ceil(len(kept) / columns) * step), PAPER)
    draw = ImageDraw.Draw(sheet)
    cells = []
    for place, (frame, small) in enumerate(kept):
        row, column = divmod(place, columns)
        x, y = column * cell_width, row * step
        left, top = x + (cell_width - small.shape[1]) // 2, y + (height - small.shape[0]) // 2
        sheet.paste(Image.fromarray(small), (left, top))
        draw.text((x + 4, y + height + 1), clock(frame.time_s), fill=INK)
        box = (left, top, left + small.shape[1], top + small.shape[0])
        cells.append(Cell(frame.index, frame.pts, frame.time_s, box))
    return ContactSheet(_jpeg(sheet), tuple(cells))


def clock(time_s: float) -> str:
    """A time as people read it: “1:02:03.40”, without hours where there are none."""
    sign = "-" if time_s < 0 else ""
    hundredths = round(abs(time_s) * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest / 100:05.2f}"
    return f"{sign}{hours}:{minutes:02}:{seconds}" if hours else f"{sign}{minutes}:{seconds}"


def _fitted(image: Picture, width: int, height: int) -> Picture:
    scale = min(width / image.shape[1], height / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def _jpeg(picture: Image.Image) -> bytes:
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=QUALITY)
    return made.getvalue()
