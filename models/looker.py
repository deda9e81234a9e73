"""Looking at a recording: where the face is, how open the eyes are and what the frame graph says.

The one way from a recording to numbers about its frames: scoring, training of the temporal network,
calibration and evaluation all look through a `Looker`, so that a number is the same wherever it is
made. The finder looks on a fixed grid of presentation time and the face is tracked between; blocks
are aligned to the same grid, so that what is said of a frame does not depend on where somebody
began to read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.bundle import Bundle
from models.config import CropConfig
from models.context import (
    CHUNK,
    REACH,
    SMALL,
    TICK_S,
    TICK_SLACK_S,
    Floats,
    Track,
    features,
    joined,
    motion,
)
from models.eyes import EyeReader
from models.faces import FaceFinder, cut, overlap, session
from models.grader import refuse_face
from models.media import Frame, Media, open_media
from models.media.ahead import decoded_ahead
from models.media.video import Video
from models.records import Face

GRID_S = 0.2
"""The finder looks once per cell of this many seconds; faces are interpolated between."""
CELLS = 2
"""Cells per block."""
SAME_FACE = 0.3
"""Overlap from which two boxes are taken for the same face."""
MOST_BETWEEN = 16
"""Most frames held between two looks of the finder."""
KEPT_S = 0.7
"""Seconds of earlier frames that the motion of a block is measured against."""

T = TypeVar("T")
Region = tuple[int, int, int, int]
Look = tuple[Frame, Face]


ARRAYS = (
    "index", "pts", "times", "embedding", "grades", "scorable", "states", "familiar", "rows"
)  # fmt: skip
TUPLES = ("shapes", "faces", "refusals")
SAID = ["grades", "scorable", "states", "familiar", "embedding"]
"""The outputs of the frame graph that are read; `places` only places its own windows."""


@dataclass(frozen=True)
class Block:
    """What was seen in n neighbouring frames in order of presentation.

    `frames` without their pictures; `faces` the best candidate of each; `refusals` the cause for
    which a candidate is not looked at any further, or None; `shapes` height and width of every
    picture; `embedding`, `grades`, `scorable`, `states`, `familiar` the outputs of the frame graph,
    zero where refused; `rows` (n, F) the features of `models.context`; `alone` says that they are
    pictures of a set, which tell nothing of each other.
    """

    index: NDArray[np.int64]
    pts: NDArray[np.int64]
    times: NDArray[np.float64]
    stream: int
    time_base: tuple[int, int]
    shapes: tuple[tuple[int, int], ...]
    faces: tuple[Face, ...]
    refusals: tuple[str | None, ...]
    embedding: Floats
    grades: Floats
    scorable: Floats
    states: Floats
    familiar: Floats
    rows: Floats
    alone: bool

    def __len__(self) -> int:
        return len(self.times)

    def part(self, wanted: NDArray[np.bool_]) -> Block:
        """The frames (n,) that are wanted."""
        return self.take(np.flatnonzero(wanted))

    def take(self, rows: NDArray[np.int64]) -> Block:
        """The frames at some places, in this order."""
        return self._with(
            {name: getattr(self, name)[rows] for name in ARRAYS},
            {name: tuple(getattr(self, name)[row] for row in rows) for name in TUPLES},
        )

    def _with(self, arrays: dict[str, Any], tuples: dict[str, Any]) -> Block:
        return replace(self, **arrays, **tuples)


@dataclass(frozen=True)
class _Seen:
    """What is known of the n frames of a block before the frame graph has answered.

    `crops` (n, size, size); `asked` (n,) which of them it is asked about; `moving` the features of
    motion; `about` what else a block holds. The pictures are not kept.
    """

    crops: NDArray[np.uint8]
    asked: NDArray[np.bool_]
    moving: Floats
    about: dict[str, Any]


class Looker:
    """Finder, eye reader, crops and frame graph of one bundle, ready to look at recordings."""

    def __init__(
        self,
        finder: FaceFinder,
        eyes: EyeReader,
        frame: Path | bytes,
        crop: CropConfig,
        threads: int = 1,
    ) -> None:
        self.finder, self.eyes, self.crop = finder, eyes, crop
        self.frame: onnxruntime.InferenceSession = session(frame, threads)

    @classmethod
    def of(cls, bundle: Bundle, threads: int = 1) -> Looker:
        """The looker of a bundle."""
        finder = FaceFinder(
            bundle.path / "finder.onnx",
            bundle.config.finder.long_side,
            bundle.scale.landmarks,
            threads,
        )
        eyes = EyeReader(bundle.path / "eyes.onnx", threads)
        return cls(finder, eyes, bundle.path / "frame.onnx", bundle.crop, threads)

    def blocks(
        self,
        path: Path,
        region: Region | None = None,
        span: tuple[float, float] | None = None,
        should_stop: Callable[[], bool] | None = None,
        on_frame: Callable[[Frame], None] | None = None,
    ) -> Iterator[Block]:
        """What is seen in every frame of a recording; raises Unreadable.

        `region` (x0, y0, x1, y1) in pixels restricts the search to one animal's part of the
        picture; `span` gives only the blocks that lie in [start, end) seconds, or touch it.
        `on_frame` is given every frame read, ahead of its block and from another thread.
        """
        with open_media(path) as media:
            alone = media.kind == "stills"
            with (
                contextlib.closing(_frames(media, span, on_frame)) as frames,
                contextlib.closing(one_behind(self._work(frames, alone, region))) as blocks,
            ):
                for block in blocks:
                    yield block
                    if should_stop is not None and should_stop():
                        return

    def _work(
        self, frames: Iterator[Frame], alone: bool, region: Region | None
    ) -> Iterator[Callable[[], Block]]:
        """Block by block what the frame graph still has to answer; the pictures are let go."""
        before: Track | None = None
        for looks in self._grouped(self._tracked(frames, alone, region), alone):
            seen, track = self._seen(looks, None if alone else before, alone)
            del looks
            yield partial(self._answered, seen)
            before = (joined([before, track]) if before is not None else track).tail(KEPT_S)

    def looks(
        self,
        path: Path,
        should_stop: Callable[[], bool] | None = None,
        *,
        eyes: bool = True,
        problems: list[str] | None = None,
    ) -> Iterator[list[Look]]:
        """Frames in order of presentation with the best face candidate of each, block by block.

        Nothing is graded: neither the frame graph nor the temporal one runs. Without `eyes` they
        are not read. `problems` takes sentences on what could not be read. Raises Unreadable.
        """
        with open_media(path) as media:
            alone = media.kind == "stills"
            with contextlib.closing(_frames(media, None)) as frames:
                for some in self._grouped(self._tracked(frames, alone, None), alone):
                    yield self._eyed(some) if eyes else some
                    if should_stop is not None and should_stop():
                        return
            if problems is not None:
                problems += media.problems

    def _grouped(self, looks: Iterator[Look], alone: bool) -> Iterator[list[Look]]:
        """Looks block by block; a picture of a set is a block of its own."""
        waiting: list[Look] = []
        number = 0
        for look in looks:
            here = look[0].index if alone else int(_cell(look[0]) // CELLS)
            if waiting and here != number:
                yield waiting
                waiting = []
            number = here
            waiting.append(look)
        if waiting:
            yield waiting

    def _tracked(
        self, frames: Iterator[Frame], stills: bool, region: Region | None
    ) -> Iterator[Look]:
        """Every frame with its face candidate: found on the grid, interpolated between."""
        anchor: Look | None = None
        between: list[Frame] = []
        cell: int | None = None
        for frame in frames:
            here = _cell(frame)
            if not stills and here == cell and len(between) < MOST_BETWEEN:
                between.append(frame)
                continue
            face = self._find([frame], region, stills)[0]
            yield from self._between(anchor, (frame, face), between, region)
            yield frame, face
            anchor, between, cell = (frame, face), [], here
        if between:
            last = (between[-1], self._find([between[-1]], region)[0])
            yield from self._between(anchor, last, between[:-1], region)
            yield last

    def _between(
        self,
        before: Look | None,
        after: Look,
        frames: list[Frame],
        region: Region | None,
    ) -> Iterator[Look]:
        if not frames or before is None:
            return
        sure = self.crop.minimum_confidence
        seen = (before[1].confidence >= sure) + (after[1].confidence >= sure)
        start, end = before[0].time_s, after[0].time_s
        if seen == 2 and overlap(before[1].box, after[1].box) >= SAME_FACE:
            for frame in frames:
                part = (frame.time_s - start) / (end - start) if end > start else 0.0
                yield frame, blend(before[1], after[1], part)
        elif seen == 0:
            # Nothing here and nothing a fifth of a second later: nothing between.
            yield from ((frame, before[1]) for frame in frames)
        else:
            # A face came, went or jumped: look at every frame instead of guessing when.
            yield from zip(frames, self._find(frames, region), strict=True)

    def _find(
        self, frames: Sequence[Frame], region: Region | None, stills: bool = False
    ) -> list[Face]:
        times = None if stills else [frame.time_s for frame in frames]
        if region is None:
            return self.finder.find([frame.luma for frame in frames], times)
        x0, y0, x1, y1 = region
        found = self.finder.find([frame.luma[y0:y1, x0:x1] for frame in frames], times)
        return [moved(face, x0, y0) for face in found]

    def _seen(self, looks: list[Look], before: Track | None, alone: bool) -> tuple[_Seen, Track]:
        size = self.crop.size
        looks = self._eyed(looks)
        refusals = tuple(refuse_face(face, self.crop) for _, face in looks)
        seen = np.array([cause is None for cause in refusals])
        crops = np.zeros((len(looks), size, size), np.uint8)
        for row, (frame, face) in enumerate(looks):
            if seen[row]:
                crops[row] = cut(frame.luma, face.box, self.crop)
        frames = [frame for frame, _ in looks]
        faces = tuple(face for _, face in looks)
        track = Track(
            np.array([frame.time_s for frame in frames]),
            seen,
            np.array([face.box for face in faces], np.float64),
            np.array([np.nan if face.opening is None else face.opening for face in faces]),
            np.stack(
                [cv2.resize(crop, (SMALL, SMALL), interpolation=cv2.INTER_AREA) for crop in crops]
            ).astype(np.uint8, copy=False),
        )
        first = 0 if before is None else len(before)
        moving = motion(track if before is None else joined([before, track]), first)
        about: dict[str, Any] = {
            "index": np.array([frame.index for frame in frames], np.int64),
            "pts": np.array([frame.pts for frame in frames], np.int64),
            "times": track.times,
            "stream": frames[0].stream,
            "time_base": frames[0].time_base,
            "shapes": tuple((frame.luma.shape[0], frame.luma.shape[1]) for frame in frames),
            "faces": faces,
            "refusals": refusals,
            "alone": alone,
        }
        return _Seen(crops, seen, moving, about), track

    def _answered(self, seen: _Seen) -> Block:
        grades, scorable, states, familiar, embedding = self._say(seen.crops, seen.asked)
        return Block(
            embedding=embedding,
            grades=grades,
            scorable=scorable,
            states=states,
            familiar=familiar,
            rows=features([embedding, grades, scorable, states], seen.moving),
            **seen.about,
        )

    def _eyed(self, looks: list[Look]) -> list[Look]:
        """The looks with the eyes of faces read; those seen from the side have eyes, too."""
        rows = [
            row
            for row, (_, face) in enumerate(looks)
            if refuse_face(face, self.crop) in (None, "angle")
        ]
        read = self.eyes.read([looks[row][0].luma for row in rows], [looks[row][1] for row in rows])
        result = list(looks)
        for row, face in zip(rows, read, strict=True):
            result[row] = (looks[row][0], face)
        return result

    def _say(self, crops: NDArray[np.uint8], seen: NDArray[np.bool_]) -> list[Floats]:
        """The outputs of the frame graph, one row per crop, zero where there is nothing to see."""
        # With no face at all one empty crop is asked after, for the shapes of the answer.
        asked = seen if seen.any() else np.arange(len(seen)) == 0
        given = crops[asked].astype(np.float32)[:, None] / np.float32(255)
        result = []
        for output in self.frame.run(SAID, {"crops": given}):
            rows = np.zeros((len(crops), *output.shape[1:]), np.float32)
            if seen.any():
                rows[seen] = output
            result.append(rows)
        return result


def one_behind(works: Iterator[Callable[[], T]]) -> Generator[T, None, None]:
    """What works give, in their order, each done by a thread while the next one is prepared.

    An error that preparing raises comes behind the results before it.
    """
    waiting: Future[T] | None = None
    with ThreadPoolExecutor(1) as beside:
        try:
            for work in works:
                coming = beside.submit(work)
                if waiting is not None:
                    yield waiting.result()
                waiting = coming
        except Exception:
            if waiting is not None:
                yield waiting.result()
            raise
        if waiting is not None:
            yield waiting.result()


def whole(blocks: Iterator[Block]) -> Block:
    """All blocks of a recording as one."""
    parts = list(blocks)
    if len(parts) == 1:
        return parts[0]
    return parts[0]._with(
        {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS},
        {name: sum((getattr(part, name) for part in parts), ()) for name in TUPLES},
    )


def reading_span(span: tuple[float, float]) -> tuple[float, float]:
    """The seconds that have to be read for the answers in a span not to depend on it."""
    length = CHUNK * TICK_S
    margin = REACH * TICK_S + 1.0
    # A frame counts to the tick that begins up to a ten-millionth of a second after it (`tick_of`);
    # a span that begins with such a tick needs nothing of the chunk before.
    start = np.floor((span[0] + 1.5 * TICK_SLACK_S) / length) * length - margin
    end = (np.floor(span[1] / length) + 1) * length + margin
    return float(start), float(end)


def edge_of(chunk: int) -> float:
    """The second at which the frames of a chunk of ticks begin: spans that meet there answer every
    frame in the same company as a reading of the whole recording."""
    return chunk * CHUNK * TICK_S - TICK_SLACK_S


def _until(frames: Iterable[Frame], end: float) -> Generator[Frame, None, None]:
    """Frames up to the first one at or behind the end, which tells where faces before it go."""
    for frame in frames:
        yield frame
        if frame.time_s >= end:
            return


def _frames(
    media: Media,
    span: tuple[float, float] | None,
    on_frame: Callable[[Frame], None] | None = None,
) -> Generator[Frame, None, None]:
    """The frames of a recording, or of a span of it, decoded while the caller works."""
    if isinstance(media, Video):
        if span is None:
            return decoded_ahead(_told(media, on_frame))
        return decoded_ahead(_told(_until(media.between(span[0], np.inf), span[1]), on_frame))
    start, end = span or (-np.inf, np.inf)
    part = (frame for frame in media if start <= frame.time_s < end)
    return (frame for frame in _told(part, on_frame))


def _told(frames: Iterable[Frame], on_frame: Callable[[Frame], None] | None) -> Iterable[Frame]:
    return frames if on_frame is None else _telling(frames, on_frame)


def _telling(
    frames: Iterable[Frame], on_frame: Callable[[Frame], None]
) -> Generator[Frame, None, None]:
    for frame in frames:
        on_frame(frame)
        yield frame


def _cell(frame: Frame) -> int:
    return int(np.floor(frame.time_s / GRID_S + 1e-6))


def blend(before: Face, after: Face, part: float) -> Face:
    """The face a share `part` of the way from one to another; the less certain of both counts."""

    def mix(one: float, other: float) -> float:
        return one + (other - one) * part

    x0, y0, x1, y1 = (mix(*pair) for pair in zip(before.box, after.box, strict=True))
    return replace(
        before if part < 0.5 else after,
        box=(x0, y0, x1, y1),
        landmarks={
            name: (mix(x, after.landmarks[name][0]), mix(y, after.landmarks[name][1]))
            for name, (x, y) in before.landmarks.items()
            if name in after.landmarks
        },
        confidence=min(before.confidence, after.confidence),
        sharpness=mix(before.sharpness, after.sharpness),
        exposure=mix(before.exposure, after.exposure),
        blur=mix(before.blur, after.blur),
    )


def moved(face: Face, x: float, y: float) -> Face:
    """The face in a picture whose origin lies (x, y) further to the left and top."""
    x0, y0, x1, y1 = face.box
    places = {name: (px + x, py + y) for name, (px, py) in face.landmarks.items()}
    return replace(face, box=(x0 + x, y0 + y, x1 + x, y1 + y), landmarks=places)
