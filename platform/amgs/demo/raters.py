"""Simulated raters who see what a blind rater sees: a still under a neutral name.

A still is recognised by its pixels among the rendered frames, whose action units are known; the
grades are then drawn with the disagreement of human raters. Nothing but the picture tells the
raters which frame it is.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from amgs_client import Client

SIDE = 24  # pixels of the thumbnails that are compared
# Root-mean-square grey levels between a still (JPEG) and its frame; other frames lie above.
NEAR = 6.0


def _thumbnail(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = cv2.resize(luma, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32).ravel()


class Eyes:
    """Recognises rendered frames by their pixels."""

    def __init__(self) -> None:
        self._pictures: list[NDArray[np.float32]] = []
        self._truth: list[dict[str, str]] = []
        self._matrix: NDArray[np.float32] | None = None

    def learn(self, folder: Path) -> None:
        """Look at every frame of a rendered dataset that has a row in its ``truth.csv``."""
        from models.media import open_media

        with (folder / "truth.csv").open(newline="") as file:
            rows = {(row["file"], int(row["frame"])): row for row in csv.DictReader(file)}
        for name in sorted({name for name, _ in rows}):
            with open_media(folder / "videos" / name) as media:
                for frame in media:
                    row = rows.get((name, frame.index))
                    if row is not None:
                        # Not the luma plane: its levels span 16–235, a still's 0–255.
                        grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
                        self._pictures.append(_thumbnail(grey.astype(np.uint8)))
                        self._truth.append(row)
        self._matrix = None

    def recognise(self, jpeg: bytes) -> dict[str, str]:
        """Return the truth of the frame that a still shows; raises ``LookupError``."""
        if self._matrix is None:
            self._matrix = np.stack(self._pictures)
        luma = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        if luma is None:
            raise LookupError("The still is no picture.")
        seen = _thumbnail(luma.astype(np.uint8))
        distance = np.sqrt(np.mean((self._matrix - seen) ** 2, axis=1))
        best = int(np.argmin(distance))
        if distance[best] > NEAR:
            raise LookupError("The still shows no frame that was rendered here.")
        return self._truth[best]


Grader = Callable[[dict[str, str]], dict[str, Any]]


def rate_all(client: Client, eyes: Eyes, grade: Grader, told: Callable[[], None]) -> int:
    """Rate everything that waits for one rater; return how many frames that was."""
    count = 0
    while (assignment := client.next_to_rate()) is not None:
        truth = eyes.recognise(client.still(assignment["still"]))
        client.rate(assignment["id"], grade(truth), seconds=2.0)
        count += 1
        told()
    return count
