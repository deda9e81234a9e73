"""What is shown before anything is read for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from curation.labels import Mapping, preview, read

Sheet = Callable[..., Path]
ROWS = "".join(f"f{n}.mp4,{n + 1},{n % 3},9\n" for n in range(30))


def test_ten_frames_are_shown_beside_the_cells_they_came_from(sheet: Sheet) -> None:
    shown = preview(sheet(f"file,frame,ot1,nb1\n{ROWS}"))
    assert len(shown.lines) == 10
    line = shown.lines[1]
    assert (line.row, line.file, line.frame) == (3, "f1.mp4", 2)
    assert line.raw == (("file", "f1.mp4"), ("frame", "2"), ("ot1", "1"), ("nb1", "9"))
    assert line.meaning == (("Orbital tightening", "1"), ("Nose bulge", "not scorable"))
    assert shown.labels is not None
    assert shown.labels.counts == {"graded": 30, "not_scorable": 30}


def test_counting_from_one_is_asked_and_shown_back(sheet: Sheet) -> None:
    path = sheet(f"file,frame,ot1,nb1\n{ROWS}")
    _, question = preview(path).guess.questions
    assert question.field == "frames_from"
    assert "smallest frame number is 1" in question.sentence
    assert not question.blocking
    shown = preview(path, Mapping(frames_from=1))
    assert shown.lines[0].frame == 0
    assert shown.labels is not None
    assert "counted from 1" in shown.labels.notes[0]


def test_what_must_be_confirmed_first_is_said_above_the_raw_lines(sheet: Sheet) -> None:
    rows = "".join(f"f{n},{n % 10},{n % 7}\n" for n in range(30))
    path = sheet(f"file,ot1,nb1\n{rows}")
    shown = preview(path)
    assert shown.labels is None
    assert "uses another scale" in shown.refusal
    assert shown.lines[4].raw == (("file", "f4"), ("ot1", "4"), ("nb1", "4"))
    assert shown.lines[4].meaning == ()
    (question,) = shown.guess.open_questions
    rule = question.choices[0][0]
    confirmed = replace(shown.guess.mapping, conversion=rule)
    again = preview(path, confirmed)
    assert again.refusal == ""
    assert again.labels is not None
    assert read(path, confirmed) == again.labels


def test_every_kind_has_lines(sheet: Sheet, slp: Sheet, dlc_fixed: Sheet) -> None:
    observed = preview(sheet("animal,day,mean score,n\nm1,0,1.25,10\n"))
    assert ("score", "1.25") in observed.lines[0].meaning
    assert preview(slp()).lines[0].meaning == (("tail", "1.0, 2.0"), ("nose", "missing"))
    assert preview(dlc_fixed()).lines[0].file == "labeled-data/v/a.png"
    boxed = preview(sheet('{"a.jpg": {"bbox": [1, 2, 3, 4]}}', "b.json"))
    assert boxed.lines[0].meaning == (("left, top, right, bottom", "1, 2, 4, 6"),)


def test_the_mapping_of_the_guess_reads_the_same(sheet: Sheet) -> None:
    path = sheet("filename,ot1,nb1,ot3,nb3\na.png,0,1,9,-\nb.png,1,3,,2\n")
    guess = preview(path).guess
    assert guess.mapping.columns["ot3"].endswith("@3")
    assert read(path, guess.mapping) == read(path)
    assert read(path, Mapping.from_json(guess.mapping.to_json())) == read(path)
