"""Wide sheets: one row per frame, and for every rater a column per unit (`ot1, nb1, …, ot2, …`)."""

from __future__ import annotations

from curation.labels.columns import recognise_columns
from curation.labels.reading import SheetReading
from curation.labels.rows import Format, Labels, Mapping
from curation.labels.sheet import Sheet


def recognises(sheet: Sheet, mapping: Mapping | None) -> bool:
    """Whether there is a file column and the unit columns name their raters."""
    columns = recognise_columns(sheet, mapping)
    return "file" in columns.roles and columns.has_raters_in_header


def read(sheet: Sheet, mapping: Mapping | None) -> Labels:
    """Read a wide sheet; raises `UnknownFormat` for another scale.

    Rater numbers may skip one. A unit column without a rater beside columns with one is derived
    (a mean, a consensus) and is left out with a problem.
    """
    columns = recognise_columns(sheet, mapping)
    reading = SheetReading(sheet, mapping, columns)
    rated = {at: (unit, rater) for at, (unit, rater) in columns.units.items() if rater}
    for position in columns.units.keys() - rated.keys():
        reading.problem(
            "The column names no rater, unlike its neighbours; it was left out. Add the rater's "
            "number if it holds grades.",
            1,
            sheet.header[position],
        )
    reading.refuse_other_scale(rated)
    for line in reading.lines():
        for position, (unit, rater) in rated.items():
            reading.add(line, position, unit, rater)
    return reading.labels(FORMAT.key)


FORMAT = Format("wide", "One row per frame, columns per unit and rater", recognises, read)
