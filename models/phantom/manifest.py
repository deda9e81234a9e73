"""A rendered study as a manifest to train from, with what only an evaluation may know beside it.

The platform freezes manifests from what people contributed and curators accepted; this is the short
way for a study that needs no acceptance. `evaluation.parquet` holds the votes of raters drawn for
the evaluation alone, the oracle, and the true states: no run ever reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.events import Refused
from models.manifest import split, write_apart, write_manifest
from models.media import frame_times, open_media
from models.phantom.units import narrow_the_eyes
from models.scale import Scale, load_scale

NOT_SCORABLE = "9"
FOLD_SHARES = {"train": 0.8, "validation": 0.08, "calibration": 0.12}
LARGE_SHARES = {
    "train": 0.58,
    "validation": 0.06,
    "calibration": 0.20,
    "test": 0.01,
    "benchmark": 0.15,
}
"""Of animals. A promise for another animal rests on the number of animals that calibrate: with 29
of them sets of 90 % have to hold 93 % of the votes on those, with 48 of them 92 %."""


def gather_study(study: Path, out: Path, threads: int = 2) -> Path:
    """Write `frames.parquet`, `evaluation.parquet` and `media/<sha256>` links into `out`.

    `frames.parquet` has every column of a manifest but `split`. Raises Refused where the folder
    holds no study.
    """
    about = _read(study / "study.json")
    scale = load_scale(about["scale"]["name"])
    media = out / "media"
    media.mkdir(parents=True, exist_ok=True)
    frames: list[dict[str, Any]] = []
    known: list[dict[str, Any]] = []
    for lab in (*about["labs"], *about.get("independent", ())):
        folder = study / lab
        design = _read(folder / "dataset.json")
        films = _films(folder, design, media, threads)
        sheets = {
            name: _sheet(folder / f"{name}.csv") for name in ("scores", "evaluation", "oracle")
        }
        truth = _by_frame(_sheet(folder / "truth.csv"))
        blinks = _blinks(truth, scale)
        told = _votes(sheets["evaluation"], scale)
        oracle = _by_frame(sheets["oracle"])
        for (file, number), votes in _votes(sheets["scores"], scale).items():
            film = films[file]
            key = f"{lab}/{file}:{int(number):05d}"
            frames.append(
                {
                    "frame": key,
                    "blob": film["blob"],
                    "stream": 0,
                    "pts": film["pts"][int(number)],
                    "tb_num": film["time_base"][0],
                    "tb_den": film["time_base"][1],
                    "dataset": f"phantom-{lab}/1",
                    "lab": lab,
                    "phantom": True,
                    "random_share": True,
                    "votes": json.dumps(votes),
                    **film["design"],
                    **_distribution(votes, scale),
                }
            )
            row, best = truth[(file, number)], oracle[(file, number)]
            pain = [float(row[f"{unit}_intensity"]) for unit in scale.unit_keys]
            known.append(
                {
                    "frame": key,
                    "evaluation_votes": json.dumps(told[(file, number)]),
                    "oracle": _number(best["image_score"]),
                    **{f"{unit}__oracle": _number(best[unit]) for unit in scale.unit_keys},
                    "true_state": row["state"],
                    "true_pain": float(np.mean(pain)),
                    "true_blink_s": min(
                        (abs(float(row["time_s"]) - time) for time in blinks.get(file, ())),
                        default=float("nan"),
                    ),
                }
            )
    pd.DataFrame(frames).to_parquet(out / "frames.parquet", index=False)
    pd.DataFrame(known).to_parquet(out / "evaluation.parquet", index=False)
    return out


def write_fold(
    gathered: Path, path: Path, left_out: str | None, seed: int, without: Sequence[str] = ()
) -> dict[str, str]:
    """Write the manifest of a fold, its benchmark `models.manifest.beside` it; return the digests.

    `left_out` is a lab whose every animal is in the benchmark and in nothing else; without one the
    animals of all labs are split. Frames of the labs in `without` are in no split at all: those
    named `independent` in the study's plan belong there.
    """
    frames = pd.read_parquet(gathered / "frames.parquet")
    frames = frames[~frames["lab"].isin(list(without))].reset_index(drop=True)
    animals = frames[["animal", "lab", "coat"]].drop_duplicates("animal")
    learnt = animals if left_out is None else animals[animals["lab"] != left_out]
    placed = split(learnt, {}, seed, LARGE_SHARES if left_out is None else FOLD_SHARES)
    frames["split"] = [placed.get(animal, "benchmark") for animal in frames["animal"]]
    return write_apart(path, frames, {"seed": seed})


def judging_study(study: Path, out: Path) -> tuple[Path, Path]:
    """Gather a study into `out`; return a manifest in which every frame judges, and one beside it.

    The other one holds the same frames as training frames: the constant answer drawn from it is
    the best that one number can do on this study. Raises Refused where the folder holds no study.
    """
    frames = pd.read_parquet(gather_study(study, out) / "frames.parquet")
    paths = out / "benchmark.parquet", out / "training.parquet"
    for path, name in zip(paths, ("benchmark", "train"), strict=True):
        write_manifest(path, frames.assign(split=name), {})
    return paths


def _films(
    folder: Path, design: Mapping[str, Any], media: Path, threads: int
) -> dict[str, dict[str, Any]]:
    """What the frames of each film have in common, by the name its sheets use."""
    assay = str(design["metadata"].get("assay", ""))
    animals = {one["name"]: one for one in design["animals"]}

    def film(entry: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        path = folder / entry["file"]
        blob = hashlib.sha256(path.read_bytes()).hexdigest()
        if not (media / blob).exists():
            (media / blob).symlink_to(path.resolve())
        animal = animals[entry["animal"]]
        pts, base = frame_times(path), _time_base(path)
        return path.name, {
            "blob": blob,
            "pts": pts,
            "time_base": base,
            "design": {
                "animal": f"{folder.name}/{entry['animal']}",
                "observation": entry["observation"],
                "time_point": entry["observation"],
                "assay": assay,
                "coat": animal["coat"],
                "sex": animal["sex"],
                "strain": animal["strain"],
            },
        }

    with ThreadPoolExecutor(max(1, threads)) as pool:
        return dict(pool.map(film, design["recordings"]))


def _time_base(path: Path) -> tuple[int, int]:
    with open_media(path) as media:
        return media.time_base


def _votes(sheet: pd.DataFrame, scale: Scale) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The votes on every frame of a sheet with one row per frame and rater."""
    result: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in sheet.to_dict("records"):
        row = {str(name): str(cell) for name, cell in each.items()}
        votes = result.setdefault((row["file"], row["frame"]), [])
        for unit in scale.unit_keys:
            refused = row[unit] == NOT_SCORABLE
            votes.append(
                {
                    "rater": row["rater"],
                    "unit": unit,
                    "grade": None if refused else int(row[unit]),
                    "reason": (row["reason"] or None) if refused else None,
                    "weight": 1.0,
                    "source": "phantom",
                }
            )
    return result


