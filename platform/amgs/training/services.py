"""Edit the policy, freeze snapshots, start and cancel runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from amgs.core import decisions, jobs, policy
from amgs.core.base import SYSTEM, Actor
from amgs.core.errors import Refused
from amgs.core.models import Job
from amgs.training.freeze import freeze_snapshot
from amgs.training.independence import set_lab_aside
from amgs.training.leaving import serving_on_retracted
from amgs.training.models import Policy, Run, Snapshot
from amgs.training.schedule import check_schedule

__all__ = [
    "cancel_run",
    "edit_policy",
    "freeze_snapshot",
    "get_policy",
    "recipes",
    "set_lab_aside",
    "start_run",
    "supersede_older",
]

EDITABLE = (
    "enabled",
    "min_new_frames",
    "schedule",
    "new_lab_or_coat",
    "recipe",
    "profile",
    "warm_start",
)


def recipes() -> tuple[str, ...]:
    """Return the names of the shipped training recipes."""
    import models

    folder = Path(models.__file__).parent / "configs"
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def _check_recipe(recipe: str) -> None:
    if recipe not in recipes():
        raise Refused(
            f"There is no recipe called '{recipe}'; choose one of {', '.join(recipes())}.",
            field="recipe",
        )


def _thresholds(profile: str) -> dict[str, Any]:
    """Return the numbers of a gate profile as they are now; raises ``Refused``."""
    from curation.gates import PROFILES

    if profile not in PROFILES:
        raise Refused(
            f"There is no gate profile called '{profile}'; choose one of {', '.join(PROFILES)}.",
            field="profile",
        )
    return dataclasses.asdict(PROFILES[profile])


def get_policy(species: str = "mouse") -> Policy:
    """Return the policy, made with its defaults when first asked for."""
    row, _ = Policy.objects.get_or_create(
        species=species, defaults={"profile": settings.GATE_PROFILE}
    )
    return row


@transaction.atomic
def edit_policy(*, by: Actor, **fields: Any) -> Policy:
    """Change when the platform retrains by itself; the change is kept in the log."""
    policy.require(by, "training.edit_policy")
    row = get_policy()
    unknown = sorted(set(fields) - set(EDITABLE))
    if unknown:
        raise Refused(
            f"The policy has no field '{unknown[0]}'; it has {', '.join(EDITABLE)}.",
            field=unknown[0],
        )
    if fields.get("min_new_frames", 1) < 1:
        raise Refused("At least one new frame is needed to retrain.", field="min_new_frames")
    if "recipe" in fields:
        _check_recipe(fields["recipe"])
    if "profile" in fields:
        _thresholds(fields["profile"])
    if "schedule" in fields:
        fields["schedule"] = " ".join(str(fields["schedule"]).split())
        asks = fields["schedule"]
        row.scheduled_for = check_schedule(asks, timezone.now()) if asks else None
    before = {name: getattr(row, name) for name in fields}
    for name, value in fields.items():
        setattr(row, name, value)
    row.save(update_fields=[*fields, "scheduled_for", "updated_at"])
    decisions.record(row, "edit_policy", by=by, facts={"before": before, "after": fields})
    return row


@transaction.atomic
def start_run(
    *,
    by: Actor,
    recipe: str,
    profile: str,
    snapshot: Snapshot | None = None,
    negative_control: bool = False,
    warm_start: bool = False,
    seed: int = 0,
    why: str = "",
) -> Run:
    """Ask for a training run; without a snapshot its job freezes one first.

    The thresholds of ``profile`` are read now. ``negative_control`` shuffles the labels: such a
    run must be refused by the gates, which do not know of it. ``warm_start`` begins with the
    weights of the version that serves, where one does.
    """
    from amgs.training.jobs import train_run

    policy.require(by, "training.start_run")
    _check_recipe(recipe)
    if negative_control and warm_start:
        raise Refused(
            "A negative control has to learn all it knows from shuffled labels, so it cannot begin "
            "with the model that serves; choose one of the two.",
            field="warm_start",
        )
    if warm_start and (wrong := serving_on_retracted())[0]:
        names = ", ".join(version.identifier for version in wrong[1])
        raise Refused(
            f"The model that serves learned from {names}, which was retracted as wrong; a run that "
            "begins with it would carry that on. Start without it.",
            field="warm_start",
        )
    row = Run.objects.create(
        snapshot=snapshot,
        recipe=recipe,
        seed=seed,
        options={"warm_start": warm_start},
        negative_control=negative_control,
        profile=profile,
        thresholds=_thresholds(profile),
        started_by=by if getattr(by, "pk", None) else None,
        why=why.strip()[:500],
    )
    if snapshot is not None:
        row.benchmark = snapshot.benchmark
    row.job = jobs.enqueue(train_run, by=by, subject=row, run=row.public_id)
    row.save(update_fields=["benchmark", "job"])
    decisions.record(
        row,
        "start_run",
        by=by,
        why=why,
        facts={"recipe": recipe, "profile": profile, "negative_control": negative_control},
    )
    if snapshot is not None or by is SYSTEM:  # the policy asks only where something is new
        supersede_older(run=row)
    return row


@transaction.atomic
def supersede_older(*, run: Run) -> None:
    """Cancel runs that still wait for their turn with an older snapshot than this run has.

    A run without a snapshot freezes one when it begins, so it takes what is new by itself; one
    that began once goes on. A negative control takes nobody's place, and keeps its own.
    """
    if run.negative_control:
        return
    waiting = Run.objects.filter(
        job__state=Job.State.QUEUED,
        job__attempt=0,
        snapshot__isnull=False,
        negative_control=False,
        superseded_by=None,
    ).exclude(pk=run.pk)
    if run.snapshot is not None:
        waiting = waiting.filter(snapshot__lt=run.snapshot_id)
    for row in waiting.select_related("job"):
        jobs.cancel(row.job)
        Run.objects.filter(pk=row.pk).update(superseded_by=run)
        decisions.record(
            row,
            "cancel_run",
            by=SYSTEM,
            why=f"Run {run.public_id} learns from a newer snapshot and takes its place.",
            facts={"superseded_by": run.public_id},
        )


@transaction.atomic
def cancel_run(*, by: Actor, run: Run, why: str = "") -> None:
    """Stop a run that waits or trains; its checkpoints go, nothing is registered."""
    policy.require(by, "training.cancel_run", run)
    if run.job is None:
        raise Refused("This run has not begun.")
    jobs.cancel(run.job)
    decisions.record(run, "cancel_run", by=by, why=why)
