"""Landmarks as Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from curation.labels import Landmarks
from curation.labels.tables import write_landmarks


def test_landmarks_come_back_with_the_eye_opening(tmp_path: Path) -> None:
    points = ("nose", "eye_top", "eye_front", "eye_bottom", "eye_back")
    xy = np.array([[[9.0, 9], [5, 2], [2, 4], [5, 6], [8, 4]]] * 3)
    xy[1, 1] = np.nan
    landmarks = Landmarks(
        animal="m1",
        rater="anna",
        by_program=False,
        points=points,
        files=("a.mp4", "a.mp4", "b.mp4"),
        frames=(0, 7, 9),
        xy=xy,
        likelihood=np.full((3, 5), np.nan),
    )
    path = tmp_path / "points.parquet"
    write_landmarks(path, landmarks, [0, 1], [0, 7])
    table = pq.read_table(path)
    rows = table.to_pylist()
    assert [row["frame"] for row in rows] == [0, 7]
    assert (rows[0]["nose_x"], rows[0]["nose_likelihood"]) == (9.0, None)
    assert (rows[1]["eye_top_x"], rows[1]["opening_eye"]) == (None, None)
    assert rows[0]["opening_eye"] == pytest.approx(4 / 6)
    assert table.schema.metadata[b"rater"] == b"anna"
