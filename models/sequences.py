"""What was seen round the labelled frames of a manifest, recording by recording.

A few labelled frames of a long film do not need the whole film: only what lies in reach of them is
looked at. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.context import Answers, Context
from models.looker import Block, Looker, reading_span, whole
from models.media import Unreadable

WHOLE_S = 60.0
"""Where labelled frames need this much or more of a film at a stretch, reading is not broken up."""


@dataclass(frozen=True)
class Sequence:
    """What was seen round the labelled frames of one recording.

    `seen` holds the frames in reach of a label in order of time; `place` (k,) where each labelled
    frame is in it, -1 where the recording holds no such frame; `rows` (k,) the rows of the labelled
    frames in the table they come from.
    """

    blob: str
    seen: Block | None
    place: NDArray[np.int64]
    rows: NDArray[np.int64]

    def labelled(self) -> tuple[Block, NDArray[np.int64]]:
        """The labelled frames that were found (m), and their rows (m,) in the table."""
        if self.seen is None:
            raise ValueError(f"nothing was seen of {self.blob}")
        found = self.place >= 0
        return self.seen.take(self.place[found]), self.rows[found]

    def answers(self, context: Context) -> Answers:
        """The temporal graph's answers to the labelled frames that were found."""
        if self.seen is None:
            raise ValueError(f"nothing was seen of {self.blob}")
        wanted = self.place[self.place >= 0]
        return context.at(self.seen.times, self.seen.rows, wanted, alone=self.seen.alone)

    @property
    def empty(self) -> bool:
        """Whether no labelled frame was found."""
        return self.seen is None or not (self.place >= 0).any()


def look_round(
    frames: pd.DataFrame,
    media: Path,
    looker: Looker,
    threads: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> list[Sequence]:
    """One `Sequence` per recording of `frames` (columns `blob`, `pts`, `tb_num`, `tb_den`).

    Rows are counted from 0 in the order of the table. Raises Unreadable naming the recording.
    """
    numbered = frames.reset_index(drop=True)
    groups = [(str(blob), rows) for blob, rows in numbered.groupby("blob", sort=True)]
    result = []
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for sequence in pool.map(lambda item: _one(item[0], item[1], media, looker), groups):
            result.append(sequence)
            if on_progress is not None:
                on_progress(len(result) / len(groups))
    return result


def _one(blob: str, rows: pd.DataFrame, media: Path, looker: Looker) -> Sequence:
    path = media / blob
    if not path.exists():
        raise Unreadable(f"The recording {blob} is not in the media folder.")
    pts = rows["pts"].to_numpy(np.int64)
    times = pts * rows["tb_num"].to_numpy(np.int64) / rows["tb_den"].to_numpy(np.int64)
    parts = [
        block for span in spans(times) for block in _within(looker.blocks(path, span=span), span)
    ]
    number = rows.index.to_numpy(np.int64)
    if not parts:
        return Sequence(blob, None, np.full(len(pts), -1, np.int64), number)
    seen = whole(iter(parts))
    where = {int(value): place for place, value in enumerate(seen.pts)}
    place = np.array([where.get(int(value), -1) for value in pts], np.int64)
    return Sequence(blob, seen, place, number)


def _within(blocks: Iterator[Block], span: tuple[float, float]) -> Iterator[Block]:
    start, end = span
    for block in blocks:
        inside = (block.times >= start) & (block.times < end)
        if inside.any():
            yield block.part(inside)


def spans(times: NDArray[np.float64]) -> list[tuple[float, float]]:
    """The stretches of a recording, in seconds, that the answers to frames at `times` rest on."""
    result: list[tuple[float, float]] = []
    for time in np.sort(times):
        start, end = reading_span((float(time), float(time)))
        if result and start <= result[-1][1] + WHOLE_S:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


@dataclass(frozen=True)
class Answered:
    """Logits and embeddings of the labelled frames with a usable face, m in all.

    `rows` (m,) are their rows in the table the sequences were made from.
    """

    rows: NDArray[np.int64]
    grades: NDArray[np.float64]
    scorable: NDArray[np.float64]
    states: NDArray[np.float64]
    familiar: NDArray[np.float64]
    embedding: NDArray[np.float64]


def answered(sequences: list[Sequence], context: Context | None) -> Answered:
    """What is said of the labelled frames; without a `context`, by the frame graph alone."""
    names = ("grades", "scorable", "states")
    parts: list[list[NDArray[Any]]] = []
    for sequence in sequences:
        if sequence.empty:
            continue
        seen, rows = sequence.labelled()
        said = sequence.answers(context) if context is not None else seen
        good = np.array([cause is None for cause in seen.refusals])
        parts.append(
            [
                rows[good],
                *(getattr(said, name)[good] for name in names),
                seen.familiar[good],
                seen.embedding[good],
            ]
        )
    if not parts:
        none = np.zeros(0)
        return Answered(none.astype(np.int64), none, none, none, none, none)
    rows, *rest = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Answered(rows, *(column.astype(np.float64) for column in rest))
