"""Predictions as Parquet: everything the model said, one row per frame, written in blocks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.exports.as_csv import UNKNOWN
from models.records import Face, FrameKey, Grade, Prediction
from models.result import DISCLAIMER
from models.scale import Scale, load_scale

BLOCK = 1024
"""Rows held before they are written; as dictionaries they take 4 kB each."""
BOX = ("box_x0", "box_y0", "box_x1", "box_y1")


def write_predictions_parquet(
    path: str | Path,
    predictions: Iterable[Prediction],
    *,
    scale: Scale | None = None,
    phantom: bool = False,
    model: str = "",
    bundle: str = "",
    snapshot: str = "",
    scored_at: str = "",
    independent: str = UNKNOWN,
) -> None:
    """Write predictions; memory stays flat, because blocks of rows are written as they come.

    Rows are those of `written_through`.
    """
    origin = {"model": model, "bundle": bundle, "snapshot": snapshot}
    origin |= {"scored_at": scored_at, "independent": independent}
    written = written_through(path, predictions, scale=scale, phantom=phantom, **origin)
    for _ in written:
        pass


def written_through(
    path: str | Path,
    predictions: Iterable[Prediction],
    *,
    scale: Scale | None = None,
    phantom: bool = False,
    model: str = "",
    bundle: str = "",
    snapshot: str = "",
    scored_at: str = "",
    independent: str = UNKNOWN,
) -> Iterator[Prediction]:
    """Write predictions and hand each on; the file is whole when the last one was taken.

    Per unit U: `U` (grade, null where not scored), `U__reason`, `U__scorable`, `U__p0` …, and
    `U__set`, the grades that can be meant. `frame` is null where the place of a frame in the
    recording was not counted; `pts` always names it. The metadata key `amgs` names the scale, the
    `model`, the digest of its `bundle` and the `snapshot` it learned from and when it
    was scored, says whether the model rests on rendered faces and whether the recording is
    `independent` of what it learned from, and holds the disclaimer.
    """
    scale = scale or load_scale()
    origin = {"phantom": phantom, "model": model, "bundle": bundle, "snapshot": snapshot}
    origin |= {"scored_at": scored_at, "independent": independent}
    schema = _schema(scale, origin)
    rows: list[dict[str, Any]] = []
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for one in predictions:
            rows.append(_row(one, scale))
            if len(rows) == BLOCK:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows = []
            yield one
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def read_predictions_parquet(
    path: str | Path, *, scale: Scale | None = None
) -> Iterator[Prediction]:
    """The predictions of a file, one by one in the order they were written."""
    scale = scale or load_scale()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BLOCK):
            for row in batch.to_pylist():
                yield _prediction(row, scale)


def prediction_at(path: str | Path, place: int, *, scale: Scale | None = None) -> Prediction | None:
    """The prediction in one row, counted from 0, of which only the block is read; None beyond."""
    scale = scale or load_scale()
    left = place
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups if place >= 0 else 0):
            rows = file.metadata.row_group(group).num_rows
            if left < rows:
                (row,) = file.read_row_group(group).slice(left, 1).to_pylist()
                return _prediction(row, scale)
            left -= rows
    return None


def _schema(scale: Scale, origin: dict[str, Any]) -> pa.Schema:
    fields = [
        ("frame", pa.int64()),
        ("time_s", pa.float64()),
        ("blob", pa.string()),
        ("stream", pa.int32()),
        ("pts", pa.int64()),
        ("tb_num", pa.int64()),
        ("tb_den", pa.int64()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("image_score", pa.float64()),
        ("unfamiliar", pa.bool_()),
        ("view", pa.string()),
        ("confidence", pa.float64()),
        ("sharpness", pa.float64()),
        ("exposure", pa.float64()),
        ("blur", pa.float64()),
        ("opening", pa.float64()),
        *((edge, pa.float64()) for edge in BOX),
    ]
    for name in scale.landmarks:
        fields += [(f"{name}_x", pa.float64()), (f"{name}_y", pa.float64())]
    for unit in scale.units:
        fields += [
            (unit.key, pa.int8()),
            (f"{unit.key}__reason", pa.string()),
            (f"{unit.key}__scorable", pa.float64()),
            *((f"{unit.key}__p{k}", pa.float64()) for k in range(len(unit.grades))),
            (f"{unit.key}__set", pa.list_(pa.int8())),
        ]
    about = {
        "format": 1,
        "scale": scale.name,
        "scale_version": scale.version,
        **origin,
        "disclaimer": DISCLAIMER,
    }
    return pa.schema(fields, metadata={"amgs": json.dumps(about)})


def _row(one: Prediction, scale: Scale) -> dict[str, Any]:
    row: dict[str, Any] = {
        "frame": one.index if one.index >= 0 else None,
        "time_s": one.time_s,
        "blob": one.key.blob,
        "stream": one.key.stream,
        "pts": one.key.pts,
        "tb_num": one.key.time_base[0],
        "tb_den": one.key.time_base[1],
        "state": one.state,
        "reason": one.reason,
        "image_score": one.image_score,
        "unfamiliar": one.unfamiliar,
    }
    if one.face is not None:
        row |= {
            "view": one.face.view,
            "confidence": one.face.confidence,
            "sharpness": one.face.sharpness,
            "exposure": one.face.exposure,
            "blur": one.face.blur,
            "opening": one.face.opening,
            **dict(zip(BOX, one.face.box, strict=True)),
        }
        for name in scale.landmarks:
            if name in one.face.landmarks:
                x, y = one.face.landmarks[name]
                row |= {f"{name}_x": x, f"{name}_y": y}
    for grade in one.grades:
        row |= {
            grade.unit: grade.grade,
            f"{grade.unit}__reason": grade.reason,
            f"{grade.unit}__scorable": grade.scorable,
            f"{grade.unit}__set": grade.possible,
            **{f"{grade.unit}__p{k}": p for k, p in enumerate(grade.probabilities)},
        }
    return row


def _prediction(row: dict[str, Any], scale: Scale) -> Prediction:
    face = None
    if row["view"] is not None:
        landmarks = {
            name: (row[f"{name}_x"], row[f"{name}_y"])
            for name in scale.landmarks
            if row[f"{name}_x"] is not None
        }
        x0, y0, x1, y1 = (row[edge] for edge in BOX)
        face = Face(
            (x0, y0, x1, y1),
            landmarks,
            row["confidence"],
            row["view"],
            row["sharpness"],
            row["exposure"],
            row["blur"],
            row["opening"],
        )
    grades = tuple(
        Grade(
            unit.key,
            row[unit.key],
            row[f"{unit.key}__reason"],
            tuple(row[f"{unit.key}__p{k}"] for k in range(len(unit.grades))),
            row[f"{unit.key}__scorable"],
            _set(row[f"{unit.key}__set"]),
        )
        for unit in scale.units
        if row[f"{unit.key}__scorable"] is not None
    )
    return Prediction(
        FrameKey(row["blob"], row["stream"], row["pts"], (row["tb_num"], row["tb_den"])),
        -1 if row["frame"] is None else row["frame"],
        row["time_s"],
        row["state"],
        face,
        grades,
        row["image_score"],
        row["reason"],
        row["unfamiliar"],
    )


def _set(grades: list[int] | None) -> tuple[int, ...] | None:
    return None if grades is None else tuple(grades)
