"""Tables with a second column per unit: what a person said, beside what the model said."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.corrections import ByHand, Corrections
from models.exports.as_parquet import BLOCK
from models.scale import Scale, load_scale

GRADE, REASON = "by_hand", "by_hand_reason"


def csv_with_corrections(
    table: Path, target: Path, pts: Iterable[int], corrections: Corrections, scale: Scale
) -> None:
    """Write the CSV `table` again with `U_by_hand` and `U_by_hand_reason` for every unit U.

    `pts` are the timestamps of its rows in order; both columns are empty where nobody corrected.
    """
    with (
        table.open(encoding="utf-8", newline="") as old,
        target.open("w", encoding="utf-8", newline="") as new,
    ):
        rows = csv.reader(old)
        writer = csv.writer(new, lineterminator="\n")
        writer.writerow([*next(rows), *_names(scale, "_")])
        for row, stamp in zip(rows, pts, strict=True):
            said = corrections.get(stamp, {})
            writer.writerow([*row, *_cells(said, scale)])


def parquet_with_corrections(
    table: Path, target: Path, corrections: Corrections, scale: Scale | None = None
) -> None:
    """Write the Parquet `table` again with `U__by_hand` and `U__by_hand_reason` for every unit U.

    The metadata key `amgs` counts the corrected frames as `corrected_frames`.
    """
    scale = scale or load_scale()
    with pq.ParquetFile(table) as old:
        schema = old.schema_arrow
        about = json.loads(schema.metadata[b"amgs"]) | {"corrected_frames": len(corrections)}
        for unit in scale.unit_keys:
            schema = schema.append(pa.field(f"{unit}__{GRADE}", pa.int8()))
            schema = schema.append(pa.field(f"{unit}__{REASON}", pa.string()))
        schema = schema.with_metadata({"amgs": json.dumps(about)})
        with pq.ParquetWriter(target, schema, compression="zstd") as new:
            for batch in old.iter_batches(BLOCK):
                rows = batch.to_pylist()
                for row in rows:
                    said = corrections.get(row["pts"], {})
                    for unit, by_hand in said.items():
                        row[f"{unit}__{GRADE}"] = by_hand.grade
                        row[f"{unit}__{REASON}"] = by_hand.reason
                new.write_table(pa.Table.from_pylist(rows, schema=schema))


def _names(scale: Scale, between: str) -> Iterator[str]:
    for unit in scale.unit_keys:
        yield f"{unit}{between}{GRADE}"
        yield f"{unit}{between}{REASON}"


def _cells(said: Mapping[str, ByHand], scale: Scale) -> Iterator[str | int]:
    for unit in scale.unit_keys:
        one = said.get(unit)
        yield "" if one is None or one.grade is None else one.grade
        yield (one.reason or "") if one is not None else ""
