"""Scoring a recording with a bundle: a stream of predictions, flat in memory, without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle, file_digest
from models.faces import FaceFinder, cut, overlap
from models.grader import Grader
from models.media import Frame, open_media
from models.records import Face, FrameKey, Prediction

GRID_S = 0.2
"""The finder looks once per cell of this many seconds; faces are interpolated between."""
SAME_FACE = 0.3
"""Overlap from which two boxes are taken for the same face."""
BATCH = 16
"""Crops per call of the frame graph, and most frames held between two looks of the finder."""


class Scorer:
    """Scores recordings with one bundle; keep it, opening the graphs is the slow part."""

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        self.bundle = bundle
        self.finder = FaceFinder(
            bundle.path / "finder.onnx",
            bundle.config.finder.long_side,
            bundle.scale.landmarks,
            threads,
        )
        self.grader = Grader.of(bundle, threads)

    def score(
        self,
        path: Path | str,
        on_progress: Callable[[float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Iterator[Prediction]:
        """Predictions of every frame in presentation order; raises Unreadable.

        `on_progress` is told the time in seconds up to which frames are scored; `should_stop` is
        asked now and then, and a yes ends the stream.
        """
        path = Path(path)
        blob = identity(path)
        waiting: list[tuple[Frame, Face]] = []
        for pair in self._faces(path):
            waiting.append(pair)
            if len(waiting) >= BATCH:
                yield from self._predictions(waiting, blob)
                if on_progress is not None:
                    on_progress(waiting[-1][0].time_s)
                waiting = []
                if should_stop is not None and should_stop():
                    return
        yield from self._predictions(waiting, blob)

    def _faces(self, path: Path) -> Iterator[tuple[Frame, Face]]:
        """Every frame with its face candidate: found on the grid, interpolated between."""
        with open_media(path) as media:
            still = media.kind == "stills"
            anchor: tuple[Frame, Face] | None = None
            between: list[Frame] = []
            cell: int | None = None
            for frame in media:
                here = int(np.floor(frame.time_s / GRID_S + 1e-6))
                if not still and here == cell and len(between) < BATCH:
                    between.append(frame)
                    continue
                face = self.finder.find([frame.luma])[0]
                yield from self._between(anchor, (frame, face), between)
                yield frame, face
                anchor, between, cell = (frame, face), [], here
            if between:
                face = self.finder.find([between[-1].luma])[0]
                last = (between[-1], face)
                yield from self._between(anchor, last, between[:-1])
                yield last

    def _between(
        self,
        before: tuple[Frame, Face] | None,
        after: tuple[Frame, Face],
        frames: list[Frame],
    ) -> Iterator[tuple[Frame, Face]]:
        if not frames:
            return
        sure = self.grader.crop.minimum_confidence
        if (
            before is not None
            and min(before[1].confidence, after[1].confidence) >= sure
            and overlap(before[1].box, after[1].box) >= SAME_FACE
        ):
            start, end = before[0].time_s, after[0].time_s
            for frame in frames:
                part = (frame.time_s - start) / (end - start) if end > start else 0.0
                yield frame, blend(before[1], after[1], part)
            return
        # A face came, went or jumped: look at every frame instead of guessing when.
        found = self.finder.find([frame.luma for frame in frames])
        yield from zip(frames, found, strict=True)

    def _predictions(self, pairs: list[tuple[Frame, Face]], blob: str) -> Iterator[Prediction]:
        refused = [self.grader.refuse_face(face) is not None for _, face in pairs]
        crops: NDArray[np.uint8] = np.zeros(
            (len(pairs), self.grader.crop.size, self.grader.crop.size), np.uint8
        )
        for row, (frame, face) in enumerate(pairs):
            if not refused[row]:
                crops[row] = cut(frame.luma, face.box, self.grader.crop)
        if not pairs:
            return
        looked = self.grader.look(crops)
        absent = self.grader.faceless()
        for row, (frame, face) in enumerate(pairs):
            height, width = frame.luma.shape
            verdict = self.grader.verdict(face, looked, row, (height, width))
            yield Prediction(
                key=FrameKey(blob, frame.stream, frame.pts, frame.time_base),
                index=frame.index,
                time_s=frame.time_s,
                state=verdict.state,
                face=None if verdict.reason == absent.reason else face,
                grades=verdict.grades,
                image_score=verdict.image_score,
                reason=verdict.reason,
            )


def blend(before: Face, after: Face, part: float) -> Face:
    """The face a share `part` of the way from one to another; the less certain of both counts."""

    def mix(one: float, other: float) -> float:
        return one + (other - one) * part

    x0, y0, x1, y1 = (mix(*pair) for pair in zip(before.box, after.box, strict=True))
    return Face(
        box=(x0, y0, x1, y1),
        landmarks={
            name: (mix(x, after.landmarks[name][0]), mix(y, after.landmarks[name][1]))
            for name, (x, y) in before.landmarks.items()
            if name in after.landmarks
        },
        confidence=min(before.confidence, after.confidence),
        view=before.view if part < 0.5 else after.view,
        sharpness=mix(before.sharpness, after.sharpness),
    )


def identity(path: Path) -> str:
    """SHA-256 of a recording; of a folder, that of its pictures' names and digests."""
    if not path.is_dir():
        return file_digest(path) if path.is_file() else ""
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()):
        if file.is_file() and not file.name.startswith("."):
            digest.update(f"{file.name} {file_digest(file)}\n".encode())
    return digest.hexdigest()
