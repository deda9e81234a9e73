"""Retrain, and ask every few seconds whether it is time to."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from amgs.core.base import SYSTEM
from amgs.core.errors import Refused
from amgs.core.jobs import Cancelled, Context, Finish, LeaseLost, job
from amgs.core.models import Job
from amgs.registry import services as registry
from amgs.registry.bundles import bundle_folder
from amgs.registry.models import ModelVersion
from amgs.training import credit, services, triggers
from amgs.training.child import ChildFailed, run_child
from amgs.training.diary import Diary
from amgs.training.freeze import allows_training, freeze_snapshot, trainable_versions
from amgs.training.measure import Measurement, cache, measure
from amgs.training.media import bring_manifest, bring_media
from amgs.training.models import Benchmark, Run, Snapshot
from amgs.training.workspace import Workspace
from curation.dataset_version import PUBLISHED

TURN_S = 2.0
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
    row = Run.objects.select_related("snapshot__benchmark").get(public_id=run)
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
    _wait_for_turn(context, row)
    diary.stage(0.0, 0.02, f"attempt {context.attempt}: freezing a snapshot")
    snapshot = _snapshot(context, row)
    benchmark = _benchmark(snapshot)
    diary.stage(0.02, 0.08, "bringing the recordings it learns from to this machine")
    manifest = bring_manifest(snapshot.manifest)
    media = bring_media(
        manifest, workspace.media, lambda share, _: context.progress(0.02 + 0.06 * share)
    )

    what = "going on from the last checkpoint" if resumed else "training"
    diary.stage(0.08, 0.62, what)
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
    if "trained" not in done:
        raise ChildFailed("training ended without a bundle")

    # Only now does anything of the benchmark come to this run's folder.
    diary.stage(0.62, 0.65, f"bringing the recordings of {benchmark.identifier} to this machine")
    judged_on = bring_manifest(benchmark.manifest)
    judging = bring_media(
        judged_on, workspace.judging, lambda share, _: context.progress(0.62 + 0.03 * share)
    )
    champion = registry.serving()
    measured = measure(
        context,
        diary,
        trained=Path(done["trained"]),
        bundle=workspace.out / "bundle",
        evaluation=workspace.out / "evaluation",
        champion=champion,
        manifest=judged_on,
        training=manifest,
        media=judging,
        folder=workspace.folder,
        thresholds=row.thresholds,
    )
    diary.stage(0.98, 1.0, "registering the new model version")
    diary.save()
    context.save_progress()
    return _register(context, row, snapshot, workspace, diary, measured, champion)


def _snapshot(context: Context, row: Run) -> Snapshot:
    """Return the run's snapshot, frozen now where it has none; refuse one that was taken back."""
    if row.snapshot is None:
        snapshot = freeze_snapshot(by=SYSTEM)
        context.save_progress()
        Run.objects.filter(pk=row.pk, snapshot=None).update(snapshot=snapshot)
        row.refresh_from_db(fields=["snapshot"])
        services.supersede_older(run=row)
    if row.snapshot is not None and row.benchmark_id != row.snapshot.benchmark_id:
        Run.objects.filter(pk=row.pk).update(benchmark=row.snapshot.benchmark)
        row.refresh_from_db(fields=["benchmark"])
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


def _benchmark(snapshot: Snapshot) -> Benchmark:
    """Return what the run is judged on; refuse before training where there is nothing."""
    if snapshot.benchmark is None:
        raise Refused(
            "No animal of this snapshot is in the benchmark, so nothing could judge the run; it "
            "takes a few animals more than are published now."
        )
    return snapshot.benchmark


def _wait_for_turn(context: Context, row: Run) -> None:
    """Wait while a run that began earlier trains: one at a time, whatever number of workers.

    A run whose lease ran out is not waited for: this may be the only worker that could take it.
    """
    others = Run.objects.exclude(pk=row.pk).filter(
        job__state=Job.State.RUNNING, job__started_at__lt=context.job.started_at
    )
    while True:
        ahead = (
            others.filter(job__lease_until__gt=Now()).values_list("public_id", flat=True).first()
        )
        if ahead is None:
            return
        context.progress(0.0, f"waiting for the end of run {ahead}")
        context.save_progress()
        time.sleep(TURN_S)


def _register(
    context: Context,
    row: Run,
    snapshot: Snapshot,
    workspace: Workspace,
    diary: Diary,
    measured: Measurement,
    champion: ModelVersion | None,
) -> Finish:
    """Store the bundle under this attempt's key; the version appears when the job finishes."""
    from amgs.files.storage import get_storage
    from models.bundle import load_bundle, pack

    folder = workspace.out / "bundle"
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
            report=measured.report,
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
