"""Read the policy, its triggers, snapshots and runs: for pages and the API."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet

from amgs.core import policy as permissions
from amgs.core.base import Actor
from amgs.core.errors import NotFound
from amgs.core.models import Job
from amgs.registry.models import ModelVersion
from amgs.training import services
from amgs.training import triggers as triggers_module
from amgs.training.leaving import notes_of_snapshot
from amgs.training.models import Benchmark, Policy, Run, Snapshot, Trigger

_RUN = ("job", "snapshot", "benchmark", "model_version", "started_by", "superseded_by")


def policy_json(row: Policy) -> dict[str, Any]:
    """Return the policy and what may be chosen in it."""
    from curation.gates import PROFILES

    return {
        "enabled": row.enabled,
        "min_new_frames": row.min_new_frames,
        "recipe": row.recipe,
        "profile": row.profile,
        "warm_start": row.warm_start,
        "schedule": row.schedule,
        "scheduled_for": row.scheduled_for if row.enabled else None,
        "new_lab_or_coat": row.new_lab_or_coat,
        "species": row.species,
        "updated_at": row.updated_at,
        "recipes": list(services.recipes()),
        "profiles": list(PROFILES),
    }


def triggers() -> QuerySet[Trigger]:
    """Return every evaluation that said something new, newest first."""
    return Trigger.objects.select_related("run").order_by("-pk")


def trigger_json(row: Trigger) -> dict[str, Any]:
    """Return one evaluation of the policy."""
    return {
        "id": row.public_id,
        "at": row.created_at,
        "fired": row.fired,
        "name": row.name,
        "reason": row.reason,
        "facts": {key: value for key, value in row.facts.items() if not key.endswith("_keys")},
        "run": row.run.public_id if row.run else None,
    }


def runs() -> QuerySet[Run]:
    """Return all runs, newest first, without their curves."""
    return (
        Run.objects.select_related(*_RUN)
        .defer("curves", "tail", "snapshot__header")
        .order_by("-pk")
    )


def run(public_id: str) -> Run:
    """Return a run; raises ``NotFound``."""
    found = Run.objects.select_related(*_RUN).filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such training run.")
    return found


def job_summary(job: Job) -> dict[str, Any]:
    """Return how far the job of a run is."""
    return {
        "id": job.public_id,
        "state": job.state,
        "attempt": job.attempt,
        "progress": job.progress,
        "note": job.note,
        "error": job.error,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def run_json(row: Run) -> dict[str, Any]:
    """Return a run as lists show it; its state is its job's."""
    job = row.job
    version = row.model_version
    return {
        "id": row.public_id,
        "created_at": row.created_at,
        "state": job.state if job else "queued",
        "job": job_summary(job) if job else None,
        "recipe": row.recipe,
        "profile": row.profile,
        "seed": row.seed,
        "options": row.options,
        "negative_control": row.negative_control,
        "why": row.why,
        "by": row.started_by.name if row.started_by else "aMGS",
        "snapshot": row.snapshot.public_id if row.snapshot else None,
        "benchmark": row.benchmark.public_id if row.benchmark else None,
        "benchmark_identifier": row.benchmark.identifier if row.benchmark else None,
        "superseded_by": row.superseded_by.public_id if row.superseded_by else None,
        "model": version.public_id if version else None,
        "model_identifier": version.identifier if version else None,
        "model_state": version.state if version else None,
    }


def run_detail(row: Run, actor: Actor) -> dict[str, Any]:
    """Return what the page of one run shows: curves, last lines, thresholds."""
    may_cancel = permissions.may(actor, "training.cancel_run", row)
    over = row.job is None or row.job.is_over
    reason = "This run is over." if over else may_cancel.reason
    return run_json(row) | {
        "curves": row.curves,
        "tail": row.tail,
        "made": row.made,
        "checkpoint": checkpoint_step(row),
        "thresholds": row.thresholds,
        "actions": [
            {
                "action": "cancel",
                "title": "Cancel the run",
                "allowed": bool(may_cancel) and not over,
                "reason": reason,
                "needs_reason": False,
            }
        ],
    }


def checkpoint_step(row: Run) -> int | None:
    """Return the step of the checkpoint in storage, from which the next attempt would go on."""
    found = re.search(r"(\d+)\.\w+$", row.checkpoint_key)
    return int(found[1]) if found else None


def what_next(row: Policy) -> str:
    """Return what is missing for the next run, in the words of the policy."""
    return triggers_module.answer(row).reason


def benchmarks() -> QuerySet[Benchmark]:
    """Return all benchmarks, newest first."""
    return Benchmark.objects.order_by("-pk")


def benchmark(public_id: str) -> Benchmark:
    """Return a benchmark; raises ``NotFound``."""
    found = Benchmark.objects.filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such benchmark.")
    return found


def benchmark_json(row: Benchmark) -> dict[str, Any]:
    """Return a benchmark: what it holds."""
    return {
        "id": row.public_id,
        "identifier": row.identifier,
        "created_at": row.created_at,
        "species": row.species,
        "number": row.number,
        "digest": row.digest,
        "frames": row.frames,
        "animals": row.animals,
        "phantom": row.phantom,
    }


def benchmark_detail(row: Benchmark) -> dict[str, Any]:
    """Return a benchmark with the snapshots that have it and the models measured on it."""
    models = ModelVersion.objects.filter(training_run__benchmark=row).order_by("pk")
    return benchmark_json(row) | {
        "snapshots": list(row.snapshots.order_by("pk").values_list("public_id", flat=True)),
        "models": [
            {"id": model.public_id, "identifier": model.identifier, "state": model.state}
            for model in models.only("public_id", "species", "number", "state")
        ],
    }


def snapshots() -> QuerySet[Snapshot]:
    """Return all snapshots, newest first."""
    return Snapshot.objects.select_related("benchmark").order_by("-pk")


def snapshot(public_id: str) -> Snapshot:
    """Return a snapshot; raises ``NotFound``."""
    found = (
        Snapshot.objects.select_related("manifest", "benchmark").filter(public_id=public_id).first()
    )
    if found is None:
        raise NotFound("There is no such snapshot.")
    return found


def snapshot_json(row: Snapshot) -> dict[str, Any]:
    """Return a snapshot: what is in it, and how it was split."""
    return {
        "id": row.public_id,
        "created_at": row.created_at,
        "digest": row.digest,
        "frames": row.frames,
        "animals": row.animals,
        "phantom": row.phantom,
        "versions": row.header.get("versions", []),
        "counts": row.header.get("counts", {}),
        "benchmark": benchmark_json(row.benchmark) if row.benchmark else None,
        "independent": row.header.get("independent", {}),
        "header": row.header,
    }


def snapshot_detail(row: Snapshot) -> dict[str, Any]:
    """Return what the page of a snapshot shows: its notes, and the models that learned from it."""
    models = ModelVersion.objects.filter(snapshot=row.public_id).order_by("pk")
    return snapshot_json(row) | {
        "notes": [asdict(note) for note in notes_of_snapshot(row)],
        "models": [
            {"id": model.public_id, "identifier": model.identifier, "state": model.state}
            for model in models.only("public_id", "species", "number", "state")
        ],
    }
