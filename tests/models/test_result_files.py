"""What a page and its downloads read of a result: columns, sums, corrections, words."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow.parquet as pq
import pytest

from models.corrections import ByHand, corrected
from models.exports import (
    csv_with_corrections,
    parquet_with_corrections,
    prediction_at,
    read_columns,
    write_columns,
    write_csv,
    write_predictions_parquet,
    write_xlsx,
)
from models.exports.as_columns import MISSING, NO_REASON
from models.methods import methods_sentences
from models.records import Prediction
from models.result import DISCLAIMER, sum_of_result, sum_of_units, summarise, top_of_sum
from models.scale import Scale

Predict = Callable[..., Prediction]
ORIGIN = {"model": "mouse-v3", "bundle_digest": "ab" * 32, "scored_at": "2026-02-03T10:00:00"}


def some(predict: Predict) -> list[Prediction]:
    graded = [predict(place, [0, 1, 2, 1, 1]) for place in range(6)]
    return [
        *graded,
        predict(6, None, "unclear", "no_face"),
        predict(7, [1] * 5, "asleep", "asleep"),
    ]


def test_columns_hold_what_the_predictions_say(
    predict: Predict, scale: Scale, tmp_path: Path
) -> None:
    predictions = some(predict)
    write_columns(tmp_path / "c.bin", predictions)
    told, columns = read_columns((tmp_path / "c.bin").read_bytes())
    assert told["frames"] == len(predictions)
    assert list(columns) == ["time", "score", "ungated", *scale.unit_keys, "state", "reason"]
    assert columns["time"] == pytest.approx([one.time_s for one in predictions])
    scores = [MISSING if one.image_score is None else 1000 * one.image_score for one in predictions]
    assert columns["score"] == pytest.approx(scores, abs=1)
    assert columns["score"][-1] == MISSING != columns["ungated"][-1]
    assert [told["states"][place] for place in columns["state"]] == [
        one.state for one in predictions
    ]
    assert columns["reason"][0] == NO_REASON
    assert told["reasons"][columns["reason"][-1]] == "asleep"
    assert all(int(one["offset"]) % 8 == 0 for one in told["columns"].values())


def test_no_frames_make_columns_without_rows(tmp_path: Path) -> None:
    write_columns(tmp_path / "c.bin", [])
    told, columns = read_columns((tmp_path / "c.bin").read_bytes())
    assert told["frames"] == 0
    assert not len(columns["time"])
    with pytest.raises(ValueError, match="no file of columns"):
        read_columns(b"something else")


def test_the_sum_is_that_of_four_units_and_exists_only_where_all_four_are_scored(
    scale: Scale,
) -> None:
    assert top_of_sum(scale) == 8
    left_out = [unit.key for unit in scale.units if not unit.in_sum]
    assert len(left_out) == 1
    grades: dict[str, float | None] = dict.fromkeys(scale.unit_keys, 1.5)
    assert sum_of_units(grades, scale) == pytest.approx(6.0)
    assert sum_of_units(grades | {left_out[0]: None}, scale) == pytest.approx(6.0)
    counted = next(unit.key for unit in scale.units if unit.in_sum)
    assert sum_of_units(grades | {counted: None}, scale) is None
    assert sum_of_units({}, scale) is None


def test_a_recording_without_a_score_has_no_sum(predict: Predict, scale: Scale) -> None:
    told = summarise([predict(place, [0, 1, 2, 1, 1]) for place in range(30)], scale).to_json()
    means = [told["units"][unit.key]["mean"] for unit in scale.units if unit.in_sum]
    assert sum_of_result(told, scale) == pytest.approx(sum(means))
    assert sum_of_result(told | {"score": None}, scale) is None
    few = {**told["units"], scale.unit_keys[0]: {"mean": 1.0, "n": 2, "interval": None}}
    assert sum_of_result(told | {"units": few}, scale) is None


def test_worst_frames_are_graded_and_no_best_ones(predict: Predict, scale: Scale) -> None:
    frames = [predict(place, [0, 1, 2, 1, 1]) for place in range(40)]
    shaken = []
    for place, one in enumerate(frames):
        sure = 0.9 if place % 2 else 0.4 + 0.002 * place
        grades = tuple(replace(grade, scorable=sure) for grade in one.grades)
        shaken.append(replace(one, grades=grades, time_s=float(place)))
    result = summarise(shaken, scale)
    assert [one.pts for one in result.worst] == sorted(one.pts for one in result.worst)
    assert not {one.pts for one in result.worst} & {one.pts for one in result.best}
    assert len(result.worst) == 6


def test_bins_have_an_ungated_score_and_intervals_of_units(predict: Predict, scale: Scale) -> None:
    told = summarise(some(predict), scale).to_json()
    assert all(set(one["unit_intervals"]) == set(scale.unit_keys) for one in told["bins"])
    assert told["bins"][-1]["ungated"] is not None


def test_what_is_said_by_hand_takes_the_place_of_the_model_only_where_asked(
    predict: Predict, scale: Scale
) -> None:
    predictions = some(predict)
    first, second = scale.unit_keys[:2]
    by_hand = {predictions[0].key.pts: {first: ByHand(2), second: ByHand(None, "blurred")}}
    said = list(corrected(predictions, by_hand, scale))
    assert said[1:] == predictions[1:]
    grades = {grade.unit: grade for grade in said[0].grades}
    assert grades[first].grade == 2
    assert (grades[second].grade, grades[second].reason) == (None, "blurred")
    before = predictions[0].image_score
    assert before is not None
    assert said[0].image_score is not None
    assert said[0].image_score > before
    assert predictions[0].grades[0].grade == 0


def test_enough_grades_by_hand_grade_a_frame_that_the_model_left_out(
    predict: Predict, scale: Scale
) -> None:
    left_out = predict(6, None, "unclear", "no_face")
    pts = left_out.key.pts
    few = {pts: {key: ByHand(1) for key in scale.unit_keys[: scale.minimum_units - 1]}}
    (one,) = corrected([left_out], few, scale)
    assert one.image_score is None
    assert one.reason == "no_face"
    enough = {pts: {key: ByHand(1) for key in scale.unit_keys[: scale.minimum_units]}}
    (one,) = corrected([left_out], enough, scale)
    assert one.image_score == pytest.approx(1.0)
    assert one.reason is None


def test_tables_carry_both_columns(predict: Predict, scale: Scale, tmp_path: Path) -> None:
    predictions = some(predict)
    unit = scale.unit_keys[1]
    by_hand = {predictions[2].key.pts: {unit: ByHand(2)}}
    write_csv(tmp_path / "a.csv", predictions, model="m", scored_at="2026-02-03")
    stamps = [one.key.pts for one in predictions]
    csv_with_corrections(tmp_path / "a.csv", tmp_path / "b.csv", stamps, by_hand, scale)
    with (tmp_path / "b.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row[f"{unit}_by_hand"] for row in rows] == ["", "", "2", *[""] * 5]
    assert rows[2][unit] == "1"
    assert {row["scored_at"] for row in rows} == {"2026-02-03"}
    assert {row["independent"] for row in rows} == {"unknown"}
    assert all("no welfare decision" in row["limits"] for row in rows)

    write_predictions_parquet(tmp_path / "a.parquet", predictions)
    parquet_with_corrections(tmp_path / "a.parquet", tmp_path / "b.parquet", by_hand)
    table = pq.read_table(tmp_path / "b.parquet")
    assert table[f"{unit}__by_hand"].to_pylist() == [None, None, 2, *[None] * 5]
    assert b'"corrected_frames": 1' in table.schema.metadata[b"amgs"]


def test_one_row_is_read_without_the_others(predict: Predict, tmp_path: Path) -> None:
    predictions = some(predict) * 300
    write_predictions_parquet(tmp_path / "a.parquet", predictions)
    assert prediction_at(tmp_path / "a.parquet", 1029) == predictions[1029]
    assert prediction_at(tmp_path / "a.parquet", len(predictions)) is None
    assert prediction_at(tmp_path / "a.parquet", -1) is None


def test_the_workbook_says_what_it_is_and_holds_words_as_words(
    predict: Predict, scale: Scale, tmp_path: Path
) -> None:
    predictions = some(predict)
    told = summarise(predictions, scale, phantom=True).to_json()
    heard: list[int] = []
    by_hand = {predictions[0].key.pts: {scale.unit_keys[0]: ByHand(2)}}
    origin = ORIGIN | {"file": "=1+1.mp4"}
    path = tmp_path / "r.xlsx"
    write_xlsx(path, predictions, told, origin, scale, corrections=by_hand, progress=heard.append)
    book = openpyxl.load_workbook(path)
    names = ["README", "Summary", "Course", "Not graded", "Frames", "Corrections"]
    assert book.sheetnames == names
    readme = {row[0]: row[1] for row in book["README"].iter_rows(values_only=True)}
    assert readme["Recording"] == "=1+1.mp4"
    assert book["README"]["B1"].data_type == "s"
    assert readme["Model"] == "mouse-v3"
    assert "rendered mouse" in readme["Phantom"]
    assert readme["Limits"] == DISCLAIMER
    head, *rows = book["Frames"].iter_rows(values_only=True)
    assert len(rows) == len(predictions)
    place = head.index(f"{scale.unit_keys[0]}_by_hand")
    assert [row[place] for row in rows] == [2, *[None] * 7]
    assert rows[0][head.index(scale.unit_keys[0])] == 0


def test_the_sentences_name_model_share_and_corrections(predict: Predict, scale: Scale) -> None:
    told = summarise(some(predict), scale, phantom=True).to_json()
    text = " ".join(methods_sentences(told, ORIGIN, scale))
    assert "mouse-v3" in text
    assert "6 of 8 frames (75 %)" in text
    assert "corrected" not in text
    assert text.endswith(DISCLAIMER)
    left = " ".join(methods_sentences(told, ORIGIN, scale, corrected_frames=3))
    assert "leave these corrections out" in left
    used = methods_sentences(told, ORIGIN, scale, corrected_frames=1, corrections_used=True)
    assert "Grades of 1 frame were corrected by hand" in " ".join(used)
    apart = told | {"independence": {"sentences": ["Not independent: so."]}}
    assert "Not independent: so." in methods_sentences(apart, ORIGIN, scale)


def test_a_map_is_transparent_where_nothing_speaks(scale: Scale) -> None:
    from models.saliency_maps import STRONGEST, strip

    maps = np.zeros((2, 8, 8))
    maps[1, 3, 4] = 0.2
    picture = strip(maps)
    assert picture.shape == (8, 16, 4)
    assert not picture[:, :8, 3].any()
    assert picture[3, 12, 3] == round(255 * STRONGEST)
