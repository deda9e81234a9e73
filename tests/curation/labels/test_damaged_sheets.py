"""Damaged score sheets end in problems or in `UnknownFormat`, never in another exception."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.labels import Labels, Mapping, UnknownFormat, read, sniff
from models.scale import load_scale

SCALE = load_scale()
CELLS = st.one_of(
    st.sampled_from(["0", "1", "2", "3", "9", "-1", "-", "", "1.0", "1,0", "nan", "inf", "1e400"]),
    st.text(max_size=6),
)
HEADERS = st.one_of(
    st.sampled_from(
        ["file", "filename", "", "frame", "time", "rater", "unit", "grade", "reason", "rejected"]
        + [f"ot{n}" for n in range(3)]
        + [f"wc{n}" for n in range(3)]
        + list(SCALE.unit_keys)
    ),
    st.text(max_size=8),
)
TABLES = st.lists(HEADERS, max_size=9).flatmap(
    lambda header: st.lists(st.lists(CELLS, max_size=len(header) + 2), max_size=8).map(
        lambda rows: [header, *rows]
    )
)
WHOLE = (
    "filename,ot1,nb1,cb1,ep1,wc1,ot3,nb3,cb3,ep3,wc3\r\n"
    + "".join(f"frame{n}.png,0,1,2,9,-,,2,1,1,1\r\n" for n in range(6))
).encode()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "scores.csv"


@pytest.fixture(scope="module")
def excel() -> bytes:
    book = openpyxl.Workbook()
    for line in WHOLE.decode().split():
        book.active.append(line.split(","))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _read(path: Path, content: bytes, mapping: Mapping | None = None) -> Labels | None:
    path.write_bytes(content)
    try:
        found = sniff(path)
        labels = read(path, mapping)
    except UnknownFormat as refused:
        sentence = refused.sentence
        labels = None
    if labels is None:
        assert sentence.startswith("scores.csv")
        assert sentence.endswith(".")
        return None
    assert mapping is not None or (found and found[0].format == labels.format)
    for problem in labels.problems:
        assert problem.sentence.endswith(".")
        assert problem.file == "scores.csv"
    for row in labels.rows:
        assert row.unit in SCALE.unit_keys
        assert row.reason is None or row.reason in SCALE.reason_keys
        assert row.grade is None or 0 <= row.grade <= SCALE.unit(row.unit).top_grade
        assert row.grade is None or row.reason is None
        assert row.file
    seen = [(row.file, row.frame, row.time_s, row.rater, row.unit) for row in labels.rows]
    assert len(seen) == len(set(seen))
    return labels


@given(st.binary(max_size=300))
@example(b'"')
@example(b'file,ot1,nb1\n"open')
@example(b"\xef\xbb\xbf")
def test_any_bytes_are_read_or_refused(path: Path, content: bytes) -> None:
    _read(path, content)


@given(TABLES, st.sampled_from(",;\t"), st.sampled_from(["utf-8", "utf-16", "latin-1"]))
def test_any_table_is_read_or_refused(
    path: Path, table: list[list[str]], delimiter: str, encoding: str
) -> None:
    text = "\n".join(delimiter.join(row) for row in table)
    _read(path, text.encode(encoding, errors="replace"))


@given(
    TABLES,
    st.dictionaries(HEADERS, st.one_of(HEADERS, st.just(f"{SCALE.unit_keys[0]}@a"))),
    st.dictionaries(CELLS, CELLS),
)
def test_any_mapping_is_followed_or_refused(
    path: Path, table: list[list[str]], columns: dict[str, str], cells: dict[str, str]
) -> None:
    text = "\n".join(",".join(row) for row in table)
    _read(path, text.encode(errors="replace"), Mapping(columns, cells))


@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.binary(max_size=4))
def test_a_sheet_with_a_hole_keeps_its_whole_rows(
    path: Path, start: int, length: int, instead: bytes
) -> None:
    labels = _read(path, WHOLE[:start] + instead + WHOLE[start + length :])
    last = WHOLE.rindex(b"frame5")
    if labels is not None and start >= last and not instead:
        assert {row.file for row in labels.rows} >= {f"frame{n}.png" for n in range(5)}


@settings(max_examples=40)
@given(data=st.data())
def test_a_damaged_excel_file_is_read_or_refused(
    path: Path, excel: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(excel)))
    length = data.draw(st.integers(0, 200))
    instead = data.draw(st.binary(max_size=20))
    _read(path, excel[:at] + instead + excel[at + length :])
