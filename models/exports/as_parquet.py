"""Predictions as Parquet: everything the model said, one row per frame, written in blocks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

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

    Rows are those of `written_through`. Where the predictions are `StoredPredictions` their files
    are put together without looking at each frame, into the same bytes.
    """
    origin = {"model": model, "bundle": bundle, "snapshot": snapshot}
    origin |= {"scored_at": scored_at, "independent": independent}
    if isinstance(predictions, StoredPredictions):
        schema = _schema(scale or load_scale(), {"phantom": phantom, **origin})
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for table in predictions.tables():
                writer.write_table(table.cast(schema))
        return
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
            columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
            names = list(columns)
            for values in zip(*columns.values(), strict=True):
                yield _prediction(dict(zip(names, values, strict=True)), scale)


class StoredPredictions(Sequence[Prediction]):
    """The predictions of a recording that lie in the files of its parts, in order.

    Frames are counted through, as a reading of the whole counts them. Up to `held` predictions are
    kept in memory once they were read; more are read anew each time they are gone through.
    """

    def __init__(self, paths: Sequence[Path], held: int = 0) -> None:
        self.paths = list(paths)
        self._count = sum(int(pq.read_metadata(path).num_rows) for path in self.paths)
        self._kept: list[Prediction] | None = None
        self._keeps = self._count <= held

    def __len__(self) -> int:
        """The number of frames."""
        return self._count

    def __iter__(self) -> Iterator[Prediction]:
        """Every prediction from the first."""
        if self._keeps:
            if self._kept is None:
                self._kept = list(self._read())
            return iter(self._kept)
        return self._read()

    @overload
    def __getitem__(self, place: int) -> Prediction: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Prediction]: ...
    def __getitem__(self, place: int | slice) -> Prediction | Sequence[Prediction]:
        """One or some; whoever needs many goes through all."""
        if isinstance(place, slice):
            return list(self)[place]
        at = place if place >= 0 else len(self) + place
        if not 0 <= at < len(self):
            raise IndexError(place)
        return next(itertools.islice(iter(self), at, None))

    def _read(self) -> Iterator[Prediction]:
        index = 0
        for path in self.paths:
            for one in read_predictions_parquet(path):
                yield one if one.index == index else replace(one, index=index)
                index += 1

    def tables(self) -> Iterator[pa.Table]:
        """The same as tables of BLOCK rows."""
        left: pa.Table | None = None
        first = 0
        for path in self.paths:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group).replace_schema_metadata(None)
                    left = table if left is None else pa.concat_tables([left, table])
                    while left.num_rows >= BLOCK:
                        yield _counted(left.slice(0, BLOCK), first)
                        left, first = left.slice(BLOCK), first + BLOCK
        if left is not None and left.num_rows:
            yield _counted(left, first)


def _counted(table: pa.Table, first: int) -> pa.Table:
    """The rows of a table with their places in the recording, in one piece."""
    places = pa.array(range(first, first + table.num_rows), pa.int64())
    at = table.schema.get_field_index("frame")
    return table.set_column(at, table.schema.field(at), places).combine_chunks()


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
