"""Score one video or picture with the model that serves when the job begins, or a chosen one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from amgs.core.errors import Refused
from amgs.core.jobs import Context, Finish, Wait, job
from amgs.core.models import Job
from amgs.files.models import Blob, Upload
from amgs.files.services import local_copy, on_blob
from amgs.files.storage import get_storage
from amgs.registry.models import ModelVersion
from amgs.scoring import pictures, quota, segments, services
from amgs.scoring.contributing import name_frames
from amgs.scoring.ending import job_ended, score_ended, upload_given_up
from amgs.scoring.engine import scorer_of
from amgs.scoring.independence import UNKNOWN, independence_of
from amgs.scoring.keeping import delete_old_scores
from amgs.scoring.making import COURSE, make_extra
from amgs.scoring.messages import send_score_message
from amgs.scoring.models import Segment, ToolRun
from amgs.scoring.partial import Telling
from amgs.scoring.probing import probe
from amgs.scoring.rescoring import chosen_model
from amgs.scoring.segments import drop_parts_of_score, score_segment
from amgs.scoring.study_jobs import analyse_study
from amgs.scoring.study_keeping import clear_deleted_studies
from amgs.scoring.tool_jobs import run_tool
from amgs.scoring.validations import ask_for_validations, validate_model
from amgs.scoring.watching import count_recording, watch, watch_reference
from amgs.scoring.webhooks import call_webhook, seal_secrets_anew

if TYPE_CHECKING:
    from models.animal_regions import AnimalRegion

__all__ = [
    "analyse_study",
    "ask_for_validations",
    "call_webhook",
    "clear_deleted_studies",
    "delete_old_scores",
    "drop_parts_of_score",
    "make_extra",
    "name_frames",
    "probe",
    "run_tool",
    "score_segment",
    "score_video",
    "seal_secrets_anew",
    "send_score_message",
    "validate_model",
    "watch",
    "watch_reference",
]

PREDICTIONS, TABLE, RESULT = "predictions.parquet", "frames.csv", "result.json"


@on_blob(services.PURPOSE, open_to_all=True, given_up=upload_given_up)
def file_arrived(upload: Upload, blob: Blob) -> None:
    """Begin the scores that were asked for while their upload was being checked."""
    for run in ToolRun.objects.filter(upload=upload, job=None):
        run.blob = blob
        services.begin(run)


def _ended_undone(ended: Job, sentence: str) -> None:
    """Let nothing go on, and nothing stay, of a score that failed or was cancelled."""
    run = ToolRun.objects.filter(job=ended).first()
    if run is not None:
        segments.stop_parts(run)
        segments.forget_parts(run)
    job_ended(ended, sentence)


@job(queue="score", limit=timedelta(minutes=5), on_failure=_ended_undone)
def score_video(context: Context, run: str) -> Finish | Wait:
    """Grade every frame, or say in one sentence why there is nothing to grade.

    A long recording is graded in parts by all workers; this job then waits for them and joins
    what they found.
    """
    from models.media import Unreadable

    row = ToolRun.objects.select_related("blob", "job").get(public_id=run)
    if row.blob is None:
        raise Refused("The file of this score is not there any more; upload it again.")
    if parts := segments.in_parts(row):
        return _joined(context, row, parts)
    version = chosen_model(row) or services.grading_model()
    context.progress(0.01, "fetching the file")
    path = local_copy(row.blob)
    try:
        region = services.region_in(row, path)
        found = segments.planned(row, path)
        quota.take_length(row, sum(part.length_s for part in found))
        if len(found) > 1:
            return segments.lie_down(row, version, found)
        return _in_one(context, row, version, path, region, found[0].length_s)
    except Unreadable as problem:
        return _unreadable(row, version, problem.sentence, path.name)


def _in_one(
    context: Context,
    row: ToolRun,
    version: ModelVersion,
    path: Path,
    region: AnimalRegion | None,
    length_s: float,
) -> Finish:
    """Score a short recording; raises ``Unreadable``."""
    from models.animals import Census
    from models.exports import StoredPredictions, written_through
    from models.gallery import Gallery
    from models.glance import Glance
    from models.growing import width_for

    context.progress(0.03, "reading the file")
    segment = segments.single(context, row, version, length_s)
    scorer = scorer_of(version)
    census, glance, gallery = Census(), Glance(), Gallery()
    telling = Telling(context, segment, scorer.bundle.scale, width_for(length_s))
    stream = telling.through(
        scorer.score(
            path,
            should_stop=lambda: census.settled,
            region=region.box if region else None,
            census=census,
            glance=glance,
            gallery=gallery,
            blob=row.blob.sha256 if row.blob else None,
        ),
        0.0,
    )
    with tempfile.TemporaryDirectory() as name:
        if length_s:
            predictions: Sequence[Any] = list(stream)
        else:
            # Nobody knows how long it is: what may be hours is not held in memory.
            kept = Path(name) / segments.PREDICTIONS
            for _ in written_through(kept, stream, scale=scorer.bundle.scale):
                pass
            predictions = StoredPredictions([kept], held=segments.HELD)
        seen = segments.Seen(predictions, census, glance, gallery.shots)
        return _written(context, row, version, path, seen)


def _joined(context: Context, row: ToolRun, parts: list[Segment]) -> Finish | Wait:
    """Join the parts of a recording into what a single pass gives, once all are there."""
    then = segments.outcome(parts)
    if then == "wait":
        return segments.lie_down_again(row)
    version = parts[0].model_version
    blob = row.blob
    if blob is None:
        raise Refused("The file of this score is not there any more; upload it again.")
    path = local_copy(blob)
    if then == "unreadable":
        sentence = next(part.unreadable for part in parts if part.unreadable)
        return _unreadable(row, version, sentence, path.name)
    census = segments.counted(parts[:1] if then == "several" else parts)
    if census.several:
        return _several(row, version)
    context.progress(0.9, "joining the parts")
    with tempfile.TemporaryDirectory() as name:
        seen = segments.fetch(parts, Path(name), census)
        return _written(context, row, version, path, seen)


def _written(
    context: Context,
    row: ToolRun,
    version: ModelVersion,
    path: Path,
    seen: segments.Seen,
) -> Finish:
    """Summarise the predictions of all frames and write the files."""
    from models.result import summarise
    from models.scale import load_scale

    predictions = seen.predictions
    if seen.census.several:
        return _several(row, version)
    result = summarise(
        _with_signs_of_life(context, predictions), load_scale(), phantom=version.phantom
    ).to_json()
    context.progress(0.95, "writing the files")
    shown = ("best", "worst")
    wanted = {one["pts"] for kind in shown for one in result[kind]}
    few = [one for one in predictions if one.key.pts in wanted]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = {kind: result[kind] for kind in shown}
        for kind, told in pictures.write(folder, path, few, kinds, seen.shots).items():
            result[f"{kind}_frames"] = told
        result["independence"] = independence_of(version, row.blob, path)
        origin = provenance(row, version)
        outputs = _store(context, folder, origin, version, predictions, result)
    return _finish(row, version, result, outputs, origin, seen.glance)


def _with_signs_of_life(context: Context, predictions: Sequence[Any]) -> Iterator[Any]:
    """Hand predictions on; those of hours take longer than a job may be silent."""
    for number, one in enumerate(predictions):
        if number % 5000 == 0:
            context.progress(0.93, "joining the parts")
        yield one


def _several(row: ToolRun, version: ModelVersion) -> Finish:
    from models.result import SEVERAL, SEVERAL_IN_REGION, nothing_scored
    from models.scale import load_scale

    region = row.parameters.get("region")
    sentence = SEVERAL_IN_REGION.format(name=region["name"]) if region else SEVERAL
    return _without_grades(
        row,
        version,
        nothing_scored("several_animals", sentence, load_scale(), phantom=version.phantom),
    )


def _unreadable(row: ToolRun, version: ModelVersion, sentence: str, stored_name: str) -> Finish:
    """Say that a file cannot be read: an answer about the file, not a failure of the work."""
    from models.result import nothing_scored
    from models.scale import load_scale

    told = sentence.replace(stored_name, row.name or "this file")
    return _without_grades(
        row, version, nothing_scored("unreadable", told, load_scale(), phantom=version.phantom)
    )


def _without_grades(row: ToolRun, version: ModelVersion, result: Any) -> Finish:
    told = result.to_json() | {"best_frames": [], "worst_frames": []}
    return _finish(row, version, told, {}, provenance(row, version))


def _store(
    context: Context,
    folder: Path,
    origin: dict[str, Any],
    version: ModelVersion,
    predictions: Sequence[Any],
    result: dict[str, Any],
) -> dict[str, str]:
    """Write the downloads and put them under this attempt's keys; return the keys by name."""
    from models.exports import write_columns, write_csv, write_predictions_parquet

    named: dict[str, Any] = {
        "phantom": version.phantom,
        "model": version.identifier,
        "bundle": version.digest,
        "snapshot": snapshot_of(version),
        "scored_at": origin["scored_at"],
        "independent": result["independence"].get("independent", UNKNOWN),
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
    origin: dict[str, Any],
    glance: Any = None,
) -> Finish:
    def apply() -> None:
        ToolRun.objects.filter(pk=row.pk).update(
            model_version=version,
            result=result,
            outputs=outputs,
            provenance=origin,
        )
        segments.stop_parts(row)
        segments.forget_parts(row)
        # A second score of the same recording is no second recording.
        if glance is not None and row.rescored_from_id is None:
            count_recording(version, glance, result)
        score_ended(row.pk, "done", result["sentence"])

    return Finish(result={"outcome": result["outcome"]}, apply=apply)
