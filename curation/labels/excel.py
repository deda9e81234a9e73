"""An Excel file as a table of text: stored values only, no formula and no macro is ever run."""

from __future__ import annotations

import dataclasses
import io
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from curation.labels.rows import Skipped, UnknownFormat
from curation.labels.sheet import MOST_CELLS, Sheet, table

MOST_UNPACKED = 200 * 1024 * 1024
"""A small zip archive can hold a very large sheet."""
UNCALCULATED = "=formula"
"""What a cell holds whose formula was never calculated: no grade, and not blank either."""


def excel_sheet(name: str, data: bytes, worksheet: str = "") -> Sheet:
    """Read one worksheet, the first with content unless named; raises `UnknownFormat`.

    The other worksheets with content are listed as skipped.
    """
    pages = excel_pages(name, data)
    filled = [title for title, rows in pages if any(any(row) for row in rows)]
    if worksheet and worksheet not in filled:
        raise UnknownFormat(
            f"{name} has no worksheet “{worksheet}” with content; it has {', '.join(filled)}."
        )
    chosen = worksheet or (filled[0] if filled else "")
    skipped = tuple(
        Skipped(f"{name}, worksheet {title}", "Another worksheet; name it to read it instead.")
        for title in filled
        if title != chosen
    )
    rows = next((rows for title, rows in pages if title == chosen), [])
    found = table(name, rows, decimal_comma=False, skipped=skipped)
    return dataclasses.replace(found, worksheet=chosen)


def excel_pages(name: str, data: bytes) -> list[tuple[str, list[list[str]]]]:
    """Return (title, rows of cells as text) of every worksheet; raises `UnknownFormat`."""
    formulas = _checked(name, data)
    try:
        return _pages(data, formulas)
    except Exception:  # the library lets whatever a damaged file provokes pass through
        raise UnknownFormat(
            f"{name} is a damaged Excel file; save it again and send that."
        ) from None


def _checked(name: str, data: bytes) -> bool:
    """Whether any cell holds a formula; raises `UnknownFormat` for what is not opened at all."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > MOST_UNPACKED:
                raise UnknownFormat(f"{name} unpacks to more than 200 MB; save it as CSV.")
            names = [entry.filename for entry in entries]
            if any(entry.endswith("vbaProject.bin") for entry in names):
                raise UnknownFormat(f"{name} holds macros; save it as .xlsx without them.")
            if not any(entry.startswith("xl/") for entry in names):
                raise UnknownFormat(
                    f"{name} is a zip archive and no Excel file; unpack it and send what is in it."
                )
            sheets = [entry for entry in names if entry.startswith("xl/worksheets/")]
            return any(_has_formula(archive.read(entry)) for entry in sheets)
    except UnknownFormat:
        raise
    except Exception:  # zipfile raises half a dozen kinds for damaged and encrypted entries
        raise UnknownFormat(
            f"{name} is a damaged Excel file; save it again and send that."
        ) from None


def _has_formula(page: bytes) -> bool:
    return b"<f>" in page or b"<f " in page


def _pages(data: bytes, formulas: bool) -> list[tuple[str, list[list[str]]]]:
    values = _cells(data, data_only=True)
    pages = [(title, [[_text(cell) for cell in row] for row in rows]) for title, rows in values]
    if not formulas:
        return pages
    # A formula without a stored value looks like a blank cell, which would be read as not rated.
    for (_, rows), (_, written) in zip(pages, _cells(data, data_only=False), strict=True):
        for row, cells in zip(rows, written, strict=True):
            for place, cell in enumerate(cells):
                if isinstance(cell, str) and cell.startswith("=") and not row[place]:
                    row[place] = UNCALCULATED
    return pages


def _cells(data: bytes, *, data_only: bool) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    import openpyxl

    with warnings.catch_warnings():
        # The library warns about styles it does not draw; none of that concerns the cells.
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=data_only)
        try:
            found = [(page.title, _rows(page)) for page in book.worksheets]
        finally:
            book.close()
    yield from found


def _rows(page: Any) -> list[tuple[Any, ...]]:
    # The stated size of a sheet may be a lie of millions of rows and columns.
    page.reset_dimensions()
    kept: list[tuple[Any, ...]] = []
    cells = 0
    for row in page.iter_rows(values_only=True):
        kept.append(row)
        cells += len(row)
        if cells > MOST_CELLS:
            raise ValueError
    return kept


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
