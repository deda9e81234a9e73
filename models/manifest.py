"""The manifest: one Parquet file that says which frames a run learns from and is judged on.

One row per frame with its identity, origin, votes, target distributions and split; the header lies
in the file's metadata under `amgs`. `split` places animals; `write_manifest` refuses a manifest
that would let an animal, or a file, be in two splits. The splits in `LOCKED` only judge:
`write_apart` gives each a file of its own, and no training run reads a manifest that holds one
(`refuse_locked`).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models.records import Vote, from_json
from models.scale import Scale, ScaleError, load_scale

KEY = b"amgs"
TRAINING = "training"
LOCKED = ("benchmark", "independent")
"""Splits that only judge finished models: animals never learnt from, and whole labs kept apart."""
SPLITS = ("train", "validation", "calibration", "test", *LOCKED)
SHARES: dict[str, float] = {
    "train": 0.55,
    "validation": 0.1,
    "calibration": 0.1,
    "test": 0.1,
    "benchmark": 0.15,
}
TEXT = (
    "frame", "blob", "dataset", "lab", "animal", "observation", "assay", "coat", "sex", "strain",
    "time_point", "split",
)  # fmt: skip
WHOLE = ("stream", "pts", "tb_num", "tb_den")
YES_NO = ("phantom", "random_share")


class ManifestError(ValueError):
    """A manifest contradicts itself or cannot be read; `str()` says which row or column."""


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read: its header and one row per frame."""

    header: dict[str, Any]
    frames: pd.DataFrame

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical rows."""
        return str(self.header["digest"])

    @property
    def scale(self) -> Scale:
        """The scale whose units the columns are; raises ScaleError where it is not shipped."""
        return load_scale(self.header["scale"])

    def part(self, *splits: str) -> pd.DataFrame:
        """The frames of the named splits, ordered by frame id."""
        rows = self.frames[self.frames["split"].isin(splits)]
        return rows.sort_values("frame", ignore_index=True)


def target_columns(scale: Scale) -> tuple[str, ...]:
    """Names of the target columns: `U__p0` … per grade and `U__scorable`, unit by unit."""
    return tuple(
        f"{unit.key}__{part}"
        for unit in scale.units
        for part in (*(f"p{grade}" for grade in range(len(unit.grades))), "scorable")
    )


def targets(frames: pd.DataFrame, unit: str, grades: int) -> tuple[np.ndarray, np.ndarray]:
    """Target distribution (n, grades) and probability of being scorable (n,) of one unit.

    NaN where it is unknown.
    """
    columns = [f"{unit}__p{grade}" for grade in range(grades)]
    return frames[columns].to_numpy(np.float64), frames[f"{unit}__scorable"].to_numpy(np.float64)


def votes_of(cell: str) -> tuple[Vote, ...]:
    """The votes of one row's `votes` cell."""
    return tuple(from_json(Vote, vote) for vote in json.loads(cell or "[]"))


