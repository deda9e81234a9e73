"""Read the policy, its triggers, snapshots and runs: for pages and the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet

from amgs.core import policy as permissions
from amgs.core.base import Actor
from amgs.core.errors import NotFound
from amgs.core.models import Job
from amgs.registry.models import ModelVersion
from amgs.training import services
from amgs.training.leaving import notes_of_snapshot
from amgs.training.models import Policy, Run, Snapshot, Trigger


def policy_json(row: Policy) -> dict[str, Any]:
    """Return the policy and what may be chosen in it."""
    from curation.gates import PROFILES

    return {
        "enabled": row.enabled,
        "min_new_frames": row.min_new_frames,
        "recipe": row.recipe,
        "profile": row.profile,
        "warm_start": row.warm_start,
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
        "facts": {key: value for key, value in row.facts.items() if key != "version_keys"},
        "run": row.run.public_id if row.run else None,
    }


def runs() -> QuerySet[Run]:
    """Return all runs, newest first, without their curves."""
    return (
        Run.objects.select_related("job", "snapshot", "model_version", "started_by")
        .defer("curves", "tail", "snapshot__header")
        .order_by("-pk")
    )


def run(public_id: str) -> Run:
    """Return a run; raises ``NotFound``."""
    found = (
        Run.objects.select_related("job", "snapshot", "model_version", "started_by")
        .filter(public_id=public_id)
        .first()
    )
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


def snapshots() -> QuerySet[Snapshot]:
    """Return all snapshots, newest first."""
    return Snapshot.objects.order_by("-pk")


def snapshot(public_id: str) -> Snapshot:
    """Return a snapshot; raises ``NotFound``."""
    found = Snapshot.objects.select_related("manifest").filter(public_id=public_id).first()
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
