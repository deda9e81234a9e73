"""A table of text as a header and rows, whatever encoding and separator it came in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from curation.labels.rows import Skipped, UnknownFormat

MOST_CELLS = 20_000_000
DELIMITERS = ",\t;|"


@dataclass(frozen=True)
class Sheet:
    """A table of text; `rows` holds (row number in the file, cells), blank rows left out.

    `skipped` names what lies beside the table in the same file and was not read.
    """

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    decimal_comma: bool
    header_row: int = 1
    skipped: tuple[Skipped, ...] = ()
    worksheet: str = ""
    """Which one of an Excel file this is."""


def text_sheet(name: str, data: bytes) -> Sheet:
    """Read a comma, semicolon, bar or tab separated table; raises `UnknownFormat`."""
    text = decode(name, data)
    delimiter = _delimiter(text)
    return table(name, _text_rows(name, text, delimiter), decimal_comma=delimiter != ",")


def decode(name: str, data: bytes) -> str:
    """Return the text of UTF-8, UTF-16 or Windows-1252 bytes; raises `UnknownFormat`."""
    encoding = _utf16(data)
    if encoding:
        try:
            return data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            raise UnknownFormat(f"{name} breaks off; send the sheet again.") from None
    if b"\x00" in data:
        raise UnknownFormat(f"{name} is not a table of text; send a CSV or Excel sheet.")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    # Every byte is a letter in Latin-1; a wrong umlaut in a comment is no reason to refuse.
    return data.decode("latin-1")


def _utf16(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    head = data[:512]
    if len(head) < 8:
        return ""
    # Without a mark: every second byte of plain words is zero.
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > 0.8 * half and not even:
        return "utf-16-le"
    return "utf-16-be" if even > 0.8 * half and not odd else ""


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=lambda mark: (first.count(mark), -DELIMITERS.index(mark)))


def _text_rows(name: str, text: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        yield from reader
    except csv.Error:
        raise UnknownFormat(
            f"{name} cannot be read as a table from row {reader.line_num} on; save it again."
        ) from None


def table(
    name: str,
    rows: Iterable[list[str]],
    *,
    decimal_comma: bool,
    skipped: tuple[Skipped, ...] = (),
) -> Sheet:
    """Take the first row that is not blank as the header; raises `UnknownFormat` without one."""
    header: tuple[str, ...] | None = None
    header_row = 1
    kept: list[tuple[int, tuple[str, ...]]] = []
    cells = 0
    for number, row in enumerate(rows, start=1):
        texts = tuple(cell.strip() for cell in row)
        if not any(texts):
            continue
        if header is None:
            header, header_row = texts, number
            continue
        cells += len(texts)
        if cells > MOST_CELLS:
            raise UnknownFormat(f"{name} has more than 20 million cells; split it into several.")
        kept.append((number, texts))
    if header is None:
        raise UnknownFormat(f"{name} is empty; send the sheet again.")
    while header and not header[-1]:
        header = header[:-1]
    return Sheet(name, header, tuple(kept), decimal_comma, header_row, skipped)
