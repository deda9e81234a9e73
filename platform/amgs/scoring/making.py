"""The job that makes what was asked for of a result; each kind is one function."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from amgs.core.errors import Refused
from amgs.core.jobs import Context, Finish, job
from amgs.files.services import local_copy
from amgs.files.storage import get_storage
from amgs.registry.bundles import bundle_folder
from amgs.scoring import corrections, extras
from amgs.scoring.independence import NO
from amgs.scoring.models import Extra, ToolRun
from amgs.training.child import run_child

PREDICTIONS, TABLE = "predictions.parquet", "frames.csv"
COURSE = "course.bin"


@job(queue="score", limit=timedelta(minutes=10))
def make_extra(context: Context, extra: str) -> Finish:
    """Make a film, saliency maps, a workbook or corrected figures of a finished score."""
    row = Extra.objects.select_related("run__blob", "run__model_version").get(public_id=extra)
    context.progress(0.01, "fetching the files")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = folder / "out"
        out.mkdir()
        told = _MAKERS[row.what](context, row, folder, out)
        outputs = {}
        storage = get_storage()
        for path in sorted(out.iterdir()):
            outputs[path.name] = context.key(path.name)
            with path.open("rb") as stream:
                storage.put(outputs[path.name], stream, path.stat().st_size)

    def apply() -> None:
        Extra.objects.filter(pk=row.pk).update(told=told, outputs=outputs)

    return Finish(result={"what": row.what, "files": len(outputs)}, apply=apply)


def _player(context: Context, row: Extra, folder: Path, out: Path) -> dict[str, Any]:
    from models.media.player import write_player

    frames = max(row.run.result["frames"], 1)
    made = write_player(
        _film(row.run),
        out,
        progress=lambda count: context.progress(0.95 * count / frames, f"{count} frames coded"),
    )
    told = {"file": made.file, "media_type": made.media_type, "start_s": made.start_s}
    return told | {"how": made.how}


def _explanation(context: Context, row: Extra, folder: Path, out: Path) -> dict[str, Any]:
    run = row.run
    if run.model_version is None:
        raise Refused("The model of this score is not there any more.")
    shown = [*run.result.get("best_frames", []), *run.result.get("worst_frames", [])]
    said = _fetched(run, PREDICTIONS, folder)
    context.progress(0.1, "asking the model what its grades rest on")
    # torch lives in a process of its own.
    run_child(
        context,
        [
            *("explain", str(_film(run)), "--out", str(out)),
            *("--bundle", str(bundle_folder(run.model_version))),
            *("--predictions", str(said), "--pts", *(str(one["pts"]) for one in shown)),
        ],
        folder / "child.log",
        lambda event: None,
    )
    told: dict[str, Any] = json.loads((out / "explanation.json").read_text(encoding="utf-8"))
    told.pop("faithfulness", None)  # stands in the report of the model
    return told


def _workbook(context: Context, row: Extra, folder: Path, out: Path) -> dict[str, Any]:
    from models.exports import read_predictions_parquet, write_xlsx
    from models.scale import load_scale

    run = row.run
    frames = max(run.result["frames"], 1)
    write_xlsx(
        out / "result.xlsx",
        read_predictions_parquet(_fetched(run, PREDICTIONS, folder)),
        run.result,
        run.provenance,
        load_scale(),
        corrections=corrections.counted(run),
        progress=lambda count: context.progress(0.95 * count / frames, f"{count} rows written"),
    )
    return {"file": "result.xlsx"}


def _annotated(context: Context, row: Extra, folder: Path, out: Path) -> dict[str, Any]:
    from models.annotate import annotated_film
    from models.exports import read_predictions_parquet
    from models.scale import load_scale

    run = row.run
    frames = max(run.result["frames"], 1)
    annotated_film(
        _film(run),
        out / "annotated.mp4",
        read_predictions_parquet(_fetched(run, PREDICTIONS, folder)),
        load_scale(),
        model=_named(run),
        phantom=bool(run.result.get("phantom")),
        progress=lambda count: context.progress(0.95 * count / frames, f"{count} frames drawn"),
    )
    return {"file": "annotated.mp4"}


def _named(run: ToolRun) -> str:
    """Return what every frame of a film names: model, snapshot, date, and where it is no test."""
    told = run.provenance
    snapshot = (told.get("snapshot") or "shipped")[:8]
    named = f"{told.get('model', '')}, snapshot {snapshot}, {told.get('scored_at', '')[:10]}"
    apart = (run.result.get("independence") or {}).get("independent")
    return f"{named}, NOT INDEPENDENT" if apart == NO else named


def _corrected(context: Context, row: Extra, folder: Path, out: Path) -> dict[str, Any]:
    """The result with what was said by hand in place of the model's, and tables with both."""
    from models.corrections import corrected
    from models.exports import (
        csv_with_corrections,
        parquet_with_corrections,
        read_predictions_parquet,
        write_columns,
    )
    from models.result import summarise
    from models.scale import load_scale

    run, scale = row.run, load_scale()
    by_hand = corrections.counted(run)
    if not by_hand:
        raise Refused("All corrections were undone meanwhile.")
    parquet, table = (_fetched(run, name, folder) for name in (PREDICTIONS, TABLE))
    predictions = list(read_predictions_parquet(parquet))
    context.progress(0.3, "forming the figures anew")
    said = list(corrected(predictions, by_hand, scale))
    result = summarise(said, scale, phantom=bool(run.result.get("phantom"))).to_json()
    kept = {name: run.result[name] for name in KEPT if name in run.result}
    result |= kept | {"corrected_frames": len(by_hand)}
    context.progress(0.7, "writing the files")
    write_columns(out / f"corrected-{COURSE}", said, scale=scale)
    stamps = [one.key.pts for one in predictions]
    csv_with_corrections(table, out / "frames-with-corrections.csv", stamps, by_hand, scale)
    parquet_with_corrections(parquet, out / "predictions-with-corrections.parquet", by_hand, scale)
    whole = {"result": result, "provenance": run.provenance}
    (out / "result-with-corrections.json").write_text(json.dumps(whole, indent=2), encoding="utf-8")
    return {"result": result}


KEPT = ("independence", "best_frames", "worst_frames", "best", "worst")
"""Parts of a result that are about the model's grades, corrections or not."""
_MAKERS: dict[str, Callable[[Context, Extra, Path, Path], dict[str, Any]]] = {
    extras.PLAYER: _player,
    extras.EXPLANATION: _explanation,
    extras.WORKBOOK: _workbook,
    extras.ANNOTATED: _annotated,
    extras.CORRECTED: _corrected,
}


def _film(run: ToolRun) -> Path:
    if run.blob is None or run.blob.deleted_at is not None:
        raise Refused("The file of this score is not there any more.")
    return local_copy(run.blob)


def _fetched(run: ToolRun, name: str, folder: Path) -> Path:
    return get_storage().download(run.outputs[name], folder / name)
