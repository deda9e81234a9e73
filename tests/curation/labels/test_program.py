"""Exports of scoring programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from curation.labels import Mapping, read, sniff
from models.scale import load_scale

Sheet = Callable[..., Path]
EXPORT = (
    "timestamp,orbital_score,orbital_confidence,nose_score,nose_confidence,ears,ears_conf,"
    "whiskers,whiskers_prob,total\n"
    "00:00:01,0,0.98,1,0.61,0,0.9,2,0.7,3\n00:00:02,1,0.5,1,0.5,,0.1,2,7,8\n"
)


def test_a_program_is_no_rater_and_its_confidence_is_kept(sheet: Sheet) -> None:
    labels = read(sheet(EXPORT, "m1.csv"))
    assert labels.format == "program"
    assert labels.rows == ()
    assert labels.votes == ()
    first = labels.program_rows[0]
    assert (first.file, first.time_s, first.grade, first.confidence) == ("m1", 1.0, 0, 0.98)
    units = [row.unit for row in labels.program_rows[:4]]
    keys = load_scale().unit_keys
    assert units == [keys[0], keys[1], keys[3], keys[4]]
    second = labels.program_rows[4:]
    assert [row.kind for row in second] == ["graded", "graded", "missing", "graded"]
    assert second[3].confidence is None


def test_a_total_that_is_not_the_sum_is_named(sheet: Sheet) -> None:
    labels = read(sheet(EXPORT))
    assert [(problem.row, problem.column) for problem in labels.problems] == [(3, "total")]


def test_the_recording_and_the_program_can_be_told(sheet: Sheet) -> None:
    path = sheet(EXPORT, "m1.csv")
    (guess,) = sniff(path)
    assert guess.mapping.file == "m1"
    assert [question.field for question in guess.questions] == ["file"]
    labels = read(path, Mapping(file="v/m1.mp4", rater="PainFace"))
    assert {(row.file, row.rater) for row in labels.program_rows} == {("v/m1.mp4", "PainFace")}
    assert read(path, guess.mapping).program_rows == read(path).program_rows


def test_with_a_rater_the_same_columns_are_grades_of_people(sheet: Sheet) -> None:
    text = EXPORT.replace("timestamp", "file,rater,timestamp").replace("00:00:0", "a.mp4,anna,")
    labels = read(sheet(text))
    assert labels.format == "long"
    assert labels.raters == ("anna",)
    assert labels.program_rows == ()
