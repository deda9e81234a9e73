"""A CSV, tab-separated or Excel file as a header and rows of text, whatever shape it came in."""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.labels.rows import UnknownFormat

MOST_BYTES = 200 * 1024 * 1024
"""Also the limit for what an Excel file unpacks to: a small zip can hold a very large sheet."""
MOST_CELLS = 20_000_000
DELIMITERS = ",\t;|"

_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Sheet:
    """A table of text; `rows` holds (row number in the file, cells), blank rows left out."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    decimal_comma: bool


def load_sheet(path: Path, name: str | None = None) -> Sheet:
    """Read a file into a sheet; raises `UnknownFormat` when it is no table.

    The kind is told from the content, since names lie: an Excel file is a zip archive.
    """
    shown = name or path.name
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UnknownFormat(f"{shown} is larger than 200 MB; split the sheet into several.")
        data = path.read_bytes()
    except OSError as error:
        raise UnknownFormat(
            f"{shown} cannot be opened ({error.strerror}); send it again."
        ) from None
    if not data.strip():
        raise UnknownFormat(f"{shown} is empty; send the sheet again.")
    if data.startswith(_OLD_EXCEL):
        raise UnknownFormat(f"{shown} is an Excel file of the old kind; save it as .xlsx or CSV.")
    if data.startswith(_ZIP):
        return _table(shown, _excel_rows(shown, data), decimal_comma=False)
    text = _decode(shown, data)
    delimiter = _delimiter(text)
    return _table(shown, _text_rows(shown, text, delimiter), decimal_comma=delimiter != ",")


def _decode(name: str, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise UnknownFormat(f"{name} breaks off; send the sheet again.") from None
    if b"\x00" in data:
        raise UnknownFormat(f"{name} is not a table of text; send a CSV or Excel sheet.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Every byte is a letter in Latin-1; a wrong umlaut in a comment is no reason to refuse.
        return data.decode("latin-1")


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


def _excel_rows(name: str, data: bytes) -> Iterator[list[str]]:
    import openpyxl

    damaged = UnknownFormat(f"{name} is a damaged Excel file; save it again and send that.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise UnknownFormat(f"{name} unpacks to more than 200 MB; save it as CSV.")
        with warnings.catch_warnings():
            # The library warns about styles it does not draw; none of that concerns the cells.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            try:
                for row in book.worksheets[0].iter_rows(values_only=True):
                    yield [_cell(value) for value in row]
            finally:
                book.close()
    except UnknownFormat:
        raise
    except Exception:  # the library lets whatever a damaged file provokes pass through
        raise damaged from None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _table(name: str, rows: Iterable[list[str]], *, decimal_comma: bool) -> Sheet:
    header: tuple[str, ...] | None = None
    kept: list[tuple[int, tuple[str, ...]]] = []
    cells = 0
    for number, row in enumerate(rows, start=1):
        texts = tuple(cell.strip() for cell in row)
        if not any(texts):
            continue
        if header is None:
            header = texts
            continue
        cells += len(texts)
        if cells > MOST_CELLS:
            raise UnknownFormat(f"{name} has more than 20 million cells; split it into several.")
        kept.append((number, texts))
    if header is None:
        raise UnknownFormat(f"{name} is empty; send the sheet again.")
    while header and not header[-1]:
        header = header[:-1]
    return Sheet(name, header, tuple(kept), decimal_comma)
