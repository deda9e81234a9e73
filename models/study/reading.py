"""What a study needs to know of one scored recording: means per unit and the course in time."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.events import Refused
from models.records import from_json
from models.result import SCORABLE
from models.scale import Scale

Array = NDArray[np.float64]
SECOND = 1.0
"""Width in seconds of the stretches that a course is cut into where every frame is known."""
LONGEST_S = 7 * 86_400
"""A course of more seconds is no recording."""

Values = tuple[float | None, ...]


@dataclass(frozen=True)
class Means:
    """Mean grade per unit (None without) over so many frames, and the same per stretch.

    `course` has one row of means per stretch, units in the order of the scale.
    """

    mean: Values
    n: tuple[int, ...]
    course: tuple[Values, ...]


@dataclass(frozen=True)
class Reading:
    """One scored recording.

    `gated` rests on graded frames, `free` on every scorable frame whatever the state (None where no
    predictions were given; then `score_free` is that of the result, over units of its own choice).
    `width_s` is the width of a stretch; `from_frames` says that every frame was read. `states` and
    `reasons` count frames. `digest` and `snapshot` name the bundle and what it learned from,
    `model` its name where the site gave one; `independent` is False where the provenance says that
    this recording or animal took part in training.
    """

    outcome: str
    sentence: str
    frames: int
    graded: int
    states: dict[str, int]
    reasons: dict[str, int]
    gated: Means
    free: Means | None
    score_free: float | None
    width_s: float
    from_frames: bool
    phantom: bool
    digest: str
    snapshot: str
    model: str
    independent: bool
    scored_at: str

    def to_json(self) -> dict[str, Any]:
        """The reading as an object that JSON holds, and that `read_recording` reads again."""
        plain = dict(vars(self))
        for key in ("gated", "free"):
            plain[key] = None if plain[key] is None else dict(vars(plain[key]))
        return plain


def read_recording(
    result: str | Path, predictions: str | Path | None, scale: Scale, name: str
) -> Reading:
    """The reading of a result, with the course of its predictions where they are given.

    `result` may also be a reading that a study has written. Raises Refused, naming the recording.
    """
    try:
        whole = json.loads(Path(result).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"{name}: the result {Path(result).name} cannot be read.") from error
    if not isinstance(whole, dict):
        raise Refused(f"{name}: {Path(result).name} is no result of a score.")
    try:
        if "reading" in whole:
            return from_json(Reading, whole["reading"])
        read = _of_result(whole["result"], whole.get("provenance") or {}, scale)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Refused(
            f"{name}: {Path(result).name} is no result of a score; it should hold “result” and "
            "“provenance” as `python -m models score` writes them."
        ) from error
    return read if predictions is None else _with_frames(read, Path(predictions), scale, name)


def _of_result(result: dict[str, Any], origin: dict[str, Any], scale: Scale) -> Reading:
    units = result["units"]
    bins = result["bins"]
    return Reading(
        outcome=str(result["outcome"]),
        sentence=str(result["sentence"]),
        frames=int(result["frames"]),
        graded=int(result["graded"]),
        states=dict(result["states"]),
        reasons=dict(result["not_scorable"]),
        gated=Means(
            mean=tuple(units.get(key, {}).get("mean") for key in scale.unit_keys),
            n=tuple(int(units.get(key, {}).get("n", 0)) for key in scale.unit_keys),
            course=tuple(tuple(one["units"].get(key) for key in scale.unit_keys) for one in bins),
        ),
        free=None,
        score_free=result["score_ungated"],
        width_s=float(result["bin_s"]),
        from_frames=False,
        phantom=bool(result["phantom"] or origin.get("phantom")),
        digest=str(origin.get("bundle_digest") or origin.get("bundle") or ""),
        snapshot=str(origin.get("snapshot") or ""),
        model=str(origin.get("model") or ""),
        independent=_independent(result, origin),
        scored_at=str(origin.get("scored_at") or "")[:10],
    )


def _independent(result: dict[str, Any], origin: dict[str, Any]) -> bool:
    """False where result or provenance say that training knew it: “no” or false, not “unknown”."""
    said = [origin.get("independent"), (result.get("independence") or {}).get("independent")]
    return not origin.get("not_independent") and not any(
        one is False or one == "no" for one in said
    )


def _with_frames(read: Reading, path: Path, scale: Scale, name: str) -> Reading:
    columns = ["time_s", "state", "reason", "image_score"]
    for unit in scale.units:
        columns += [unit.key, f"{unit.key}__scorable"]
        columns += [f"{unit.key}__p{grade}" for grade in range(1, len(unit.grades))]
    try:
        with pq.ParquetFile(path) as file:
            about = json.loads((file.schema_arrow.metadata or {}).get(b"amgs", b"{}"))
            table = file.read(columns=columns, use_threads=False)
        missing = set(columns) - set(table.column_names)
    except (OSError, pa.ArrowInvalid, ValueError) as error:
        raise Refused(f"{name}: the predictions {path.name} cannot be read.") from error
    if missing:
        raise Refused(f"{name}: {path.name} holds no predictions of this scale.")
    if about.get("bundle") and read.digest and about["bundle"] != read.digest:
        raise Refused(
            f"{name}: the predictions are of another model version than the result; give both of "
            "the same score."
        )
    if table.num_rows != read.frames:
        raise Refused(
            f"{name}: the predictions hold {table.num_rows} frames, the result {read.frames}; give "
            "both of the same score."
        )
    expected, seen, free = _frames(table, scale)
    times = _numbers(table, "time_s")
    second = _seconds(times)
    return replace(
        read,
        frames=table.num_rows,
        graded=int(np.isfinite(_numbers(table, "image_score")).sum()),
        states=_counted(table, "state"),
        reasons=_counted(table, "reason"),
        gated=_means(np.where(seen, expected, np.nan), second),
        free=_means(np.where(free, expected, np.nan), second),
        width_s=SECOND,
        from_frames=True,
    )


def _frames(table: pa.Table, scale: Scale) -> tuple[Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """Expected grades (frames, units), which are graded, and which are scorable in any state."""
    graded = np.isfinite(_numbers(table, "image_score"))
    expected, seen, free = [], [], []
    for unit in scale.units:
        # Grade 0 adds nothing to an expected grade.
        p = [_numbers(table, f"{unit.key}__p{grade}") for grade in range(1, len(unit.grades))]
        value = np.asarray(sum(grade * one for grade, one in enumerate(p, 1)), np.float64)
        expected.append(value)
        seen.append(graded & np.isfinite(_numbers(table, unit.key)) & np.isfinite(value))
        with np.errstate(invalid="ignore"):
            free.append((_numbers(table, f"{unit.key}__scorable") >= SCORABLE) & np.isfinite(value))
    anyway = np.stack(free, 1)
    anyway &= (anyway.sum(1) >= scale.minimum_units)[:, None]
    return np.stack(expected, 1), np.stack(seen, 1), anyway


def _counted(table: pa.Table, column: str) -> dict[str, int]:
    """How often each text stands in a column, the most frequent first; null and '' do not count."""
    found = {row["values"]: row["counts"] for row in table[column].value_counts().to_pylist()}
    known = {str(key): int(number) for key, number in found.items() if key}
    return dict(sorted(known.items(), key=lambda one: -one[1]))


def _numbers(table: pa.Table, column: str) -> Array:
    """A column as float64, NaN for null."""
    return np.asarray(table[column].to_numpy(), np.float64)


def _seconds(times: Array) -> NDArray[np.int64]:
    """The stretch every frame lies in, counted from the earliest."""
    if not len(times):
        return np.empty(0, np.int64)
    second = np.floor((times - times.min()) / SECOND + 1e-9).astype(np.int64)
    if int(second.max()) > LONGEST_S:
        # Timestamps of no recording, such as stills with the hour they were taken: in a row.
        second = np.unique(second, return_inverse=True)[1].astype(np.int64)
    return np.asarray(second)


def _means(values: Array, second: NDArray[np.int64]) -> Means:
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    n = known.sum(0)
    number = int(second.max()) + 1 if len(second) else 0
    counts = np.stack([np.bincount(second, one, number) for one in known.T], 1)
    sums = np.stack([np.bincount(second, one, number) for one in filled.T], 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        whole, course = filled.sum(0) / n, sums / counts
    return Means(_values(whole[None])[0], tuple(int(one) for one in n), _values(course))


def _values(rows: Array) -> tuple[Values, ...]:
    """Rows of numbers, None for NaN."""
    plain = rows.astype(object)
    plain[np.isnan(rows)] = None
    return tuple(map(tuple, plain.tolist()))
