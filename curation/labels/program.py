"""What a scoring program exported, as PainFace does: time, units, and how sure it is of each.

A program's scores are no rater's: they come out as `Labels.program_rows` and are never votes.
"""

from __future__ import annotations

import dataclasses

from curation.labels.columns import recognise_columns
from curation.labels.mapping import Format, Guess, Mapping, Question
from curation.labels.questions import sheet_questions
from curation.labels.reading import SheetReading
from curation.labels.rows import Labels
from curation.labels.source import Source

KEY, TITLE = "program", "Scores of a program over time, with confidences (as PainFace exports)"
UNNAMED = "program"


def recognises(source: Source, mapping: Mapping) -> Guess | None:
    """Whether units have columns of confidence beside them and no rater is named."""
    if not source.is_table:
        return None
    sheet = source.sheet(mapping.worksheet)
    columns = recognise_columns(sheet, mapping, source.scale)
    if not columns.confidences or not columns.units or "rater" in columns.roles:
        return None
    if columns.has_raters_in_header or not columns.roles.keys() & {"time_s", "frame", "file"}:
        return None
    questions = sheet_questions(sheet, mapping, source.scale, columns, list(columns.units))
    proposed = dataclasses.replace(mapping, format=KEY, columns=columns.told(sheet))
    if "file" not in columns.roles and not mapping.file:
        proposed = dataclasses.replace(proposed, file=source.stem)
        sentence = f"Which recording was scored? Unless told, it is called “{source.stem}”."
        questions += (Question("file", sentence, blocking=False),)
    recognised = tuple(columns.described(sheet, source.scale))
    return Guess(KEY, TITLE, 0.85, proposed, recognised, questions)


def read(source: Source, mapping: Mapping) -> Labels:
    """Read a program's export; its rows never count as those of a person."""
    sheet = source.sheet(mapping.worksheet)
    columns = recognise_columns(sheet, mapping, source.scale)
    if not mapping.file:
        mapping = dataclasses.replace(mapping, file=source.stem)
    reading = SheetReading(sheet, mapping, source.scale, columns)
    reading.notes.append("These are scores of a program; they are kept apart from those of people.")
    for line in reading.lines():
        for position, (unit, _) in columns.units.items():
            reading.add_cell(line, position, unit, mapping.rater or UNNAMED)
        reading.compare_totals(line)
    rows = tuple(reading.rows)
    return reading.labels(KEY, rows=(), program_rows=rows, skipped=sheet.skipped)


FORMAT = Format(KEY, TITLE, recognises, read)
