"""The design of an experiment as an Excel file: a template to fill in, and its way back."""

from __future__ import annotations

import io
from collections.abc import Mapping

from amgs.core.errors import Refused
from amgs.core.spreadsheets import plain_cell
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


def template(texts: Mapping[str, str]) -> bytes:
    """Return a workbook with a sheet per table, filled with ``design_table.texts``.

    Columns with fixed terms have lists to choose from; a last sheet explains every column.
    """
    import openpyxl
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    bold = Font(bold=True)
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


def read(name: str, data: bytes) -> dict[str, str]:
    """Return the three tables of a filled workbook as texts; raises ``Refused``.

    A line of a text is a row of its worksheet, so that both are counted alike. Worksheets with
    other titles are not read.
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
    if not found:
        titles = ", ".join(f"“{title}”" for title, _ in TABLES.values())
        raise Refused(
            f"{name} has none of the worksheets {titles}; fill in the template.", field="book"
        )
    return {table: found.get(table, "") for table in TABLES}


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
