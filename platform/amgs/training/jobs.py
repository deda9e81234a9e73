"""Retrain, and ask every few seconds whether it is time to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction

from amgs.core.base import SYSTEM
from amgs.core.errors import Refused
from amgs.core.jobs import Cancelled, Context, Finish, LeaseLost, job
from amgs.core.models import Job
from amgs.registry import services as registry
from amgs.registry.bundles import bundle_folder
from amgs.registry.models import ModelVersion
from amgs.training import credit, triggers
from amgs.training.child import ChildFailed, run_child
from amgs.training.diary import Diary
from amgs.training.freeze import allows_training, freeze_snapshot, trainable_versions
from amgs.training.measure import Measurement, cache, measure
from amgs.training.models import Run, Snapshot
from amgs.training.workspace import Workspace
from curation.dataset_version import PUBLISHED

POLICY_EVERY = timedelta(seconds=5)
# A worker that is killed costs an attempt, and the run goes on from its checkpoint.
ATTEMPTS = 10


@job(queue="quick", limit=timedelta(minutes=1), every=POLICY_EVERY)
def evaluate_policy(context: Context) -> Mapping[str, Any]:
    """Ask whether it is time to retrain; start a run if so."""
    trigger = triggers.evaluate()
    if trigger is None:
        return {}
    return {"fired": trigger.fired, "reason": trigger.reason}


@job(queue="quick", limit=timedelta(minutes=5), every=timedelta(minutes=1))
def give_credit(context: Context) -> dict[str, int]:
    """Tell the labs what became of their data in models that were promoted."""
    given = 0
    for model in credit.without_credit():
        given += credit.give(model)
    return {"credits": given}


@job(queue="train", limit=timedelta(minutes=10), attempts=ATTEMPTS)
def train_run(context: Context, run: str) -> Finish:
    """Freeze, train in a child process, measure, judge and register."""
    row = Run.objects.select_related("snapshot").get(public_id=run)
    workspace = Workspace(context, row)
    try:
        return _train(context, row, workspace)
    except (Cancelled, LeaseLost):
        if Job.objects.filter(pk=context.job.pk, cancel_asked=True).exists():
            workspace.remove()
        raise


def _train(context: Context, row: Run, workspace: Workspace) -> Finish:
    resumed = workspace.prepare()
    diary = Diary(context, row, workspace)
    diary.stage(0.0, 0.02, f"attempt {context.attempt}: freezing a snapshot")
    snapshot = _snapshot(context, row)
    media = _materialise(context, diary, snapshot)
    manifest = _manifest(snapshot)

    what = "going on from the last checkpoint" if resumed else "training"
    diary.stage(0.08, 0.80, what)
    arguments = ["train", "--manifest", str(manifest), "--media", str(media)]
    arguments += ["--out", str(workspace.out), "--config", row.recipe, "--seed", str(row.seed)]
    arguments += ["--cache", str(cache())]
    if resumed:
        arguments += ["--resume", str(workspace.resume)]
    if (before := begins_with(context, row)) is not None:
        arguments += ["--warm-start", str(bundle_folder(before))]
    if row.negative_control:
        arguments.append("--shuffle-labels")
    done = run_child(context, arguments, workspace.log, diary.hear, watch=True)
    if "bundle" not in done:
        raise ChildFailed("training ended without a bundle")

    champion = registry.serving()
    measured = measure(
        context,
        diary,
        bundle=Path(done["bundle"]),
        evaluation=workspace.out / "evaluation",
        champion=champion,
        manifest=manifest,
        media=media,
        folder=workspace.folder,
        thresholds=row.thresholds,
    )
    diary.stage(0.98, 1.0, "registering the new model version")
    diary.save()
    context.save_progress()
    return _register(context, row, snapshot, workspace, diary, done, measured, champion)


def _snapshot(context: Context, row: Run) -> Snapshot:
    """Return the run's snapshot, frozen now where it has none; refuse one that was taken back."""
    if row.snapshot is None:
        snapshot = freeze_snapshot(by=SYSTEM)
        context.save_progress()
        Run.objects.filter(pk=row.pk, snapshot=None).update(snapshot=snapshot)
        row.refresh_from_db(fields=["snapshot"])
    snapshot = row.snapshot
    if snapshot is None:
        raise Refused("This run has no snapshot.")
    allowed = {version.pk for version in trainable_versions()}
    # A version that a newer one replaced is no longer asked for, but may be learned from.
    held = snapshot.versions.select_related("dataset")
    gone = next(
        (
            version
            for version in held
            if version.pk not in allowed
            and (version.state != PUBLISHED or not allows_training(version))
        ),
        None,
    )
    if gone is not None:
        raise Refused(
            f"{gone.identifier} was taken back since this snapshot was frozen; start a run "
            "without naming a snapshot, so that a new one is frozen."
        )
    return snapshot


