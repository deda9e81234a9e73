"""The shapes of public score sheets, each as a small example of our own."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from curation.labels import Mapping, UnknownFormat, formats, read, sniff
from models.scale import load_scale

Sheet = Callable[..., Path]

UNITS = load_scale().unit_keys
OTHER = "other"
WIDE = (
    "filename,ot1,nb1,cb1,ep1,wc1,ot3,nb3,cb3,ep3,wc3\n"
    "a.png,0,1,2,9,-,,3,1,1,1\n"
    "b.png,2,2,2,2,2,0,0,0,0,0\n"
)


def test_a_wide_sheet_keeps_not_scorable_not_assigned_and_missing_apart(sheet: Sheet) -> None:
    labels = read(sheet(WIDE))
    assert labels.format == "wide"
    assert labels.raters == ("1", "3")
    first = {(row.rater, row.unit): row for row in labels.rows if row.file == "a.png"}
    said = [(first["1", unit].grade, first["1", unit].reason) for unit in UNITS]
    assert said == [(0, None), (1, None), (2, None), (None, OTHER), (None, None)]
    assert [first["1", unit].assigned for unit in UNITS] == [True, True, True, True, False]
    missing = first["3", UNITS[0]]
    assert (missing.grade, missing.reason, missing.assigned) == (None, None, True)
    assert not missing.is_vote
    assert len(labels.votes) == 9 + 10 - 2


def test_an_impossible_grade_is_named_and_blocks_nothing_but_itself(sheet: Sheet) -> None:
    labels = read(sheet(WIDE))
    assert [str(problem) for problem in labels.problems] == [
        "scores.csv, row 2, column nb3: 3 is not possible; Nose bulge takes 0 to 2. "
        "Correct the cell."
    ]
    assert len(labels.rows) == 19


def test_a_long_sheet_has_frames_and_raters(sheet: Sheet) -> None:
    text = f"file,frame,rater,{','.join(UNITS)}\nvideos/r0001.mp4,30,anna,0,1,2,9,-\n"
    labels = read(sheet(text))
    assert labels.format == "long"
    assert labels.problems == ()
    assert {(row.file, row.frame, row.rater, row.row) for row in labels.rows} == {
        ("videos/r0001.mp4", 30, "anna", 2)
    }
    assert [row.grade for row in labels.rows] == [0, 1, 2, None, None]


def test_one_row_per_single_grade_is_a_long_sheet_too(sheet: Sheet) -> None:
    text = "image,unit,observer,score\na.png,Ear position,1,2\na.png,tail,1,2\n"
    labels = read(sheet(text))
    assert [(row.unit, row.grade) for row in labels.rows] == [("ear_position", 2)]
    assert [problem.sentence for problem in labels.problems] == ["“tail” is no unit of the scale."]


def test_one_scorer_with_comments_sums_and_means_is_read_and_useless_rows_hold_no_zeros(
    sheet: Sheet,
) -> None:
    text = (
        "Image Name;Useless;Orbital_Scorer4;Nose_Scorer4;Comment_Scorer4;Sum_Scorer4;Mean_Scorer4\n"
        "a.png;0;1;2;fine;3;1,5\n"
        "b.png;1;0;0;turned away;0;0\n"
    )
    labels = read(sheet(text))
    assert labels.raters == ("4",)
    assert [(row.file, row.grade, row.reason) for row in labels.rows] == [
        ("a.png", 1, None),
        ("a.png", 2, None),
        ("b.png", None, OTHER),
        ("b.png", None, OTHER),
    ]
    assert "1 rows are marked as rejected" in labels.problems[-1].sentence


def test_another_scale_is_refused_and_never_guessed(sheet: Sheet) -> None:
    rows = "".join(f"m1_w{n}_before_{n}min\t{n % 10}\t{(n * 3) % 10}\t0\t4.5\n" for n in range(30))
    path = sheet(f"\torbital tightening\tnose bulge\trejected\tmean\n{rows}", "scores.tsv")
    with pytest.raises(UnknownFormat) as refused:
        read(path)
    assert "uses another scale" in refused.value.sentence
    assert "the highest is 9" in refused.value.sentence


def test_another_scale_is_read_by_the_rule_that_the_investigator_confirmed(sheet: Sheet) -> None:
    rows = "".join(f"frame{n}\t{n % 10}\t{(n * 3) % 10}\n" for n in range(30))
    rule = {str(n): str(n // 4) for n in range(10)}
    labels = read(sheet(f"\torbital tightening\tnose bulge\n{rows}"), Mapping(cells=rule))
    assert [row.grade for row in labels.rows if row.unit == UNITS[0]][:10] == [
        *(0, 0, 0, 0, 1, 1, 1, 1, 2, 2)
    ]


def test_columns_of_any_name_are_read_by_the_mapping(sheet: Sheet) -> None:
    columns = {
        "Bild": "file",
        "Auge": f"{UNITS[0]}@anna",
        "Nase": f"{UNITS[1]}@anna",
        "ot1": "ignore",
    }
    labels = read(sheet("Bild,Auge,Nase,ot1\na.png,1,2,2\n"), Mapping(columns=columns))
    assert [(row.rater, row.unit, row.grade) for row in labels.rows] == [
        ("anna", UNITS[0], 1),
        ("anna", UNITS[1], 2),
    ]


def test_an_excel_sheet_is_recognised_by_its_content(sheet: Sheet) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Filename", "Frame", "Rater", "Orbital Tightening", "Nose Bulge"])
    book.active.append(["a.mp4", 3.0, 1, 2.0, None])
    buffer = io.BytesIO()
    book.save(buffer)
    labels = read(sheet(buffer.getvalue(), "download"), name="scores.xlsx")
    assert [(row.frame, row.grade, row.is_vote) for row in labels.rows] == [
        (3, 2, True),
        (3, None, False),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_the_encodings_of_spreadsheet_programs_are_read(sheet: Sheet, encoding: str) -> None:
    text = "file;ot1;nb1\nmäuse/ä1.png;1;2\n"
    assert read(sheet(text.encode(encoding))).rows[0].file == "mäuse/ä1.png"


def test_times_are_read_as_seconds_or_as_a_clock(sheet: Sheet) -> None:
    rows = "a.mp4,1:02.5,1,1,1\na.mp4,62.5,2,1,1\na.mp4,late,3,1,1\n"
    labels = read(sheet(f"file,timestamp,rater,orbital,nose\n{rows}"))
    assert [row.time_s for row in labels.rows] == [62.5] * 4
    assert [(p.row, p.column) for p in labels.problems] == [(4, "timestamp")]


@pytest.mark.parametrize(
    ("row", "column", "sentence"),
    [
        (",1,r,0,0", None, "The row names no file"),
        ("._a.png,1,r,0,0", None, "macOS side file"),
        ("a.mp4,-1,r,0,0", "frame", "no frame number"),
        ("a.mp4,1.5,r,0,0", "frame", "no frame number"),
        ("a.mp4,1,r,x,0", "orbital", "“x” is no grade"),
        ("a.mp4,1,r,0.5,0", "orbital", "0.5 is not possible"),
        ("a.mp4,1,r", None, "The row ends after 3 of 5 cells"),
        ("a.mp4,1,r,0,0,7", None, "The row has 6 cells under 5 headers"),
    ],
)
def test_a_bad_row_is_named_with_its_number(sheet: Sheet, row: str, column, sentence: str) -> None:
    labels = read(sheet(f"file,frame,rater,orbital,nose\ngood.mp4,0,r,1,1\n\n{row}\n"))
    assert [(p.file, p.row, p.column) for p in labels.problems] == [("scores.csv", 4, column)]
    assert sentence in labels.problems[0].sentence
    assert [r.grade for r in labels.rows if r.file == "good.mp4"] == [1, 1]


def test_the_second_grade_of_the_same_rater_is_left_out(sheet: Sheet) -> None:
    labels = read(sheet("file,frame,rater,orbital,nose\na,1,r,0,0\na,1,r,2,2\n"))
    assert [row.grade for row in labels.rows] == [0, 0]
    assert [problem.row for problem in labels.problems] == [3, 3]


def test_a_reason_is_kept_as_cell_or_as_column_and_an_unknown_one_is_named(sheet: Sheet) -> None:
    reason = load_scale().reason_keys[1]
    text = f"file,rater,orbital,nose,reason\na,r,{reason},1,\nb,r,9,1,{reason}\nc,r,9,1,moon\n"
    labels = read(sheet(text))
    assert [row.reason for row in labels.rows if row.unit == UNITS[0]] == [reason, reason, OTHER]
    assert [(p.row, p.column) for p in labels.problems] == [(4, "reason")]


def test_two_columns_of_the_same_meaning_are_reported(sheet: Sheet) -> None:
    labels = read(sheet("file,ot1,OT_1,nb1,nose\na,1,2,0,0\n"))
    assert [(p.row, p.column) for p in labels.problems] == [(1, "OT_1"), (1, "nose")]
    assert [row.grade for row in labels.rows] == [1, 0]


def test_hundreds_of_problems_are_counted_instead_of_listed(sheet: Sheet) -> None:
    rows = "".join(f"f{n},r,x,1\n" for n in range(500))
    labels = read(sheet(f"file,rater,orbital,nose\n{rows}"))
    assert len(labels.problems) == 201
    assert "300 more" in labels.problems[-1].sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\x00\x01\x02binary", "not a table of text"),
        (b"\xd0\xcf\x11\xe0old", "old kind"),
        (b"PK\x03\x04torn", "damaged Excel file"),
        (b"\xff\xfeo", "breaks off"),
        (b"hello world", "No column was recognised"),
        (b"filename,Orbital Tightening,RGS\na,1,1\n", "“Orbital Tightening” as Orbital tightening"),
    ],
)
def test_what_is_no_score_sheet_is_refused_with_what_was_recognised(
    sheet: Sheet, content: bytes, sentence: str
) -> None:
    path = sheet(content)
    assert sniff(path) == ()
    with pytest.raises(UnknownFormat) as refused:
        read(path)
    assert refused.value.sentence.startswith("scores.csv")
    assert sentence in refused.value.sentence


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat, match="cannot be opened"):
        read(tmp_path / "gone.csv")


def test_sniff_names_the_format(sheet: Sheet) -> None:
    found = sniff(sheet(WIDE))
    assert [guess.format for guess in found] == ["wide"]
    assert found[0].format in {one.key for one in formats()}


NINE = (
    "\torbital tightening\tnose bulge\tear position\trejected\tmean\n"
    + "".join(f"m1_w{n}_before_{n}min.png\t{n % 10}\t{n % 7}\t-1\t0\t\n" for n in range(30))
    + "m2_w1_after_5min.png\t3\t6\t9\t0\t6\nm2_w1_after_6min.png\t3\t6\t9\t0\t5.5\n"
    + "m2_w2_after_5min.png\t0\t0\t0\t1\t0\n"
)


def test_a_sheet_on_nine_steps_is_read_by_its_rule_and_says_how(sheet: Sheet) -> None:
    path = sheet(NINE, "scores.tsv")
    (guess,) = sniff(path)
    asked = {question.field: question for question in guess.questions}
    assert "0-9:nearest" in dict(asked["conversion"].choices)
    assert "“-1” (30 cells) as not scorable" in asked["cells"].sentence
    labels = read(path, Mapping(conversion="0-9:nearest", cells={"-1": "missing"}))
    kinds = {(row.file, row.unit): row for row in labels.rows}
    assert kinds["m1_w4_before_4min.png", UNITS[0]].grade == 1
    assert kinds["m1_w4_before_4min.png", UNITS[3]].kind == "missing"
    assert kinds["m2_w1_after_5min.png", UNITS[3]].grade == 2
    assert kinds["m2_w2_after_5min.png", UNITS[0]].kind == "not_scorable"
    assert [(problem.row, problem.column) for problem in labels.problems] == [
        (33, "mean"),
        (None, None),
    ]
    assert "the mean is 5.5, but the mean of the row's grades is 6" in labels.problems[0].sentence
    assert labels.notes[0].startswith("Of the scale 0 to 9, below 2.25 is 0")


def test_a_rule_that_does_not_fit_the_sheet_is_asked_for_again(sheet: Sheet) -> None:
    rows = "".join(f"f{n},{n * 3},{n}\n" for n in range(30))
    path = sheet(f"file,ot1,nb1\n{rows}")
    with pytest.raises(UnknownFormat, match="not 0 to 9 \\(the highest is 87\\)"):
        read(path, Mapping(conversion="0-9:nearest"))


@pytest.mark.parametrize(
    "cell", ["1%", "1e-400", "١", "1_0", "0x1", "1 2", "½", "True", "=formula"]
)
def test_what_only_looks_like_a_grade_is_none(sheet: Sheet, cell: str) -> None:
    labels = read(sheet(f"file,ot1,nb1\na.png,{cell},1\n"))
    assert [row.grade for row in labels.rows] == [1]
    assert [(problem.row, problem.column) for problem in labels.problems] == [(2, "ot1")]


def test_frames_that_count_from_one_are_brought_to_zero(sheet: Sheet) -> None:
    path = sheet("file,frame,ot1,nb1\na.mp4,1,1,1\na.mp4,0,1,1\n")
    labels = read(path, Mapping(frames_from=1))
    assert {row.frame for row in labels.rows} == {0}
    assert "frames count 1, 2, 3" in labels.problems[0].sentence


def test_one_file_and_one_rater_can_be_told(sheet: Sheet) -> None:
    path = sheet("frame,orbital,nose\n0,1,2\n")
    assert sniff(path) == ()
    labels = read(path, Mapping(file="a.mp4", rater="anna"))
    assert {(row.file, row.rater, row.frame) for row in labels.rows} == {("a.mp4", "anna", 0)}
