"""Score sheets in the formats labs have: `sniff(path)` names the format, `read(path)` gives rows.

One module per format; a format is an object with a key, a title and two functions (`Format`).
Nothing here knows which recordings exist: matching file names to recordings is the caller's.
"""

from __future__ import annotations

from pathlib import Path

from curation.labels import long, wide
from curation.labels.columns import recognise_columns
from curation.labels.rows import Format, LabelRow, Labels, Mapping, UnknownFormat
from curation.labels.sheet import Sheet, load_sheet

__all__ = [
    "FORMATS",
    "Format",
    "LabelRow",
    "Labels",
    "Mapping",
    "UnknownFormat",
    "read",
    "sniff",
]

FORMATS: tuple[Format, ...] = (wide.FORMAT, long.FORMAT)
"""Asked in this order; the first that recognises a sheet reads it."""


def sniff(path: Path | str, *, name: str | None = None) -> Format | None:
    """Return the format of a file, or None when no reader knows it; never raises for bad content.

    `name` is what the investigator calls the file where it is stored under another name.
    """
    try:
        sheet = load_sheet(Path(path), name)
    except UnknownFormat:
        return None
    return _format_of(sheet, None)


def read(path: Path | str, mapping: Mapping | None = None, *, name: str | None = None) -> Labels:
    """Read a score sheet into rows and problems.

    `mapping` is what the investigator confirmed about columns and cells; without one, only what is
    beyond doubt is read. Raises `UnknownFormat` with a sentence when the file is no score sheet or
    uses another scale; single bad cells are problems and block nothing but themselves.
    """
    sheet = load_sheet(Path(path), name)
    found = _format_of(sheet, mapping)
    if found is None:
        raise UnknownFormat(_what_was_recognised(sheet))
    return found.read(sheet, mapping)


def _format_of(sheet: Sheet, mapping: Mapping | None) -> Format | None:
    return next((form for form in FORMATS if form.recognises(sheet, mapping)), None)


def _what_was_recognised(sheet: Sheet) -> str:
    columns = recognise_columns(sheet, None)
    known = [f"“{sheet.header[i]}” as {role}" for i, role in columns.described()]
    seen = f"Recognised: {', '.join(known)}. " if known else "No column was recognised. "
    return (
        f"{sheet.name} is no score sheet that can be read. {seen}Needed are a column with the file "
        "name, one column per unit named as in the scale and, with several raters, a rater column "
        "or the rater's number after the unit."
    )
