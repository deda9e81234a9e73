"""What the seconds round a frame tell: features of frames, means over ticks, the temporal graph.

A frame's features are what the frame graph says of it followed by motion channels. They are
averaged over *ticks* of 0.1 s on an absolute grid of presentation time, so that the frame rate of a
recording does not matter, and the temporal graph runs on chunks of ticks aligned to the same grid,
so that a frame's answer does not depend on where somebody began to read. Needs numpy and ONNX
Runtime only: training, evaluation and scoring all come by here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.faces import session

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]

TICK_S = 0.1
"""Length of a tick in seconds."""
TICK_SLACK_S = 1e-7
"""A frame so little before a tick counts to it: binary fractions put it there."""
REACH = 55
"""Ticks before and after a frame that its answer may depend on."""
CHUNK = 64
"""Ticks whose frames are answered by one call of the temporal graph."""
LAG_S = 0.08
"""Changes are measured against the last frame at least this many seconds earlier, so that a camera
of 250 frames per second and one of 12 see the same motion."""
LONGEST_LAG_S = 0.5
"""Across a longer gap nothing is said about motion."""
SMALL = 24
"""Side of the reduced crop that differences are taken of."""
MOTION = (
    "difference",
    "speed",
    "growth",
    "eyelid_speed",
    "opening",
    "face_found",
    "motion_known",
)
"""Motion channels: mean absolute difference of the crop per second (0..1 of full scale), speed of
the box in its own widths per second, growth of the box in e-folds per second, change of the eye
opening per second, the opening itself (-1 = not known), and two flags."""


@dataclass(frozen=True)
class Track:
    """What n frames in order of time show of the face, the input of the motion channels.

    `times` (n,) seconds; `found` (n,) whether there is a face to look at; `boxes` (n, 4) pixels;
    `opening` (n,) eye opening, NaN where not known; `small` (n, SMALL, SMALL) reduced crops.
    """

    times: NDArray[np.float64]
    found: NDArray[np.bool_]
    boxes: NDArray[np.float64]
    opening: NDArray[np.float64]
    small: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.times)

    def tail(self, seconds: float) -> Track:
        """The frames of the last `seconds`."""
        return self.rows(slice(int(np.searchsorted(self.times, self.times[-1] - seconds)), None))

    def rows(self, rows: slice) -> Track:
        """Some of the frames."""
        return Track(
            self.times[rows],
            self.found[rows],
            self.boxes[rows],
            self.opening[rows],
            self.small[rows],
        )


def joined(tracks: Sequence[Track]) -> Track:
    """Tracks that follow each other as one."""
    return Track(
        np.concatenate([one.times for one in tracks]),
        np.concatenate([one.found for one in tracks]),
        np.concatenate([one.boxes for one in tracks]),
        np.concatenate([one.opening for one in tracks]),
        np.concatenate([one.small for one in tracks]),
    )


def motion(track: Track, first: int = 0) -> Floats:
    """The motion channels (n - first, len(MOTION)) of the frames from `first` on.

    The frames before `first` only serve as what is compared with.
    """
    times = track.times
    here = np.arange(first, len(times))
    before = np.searchsorted(times, times[here] - LAG_S + 1e-6, side="right") - 1
    known = before >= 0
    before = np.maximum(before, 0)
    lag = times[here] - times[before]
    known &= (lag > 0) & (lag <= LONGEST_LAG_S) & track.found[here] & track.found[before]
    lag = np.where(known, lag, 1.0)
    boxes, old = track.boxes[here], track.boxes[before]
    side = np.maximum(_side(boxes), 1.0)
    away = np.hypot(*(_centre(boxes) - _centre(old)).T) / side / lag
    growth = np.log(side / np.maximum(_side(old), 1.0)) / lag
    changed = track.small[here].astype(np.int16) - track.small[before].astype(np.int16)
    difference = np.abs(changed).mean(axis=(1, 2)) / 255 / lag
    opening = track.opening[here]
    lids = (opening - track.opening[before]) / lag
    result = np.zeros((len(here), len(MOTION)), np.float32)
    result[:, 0] = np.where(known, difference, 0)
    result[:, 1] = np.where(known, np.clip(away, 0, 20), 0)
    result[:, 2] = np.where(known, np.clip(growth, -5, 5), 0)
    result[:, 3] = np.where(known & np.isfinite(lids), np.clip(np.nan_to_num(lids), -20, 20), 0)
    result[:, 4] = np.where(np.isfinite(opening), np.nan_to_num(opening), -1)
    result[:, 5] = track.found[here]
    result[:, 6] = known
    return result


def _side(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]))


def _centre(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def features(said: Sequence[Floats], moving: Floats) -> Floats:
    """One row (n, F) per frame: the outputs of the frame graph flattened, then the motion channels.

    `said` are embedding (n, e) and the logits of grades (n, units, steps), scorable (n, units) and
    states (n, states), in this order. Rows without a face keep their motion channels only.
    """
    flat = [part.reshape(len(part), -1) for part in said]
    found = moving[:, MOTION.index("face_found")] > 0
    row = np.concatenate(flat, axis=1).astype(np.float32)
    row[~found] = 0
    return np.concatenate([row, moving], axis=1)


def tick_of(times: NDArray[np.float64]) -> Whole:
    """The number of the tick in which each time lies."""
    return np.floor(np.asarray(times) / TICK_S + TICK_SLACK_S / TICK_S).astype(np.int64)


def ticks(times: NDArray[np.float64], rows: Floats, first: int, count: int) -> Floats:
    """Means (F + 1, count) of the rows (n, F) over the ticks `first` … `first + count - 1`.

    The last channel is 1 for ticks that hold a frame; the others are 0 there where none does.
    """
    place = tick_of(times) - first
    inside = (place >= 0) & (place < count)
    place = place[inside]
    held = np.bincount(place, minlength=count)
    result = np.zeros((rows.shape[1] + 1, count), np.float32)
    sums = np.zeros((count, rows.shape[1]), np.float64)
    np.add.at(sums, place, rows[inside])
    result[:-1] = (sums / np.maximum(held, 1)[:, None]).T
    result[-1] = held > 0
    return result


@dataclass(frozen=True)
class Answers:
    """Logits of m frames: `grades` (m, units, steps), `scorable` (m, units), `states` (m, s)."""

    grades: Floats
    scorable: Floats
    states: Floats

    def take(self, rows: NDArray[Any]) -> Answers:
        """The answers to some frames, in this order."""
        return Answers(self.grades[rows], self.scorable[rows], self.states[rows])


class Context:
    """The temporal graph of a bundle."""

    def __init__(self, graph: Path | bytes, threads: int = 1) -> None:
        self.session: onnxruntime.InferenceSession = session(graph, threads)

    def answer(
        self, times: NDArray[np.float64], rows: Floats, chunk: int, wanted: NDArray[np.bool_]
    ) -> Answers:
        """The answers to the `wanted` frames (n,), which lie in this chunk.

        `times` (n,) and `rows` (n, F) are all frames from REACH ticks before the chunk to REACH
        ticks after it, as far as the recording has them.
        """
        first = chunk * CHUNK - REACH
        grid = ticks(times, rows, first, CHUNK + 2 * REACH)
        own = np.ascontiguousarray(rows[wanted])
        column = tick_of(times[wanted]) - first
        grades, scorable, states = self.session.run(
            None,
            {
                "ticks": grid[None],
                "own": own,
                "row": np.zeros(len(own), np.int64),
                "column": column,
            },
        )
        return Answers(grades, scorable, states)

    def at(
        self,
        times: NDArray[np.float64],
        rows: Floats,
        places: Whole,
        *,
        alone: bool = False,
    ) -> Answers:
        """The answers to the frames at `places` (m,) of a recording, as scoring gives them.

        `times` (n,) and `rows` (n, F) are all its frames that lie in reach. The pictures of a set
        stand `alone`: what lies before and after them tells nothing.
        """
        number = tick_of(times)
        chunks = number // CHUNK
        outputs: list[tuple[NDArray[Any], Answers]] = []
        if alone:
            for nth, place in enumerate(places):
                one = slice(int(place), int(place) + 1)
                answer = self.answer(times[one], rows[one], int(chunks[place]), np.ones(1, bool))
                outputs.append((np.array([nth]), answer))
        else:
            for chunk in sorted({int(value) for value in chunks[places]}):
                near = (number >= chunk * CHUNK - REACH) & (number < (chunk + 1) * CHUNK + REACH)
                order = np.flatnonzero(chunks[places] == chunk)
                wanted = np.zeros(len(times), bool)
                wanted[places[order]] = True
                answer = self.answer(times[near], rows[near], chunk, wanted[near])
                # Answers come in order of time, places in any.
                back = np.searchsorted(np.flatnonzero(wanted), places[order])
                outputs.append((order, answer.take(back)))
        back = np.argsort(np.concatenate([part for part, _ in outputs]), kind="stable")
        together = Answers(
            *(
                np.concatenate([getattr(answer, name) for _, answer in outputs])
                for name in ("grades", "scorable", "states")
            )
        )
        return together.take(back)
