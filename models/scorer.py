"""Scoring a recording with a bundle: a stream of predictions, flat in memory, without torch."""

from __future__ import annotations

import copy
import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from models.animals import Census, CountingFinder
from models.bundle import Bundle, file_digest
from models.context import CHUNK, REACH, Answers, Context, tick_of
from models.gallery import Gallery
from models.glance import Glance
from models.grader import Grader
from models.looker import Block, Looker, Region, reading_span, whole
from models.records import FrameKey, Prediction

Span = tuple[float, float]


class Scorer:
    """Scores recordings with one bundle; keep it, opening the graphs is the slow part."""

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        self.bundle = bundle
        self.looker = Looker.of(bundle, threads)
        self.context = Context(bundle.path / "temporal.onnx", threads)
        self.grader = Grader.of(bundle)

    def score(
        self,
        path: Path | str,
        on_progress: Callable[[float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        *,
        region: Region | None = None,
        span: Span | None = None,
        census: Census | None = None,
        glance: Glance | None = None,
        gallery: Gallery | None = None,
        group: str | None = None,
        blob: str | Callable[[], str] | None = None,
    ) -> Iterator[Prediction]:
        """Predictions of every frame in presentation order; raises Unreadable.

        `on_progress` is told the time in seconds up to which frames are scored; `should_stop` is
        asked now and then, and a yes ends the stream. `region` (x0, y0, x1, y1) in pixels holds the
        animal to score. `span` restricts the answer to frames in [start, end) seconds: they get the
        same answers as in a score of the whole recording, because what lies around is read too;
        where the span begins and ends with `models.looker.edge_of` they are the same to the bit.
        `census` is told of other faces in view, `glance` of how the faces look, both of the span;
        `gallery` keeps the pictures of frames that a result may show.
        `group` is the lab × coat of `models.sets.group_of` whose prediction sets are wanted, None
        for a lab nobody knows.
        `blob` is the recording's `identity` where the caller knows it, or what gives it: it is
        asked for only when the first frames have their answers.
        """
        path = Path(path)
        named = blob if isinstance(blob, str) else None
        start, end = span or (-np.inf, np.inf)
        around = None if span is None else reading_span(span)
        grader = self.grader if group is None else Grader.of(self.bundle, group)
        looker = self.looker
        if census is not None:
            looker = copy.copy(looker)
            looker.finder = CountingFinder(looker.finder, census, span)
        blocks = looker.blocks(
            path,
            region=region,
            span=around,
            should_stop=should_stop,
            on_frame=gallery.look if gallery is not None else None,
        )
        for block, answers in self._answered(blocks):
            inside = (block.times >= start) & (block.times < end)
            if inside.any():
                if named is None:
                    named = blob() if callable(blob) else identity(path)
                if not inside.all():
                    rows = np.flatnonzero(inside)
                    block, answers = block.take(rows), answers.take(rows)
                said = self._predictions(block, answers, named, grader, glance)
                yield from said if gallery is None else gallery.through(said)
            if on_progress is not None:
                on_progress(float(block.times[-1]))

    def _answered(self, blocks: Iterator[Block]) -> Iterator[tuple[Block, Answers]]:
        """Every chunk of ticks that holds frames, once all that lies in its reach was seen."""
        held: deque[Block] = deque()
        chunk: int | None = None
        for block in blocks:
            if block.alone:
                places = np.arange(len(block))
                yield block, self.context.at(block.times, block.rows, places, alone=True)
                continue
            held.append(block)
            if chunk is None:
                chunk = int(tick_of(block.times[:1])[0] // CHUNK)
            newest = int(tick_of(block.times[:1])[0])
            while newest >= (chunk + 1) * CHUNK + REACH:
                yield from self._chunk(held, chunk)
                chunk += 1
                while held and tick_of(held[0].times[-1:])[0] < chunk * CHUNK - REACH:
                    held.popleft()
        if held and chunk is not None:
            for last in range(chunk, int(tick_of(held[-1].times[-1:])[0] // CHUNK) + 1):
                yield from self._chunk(held, last)

    def _chunk(self, held: deque[Block], chunk: int) -> Iterator[tuple[Block, Answers]]:
        together = whole(iter(held))
        tick = tick_of(together.times)
        near = (tick >= chunk * CHUNK - REACH) & (tick < (chunk + 1) * CHUNK + REACH)
        wanted = tick // CHUNK == chunk
        if wanted.any():
            answers = self.context.answer(
                together.times[near], together.rows[near], chunk, wanted[near]
            )
            yield together.part(wanted), answers

    def _predictions(
        self,
        block: Block,
        answers: Answers,
        blob: str,
        grader: Grader,
        glance: Glance | None = None,
    ) -> Iterator[Prediction]:
        looked = grader.weigh(
            answers.grades, answers.scorable, answers.states, block.familiar, block.embedding
        )
        if glance is not None:
            glance.see(block, looked.distance)
        absent = grader.faceless()
        for row, face in enumerate(block.faces):
            verdict = grader.verdict(face, looked, row, block.shapes[row])
            yield Prediction(
                key=FrameKey(blob, block.stream, int(block.pts[row]), block.time_base),
                index=int(block.index[row]),
                time_s=float(block.times[row]),
                state=verdict.state,
                face=None if verdict.reason == absent.reason else face,
                grades=verdict.grades,
                image_score=verdict.image_score,
                reason=verdict.reason,
                unfamiliar=verdict.unfamiliar,
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
