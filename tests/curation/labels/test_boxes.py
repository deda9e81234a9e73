"""JSON keyed by picture, with boxes and scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.labels import Mapping, UnknownFormat, read, sniff
from models.scale import load_scale

Sheet = Callable[..., Path]
UNITS = load_scale().unit_keys
SIZES = {"a.jpg": (640, 480), "b.jpg": (640, 480)}
CORNERS = {
    "a.jpg": {"x": "300", "y": "200", "w": "600", "h": "420", "ot": "1", "nb": "9", "ep": "-"},
    "b.jpg": {"x": "10", "y": "20", "w": "200", "h": "220", "ot": "3", "nb": "", "ep": "2"},
}


def _json(sheet: Sheet, content: Any) -> Path:
    return sheet(json.dumps(content), "labels.json")


def test_second_corners_called_w_and_h_are_recognised_and_never_clipped(sheet: Sheet) -> None:
    path = _json(sheet, CORNERS)
    (guess,) = sniff(path, pictures=SIZES)
    (question,) = guess.open_questions
    assert question.field == "boxes"
    assert "1 of 2 boxes leave their picture" in question.sentence
    assert "The second reading seems right" in question.sentence
    with pytest.raises(UnknownFormat, match="confirm it"):
        read(path, pictures=SIZES)
    labels = read(path, Mapping(boxes="corners"), pictures=SIZES)
    assert [box.corners for box in labels.boxes] == [(300, 200, 600, 420), (10, 20, 200, 220)]
    sized = read(path, Mapping(boxes="size"), pictures=SIZES)
    assert [box.file for box in sized.boxes] == ["b.jpg"]
    assert "left out, not clipped. Read as the left top corner" in sized.problems[0].sentence


def test_scores_written_as_text_keep_their_kinds_and_bad_cells_are_named(sheet: Sheet) -> None:
    labels = read(_json(sheet, CORNERS), Mapping(boxes="corners"))
    assert [(row.file, row.unit, row.kind) for row in labels.rows] == [
        ("a.jpg", UNITS[0], "graded"),
        ("a.jpg", UNITS[1], "not_scorable"),
        ("a.jpg", UNITS[3], "not_assigned"),
        ("b.jpg", UNITS[1], "missing"),
        ("b.jpg", UNITS[3], "graded"),
    ]
    (problem,) = labels.problems
    assert (problem.row, problem.column) == (2, "ot")


def test_boxes_that_fit_are_read_as_sizes_and_said_to_be(sheet: Sheet) -> None:
    content = {
        "b.jpg": {"box": {"x": 10, "y": 20, "w": 200, "h": 220}, "width": 640, "height": 480}
    }
    (guess,) = sniff(_json(sheet, content))
    assert guess.open_questions == ()
    assert "1 of 1 could be compared" in guess.questions[0].sentence
    labels = read(_json(sheet, content))
    assert labels.boxes[0].corners == (10, 20, 210, 240)
    assert "width and height" in labels.notes[-1]


def test_named_corners_need_no_question(sheet: Sheet) -> None:
    content = [{"image": "a.jpg", "bbox": {"x1": 1, "y1": 2, "x2": 30, "y2": 40}}]
    assert sniff(_json(sheet, content))[0].questions == ()
    assert read(_json(sheet, content)).boxes[0].corners == (1, 2, 30, 40)


def test_other_arrangements_are_read(sheet: Sheet) -> None:
    content = {
        "images": {
            "a.jpg": {"bbox": [1, 2, 3, 4], "scores": {"ot1": 0, "ot2": 2}},
            "b.jpg": [{"rater": "anna", "grades": {"nose": 1}}],
        }
    }
    labels = read(_json(sheet, content))
    assert [(row.file, row.rater, row.grade) for row in labels.rows] == [
        ("a.jpg", "1", 0),
        ("a.jpg", "2", 2),
        ("b.jpg", "anna", 1),
    ]
    assert labels.boxes[0].corners == (1, 2, 4, 6)


def test_two_faces_in_a_picture_keep_their_boxes_and_the_first_scores(sheet: Sheet) -> None:
    content = {"a.jpg": [{"bbox": [1, 2, 3, 4], "ot": 0}, {"bbox": [9, 2, 3, 4], "ot": 2}]}
    labels = read(_json(sheet, content))
    assert len(labels.boxes) == 2
    assert [row.grade for row in labels.rows] == [0]
    assert "more than one face" in labels.problems[0].sentence


def test_a_score_given_twice_and_a_side_that_is_no_number_are_named(sheet: Sheet) -> None:
    text = '{"a.jpg": {"ot": 1, "orbital": 2, "x": "left"}, "._a.jpg": {"ot": 1}}'
    labels = read(sheet(text, "labels.json"))
    assert [row.grade for row in labels.rows] == [1]
    assert [(p.row, p.column) for p in labels.problems] == [(1, "orbital"), (1, "x"), (2, None)]
    twice = read(sheet('{"a.jpg": {"ot": 1, "ot": 2}}', "labels.json"))
    assert [row.grade for row in twice.rows] == [1]
    assert "given twice" in twice.problems[0].sentence


def test_another_scale_needs_a_rule(sheet: Sheet) -> None:
    path = _json(sheet, {f"{n}.jpg": {"ot": str(n)} for n in range(10)})
    with pytest.raises(UnknownFormat, match="uses another scale"):
        read(path)
    labels = read(path, Mapping(conversion="0-9:equal"))
    assert [row.grade for row in labels.rows] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(
    "text", ["{", "[", "[[[[", '{"a": 1}', "[1]", '{"a": {"b": {"c": 1}}}', "[" * 9000]
)
def test_json_without_scores_or_boxes_is_refused(sheet: Sheet, text: str) -> None:
    path = sheet(text, "labels.json")
    assert sniff(path) == ()
    with pytest.raises(UnknownFormat, match=r"labels\.json"):
        read(path)


def test_true_and_nan_are_no_grades(sheet: Sheet) -> None:
    labels = read(sheet('{"a.jpg": {"ot": true, "nb": NaN, "ep": 1e400}}', "labels.json"))
    assert [(row.kind) for row in labels.rows] == ["missing"]
    assert [problem.column for problem in labels.problems] == ["ot", "ep"]