def write_manifest(
    path: Path, rows: Iterable[Mapping[str, Any]] | pd.DataFrame, header: Mapping[str, Any]
) -> str:
    """Check and write a manifest in one step, and return its digest.

    `rows` carry the columns of this module; `header` may name `scale` (default `mouse`), `seed`,
    `versions` and `created`; digest, counts and the phantom mark are computed. The digest depends
    on the rows alone, not on their order. Raises ManifestError.
    """
    frames = rows.copy() if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    try:
        scale = load_scale(str(header.get("scale", "mouse")))
    except ScaleError as error:
        raise ManifestError(str(error)) from error
    frames = _typed(frames, scale)
    _check(frames, scale)
    frames = frames.sort_values("frame", ignore_index=True)
    full = {
        "scale": scale.name,
        "scale_version": scale.version,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": 0,
        "versions": sorted(set(frames["dataset"])),
        **header,
        "digest": digest_of(frames),
        "phantom": bool(frames["phantom"].any()),
        "counts": {split: int((frames["split"] == split).sum()) for split in SPLITS},
    }
    table = pa.Table.from_pandas(frames, preserve_index=False)
    table = table.replace_schema_metadata({KEY: json.dumps(full, sort_keys=True).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    pq.write_table(table, unfinished)
    unfinished.replace(path)
    return str(full["digest"])


def write_apart(
    path: Path, rows: Iterable[Mapping[str, Any]] | pd.DataFrame, header: Mapping[str, Any]
) -> dict[str, str]:
    """Write what a run may read to `path`, and each locked split that has frames beside it.

    Returns digests by name: `training`, and the names of those splits, whose files are
    `beside(path, name)`; a file of an earlier split that is empty now is removed. Raises
    ManifestError, also where an animal or a file would be on both sides.
    """
    frames = rows.copy() if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    for noun, column in (("Animal", "animal"), ("File", "blob")):
        _refuse_torn(frames, noun, column)
    digests = {TRAINING: write_manifest(path, frames[~frames["split"].isin(LOCKED)], header)}
    for name in LOCKED:
        kept = frames[frames["split"] == name]
        if kept.empty:
            beside(path, name).unlink(missing_ok=True)
        else:
            digests[name] = write_manifest(beside(path, name), kept, header)
    return digests


def beside(path: Path, name: str) -> Path:
    """The file of a locked split next to the manifest that a run reads."""
    return path.with_name(f"{path.stem}.{name}{path.suffix}")


def refuse_locked(manifest: Manifest) -> None:
    """Raise ManifestError where a manifest holds frames that no training run may read."""
    for name in LOCKED:
        if count := int((manifest.frames["split"] == name).sum()):
            raise ManifestError(
                f"The manifest holds {count} frames of the split {name}, which no training run may "
                "read; write them into a manifest of their own and evaluate on that."
            )


def read_manifest(path: Path) -> Manifest:
    """Read a manifest and verify its digest and splits; raises ManifestError."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise ManifestError(f"There is no manifest at {path}.") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise ManifestError(f"{path.name} is no Parquet file: {error}.") from error
    raw = (table.schema.metadata or {}).get(KEY)
    if raw is None:
        raise ManifestError(f"{path.name} is no manifest: its header is missing.")
    header = json.loads(raw)
    try:
        scale = load_scale(header["scale"])
    except (KeyError, ScaleError) as error:
        raise ManifestError(f"{path.name} names no known scale: {error}.") from error
    if header.get("scale_version") != scale.version:
        raise ManifestError(
            f"{path.name} was made for version {header.get('scale_version')} of the scale "
            f"{scale.name}, this program has version {scale.version}; freeze a new snapshot."
        )
    frames = _typed(table.to_pandas(), scale)
    _check(frames, scale)
    if digest_of(frames) != header.get("digest"):
        raise ManifestError(f"{path.name} was changed after it was frozen; freeze it again.")
    return Manifest(header, frames)


def digest_of(frames: pd.DataFrame) -> str:
    """SHA-256 over the rows in the order of their frame ids, columns by name, numbers to 9 digits.

    Nine digits survive every detour through text, so that the same inputs give the same digest.
    """
    ordered = frames.sort_values("frame", ignore_index=True)
    names = sorted(ordered.columns)
    columns = [[_canonical(value) for value in ordered[name].tolist()] for name in names]
    digest = hashlib.sha256(json.dumps(names).encode())
    for row in zip(*columns, strict=True):
        digest.update(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else f"{value:.9g}"
    return value


def split(
    animals: pd.DataFrame,
    pinned: Mapping[str, str],
    seed: int,
    shares: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """Place every animal in one split: the same answer for the same animals and seed.

    `animals` has the columns `animal`, `lab`, `coat` and, if known, `near_duplicate_group`: animals
    of one group go together. Within each lab × coat the groups are dealt in the order of a hash of
    seed and animals, so that every stratum fills the shares as far as its size allows. `pinned`
    animals stay where they are, and a near duplicate of a benchmark animal joins the benchmark.
    Raises ManifestError where pins contradict each other or name an unknown split.
    """
    wanted = dict(shares or SHARES)
    _check_shares(wanted)
    for animal, name in pinned.items():
        if name not in SPLITS:
            raise ManifestError(f"Animal {animal} is pinned to “{name}”, which is no split.")
    groups = _groups(animals)
    placed: dict[str, str] = {}
    strata: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    held: dict[tuple[str, str], Counter[str]] = {}
    overall: Counter[str] = Counter()
    for members, stratum in groups:
        pins = {pinned[member] for member in members if member in pinned}
        if len(pins) > 1 and "benchmark" not in pins:
            raise ManifestError(
                f"Near duplicates {', '.join(members)} are pinned to {', '.join(sorted(pins))}."
            )
        if pins:
            name = "benchmark" if "benchmark" in pins else next(iter(pins))
            placed.update(dict.fromkeys(members, name))
            held.setdefault(stratum, Counter())[name] += len(members)
            overall[name] += len(members)
        else:
            strata.setdefault(stratum, []).append(members)
    for stratum in sorted(strata):
        waiting = sorted(strata[stratum], key=lambda members: _hash(seed, *members))
        tally = held.get(stratum, Counter())
        total = tally.total() + sum(len(members) for members in waiting)
        for members in waiting:
            # The split that lacks most of its share of this stratum and of all animals so far:
            # small strata alone would all fill training and leave the small splits empty.
            dealt = overall.total() + len(members)
            name = max(
                SPLITS,
                key=lambda key: (
                    wanted.get(key, 0) * (total + dealt) - tally[key] - overall[key]
                    if wanted.get(key, 0)
                    else -math.inf
                ),
            )
            placed.update(dict.fromkeys(members, name))
            tally[name] += len(members)
            overall[name] += len(members)
    return placed


def _check_shares(shares: Mapping[str, float]) -> None:
    unknown = sorted(set(shares) - set(SPLITS))
    if unknown or not math.isclose(sum(shares.values()), 1.0, abs_tol=1e-6):
        raise ManifestError(f"Shares must be those of {', '.join(SPLITS)} and add up to 1.")


def _groups(animals: pd.DataFrame) -> list[tuple[tuple[str, ...], tuple[str, str]]]:
    """Animals that must stay together, with the stratum of the first member, in fixed order."""
    ordered = animals.sort_values("animal", ignore_index=True)
    if ordered["animal"].duplicated().any():
        twice = ordered.loc[ordered["animal"].duplicated(), "animal"].iloc[0]
        raise ManifestError(f"Animal {twice} is listed twice.")
    bond: Sequence[Any] = [None] * len(ordered)
    if "near_duplicate_group" in ordered:
        bond = ordered["near_duplicate_group"].tolist()
    together: dict[str, list[int]] = {}
    for row, name in enumerate(bond):
        known = name is not None and name == name and name != ""
        together.setdefault(f"g{name}" if known else f"a{row}", []).append(row)
    result = []
    for rows in together.values():
        first = ordered.iloc[rows[0]]
        members = tuple(str(ordered.iloc[row]["animal"]) for row in rows)
        result.append((members, (str(first["lab"]), str(first["coat"]))))
    return result


def _hash(seed: int, *parts: str) -> str:
    return hashlib.sha256("\0".join([str(seed), *parts]).encode()).hexdigest()


def _typed(frames: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """The frames with exactly the columns of a manifest, in order and of the right kind."""
    wanted = (*TEXT, *WHOLE, *YES_NO, "votes", *target_columns(scale))
    missing = [name for name in wanted if name not in frames.columns]
    if missing:
        raise ManifestError(f"The manifest lacks the column {missing[0]}.")
    result = pd.DataFrame(index=range(len(frames)))
    for name in wanted:
        values = frames[name].tolist()
        try:
            if name == "votes":
                cells = [v if isinstance(v, str) else json.dumps(v, default=vars) for v in values]
                result[name] = pd.Series(cells, dtype=object)
            elif name in TEXT:
                cells = ["" if v is None or v != v else str(v) for v in values]
                result[name] = pd.Series(cells, dtype=object)
            elif name in WHOLE:
                result[name] = np.array([int(value) for value in values], np.int64)
            elif name in YES_NO:
                result[name] = np.array([bool(value) for value in values], bool)
            else:
                result[name] = np.array(
                    [math.nan if value is None else float(value) for value in values], np.float64
                )
        except (TypeError, ValueError) as error:
            raise ManifestError(f"Column {name} of the manifest is unreadable: {error}.") from error
    return result


def _check(frames: pd.DataFrame, scale: Scale) -> None:
    if frames["frame"].duplicated().any():
        twice = frames.loc[frames["frame"].duplicated(), "frame"].iloc[0]
        raise ManifestError(f"Frame {twice} is listed twice.")
    unknown = sorted(set(frames["split"]) - set(SPLITS))
    if unknown:
        raise ManifestError(f"“{unknown[0]}” is no split; use one of {', '.join(SPLITS)}.")
    for noun, column in (("Animal", "animal"), ("File", "blob")):
        _refuse_torn(frames, noun, column)
    for unit in scale.units:
        p, scorable = targets(frames, unit.key, len(unit.grades))
        known = np.isfinite(p).all(1)
        bad = known & ((p < -1e-6).any(1) | (np.abs(p.sum(1) - 1) > 1e-3))
        bad |= np.isfinite(p).any(1) & ~known
        bad |= np.isfinite(scorable) & ((scorable < 0) | (scorable > 1))
        if bad.any():
            frame = frames["frame"].iloc[int(np.flatnonzero(bad)[0])]
            raise ManifestError(f"Frame {frame}: the target of {unit.key} is no distribution.")


def _refuse_torn(frames: pd.DataFrame, noun: str, column: str) -> None:
    splits = frames.groupby(column)["split"].nunique()
    torn = splits[splits > 1]
    if len(torn):
        where = sorted(set(frames.loc[frames[column] == torn.index[0], "split"]))
        raise ManifestError(
            f"{noun} {torn.index[0]} is in more than one split: {', '.join(where)}."
        )
