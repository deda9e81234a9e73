"""`python -m models score`: recordings in, predictions and results out, each with its outcome."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from models.bundle import Bundle, default_bundle, load_bundle
from models.exports import write_json, written_through
from models.media import Unreadable
from models.result import summarise
from models.scorer import Scorer, identity

ALL_UNREADABLE = 1


def score_files(
    videos: list[Path], out: Path, bundle: Path | None = None, as_json: bool = False
) -> int:
    """Score recordings into `out/<name>/`; status 1 only where none could be read.

    Each folder holds `predictions.parquet`, one row per frame, and `result.json`.
    """
    chosen = load_bundle(bundle) if bundle is not None else default_bundle()
    scorer = Scorer(chosen)
    names: set[str] = set()
    outcomes = []
    for video in videos:
        name = unused(video.stem or "recording", names)
        outcomes.append(_score_one(scorer, chosen, video, out / name))
    if as_json:
        sys.stdout.write(json.dumps(outcomes, indent=1, ensure_ascii=False) + "\n")
    else:
        for row in outcomes:
            sys.stdout.write(f"{row['recording']}: {row['outcome']}. {row['sentence']}\n")
        if chosen.phantom:
            sys.stdout.write(f"{chosen.report['sentence']}\n")
    return ALL_UNREADABLE if all(row["outcome"] == "unreadable" for row in outcomes) else 0


def unused(name: str, taken: set[str]) -> str:
    """The name, or the name with the first number that makes it new; it is taken then."""
    number, result = 1, name
    while result in taken:
        number += 1
        result = f"{name}-{number}"
    taken.add(result)
    return result


def _score_one(scorer: Scorer, bundle: Bundle, video: Path, folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"recording": str(video), "bundle": bundle.digest}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "predictions.parquet"
    blob = identity(video)
    predictions = written_through(
        path, scorer.score(video, blob=blob), scale=bundle.scale, phantom=bundle.phantom
    )
    try:
        result = summarise(predictions, bundle.scale, phantom=bundle.phantom)
    except Unreadable as refusal:
        path.unlink(missing_ok=True)
        return {**row, "outcome": "unreadable", "sentence": refusal.sentence}
    provenance = {
        "recording": video.name,
        "sha256": blob,
        "bundle": bundle.digest,
        "snapshot": bundle.info["snapshot_digest"],
        "phantom": bundle.phantom,
    }
    write_json(folder / "result.json", result, provenance)
    return {
        **row,
        "outcome": result.outcome,
        "sentence": result.sentence,
        "frames": result.frames,
        "graded": result.graded,
        "score": result.score,
        "score_ungated": result.score_ungated,
        "not_scorable": result.not_scorable,
        "states": result.states,
        "phantom": result.phantom,
        "folder": str(folder),
    }