def _distribution(votes: list[dict[str, Any]], scale: Scale) -> dict[str, float]:
    """The target columns of a frame: share of each grade among those who graded, and of those."""
    columns: dict[str, float] = {}
    for unit in scale.units:
        mine = [vote["grade"] for vote in votes if vote["unit"] == unit.key]
        given = [grade for grade in mine if grade is not None]
        for grade in range(len(unit.grades)):
            share = given.count(grade) / len(given) if given else float("nan")
            columns[f"{unit.key}__p{grade}"] = share
        columns[f"{unit.key}__scorable"] = len(given) / len(mine) if mine else float("nan")
    return columns


def _by_frame(sheet: pd.DataFrame) -> dict[tuple[str, str], dict[str, str]]:
    rows: list[dict[str, str]] = [
        {str(name): str(cell) for name, cell in row.items()} for row in sheet.to_dict("records")
    ]
    return {(row["file"], row["frame"]): row for row in rows}


def _blinks(
    truth: Mapping[tuple[str, str], Mapping[str, str]], scale: Scale
) -> dict[str, list[float]]:
    """The times in seconds of the frames of every file in which an animal blinks.

    In a graded state, whatever else hides the eyes hides finer cues first: where the unit of the
    eyes alone cannot be scored, the lids are shut in passing.
    """
    eyes = next(unit.key for unit in scale.units if unit.deformation == narrow_the_eyes.__name__)
    found: dict[str, list[float]] = {}
    for (file, _), row in truth.items():
        shut = row[f"{eyes}_scorable"] == "0"
        others = any(row[f"{key}_scorable"] == "1" for key in scale.unit_keys if key != eyes)
        if row["state"] == scale.graded_state.key and shut and others:
            found.setdefault(file, []).append(float(row["time_s"]))
    return found


def _sheet(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _number(cell: str) -> float:
    return float(cell) if cell else float("nan")


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(
            f"{path.parent} holds no rendered study; make one with `python -m models phantom study "
            f"--out {path.parent}`."
        ) from error
    return content
