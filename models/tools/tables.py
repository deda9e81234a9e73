"""Small tables that people send: CSV, text with tabs or semicolons, Excel."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from models.events import Refused

MOST_ROWS = 200_000
MOST_BYTES = 64 << 20


def read_columns(path: Path, name: str = "") -> tuple[list[str], list[list[str]]]:
    """The names of the columns and the rows as texts, one per column; raises Refused.

    Of an Excel file the first sheet is read. Empty rows are left out.
    """
    shown = name or path.name
    if not path.is_file() or path.stat().st_size == 0:
        raise Refused(f"{shown} is empty (0 bytes); save the table again and send it.")
    if path.stat().st_size > MOST_BYTES:
        raise Refused(f"{shown} is larger than 64 MB; split the table.")
    rows = _excel(path, shown) if Path(shown).suffix.lower() == ".xlsx" else _text(path, shown)
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise Refused(f"{shown} holds no row under its column names.")
    if len(rows) > MOST_ROWS:
        raise Refused(f"{shown} has more than {MOST_ROWS} rows; split the table.")
    head = [cell.strip() for cell in rows[0]]
    twice = next((cell for cell in head if cell and head.count(cell) > 1), "")
    if twice:
        raise Refused(f"{shown} has two columns called “{twice}”; rename one of them.")
    width = len(head)
    for number, row in enumerate(rows[1:], start=2):
        if any(cell.strip() for cell in row[width:]):
            raise Refused(f"Row {number} of {shown} has more cells than there are columns.")
    return head, [[*row[:width], *[""] * (width - len(row))] for row in rows[1:]]


def _text(path: Path, shown: str) -> list[list[str]]:
    data = path.read_bytes()
    if b"\0" in data[:4096]:
        raise Refused(f"{shown} is no text; save the table as CSV.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    first = text.partition("\n")[0]
    between = max(",;\t", key=first.count)
    try:
        return list(csv.reader(io.StringIO(text), delimiter=between))
    except csv.Error as error:
        raise Refused(f"{shown} is no table that can be read ({error}).") from error


def _excel(path: Path, shown: str) -> list[list[str]]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        return [
            ["" if cell is None else _cell(cell) for cell in row]
            for row in sheet.iter_rows(values_only=True)
        ]
    # What openpyxl raises for a damaged file is any of a dozen kinds.
    except Exception as error:
        raise Refused(f"{shown} is no Excel file that can be read; save it as CSV.") from error


def _cell(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) and value == int(value) else str(value)
