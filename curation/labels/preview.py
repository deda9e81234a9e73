"""What would be read from a file, on its first ten pictures or frames, before anything is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curation.labels.mapping import Guess
from curation.labels.rows import LabelRow, Labels, UnknownFormat
from curation.labels.source import Source
from models.scale import Scale

LINES = 10
_KIND_WORDS = {
    "not_scorable": "not scorable",
    "not_assigned": "not assigned",
    "missing": "not rated",
    "graded": "graded",
}


@dataclass(frozen=True)
class PreviewLine:
    """One picture, frame or observation: where it is, what the file says, what it was read as.

    `file`, `frame` (from 0) and `time_s` find the picture to show beside it; `raw` pairs headers
    with cells as they are written, `meaning` pairs titles with what was understood.
    """

    row: int
    file: str
    frame: int | None
    time_s: float | None
    raw: tuple[tuple[str, str], ...]
    meaning: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Preview:
    """A guess with its first lines; `labels` is None where nothing may be read yet, see `refusal`.

    `refusal` then holds the sentence; `raw` lines are there all the same.
    """

    guess: Guess
    lines: tuple[PreviewLine, ...]
    labels: Labels | None
    refusal: str = ""


def preview_of(source: Source, guess: Guess, labels: Labels | None, refusal: str) -> Preview:
    """Put the first lines of a reading beside the cells they came from."""
    raw = _raw(source, guess)
    if labels is None:
        lines = [
            PreviewLine(row, "", None, None, cells, ()) for row, cells in list(raw.items())[:LINES]
        ]
        return Preview(guess, tuple(lines), None, refusal)
    if labels.landmarks:
        raw = {}
    lines = []
    for line in _lines(labels, source.scale):
        lines.append(PreviewLine(line[0], line[1], line[2], line[3], raw.get(line[0], ()), line[4]))
        if len(lines) == LINES:
            break
    return Preview(guess, tuple(lines), labels, refusal)


_Line = tuple[int, str, int | None, float | None, tuple[tuple[str, str], ...]]


def _lines(labels: Labels, scale: Scale) -> Iterator[_Line]:
    yield from _votes(labels.rows or labels.program_rows, scale)
    for score in labels.observations:
        title = scale.unit(score.unit).title if score.unit else "score"
        what = _KIND_WORDS[score.kind] if score.score is None else f"{score.score:.3g}"
        said = [("animal", score.animal), ("time point", score.observation), (title, what)]
        if score.pictures is not None:
            said.append(("pictures", str(score.pictures)))
        yield score.row, score.file, None, None, tuple(said)
    for table in labels.landmarks:
        for place, (file, frame) in enumerate(zip(table.files, table.frames, strict=True)):
            said = [
                (point, "missing" if np.isnan(xy).any() else f"{xy[0]:.1f}, {xy[1]:.1f}")
                for point, xy in zip(table.points, table.xy[place], strict=True)
            ]
            yield place + 1, file, frame, None, tuple(said)
    if not labels.rows:
        for box in labels.boxes:
            corners = ", ".join(f"{side:g}" for side in box.corners)
            yield box.row, box.file, None, None, (("left, top, right, bottom", corners),)
    for one in labels.classes:
        yield 0, one.file, None, None, (("class", one.label),)


def _votes(rows: tuple[LabelRow, ...], scale: Scale) -> Iterator[_Line]:
    groups: dict[tuple[int, str], list[LabelRow]] = {}
    for row in rows:
        if (row.row, row.file) not in groups and len(groups) == LINES:
            break
        groups.setdefault((row.row, row.file), []).append(row)
    for (number, file), cells in groups.items():
        several = len({cell.rater for cell in cells}) > 1
        said = tuple(
            (
                scale.unit(cell.unit).title + (f", rater {cell.rater}" if several else ""),
                _KIND_WORDS[cell.kind] if cell.grade is None else str(cell.grade),
            )
            for cell in cells
        )
        yield number, file, cells[0].frame, cells[0].time_s, said


def _raw(source: Source, guess: Guess) -> dict[int, tuple[tuple[str, str], ...]]:
    if not source.is_table:
        return {}
    try:
        sheet = source.sheet(guess.mapping.worksheet)
    except UnknownFormat:
        return {}
    return {
        number: tuple(zip(sheet.header, cells, strict=False))
        for number, cells in sheet.rows[: 20 * LINES]
    }
