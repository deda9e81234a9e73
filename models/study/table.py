"""Reading the table of a study: CSV or Excel, columns by their names."""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.events import Refused
from models.study.rows import StudyRow

COLUMNS = (
    "name", "animal", "cage", "group", "time_h", "dose", "result", "predictions", "excluded",
    "human_score",
)  # fmt: skip
NEEDED = ("animal", "group", "time_h", "result")
MOST_ROWS = 20_000
SHOWN = 5
"""So many problems are told at once."""


def read_table(path: str | Path) -> list[StudyRow]:
    """The rows of a table; paths in it are relative to its folder.

    A CSV file (comma, semicolon or tab, UTF-8) or the first sheet of an Excel file, with one row of
    column names: COLUMNS, of which NEEDED must be there; others are passed over. Empty rows are
    passed over. Raises Refused, naming row and column as a spreadsheet counts them.
    """
    path = Path(path)
    if not path.is_file():
        raise Refused(f"There is no table {path.name}; give a CSV or Excel file.")
    if path.suffix.lower() in {".xlsx", ".xlsm"}:
        lines = list(_excel(path))
    elif path.suffix.lower() in {".csv", ".tsv", ".txt"}:
        lines = list(_text(path))
    else:
        raise Refused(f"{path.name} is no table that can be read; save it as .csv or .xlsx.")
    if not lines:
        raise Refused(f"The table {path.name} is empty; its first row names the columns.")
    head = [str(cell).strip().lower().replace(" ", "_") for cell in lines[0][1]]
    twice = sorted({name for name in head if name in COLUMNS and head.count(name) > 1})
    if twice:
        raise Refused(f"The table has two columns “{twice[0]}”; keep one.")
    missing = [name for name in NEEDED if name not in head]
    if missing:
        raise Refused(
            f"The table has no column “{missing[0]}”. It needs the columns {', '.join(NEEDED)}; "
            f"{', '.join(name for name in COLUMNS if name not in NEEDED)} may be there too."
        )
    if len(lines) - 1 > MOST_ROWS:
        raise Refused(f"The table has {len(lines) - 1} rows; {MOST_ROWS} are the most.")
    rows, problems = [], []
    for number, cells in lines[1:]:
        held = dict(zip(head, cells, strict=False))
        if not any(str(cell).strip() for cell in cells):
            continue
        row, found = _row(number, held, path.parent)
        problems += found
        rows.append(row)
    if problems:
        more = f" And {len(problems) - SHOWN} more." if len(problems) > SHOWN else ""
        raise Refused(" ".join(problems[:SHOWN]) + more)
    if not rows:
        raise Refused(f"The table {path.name} has column names and no rows.")
    return rows


def _row(number: int, held: Mapping[str, Any], folder: Path) -> tuple[StudyRow, list[str]]:
    problems: list[str] = []

    def text(name: str) -> str:
        value = held.get(name, "")
        if isinstance(value, float) and value.is_integer():
            # A spreadsheet makes 12.0 of an animal named 12.
            value = int(value)
        return str(value).strip()

    def figure(name: str, what: str) -> float:
        said = text(name)
        try:
            value = float(said)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            comma = " Write decimals with a point." if "," in said else ""
            shown = f"“{said}” is not" if said else "the cell is empty, where there should be"
            problems.append(f"Row {number}, column {name}: {shown} {what}.{comma}")
        return value

    def file(name: str) -> Path | None:
        said = text(name)
        return folder / said if said else None

    excluded = text("excluded")
    time = figure("time_h", "a number of hours since the procedure")
    human = figure("human_score", "a score") if text("human_score") else None
    result = file("result")
    if not text("animal"):
        problems.append(f"Row {number}, column animal: the cell is empty; every row has an animal.")
    if result is None and not excluded:
        problems.append(
            f"Row {number}, column result: the cell is empty. Name the result.json of the "
            "recording, or say in the column excluded why there is none."
        )
    for name, path in (("result", result), ("predictions", file("predictions"))):
        if path is not None and not excluded and not path.is_file():
            problems.append(f"Row {number}, column {name}: there is no file {text(name)}.")
    row = StudyRow(
        name=text("name") or text("animal"),
        animal=text("animal"),
        cage=text("cage"),
        group=text("group"),
        time_h=time,
        dose=text("dose"),
        result=result or "",
        predictions=file("predictions"),
        excluded=excluded,
        human_score=human,
    )
    return row, problems


def _text(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(
            f"{path.name} is not encoded in UTF-8; save it again as “CSV UTF-8”."
        ) from error
    first = content.partition("\n")[0]
    between = max(",;\t", key=first.count)
    reader = csv.reader(content.splitlines(keepends=True), delimiter=between)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise Refused(f"{path.name}, row {reader.line_num}: {error}.") from error


def _excel(path: Path) -> Iterator[tuple[int, list[Any]]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError) as error:
        raise Refused(f"{path.name} is no Excel file that can be read; save it again.") from error
    try:
        sheet = book.worksheets[0]
        for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            yield number, ["" if cell is None else cell for cell in cells]
    finally:
        book.close()
