"""The course of a recording as columns of a binary file, which a chart reads without parsing.

Eight bytes: the letters `AMGS` and the length of the header (uint32, little-endian); the header as
JSON, padded with blanks to a multiple of eight; then the columns, each beginning at the `offset`
the header names, counted from the start of the file. Grades are uint16 thousandths, MISSING where
there is none; times are float32 seconds; states and reasons are uint8 places in the header's lists.
"""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.records import Prediction
from models.result import Course, read_course
from models.scale import Scale, load_scale

MAGIC = b"AMGS"
MISSING = 65535
NO_REASON = 255
STEP = 1000
ALIGNED = 8


def write_columns(
    path: str | Path, predictions: Iterable[Prediction], *, scale: Scale | None = None
) -> None:
    """Write time, image score, the same without gates, every unit, state and reason of all frames.

    Columns: `time`, `score`, `ungated`, one by the key of every unit (gated), `state`, `reason`.
    """
    scale = scale or load_scale()
    course = read_course(predictions, scale)
    Path(path).write_bytes(as_columns(course, scale))


def as_columns(course: Course, scale: Scale) -> bytes:
    """The bytes of the file of a course."""
    states = {key: place for place, key in enumerate(scale.state_keys)}
    reasons = {key: place for place, key in enumerate(scale.reason_keys)}
    columns: dict[str, NDArray[Any]] = {
        "time": course.time_s.astype("<f4"),
        "score": _thousandths(_mean(course.values)),
        "ungated": _thousandths(_mean(course.ungated)),
        **{key: _thousandths(course.values[:, place]) for place, key in enumerate(scale.unit_keys)},
        "state": np.array([states.get(state, NO_REASON) for state, _ in course.what], np.uint8),
        "reason": np.array(
            [reasons.get(reason or "", NO_REASON) for _, reason in course.what], np.uint8
        ),
    }
    told: dict[str, Any] = {
        "format": 1,
        "frames": len(course.time_s),
        "states": list(scale.state_keys),
        "reasons": list(scale.reason_keys),
        "columns": {},
    }
    # Offsets have ten digits from the beginning, so that they do not move the columns they name.
    for name, column in columns.items():
        told["columns"][name] = {"type": column.dtype.str[1:], "offset": f"{0:010d}"}
    start = len(MAGIC) + 4 + _padded(len(json.dumps(told)))
    parts = []
    for name, column in columns.items():
        told["columns"][name]["offset"] = f"{start:010d}"
        data = column.tobytes().ljust(_padded(column.nbytes), b"\0")
        parts.append(data)
        start += len(data)
    header = json.dumps(told).encode()
    header = header.ljust(_padded(len(header)))
    return MAGIC + struct.pack("<I", len(header)) + header + b"".join(parts)


def read_columns(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Header and columns of such a file; raises ValueError where it is none."""
    if data[:4] != MAGIC:
        raise ValueError("this is no file of columns")
    (length,) = struct.unpack("<I", data[4:8])
    told = json.loads(data[8 : 8 + length])
    columns = {
        name: np.frombuffer(data, f"<{one['type']}", told["frames"], int(one["offset"]))
        for name, one in told["columns"].items()
    }
    return told, columns


def _padded(length: int) -> int:
    return -(-length // ALIGNED) * ALIGNED


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        # A frame without any grade has no mean, which is what is asked.
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(values, axis=1), np.float64)


def _thousandths(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    whole = np.where(np.isnan(values), MISSING, np.rint(np.nan_to_num(values) * STEP))
    return whole.astype("<u2")
