from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from models.exports import (
    StoredPredictions,
    read_predictions_parquet,
    write_csv,
    write_json,
    write_predictions_parquet,
    written_through,
)
from models.records import Face, Prediction
from models.result import DISCLAIMER, summarise
from models.scale import Scale

Predict = Callable[..., Prediction]


def some(predict: Predict) -> list[Prediction]:
    marks = {"nose": (5.0, 6.0), "left_eye": (1.5, 2.5)}
    face = Face((1.0, 2.0, 30.0, 40.0), marks, 0.9, "frontal", 12.5)
    graded = predict(0, [0, 1, 2, None, 1])
    first, second, *rest = graded.grades
    grades = (replace(first, possible=(0,)), replace(second, possible=(0, 1)), *rest)
    return [
        replace(graded, face=face, grades=grades),
        replace(predict(1, None, "unclear", "no_face"), index=-1, unfamiliar=True),
        predict(2, [1, 1, 1, 1, 1], "asleep", "asleep"),
    ]


def test_parquet_gives_back_what_was_written(predict: Predict, tmp_path: Path) -> None:
    predictions = some(predict)
    origin = {"model": "mouse-3", "bundle": "ab" * 32, "snapshot": "snapshot-7"}
    write_predictions_parquet(tmp_path / "p.parquet", iter(predictions), phantom=True, **origin)
    assert list(read_predictions_parquet(tmp_path / "p.parquet")) == predictions
    about = json.loads(pq.read_schema(tmp_path / "p.parquet").metadata[b"amgs"])
    assert about["phantom"] is True
    assert {name: about[name] for name in origin} == origin
    frames = pq.read_table(tmp_path / "p.parquet", columns=["frame"])["frame"].to_pylist()
    assert frames == [0, None, 2]
    assert about["disclaimer"] == DISCLAIMER


def test_predictions_are_handed_on_while_they_are_written(predict: Predict, tmp_path: Path) -> None:
    predictions = some(predict) * 700  # more than a block
    path = tmp_path / "p.parquet"
    assert list(written_through(path, iter(predictions))) == predictions
    assert list(read_predictions_parquet(path)) == predictions


def test_no_predictions_make_an_empty_parquet_file(tmp_path: Path) -> None:
    write_predictions_parquet(tmp_path / "p.parquet", [])
    assert list(read_predictions_parquet(tmp_path / "p.parquet")) == []


def test_csv_keeps_grades_apart_from_reasons(
    predict: Predict, scale: Scale, tmp_path: Path
) -> None:
    origin = {"model": "mouse-3", "bundle": "ab" * 32, "snapshot": "snapshot-7"}
    write_csv(tmp_path / "p.csv", some(predict), phantom=True, **origin)
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [rows[0][unit] for unit in scale.unit_keys] == ["0", "1", "2", "", "1"]
    assert rows[0]["ear_position_reason"] == "blurred"
    assert rows[0]["image_score"] == "1.0000"
    assert rows[0]["units_scored"] == "4"
    assert rows[1]["nose_bulge"] == ""
    assert rows[1]["nose_bulge_reason"] == "no_face"
    assert {row["phantom"] for row in rows} == {"yes"}
    named = {(row["model"], row["bundle"], row["snapshot"]) for row in rows}
    assert named == {("mouse-3", "ab" * 6, "snapshot-7")}
    first, second, third = scale.unit_keys[:3]
    assert [rows[0][f"{unit}_set"] for unit in (first, second, third)] == ["0", "0|1", ""]
    assert [row["unfamiliar"] for row in rows] == ["no", "yes", "no"]
    assert [row["frame"] for row in rows] == ["0", "", "2"]


def test_json_names_where_the_result_comes_from(
    predict: Predict, scale: Scale, tmp_path: Path
) -> None:
    result = summarise(some(predict), scale)
    write_json(tmp_path / "r.json", result, {"bundle": "abc"})
    told = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert told["provenance"] == {"bundle": "abc"}
    assert told["result"]["frames"] == 3


def test_files_of_parts_are_read_as_one_recording(predict: Predict, tmp_path: Path) -> None:
    parts = [[predict(n, [1, 1, 1, 1, 1]) for n in range(count)] for count in (1500, 0, 700)]
    paths = [tmp_path / f"{number}.parquet" for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        write_predictions_parquet(path, part)
    joined = StoredPredictions(paths, held=100)
    assert len(joined) == 2200
    assert [one.index for one in joined] == list(range(2200))
    tables = list(joined.tables())
    assert [table.num_rows for table in tables[:-1]] == [tables[0].num_rows] * (len(tables) - 1)
    frames = [place for table in tables for place in table["frame"].to_pylist()]
    assert frames == list(range(2200))
    pts = [pts for table in tables for pts in table["pts"].to_pylist()]
    assert pts == [one.key.pts for part in parts for one in part]
