"""Pictures of the frames that a result may show, kept while a recording is scored.

Which frames are the surest and the least sure is known at the end, and to decode a film a second
time for a dozen pictures takes half as long as grading it. So one frame of every SHOWN_S seconds is
a candidate: it is reduced while the film is decoded, and of the candidates only as many are kept as
the choice of `models.shown` can need.
"""

from __future__ import annotations

import heapq
import json
import threading
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from models.media.frames import Frame, Picture
from models.records import Prediction
from models.shown import APART, BEST, cell_of, certainty

LONG_SIDE = 640
QUALITY = 85
BOX_COLOUR = (43, 122, 11)  # red, green, blue
HELD = APART * (BEST - 1) + 1
"""Candidates kept at either end: each one chosen leaves out at most APART, itself included."""
WAITING = 120
"""Most candidates that wait for their grades; those of 13 s of film do, which are 65."""
INDEX = "index.json"


@dataclass(frozen=True)
class Shot:
    """A frame as a JPEG file with its face box drawn; `scale` times as large as the frame.

    `box` is (x0, y0, x1, y1) in pixels of this picture, None where there is no face.
    """

    jpeg: bytes
    width: int
    height: int
    scale: float
    box: tuple[float, float, float, float] | None


def reduced(image: Picture) -> tuple[Picture, float]:
    """A picture (height, width, 3) of at most LONG_SIDE pixels, and its scale."""
    scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def drawn(picture: Picture, scale: float, prediction: Prediction) -> Shot | None:
    """The shot of a reduced picture (RGB); None where it cannot be encoded."""
    box = None
    picture = np.ascontiguousarray(picture)
    if prediction.face is not None:
        x0, y0, x1, y1 = (round(value * scale, 1) for value in prediction.face.box)
        box = (x0, y0, x1, y1)
        cv2.rectangle(picture, (round(x0), round(y0)), (round(x1), round(y1)), BOX_COLOUR, 2)
    turned = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        return None
    return Shot(data.tobytes(), picture.shape[1], picture.shape[0], round(scale, 6), box)


class Gallery:
    """Takes frames as they are decoded and predictions as they come, in the same order.

    Frames and predictions may come from two threads.
    """

    def __init__(self) -> None:
        self.shots: dict[int, Shot] = {}
        self._waiting: deque[tuple[int, Picture, float]] = deque()
        self._cell: int | None = None
        self._lock = threading.Lock()
        # Least sure of the surest first, and the surest of the least sure: what goes next.
        self._sure: list[tuple[float, int]] = []
        self._unsure: list[tuple[float, int]] = []

    def look(self, frame: Frame) -> None:
        """Keep a frame, reduced, where it is the first of its cell."""
        cell = int(cell_of(np.array([frame.time_s]))[0])
        if cell == self._cell:
            return
        self._cell = cell
        picture, scale = reduced(frame.image)
        with self._lock:
            self._waiting.append((frame.pts, picture, scale))
            if len(self._waiting) > WAITING:
                self._waiting.popleft()

    def see(self, prediction: Prediction) -> None:
        """Keep the picture of this frame, or forget it."""
        pts = prediction.key.pts
        with self._lock:
            while self._waiting and self._waiting[0][0] < pts:
                self._waiting.popleft()
            if not self._waiting or self._waiting[0][0] != pts:
                return
            _, picture, scale = self._waiting.popleft()
        if prediction.image_score is None:
            return
        sure = certainty(prediction)
        wanted = (_enters(self._sure, sure), _enters(self._unsure, -sure))
        shot = drawn(picture, scale, prediction) if any(wanted) else None
        if shot is None:
            return
        self.shots[pts] = shot
        for heap, key, enters in zip(
            (self._sure, self._unsure), (sure, -sure), wanted, strict=True
        ):
            if enters:
                heapq.heappush(heap, (key, -pts))
        self._forget()

    def through(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """Hand predictions on and see each."""
        for one in predictions:
            self.see(one)
            yield one

    def _forget(self) -> None:
        for heap, other in ((self._sure, self._unsure), (self._unsure, self._sure)):
            while len(heap) > HELD:
                _, gone = heapq.heappop(heap)
                if all(kept != gone for _, kept in other):
                    self.shots.pop(-gone, None)

    def write(self, path: Path) -> None:
        """Write the shots as a ZIP file, for `read_shots`."""
        index = {}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
            for pts, shot in sorted(self.shots.items()):
                file.writestr(f"{pts}.jpg", shot.jpeg)
                index[pts] = {key: value for key, value in asdict(shot).items() if key != "jpeg"}
            file.writestr(INDEX, json.dumps(index))


def read_shots(path: Path) -> Mapping[int, Shot]:
    """The shots that a gallery wrote, by timestamp."""
    with zipfile.ZipFile(path) as file:
        index = json.loads(file.read(INDEX))
        return {
            int(pts): Shot(
                jpeg=file.read(f"{pts}.jpg"),
                width=told["width"],
                height=told["height"],
                scale=told["scale"],
                box=tuple(told["box"]) if told["box"] else None,
            )
            for pts, told in index.items()
        }


def _enters(heap: list[tuple[float, int]], key: float) -> bool:
    return len(heap) < HELD or key > heap[0][0]
