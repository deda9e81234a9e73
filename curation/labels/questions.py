"""What has to be confirmed about a table before it is read, and what had better be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from curation.labels import frames
from curation.labels.cells import CellReader, to_number
from curation.labels.columns import Columns
from curation.labels.mapping import Mapping, Question
from curation.labels.sheet import Sheet
from curation.sentences import count, listing
from models.scale import Scale


def sheet_questions(
    sheet: Sheet, mapping: Mapping, scale: Scale, columns: Columns, graded: Collection[int]
) -> tuple[Question, ...]:
    """Return what has to be confirmed about a table with grades at these positions."""
    asked = []
    reader = CellReader(scale, mapping, sheet.decimal_comma)
    other = reader.other_scale(
        sheet.name, (cells[at] for _, cells in sheet.rows for at in graded if at < len(cells))
    )
    if other is not None:
        asked.append(other)
    codes = _codes(sheet, reader, graded)
    if codes:
        asked.append(codes)
    if "frame" in columns.roles:
        asked.append(_counting(sheet, columns.roles["frame"]))
    return tuple(asked)


def _codes(sheet: Sheet, reader: CellReader, graded: Collection[int]) -> Question | None:
    """Ask whether cells that are no grades were understood, where there are any but blanks."""
    texts = Counter(cells[at] for _, cells in sheet.rows for at in graded if at < len(cells))
    counts: Counter[tuple[str, str]] = Counter()
    for text, number in texts.items():
        if text and (meaning := reader.coded(text)[0]):
            counts[text[:40], meaning] += number
    if not counts:
        return None
    said = [
        f"“{text}” ({count(number, 'cell')}) as {meaning.replace('_', ' ')}"
        for (text, meaning), number in counts.most_common()
    ]
    return Question(
        "cells", f"Read are {listing(said, 5)}; is that what they mean?", blocking=False
    )


def _counting(sheet: Sheet, position: int) -> Question:
    numbers = [
        number
        for _, cells in sheet.rows
        if position < len(cells) and (number := to_number(cells[position])) is not None
    ]
    least = f"The smallest frame number is {min(numbers):g}. " if numbers else ""
    return Question(
        "frames_from",
        f"{least}Does the sheet count frames from 0 or from 1?",
        (("0", frames.rule(0)), ("1", frames.rule(1))),
        blocking=False,
    )
