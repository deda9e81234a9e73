"""Landmarks as Parquet: one row per frame, the points side by side, and how open each eye is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.labels.points import eye_openings, eye_points
from curation.labels.rows import Landmarks


def write_landmarks(
    path: Path, landmarks: Landmarks, rows: Sequence[int], numbers: Sequence[int]
) -> None:
    """Write some rows of `landmarks`; `numbers` are their frames, from 0 in presentation order.

    Columns are `frame`, for each point P `P_x` and `P_y` in pixels and `P_likelihood` (null where
    there is none), and `opening_E` (height over width) for each eye E whose four points are
    recognised. The metadata say who set the points, in which animal, and whether a program did.
    """
    chosen = list(rows)
    columns: dict[str, pa.Array] = {"frame": pa.array(list(numbers), pa.int64())}
    for place, point in enumerate(landmarks.points):
        columns[f"{point}_x"] = _floats(landmarks.xy[chosen, place, 0])
        columns[f"{point}_y"] = _floats(landmarks.xy[chosen, place, 1])
        columns[f"{point}_likelihood"] = _floats(landmarks.likelihood[chosen, place])
    for eye, points in eye_points(landmarks.points).items():
        columns[f"opening_{eye}"] = _floats(eye_openings(landmarks, points)[chosen])
    told = {
        "animal": landmarks.animal,
        "rater": landmarks.rater,
        "by_program": str(landmarks.by_program).lower(),
    }
    table = pa.table(columns).replace_schema_metadata(told)
    pq.write_table(table, path, compression="zstd")


def _floats(values: object) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True)  # not a number is null
