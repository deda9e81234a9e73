"""Score one video or picture with the model that serves when the job begins, or a chosen one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from amgs.core.errors import Refused
from amgs.core.jobs import Context, Finish, job
from amgs.files.models import Blob, Upload
from amgs.files.services import local_copy, on_blob
from amgs.files.storage import get_storage
from amgs.registry.models import ModelVersion
from amgs.scoring import pictures, services
from amgs.scoring.engine import scorer_of
from amgs.scoring.independence import UNKNOWN, independence_of
from amgs.scoring.making import COURSE, make_extra
from amgs.scoring.models import ToolRun
from amgs.scoring.probing import probe
from amgs.scoring.rescoring import chosen_model
from amgs.scoring.validations import ask_for_validations, validate_model
from amgs.scoring.watching import count_recording, watch, watch_reference

if TYPE_CHECKING:
    from models.animal_regions import AnimalRegion

__all__ = [
    "ask_for_validations",
    "make_extra",
    "probe",
    "score_video",
    "validate_model",
    "watch",
    "watch_reference",
]

PREDICTIONS, TABLE, RESULT = "predictions.parquet", "frames.csv", "result.json"


@on_blob(services.PURPOSE, open_to_all=True)
def file_arrived(upload: Upload, blob: Blob) -> None:
    """Begin the scores that were asked for while their upload was being checked."""
    for run in ToolRun.objects.filter(upload=upload, job=None):
        run.blob = blob
        services.begin(run)


@job(queue="score", limit=timedelta(minutes=5))
def score_video(context: Context, run: str) -> Finish:
    """Grade every frame, or say in one sentence why there is nothing to grade."""
    from models.animals import Census
    from models.glance import Glance
    from models.media import Unreadable
    from models.result import SEVERAL, SEVERAL_IN_REGION, nothing_scored, summarise
    from models.scale import load_scale

    row = ToolRun.objects.select_related("blob").get(public_id=run)
    if row.blob is None:
        raise Refused("The file of this score is not there any more; upload it again.")
    version = chosen_model(row) or services.grading_model()
    context.progress(0.01, "fetching the file")
    path = local_copy(row.blob)
    scorer = scorer_of(version)
    census, glance = Census(), Glance()
    try:
        region = services.region_in(row, path)
        predictions = _predict(context, scorer, path, census, region, glance)
    except Unreadable as problem:
        # An answer about the file, not a failure of the work.
        sentence = problem.sentence.replace(path.name, row.name or "this file")
        return _without_grades(
            row,
            version,
            nothing_scored("unreadable", sentence, load_scale(), phantom=version.phantom),
        )
    if census.several:
        sentence = SEVERAL_IN_REGION.format(name=region.name) if region else SEVERAL
        return _without_grades(
            row,
            version,
            nothing_scored("several_animals", sentence, load_scale(), phantom=version.phantom),
        )
    result = summarise(predictions, scorer.bundle.scale, phantom=version.phantom).to_json()
    context.progress(0.93, "writing the files")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result["best_frames"] = pictures.write(folder, path, predictions, result["best"])
        outputs = _store(context, folder, row, version, predictions, result)
    return _finish(row, version, result, outputs, glance)


def _without_grades(row: ToolRun, version: ModelVersion, result: Any) -> Finish:
    return _finish(row, version, result.to_json() | {"best_frames": []}, {})


def _predict(
    context: Context,
    scorer: Any,
    path: Path,
    census: Any,
    region: AnimalRegion | None,
    glance: Any,
) -> list[Any]:
    """Return the predictions of all frames, telling how far it is; few where animals are many."""
    from models.media import open_media

    context.progress(0.03, "reading the file")
    with open_media(path) as media:
        length = getattr(media, "stated_s", None) or 0.0
    found = []
    stream = scorer.score(
        path,
        should_stop=lambda: census.certain,
        region=region.box if region else None,
        census=census,
        glance=glance,
    )
    for prediction in stream:
        found.append(prediction)
        done = min(prediction.time_s / length, 1.0) if length else 0.5
        context.progress(0.05 + 0.87 * done, f"{len(found)} frames graded")
    return found


def _store(
    context: Context,
    folder: Path,
    row: ToolRun,
    version: ModelVersion,
    predictions: Sequence[Any],
    result: dict[str, Any],
) -> dict[str, str]:
    """Write the downloads and put them under this attempt's keys; return the keys by name."""
    from models.exports import write_columns, write_csv, write_predictions_parquet

    film = local_copy(row.blob) if row.blob else None
    if film is not None:
        result["worst_frames"] = pictures.write(
            folder, film, predictions, result["worst"], name="worst"
        )
        result["independence"] = independence_of(version, row.blob, film)
    origin = provenance(row, version)
    named: dict[str, Any] = {
        "phantom": version.phantom,
        "model": version.identifier,
        "bundle": version.digest,
        "snapshot": snapshot_of(version),
        "scored_at": origin["scored_at"],
        "independent": result.get("independence", {}).get("independent", UNKNOWN),
    }
    write_predictions_parquet(folder / PREDICTIONS, predictions, **named)
    write_csv(folder / TABLE, predictions, **named)
    write_columns(folder / COURSE, predictions)
    whole = {"result": result, "provenance": origin}
    (folder / RESULT).write_text(json.dumps(whole, indent=2), encoding="utf-8")
    storage = get_storage()
    outputs = {}
    for path in sorted(folder.iterdir()):
        outputs[path.name] = context.key(path.name)
        with path.open("rb") as stream:
            storage.put(outputs[path.name], stream, path.stat().st_size)
    return outputs


def snapshot_of(version: ModelVersion) -> str:
    """Return what a version learned from; one not trained here names the digest alone."""
    return version.snapshot or version.info.get("snapshot_digest") or ""


def provenance(row: ToolRun, version: ModelVersion) -> dict[str, Any]:
    """Return what every number of a result names."""
    return {
        "model": version.identifier,
        "model_id": version.public_id,
        "bundle_digest": version.digest,
        "snapshot": snapshot_of(version),
        "phantom": version.phantom,
        "production": settings.PRODUCTION,
        "scored_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "file": row.name,
        "file_sha256": row.blob.sha256 if row.blob else "",
        "region": row.parameters.get("region"),
    }


def _finish(
    row: ToolRun,
    version: ModelVersion,
    result: dict[str, Any],
    outputs: dict[str, str],
    glance: Any = None,
) -> Finish:
    def apply() -> None:
        ToolRun.objects.filter(pk=row.pk).update(
            model_version=version,
            result=result,
            outputs=outputs,
            provenance=provenance(row, version),
        )
        # A second score of the same recording is no second recording.
        if glance is not None and row.rescored_from_id is None:
            count_recording(version, glance, result)

    return Finish(result={"outcome": result["outcome"]}, apply=apply)
