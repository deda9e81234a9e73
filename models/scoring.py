"""`python -m models score`: recordings in, predictions and results out, each with its outcome."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from models.animal_regions import AnimalRegion, within_picture
from models.animals import Census
from models.bundle import default_bundle, load_bundle
from models.events import Refused
from models.exports import write_json, written_through
from models.media import Unreadable
from models.result import SEVERAL, SEVERAL_IN_REGION, nothing_scored, summarise
from models.scorer import Scorer, identity

ALL_UNREADABLE = 1
OPTION = " For example: --region m1=0,0,640,720 --region m2=640,0,1280,720."


def score_files(
    videos: list[Path],
    out: Path,
    bundle: Path | None = None,
    as_json: bool = False,
    *,
    regions: Sequence[AnimalRegion] = (),
    group: str | None = None,
) -> int:
    """Score recordings into `out/<name>/`; status 1 only where none could be read.

    Each folder holds `predictions.parquet`, one row per frame, and `result.json`. With `regions`
    every animal has a folder of its own, `out/<name>-<animal>/`. `group` is the lab × coat of
    `models.sets.group_of` that the recordings are from, None where calibration has not seen it.
    Raises Refused where two regions have one name.
    """
    if len({region.name for region in regions}) < len(regions):
        raise Refused("Two regions have the same name; give every animal a name of its own.")
    chosen = load_bundle(bundle) if bundle is not None else default_bundle()
    scorer = Scorer(chosen)
    names: set[str] = set()
    outcomes = []
    for video in videos:
        for region in regions or (None,):
            stem = video.stem or "recording"
            name = unused(stem if region is None else f"{stem}-{region.name}", names)
            folder = out / name
            outcomes.append(score_one(scorer, video, folder, region=region, group=group))
    if as_json:
        sys.stdout.write(json.dumps(outcomes, indent=1, ensure_ascii=False) + "\n")
    else:
        for row in outcomes:
            whom = f" ({row['animal']})" if row["animal"] else ""
            sys.stdout.write(f"{row['recording']}{whom}: {row['outcome']}. {row['sentence']}\n")
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


def score_one(
    scorer: Scorer,
    video: Path,
    folder: Path,
    *,
    region: AnimalRegion | None = None,
    group: str | None = None,
) -> dict[str, Any]:
    """Score one recording into a folder; its row of the command's JSON, with ``outcome``."""
    bundle = scorer.bundle
    row: dict[str, Any] = {
        "recording": str(video),
        "animal": region.name if region else None,
        "bundle": bundle.digest,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "predictions.parquet"
    census, beside = Census(), ThreadPoolExecutor(1)
    # Digested while the first frames are decoded.
    blob = beside.submit(identity, video)
    beside.shutdown(wait=False)
    try:
        predictions = scorer.score(
            video,
            should_stop=lambda: census.settled,
            region=within_picture(region, video) if region else None,
            census=census,
            group=group,
            blob=blob.result,
        )
        written = written_through(
            path,
            predictions,
            scale=bundle.scale,
            phantom=bundle.phantom,
            bundle=bundle.digest,
            snapshot=bundle.info["snapshot_digest"],
        )
        result = summarise(written, bundle.scale, phantom=bundle.phantom)
    except Unreadable as refusal:
        path.unlink(missing_ok=True)
        return {**row, "outcome": "unreadable", "sentence": refusal.sentence}
    if census.several:
        path.unlink()
        sentence = SEVERAL_IN_REGION.format(name=region.name) if region else SEVERAL + OPTION
        result = nothing_scored("several_animals", sentence, bundle.scale, phantom=bundle.phantom)
    provenance = {
        "recording": video.name,
        "sha256": blob.result(),
        "animal": region.name if region else None,
        "region": list(region.box) if region else None,
        "group": group,
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
        "score_interval": result.score_interval,
        "score_ungated": result.score_ungated,
        "not_scorable": result.not_scorable,
        "states": result.states,
        "unfamiliar": result.unfamiliar,
        "phantom": result.phantom,
        "folder": str(folder),
    }