def begins_with(context: Context, row: Run) -> ModelVersion | None:
    """Return the version whose weights a warm start begins with, ``None`` where nothing serves.

    The first attempt asks which one serves and keeps it: a later one that goes on from a
    checkpoint must not begin with another.
    """
    if not row.options.get("warm_start"):
        return None
    if "began_with" not in row.options:
        champion = registry.serving()
        context.save_progress()
        row.options |= {"began_with": champion.public_id if champion else None}
        Run.objects.filter(pk=row.pk).update(options=row.options)
    named = row.options["began_with"]
    return ModelVersion.objects.get(public_id=named) if named else None


def _manifest(snapshot: Snapshot) -> Path:
    from amgs.files.services import local_copy

    return Path(local_copy(snapshot.manifest))


def _materialise(context: Context, diary: Diary, snapshot: Snapshot) -> Path:
    """Bring every file that the manifest names to this machine; return their folder."""
    from amgs.files.models import Blob
    from amgs.files.services import local_copy
    from models.manifest import read_manifest

    wanted = sorted(set(read_manifest(_manifest(snapshot)).frames["blob"]))
    diary.stage(0.02, 0.08, f"bringing {len(wanted)} recordings to this machine")
    blobs = Blob.objects.filter(sha256__in=wanted, deleted_at=None).in_bulk(field_name="sha256")
    folder = _manifest(snapshot).parent
    for number, sha256 in enumerate(wanted):
        if sha256 not in blobs:
            raise Refused(
                "A recording of this snapshot was removed since it was frozen; start a run "
                "without naming a snapshot, so that a new one is frozen."
            )
        folder = Path(local_copy(blobs[sha256])).parent
        context.progress(0.02 + 0.06 * number / len(wanted))
    return folder


def _register(
    context: Context,
    row: Run,
    snapshot: Snapshot,
    workspace: Workspace,
    diary: Diary,
    done: Mapping[str, Any],
    measured: Measurement,
    champion: ModelVersion | None,
) -> Finish:
    """Store the bundle under this attempt's key; the version appears when the job finishes."""
    from amgs.files.storage import get_storage
    from models.bundle import load_bundle, pack

    folder = Path(done["bundle"])
    bundle = load_bundle(folder)
    packed = workspace.folder / "bundle.tar"
    pack(folder, packed)
    storage = get_storage()
    keys = {}
    for name, path in (("bundle.tar", packed), ("report.html", folder / "report.html")):
        keys[name] = context.key(name)
        with path.open("rb") as stream:
            storage.put(keys[name], stream, path.stat().st_size)
    with packed.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    card = folder / "card.md"

    def apply() -> None:
        version = registry.register_version(
            bundle_key=keys["bundle.tar"],
            bundle_sha256=sha256,
            digest=bundle.digest,
            info=bundle.info,
            # What was trained how is in the bundle's report, what was measured in the new one.
            report=measured.report | {"training": bundle.report.get("training", {})},
            report_key=keys["report.html"],
            card=card.read_text(encoding="utf-8") if card.is_file() else "",
            curves=diary.curves,
            run=row.public_id,
            snapshot=snapshot.public_id,
            negative_control=row.negative_control,
            profile=row.profile,
            measured_against=champion,
        )
        registry.record_verdicts(
            version=version,
            verdicts=measured.verdicts,
            refused_by=measured.refused_by,
            comparison=measured.comparison,
        )
        Run.objects.filter(pk=row.pk).update(model_version=version, checkpoint_key="")
        transaction.on_commit(workspace.remove)

    return Finish(
        result={"digest": bundle.digest, "refused_by": list(measured.refused_by)}, apply=apply
    )
