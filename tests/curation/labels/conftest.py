"""Small label files of our own, in the shapes that programs write."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

EYE = ("eye_top", "eye_front", "eye_bottom", "eye_back")
SHARED = Path(__file__).parents[4] / "shared" / "data" / "label-files"


@pytest.fixture
def real_files() -> Path:
    """The folder of files that other people's programs wrote."""
    if not SHARED.is_dir():
        pytest.skip("the folder with real label files is not on this machine")
    return SHARED


def _columns(points: Sequence[str], coords: Sequence[str]) -> list[tuple[str, ...]]:
    return [("net", point, coord) for point in points for coord in coords]


@pytest.fixture
def dlc_table(tmp_path: Path) -> Callable[..., Path]:
    """Write the HDF5 file of an analysis: a table of rows, its columns spelled in a pickle."""

    def write(axes: Any = None, name: str = "m1DLC_resnet50.h5") -> Path:
        columns = _columns(EYE, ("x", "y", "likelihood"))
        if axes is None:
            axes = [(1, columns)]
        rows = np.zeros(3, [("index", "<i8"), ("values_block_0", "<f8", (len(columns),))])
        rows["index"] = range(3)
        rows["values_block_0"] = np.arange(3 * len(columns)).reshape(3, -1)
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            group = file.create_group("df_with_missing")
            group.attrs["pandas_type"] = np.bytes_(b"frame_table")
            spelled = axes if isinstance(axes, bytes) else pickle.dumps(axes, protocol=0)
            group.attrs["non_index_axes"] = np.bytes_(spelled)
            group["table"] = rows
        return path

    return write


@pytest.fixture
def dlc_fixed(tmp_path: Path) -> Callable[..., Path]:
    """Write the HDF5 file of a labelling: one block of values and its axes."""

    def write(name: str = "CollectedData_anna.h5", **changes: Any) -> Path:
        columns = _columns(EYE[:2], ("x", "y"))
        parts: dict[str, Any] = {
            "block0_values": np.arange(8.0).reshape(2, 4),
            "axis1": np.array([b"labeled-data/v/a.png", b"labeled-data/v/b.png"]),
        }
        for level in range(3):
            known = sorted({column[level] for column in columns})
            parts[f"block0_items_level{level}"] = np.array([text.encode() for text in known])
            labels = [known.index(column[level]) for column in columns]
            parts[f"block0_items_label{level}"] = np.array(labels, np.int8)
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            group = file.create_group("df_with_missing")
            group.attrs["pandas_type"] = np.bytes_(b"frame")
            group.attrs["nblocks"] = 1
            for key, value in (parts | changes).items():
                if value is not None:
                    group[key] = value
        return path

    return write


@pytest.fixture
def slp(tmp_path: Path) -> Callable[..., Path]:
    """Write a SLEAP file with two frames: a person's animal and one of the network."""

    def write(
        format_id: float = 1.2,
        video: str = r"C:\\Users\\anna\\m1.mp4",
        meta: Any = None,
        **changes: Any,
    ) -> Path:
        if meta is None:
            meta = {
                "nodes": [{"name": "nose"}, {"name": "tail"}],
                "skeletons": [{"nodes": [{"id": 1}, {"id": 0}]}],
            }
        frame = [(field, "i8") for field in _FRAME]
        instance = [(field, "i8") for field in _INSTANCE]
        point = [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]
        parts: dict[str, Any] = {
            "frames": np.array([(0, 0, 7, 0, 1), (1, 0, 9, 1, 2)], frame),
            "instances": np.array([(0, 0, 0, 0, 2), (1, 0, -1, 0, 2)], instance),
            "points": np.array([(1.0, 2.0, True, True), (3.0, 4.0, False, True)], point),
            "pred_points": np.array(
                [(5.0, 6.0, True, True, 0.9), (7.0, 8.0, True, True, 0.2)],
                [*point, ("score", "f8")],
            ),
            "videos_json": np.array([json.dumps({"backend": {"filename": video}}).encode()]),
            "tracks_json": np.array([b'[0,"female"]']),
        }
        path = tmp_path / "labels.slp"
        with h5py.File(path, "w") as file:
            group = file.create_group("metadata")
            group.attrs["format_id"] = format_id
            group.attrs["json"] = np.bytes_(json.dumps(meta).encode())
            for key, value in (parts | changes).items():
                if value is not None:
                    file[key] = value
        return path

    return write


_FRAME = ("frame_id", "video", "frame_idx", "instance_id_start", "instance_id_end")
_INSTANCE = ("instance_type", "skeleton", "track", "point_id_start", "point_id_end")
