"""Excel files: stored values of one worksheet."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from curation.labels import Mapping, UnknownFormat, read

Sheet = Callable[..., Path]


def _book(*pages: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(pages, start=1):
        page = book.create_sheet(f"Page {number}")
        for row in rows:
            page.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _with(data: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """Return the archive with one text of one entry replaced, or with an entry added."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(buffer, "w") as changed:
        for entry in archive.namelist():
            content = archive.read(entry)
            if entry == name:
                assert old in content
                content = content.replace(old, new)
            changed.writestr(entry, content)
        if name not in archive.namelist():
            changed.writestr(name, new)
    return buffer.getvalue()


GRADES: list[list[object]] = [["filename", "ot1", "nb1"], ["a.png", 1, 2.0], ["b.png", 0, None]]


def test_the_first_page_with_content_is_read_and_the_others_are_listed(sheet: Sheet) -> None:
    path = sheet(_book([], GRADES, [["notes"]]), "scores.xlsx")
    labels = read(path)
    assert [row.kind for row in labels.rows] == ["graded", "graded", "graded", "missing"]
    assert [one.file for one in labels.skipped] == ["scores.xlsx, worksheet Page 3"]
    with pytest.raises(UnknownFormat, match="no worksheet “Page 9”"):
        read(path, Mapping(worksheet="Page 9"))
    with pytest.raises(UnknownFormat, match="No column was recognised"):
        read(path, Mapping(worksheet="Page 3"))


def test_a_formula_counts_by_its_stored_value_and_is_no_blank_without_one(sheet: Sheet) -> None:
    data = _book([["filename", "ot1", "nb1"], ["a.png", "=1+1", 2], ["b.png", "=1+0", 0]])
    page = "xl/worksheets/sheet1.xml"
    data = _with(data, page, b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>")
    labels = read(sheet(data, "scores.xlsx"))
    assert [row.grade for row in labels.rows] == [2, 2, 0]
    (problem,) = labels.problems
    assert (problem.row, problem.column) == (3, "ot1")


def test_macros_and_other_archives_are_refused(sheet: Sheet) -> None:
    with pytest.raises(UnknownFormat, match="holds macros"):
        read(sheet(_with(_book(GRADES), "xl/vbaProject.bin", b"", b"x")))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("scores.csv", "filename,ot1\n")
    with pytest.raises(UnknownFormat, match="zip archive and no Excel file"):
        read(sheet(buffer.getvalue()))


def test_a_sheet_that_claims_a_billion_cells_is_read_by_what_it_holds(sheet: Sheet) -> None:
    page = "xl/worksheets/sheet1.xml"
    data = _with(_book(GRADES), page, b'ref="A1:C3"', b'ref="A1:XFD1048576"')
    assert len(read(sheet(data)).rows) == 4


def test_a_cell_with_an_error_is_named(sheet: Sheet) -> None:
    labels = read(sheet(_book([["filename", "ot1", "nb1"], ["a.png", "#REF!", 1]])))
    assert [problem.column for problem in labels.problems] == ["ot1"]
