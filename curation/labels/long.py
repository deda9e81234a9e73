"""Long sheets: one row per frame and rater, one column per unit, or one row per single grade."""

from __future__ import annotations

from curation.labels.columns import recognise_columns, unit_of
from curation.labels.reading import SheetReading
from curation.labels.rows import Format, Labels, Mapping
from curation.labels.sheet import Sheet

ONLY_RATER = "1"
"""The name of the one rater of a sheet that names none."""


def recognises(sheet: Sheet, mapping: Mapping | None) -> bool:
    """Whether there are a file column and unit columns that all raters share, or single grades."""
    columns = recognise_columns(sheet, mapping)
    if "file" not in columns.roles or columns.has_raters_in_header:
        return False
    if {"unit", "grade"} <= columns.roles.keys():
        return True
    return len(columns.units) >= (1 if "rater" in columns.roles else 2)


def read(sheet: Sheet, mapping: Mapping | None) -> Labels:
    """Read a long sheet; raises `UnknownFormat` for another scale."""
    columns = recognise_columns(sheet, mapping)
    reading = SheetReading(sheet, mapping, columns)
    graded_in = columns.roles.get("grade") if "unit" in columns.roles else None
    reading.refuse_other_scale(columns.units if graded_in is None else (graded_in,))
    for line in reading.lines():
        rater = reading.text(line.cells, "rater") or ONLY_RATER
        if graded_in is None:
            for position, (unit, _) in columns.units.items():
                reading.add(line, position, unit, rater)
            continue
        named = reading.text(line.cells, "unit")
        found = unit_of(named, reading.scale)
        if found is None:
            header = sheet.header[columns.roles["unit"]]
            reading.problem(f"“{named[:40]}” is no unit of the scale.", line.number, header)
        else:
            reading.add(line, graded_in, found[0], rater)
    return reading.labels(FORMAT.key)


FORMAT = Format("long", "One row per frame and rater", recognises, read)
