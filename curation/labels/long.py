"""Long sheets: one row per frame and rater, one column per unit, or one row per single grade."""

from __future__ import annotations

import dataclasses

from curation.labels.columns import Columns, UnitNames, recognise_columns
from curation.labels.mapping import Format, Guess, Mapping, Question
from curation.labels.questions import sheet_questions
from curation.labels.reading import SheetReading
from curation.labels.rows import Labels
from curation.labels.source import Source

KEY, TITLE = "long", "One row per frame and rater, columns per unit, or one row per grade"
ONLY_RATER = "1"
"""The name of the one rater of a sheet that names none."""


def recognises(source: Source, mapping: Mapping) -> Guess | None:
    """Whether there are a file column and unit columns that all raters share, or single grades."""
    if not source.is_table:
        return None
    sheet = source.sheet(mapping.worksheet)
    columns = recognise_columns(sheet, mapping, source.scale)
    if columns.has_raters_in_header or not ("file" in columns.roles or mapping.file):
        return None
    has_rater = "rater" in columns.roles or bool(mapping.rater)
    # Beside columns of confidence, grades without a rater are a program's.
    of_program = bool(columns.confidences) and not has_rater
    single = {"unit", "grade"} <= columns.roles.keys()
    if of_program or not (single or len(columns.units) >= (1 if has_rater else 2)):
        return None
    questions = sheet_questions(sheet, mapping, source.scale, columns, _graded(columns))
    if not has_rater:
        sentence = f"The sheet names no rater; all grades are taken as those of “{ONLY_RATER}”."
        questions += (Question("rater", sentence, blocking=False),)
    return Guess(
        KEY,
        TITLE,
        0.8 if has_rater else 0.7,
        dataclasses.replace(mapping, format=KEY, columns=columns.told(sheet)),
        tuple(columns.described(sheet, source.scale)),
        questions,
    )


def read(source: Source, mapping: Mapping) -> Labels:
    """Read a long sheet."""
    sheet = source.sheet(mapping.worksheet)
    columns = recognise_columns(sheet, mapping, source.scale)
    reading = SheetReading(sheet, mapping, source.scale, columns)
    names = UnitNames(source.scale)
    graded_in = columns.roles.get("grade") if "unit" in columns.roles else None
    for line in reading.lines():
        rater = reading.text(line.cells, "rater") or mapping.rater or ONLY_RATER
        if graded_in is None:
            for position, (unit, _) in columns.units.items():
                reading.add_cell(line, position, unit, rater)
            reading.compare_totals(line)
            continue
        named = reading.text(line.cells, "unit")
        found = names.unit_of(named)
        if found is None:
            header = sheet.header[columns.roles["unit"]]
            reading.problem(f"“{named[:40]}” is no unit of the scale.", line.number, header)
        else:
            reading.add_cell(line, graded_in, found[0], rater)
    return reading.labels(KEY, skipped=sheet.skipped)


def _graded(columns: Columns) -> list[int]:
    if {"unit", "grade"} <= columns.roles.keys():
        return [columns.roles["grade"]]
    return list(columns.units)


FORMAT = Format(KEY, TITLE, recognises, read)
