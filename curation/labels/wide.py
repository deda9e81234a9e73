"""Wide sheets: one row per frame, and for every rater a column per unit (`ot1, nb1, …, ot2, …`)."""

from __future__ import annotations

import dataclasses

from curation.labels.columns import recognise_columns
from curation.labels.mapping import Format, Guess, Mapping
from curation.labels.questions import sheet_questions
from curation.labels.reading import SheetReading
from curation.labels.rows import Labels
from curation.labels.source import Source

KEY, TITLE = "wide", "One row per frame, columns per unit and rater"


def recognises(source: Source, mapping: Mapping) -> Guess | None:
    """Whether there is a file column and the unit columns name their raters."""
    if not source.is_table:
        return None
    sheet = source.sheet(mapping.worksheet)
    columns = recognise_columns(sheet, mapping, source.scale)
    if not columns.has_raters_in_header or not ("file" in columns.roles or mapping.file):
        return None
    rated = [at for at, (_, rater) in columns.units.items() if rater]
    return Guess(
        KEY,
        TITLE,
        0.9 if "file" in columns.roles else 0.6,
        dataclasses.replace(mapping, format=KEY, columns=columns.told(sheet)),
        tuple(columns.described(sheet, source.scale)),
        sheet_questions(sheet, mapping, source.scale, columns, rated),
    )


def read(source: Source, mapping: Mapping) -> Labels:
    """Read a wide sheet.

    Rater numbers may skip one. A unit column without a rater beside columns with one is derived
    (a mean, a consensus) and is left out with a problem.
    """
    sheet = source.sheet(mapping.worksheet)
    columns = recognise_columns(sheet, mapping, source.scale)
    reading = SheetReading(sheet, mapping, source.scale, columns)
    rated = {at: (unit, rater) for at, (unit, rater) in columns.units.items() if rater}
    for position in sorted(columns.units.keys() - rated.keys()):
        reading.problem(
            "The column names no rater, unlike its neighbours; it was left out. Add the rater's "
            "number if it holds grades.",
            sheet.header_row,
            sheet.header[position],
        )
    for line in reading.lines():
        for position, (unit, rater) in rated.items():
            reading.add_cell(line, position, unit, rater)
        reading.compare_totals(line)
    return reading.labels(KEY, skipped=sheet.skipped)


FORMAT = Format(KEY, TITLE, recognises, read)
