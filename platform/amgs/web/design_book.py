"""A dataset and its design as an Excel file: a template to fill in, and its way back."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amgs.core.errors import Refused
from amgs.core.spreadsheets import plain_cell
from amgs.web import dataset_sheet
from amgs.web.design_table import TABLES
from curation.labels.excel import UNCALCULATED, excel_pages
from curation.labels.rows import UnknownFormat
from curation.metadata import BY_KEY, Field

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_BYTES = 5 * 1024 * 1024
HELP = "Columns"
WIDTH = 18
ROWS = 1000
"""Rows that get the lists of terms to choose from."""


@dataclass(frozen=True)
class Filled:
    """A workbook that came back: the three tables as texts, and the rows of the whole dataset.

    A line of a text is a row of its worksheet, so that both are counted alike. No table where none
    of their worksheets is there; ``dataset`` is ``None`` where its own is not.
    """

    tables: dict[str, str]
    dataset: list[list[str]] | None


def template(texts: Mapping[str, str], dataset: Sequence[Sequence[str]] = ()) -> bytes:
    """Return a workbook with a sheet per table, filled with ``design_table.texts``.

    Before them stands a sheet with ``dataset_sheet.rows``. Columns and fields with fixed terms have
    lists to choose from; a last sheet explains every column.
    """
    import openpyxl
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    bold = Font(bold=True)
    if dataset:
        _write_dataset(book.create_sheet(dataset_sheet.TITLE), dataset, bold)
    for name, (title, columns) in TABLES.items():
        page = book.create_sheet(title)
        page.append(list(columns))
        lines = [line.split("\t") for line in texts.get(name, "").splitlines()]
        for cells in lines[1:]:
            row = dict(zip(lines[0], cells, strict=False))
            page.append([_cell(column, row.get(column, "")) for column in columns])
        page.freeze_panes = "A2"
        for place, column in enumerate(columns, 1):
            letter = get_column_letter(place)
            page.column_dimensions[letter].width = WIDTH
            page[f"{letter}1"].font = bold
            field = BY_KEY.get(column)
            if field is not None and field.terms and not field.open:
                choice = DataValidation("list", f'"{",".join(field.term_keys)}"', allow_blank=True)
                choice.add(f"{letter}2:{letter}{ROWS}")
                page.add_data_validation(choice)
    page = book.create_sheet(HELP)
    page.append(["table", "column", "what it is", "unit", "terms"])
    for cell in page[1]:
        cell.font = bold
    for title, columns in TABLES.values():
        for column in columns:
            page.append([title, column, *_explained(column, BY_KEY.get(column))])
    for letter, width in zip("ABCDE", (WIDTH, WIDTH + 6, 70, 10, 60), strict=True):
        page.column_dimensions[letter].width = width
    page.freeze_panes = "A2"
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _write_dataset(page: Any, rows: Sequence[Sequence[str]], bold: Any) -> None:
    from openpyxl.styles import Alignment
    from openpyxl.worksheet.datavalidation import DataValidation

    page.append(list(dataset_sheet.COLUMNS))
    for cell in page[1]:
        cell.font = bold
    for number, (key, value, *explained) in enumerate(rows, 2):
        page.append([key, _cell(key, value), *explained])
        page[f"B{number}"].alignment = Alignment(wrap_text=True, vertical="top")
        field = BY_KEY.get(key)
        if field is not None and (allowed := dataset_sheet.choices(field)):
            choice = DataValidation("list", f'"{",".join(allowed)}"', allow_blank=True)
            choice.add(f"B{number}")
            page.add_data_validation(choice)
    for letter, width in zip("ABCDE", (WIDTH + 6, 50, 70, 10, 60), strict=True):
        page.column_dimensions[letter].width = width
    page.freeze_panes = "C2"


def read(name: str, data: bytes) -> Filled:
    """Return what a filled workbook holds; raises ``Refused``.

    Worksheets with other titles are not read.
    """
    try:
        pages = dict(excel_pages(name, data))
    except UnknownFormat as unknown:
        raise Refused(str(unknown), field="book") from None
    if any(UNCALCULATED in cells for rows in pages.values() for cells in rows):
        raise Refused(
            f"{name} holds formulas that were never calculated; open it in your spreadsheet "
            "program, save it, and send it again.",
            field="book",
        )
    found = {
        table: "\n".join("\t".join(map(_plain, cells)).rstrip() for cells in pages[title])
        for table, (title, _) in TABLES.items()
        if title in pages
    }
    dataset = pages.get(dataset_sheet.TITLE)
    if not found and dataset is None:
        titles = ", ".join(f"“{title}”" for title, _ in TABLES.values())
        raise Refused(
            f"{name} has none of the worksheets {titles}; fill in the template.", field="book"
        )
    return Filled({table: found.get(table, "") for table in TABLES} if found else {}, dataset)


def _plain(text: str) -> str:
    return " ".join(text.removeprefix("'").split())


def _cell(column: str, text: str) -> object:
    field = BY_KEY.get(column)
    if field is not None and field.kind == "number":
        try:
            return float(text)
        except ValueError:
            return plain_cell(text)
    return plain_cell(text)


def _explained(column: str, field: Field | None) -> tuple[str, str, str]:
    if field is not None:
        what = f"{field.title}. {field.help}"
        if field.required_to_submit:
            what += " Needed to submit."
        return what, field.unit, ", ".join(field.term_keys)
    return PLAIN[column], "", ""


PLAIN = {
    "name": "The name that your lab uses; nobody outside it sees it.",
    "group": "The name of the animal's group, as in the sheet of groups.",
    "cage": "The cage the animal lives in.",
    "animal": "The animal; without this column every animal has every time point.",
}
