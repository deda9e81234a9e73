"""The table of a study: what each column may hold, and how a pasted or sent table is read.

Nothing is guessed: a cell that cannot be right is named by its row and column, and one fault
refuses the whole table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.labels.excel import UNCALCULATED, excel_pages
from curation.labels.rows import UnknownFormat
from curation.labels.sheet import Sheet, table, text_sheet
from curation.problems import Problem

MOST_ROWS = 5_000
FARTHEST = 1e6
"""Largest time (hours) that is taken for meant."""
HIGHEST = 2.0
"""The image score ends here (0–2)."""

Value = str | float | None


@dataclass(frozen=True)
class Column:
    """One column: its key, what people read above it, how it is explained, what it holds."""

    key: str
    title: str
    help: str
    kind: str
    """`text` or `number`."""
    most: int = 0
    """Longest text, in characters."""
    low: float = -FARTHEST
    high: float = FARTHEST


COLUMNS: tuple[Column, ...] = (
    Column("animal", "Animal", "The same name at every time point.", "text", 100),
    Column("cage", "Cage", "Empty where cages do not matter.", "text", 100),
    Column("group", "Group", "The treatment the animal was assigned to.", "text", 100),
    Column("time_h", "Time (h)", "Hours since the procedure; before it, below zero.", "number"),
    Column("dose", "Dose", "As it is to stand in tables, such as 10 mg/kg.", "text", 40),
    Column(
        "human_score",
        "Human score",
        "Your own mean image score of this video, 0–2.",
        "number",
        low=0.0,
        high=HIGHEST,
    ),
    Column("excluded", "Excluded because", "A reason takes the row out; it is named.", "text", 300),
)
BY_KEY: Mapping[str, Column] = {column.key: column for column in COLUMNS}

# What names the row a line is about; one of them is enough.
NAMES = ("score", "name")
_SAID = {
    "file": "name",
    "video": "name",
    "link": "score",
    "token": "score",
    "time": "time_h",
    "hours": "time_h",
    "human": "human_score",
    "excluded_because": "excluded",
    "exclusion": "excluded",
}
_NUMBER = re.compile(r"[-+−]?\d+(?:[.,]\d+)?")
_THOUSANDS = re.compile(r"[-+−]?\d{1,3},\d{3}")


def cell(key: str, given: Any) -> Value:
    """Return what a cell of a column holds; raises `ValueError` with a sentence.

    Text is stripped and its spaces made single; an empty cell of a number is None.
    """
    column = BY_KEY[key]
    if column.kind == "text":
        if given is not None and not isinstance(given, str | int | float):
            raise ValueError(f"{column.title} is a text.")
        text = " ".join(_printable("" if given is None else str(given)).split())
        if len(text) > column.most:
            raise ValueError(f"{column.title} has at most {column.most} letters; shorten it.")
        return text
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    number = _number(column, given)
    if not math.isfinite(number) or not column.low <= number <= column.high:
        raise ValueError(
            f"{column.title} is a number from {column.low:g} to {column.high:g}, and "
            f"“{str(given)[:40]}” is not."
        )
    return number + 0.0  # no negative zero, which reads like a fault


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _number(column: Column, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise ValueError(f"{column.title} is a number.")
    if not isinstance(given, str):
        try:
            return float(given)
        except OverflowError:
            return math.inf
    text = given.strip()
    if _THOUSANDS.fullmatch(text):
        raise ValueError(
            f"“{text}” can be read in two ways; write {text.replace(',', '')} or "
            f"{text.replace(',', '.')}."
        )
    if not _NUMBER.fullmatch(text) or len(text) > 40:
        raise ValueError(f"{column.title} is a number without a unit, and “{text[:40]}” is none.")
    return float(text.replace(",", ".").replace("−", "-"))


@dataclass(frozen=True)
class Line:
    """One line of a table that was read: its row in the file, what names it, and its cells.

    Only columns that the table has are in `cells`.
    """

    row: int
    score: str
    name: str
    cells: dict[str, Value]


@dataclass(frozen=True)
class Reading:
    """What a table says, and every cell that cannot be right."""

    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]


def read(name: str, data: bytes) -> Reading:
    """Read an Excel file or a table of text; raises `UnknownFormat` where it is neither."""
    if data.startswith(b"PK\x03\x04"):
        pages = [rows for _, rows in excel_pages(name, data) if any(any(row) for row in rows)]
        if any(UNCALCULATED in row for rows in pages for row in rows):
            raise UnknownFormat(
                f"{name} holds formulas that were never calculated; open it in your spreadsheet "
                "program, save it, and send it again."
            )
        return understood(table(name, pages[0] if pages else [], decimal_comma=False))
    return understood(text_sheet(name, data))


def understood(sheet: Sheet) -> Reading:
    """Read the lines of a sheet whose header names the columns."""
    keys = [_key(text) for text in sheet.header]
    problems = list(_of_header(sheet, keys))
    if not problems and not sheet.rows:
        problems.append(Problem("There are no rows below the names of the columns.", sheet.name))
    if not problems and len(sheet.rows) > MOST_ROWS:
        problems.append(Problem(f"A study has at most {MOST_ROWS} rows.", sheet.name))
    if problems:
        return Reading((), tuple(problems))
    lines = []
    for number, texts in sheet.rows:
        if any(texts[len(keys) :]):
            problems.append(Problem("A cell stands beside the last column.", sheet.name, number))
        given = dict(zip(keys, texts, strict=False))
        cells: dict[str, Value] = {}
        for key in keys:
            if key in NAMES:
                continue
            try:
                cells[key] = cell(key, _unquoted(given.get(key, "")))
            except ValueError as wrong:
                problems.append(Problem(str(wrong), sheet.name, number, key))
        score = given.get("score", "").strip().rstrip("/").rpartition("/")[2]
        video = _unquoted(given.get("name", ""))
        if not score and not video:
            problems.append(
                Problem("It names no video, so nobody knows which one it is.", sheet.name, number)
            )
        lines.append(Line(number, score, video, cells))
    return Reading(tuple(lines), tuple(problems))


def _of_header(sheet: Sheet, keys: Sequence[str]) -> list[Problem]:
    known = ", ".join((*NAMES, *BY_KEY))
    row = sheet.header_row
    found = [
        Problem(f"No column is called “{text}”; use {known}.", sheet.name, row, text or "(empty)")
        for text, key in zip(sheet.header, keys, strict=True)
        if key not in BY_KEY and key not in NAMES
    ]
    found += [
        Problem(f"The column “{key}” stands twice.", sheet.name, row, key)
        for key in dict.fromkeys(key for key in keys if keys.count(key) > 1)
    ]
    if not found and not set(NAMES) & set(keys):
        found.append(
            Problem(
                "The first row must name the columns, and one of them is “name” (of the video) or "
                "“score” (its link).",
                sheet.name,
                row,
            )
        )
    return found


def _key(text: str) -> str:
    plain = re.sub(r"\s*\((?:h|hours|0[–-]2)\)\s*$", "", text.strip().lower())
    key = re.sub(r"[\s_]+", "_", plain)
    return _SAID.get(key, key)


def _unquoted(text: str) -> str:
    # A downloaded table guards texts that a spreadsheet would take for a formula.
    return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in "=+-@" else text
