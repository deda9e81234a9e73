"""The table of a study is read as it is meant, or refused by row and column; nothing is guessed."""

from __future__ import annotations

import csv
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.labels.rows import UnknownFormat
from curation.study_table import BY_KEY, COLUMNS, Line, cell, read

NUMBERS = [column.key for column in COLUMNS if column.kind == "number"]
PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)


def text_of(rows: list[list[str]], delimiter: str = ",") -> bytes:
    target = io.StringIO(newline="")
    csv.writer(target, delimiter=delimiter).writerows(rows)
    return target.getvalue().encode()


def plain(text: str) -> str:
    return f"m{text}".replace('"', "").replace("/", "")


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": PRINTABLE.map(plain),
            "animal": PRINTABLE.map(plain),
            "group": PRINTABLE.map(plain),
            "time_h": st.none() | st.floats(-1e6, 1e6).map(lambda value: round(value, 3) + 0.0),
            "human_score": st.none() | st.floats(0, 2).map(lambda value: round(value, 2)),
        }
    ),
    min_size=1,
    max_size=20,
)


@given(ROWS, st.sampled_from(",\t;"))
def test_what_was_written_is_read(rows, delimiter):
    keys = list(rows[0])
    written = [keys, *(["" if row[key] is None else str(row[key]) for key in keys] for row in rows)]
    found = read("table.csv", text_of(written, delimiter))
    assert not found.problems
    assert len(found.lines) == len(rows)
    for line, row in zip(found.lines, rows, strict=True):
        assert line.name == row["name"]
        assert line.cells == {key: row[key] for key in keys if key != "name"}


def test_names_of_columns_alone_are_no_table():
    found = read("table.csv", b"name,group")
    assert not found.lines
    assert [problem.sentence for problem in found.problems] == [
        "There are no rows below the names of the columns."
    ]


@given(st.binary(max_size=400))
def test_whatever_comes_is_read_or_refused_with_a_sentence(data):
    try:
        found = read("table.csv", data)
    except UnknownFormat:
        return
    assert found.lines or found.problems or not data.strip()
    assert all(problem.sentence and problem.file for problem in found.problems)


@given(st.text(max_size=300))
def test_a_pasted_text_never_breaks_the_reading(text):
    data = f"name\tanimal\ttime_h\n{text}".encode("utf-8", "replace")
    try:
        found = read("The table", data)
    except UnknownFormat:
        return
    for line in found.lines:
        assert isinstance(line, Line)
        for key, value in line.cells.items():
            assert cell(key, value) == value, "what was read is taken again as it is"


@given(st.sampled_from(list(BY_KEY)), st.none() | st.text() | st.floats() | st.integers())
def test_a_cell_is_in_its_range_or_refused(key, given_value):
    column = BY_KEY[key]
    try:
        value = cell(key, given_value)
    except ValueError:
        return
    if column.kind == "text":
        assert isinstance(value, str)
        assert len(value) <= column.most
        assert value == " ".join(value.split())
        assert value.isprintable()
    else:
        assert value is None or (math.isfinite(value) and column.low <= value <= column.high)
    assert cell(key, value) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("4", 4.0), (" -24 ", -24.0), ("−1.5", -1.5), ("2,5", 2.5), ("", None), ("-0", 0.0)],
)
def test_numbers_are_read_as_labs_write_them(text, value):
    found = cell("time_h", text)
    assert found == value
    assert found is None or math.copysign(1, found) == math.copysign(1, value)


@pytest.mark.parametrize(
    "text", ["four", "4 h", "1,500", "1e3", "nan", "inf", "1_000", "٤٤x", "9" * 60]
)
def test_what_can_be_read_in_two_ways_or_is_no_number_is_refused(text):
    with pytest.raises(ValueError):
        cell("time_h", text)


def test_the_refusal_names_file_row_and_column():
    data = text_of(
        [["Video", "Time (h)", "Human score"], ["a", "1", "0.5"], ["", "x", "0.1"], ["b", "2", "3"]]
    )
    found = read("design.csv", data)
    assert [str(problem) for problem in found.problems] == [
        "design.csv, row 3, column time_h: Time (h) is a number without a unit, and “x” is none.",
        "design.csv, row 3: It names no video, so nobody knows which one it is.",
        "design.csv, row 4, column human_score: Human score is a number from 0 to 2, and “3” is "
        "not.",
    ]


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (["name", "weight"], "No column is called “weight”"),
        (["name", "time", "hours"], "The column “time_h” stands twice"),
        (["animal", "group"], "one of them is “name”"),
    ],
)
def test_a_header_that_is_not_known_is_refused(header, sentence):
    found = read("table.csv", text_of([header, ["a"] * len(header)]))
    assert not found.lines
    assert sentence in found.problems[0].sentence


def test_an_excel_file_is_read_as_the_text_is():
    import openpyxl

    book = openpyxl.Workbook()
    page = book.active
    page.append(["score", "animal", "time_h", "dose"])
    page.append(["https://amgs.example.org/score/abc/", 12, -1.5, "10 mg/kg"])
    page.append(["abd", "'=m2", None, None])
    target = io.BytesIO()
    book.save(target)
    found = read("design.xlsx", target.getvalue())
    assert not found.problems
    assert [line.score for line in found.lines] == ["abc", "abd"]
    assert found.lines[0].cells == {"animal": "12", "time_h": -1.5, "dose": "10 mg/kg"}
    assert found.lines[1].cells == {"animal": "=m2", "time_h": None, "dose": ""}


def test_a_formula_that_was_never_calculated_is_no_value():
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["name", "time_h"])
    book.active.append(["a", "=1+3"])
    target = io.BytesIO()
    book.save(target)
    with pytest.raises(UnknownFormat, match="formulas"):
        read("design.xlsx", target.getvalue())
