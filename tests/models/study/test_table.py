"""Reading the table: what is taken, and what is refused with row and column."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from models.events import Refused
from models.study import read_table

HEAD = "name,animal,cage,group,time_h,dose,result,predictions,excluded,human_score"


def written(folder: Path, text: str, name: str = "study.csv") -> Path:
    (folder / "r.json").write_text("{}", encoding="utf-8")
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def sentence(path: Path) -> str:
    with pytest.raises(Refused) as refusal:
        read_table(path)
    return refusal.value.sentence


def test_a_row_is_read_with_paths_beside_the_table(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEAD}\na1,m1,c1,sham,-24,,r.json,,,0.4\n")
    (row,) = read_table(path)
    assert (row.name, row.animal, row.cage, row.group, row.time_h) == (
        "a1",
        "m1",
        "c1",
        "sham",
        -24,
    )
    assert row.result == tmp_path / "r.json"
    assert row.predictions is None
    assert row.human_score == 0.4


def test_semicolons_other_columns_and_empty_rows_are_fine(tmp_path: Path) -> None:
    path = written(tmp_path, "animal;note;group;time_h;result\nm1;x;a;0;r.json\n;;;;\n")
    (row,) = read_table(path)
    assert (row.name, row.cage, row.human_score) == ("m1", "", None)


def test_excel_is_read_and_a_whole_number_is_no_fraction(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Animal", "Group", "Time h", "Result"])
    book.active.append([12.0, "a", 2.5, "r.json"])
    (tmp_path / "r.json").write_text("{}")
    book.save(tmp_path / "study.xlsx")
    (row,) = read_table(tmp_path / "study.xlsx")
    assert (row.animal, row.time_h) == ("12", 2.5)


def test_an_excluded_row_needs_no_result(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEAD}\na1,m1,,sham,0,,,,the camera fell over,\n")
    assert read_table(path)[0].excluded == "the camera fell over"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a1,,,sham,0,,r.json,,,", "Row 2, column animal"),
        ("a1,m1,,sham,,,r.json,,,", "Row 2, column time_h: the cell is empty"),
        ("a1,m1,,sham,soon,,r.json,,,", "Row 2, column time_h: “soon”"),
        ('a1,m1,,sham,"0,5",,r.json,,,', "Write decimals with a point"),
        ("a1,m1,,sham,nan,,r.json,,,", "Row 2, column time_h"),
        ("a1,m1,,sham,0,,,,,", "Row 2, column result: the cell is empty"),
        ("a1,m1,,sham,0,,other.json,,,", "there is no file other.json"),
        ("a1,m1,,sham,0,,r.json,p.parquet,,", "Row 2, column predictions"),
        ("a1,m1,,sham,0,,r.json,,,high", "Row 2, column human_score"),
    ],
)
def test_a_cell_that_cannot_be_meant_is_named(tmp_path: Path, row: str, told: str) -> None:
    assert told in sentence(written(tmp_path, f"{HEAD}\n{row}\n"))


def test_columns_that_are_missing_or_twice_are_named(tmp_path: Path) -> None:
    assert "no column “group”" in sentence(written(tmp_path, "animal,time_h,result\n"))
    twice = "animal,animal,group,time_h,result\n"
    assert "two columns “animal”" in sentence(written(tmp_path, twice))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    assert "There is no table" in sentence(tmp_path / "none.csv")
    assert "no table that can be read" in sentence(written(tmp_path, "", "study.pdf"))
    assert "is empty" in sentence(written(tmp_path, ""))
    assert "no rows" in sentence(written(tmp_path, f"{HEAD}\n"))
    assert "no Excel file" in sentence(written(tmp_path, "x", "study.xlsx"))
    path = tmp_path / "latin.csv"
    path.write_bytes(f"{HEAD}\nä".encode("latin-1"))
    assert "UTF-8" in sentence(path)


def test_many_problems_are_told_as_a_few_and_a_number(tmp_path: Path) -> None:
    rows = "\n".join("a,,,sham,0,,r.json,,," for _ in range(9))
    assert "And 4 more." in sentence(written(tmp_path, f"{HEAD}\n{rows}\n"))
