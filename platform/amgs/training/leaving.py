"""What training does when data leave, and which snapshots, runs and models rest on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from amgs.accounts import notices
from amgs.core import decisions, jobs
from amgs.core.models import Decision, Job
from amgs.files.removal import holder
from amgs.registry.models import ModelVersion
from amgs.repository.consequences import counter
from amgs.repository.models import Version
from amgs.repository.steps import Step, follower
from amgs.training.models import Benchmark, Run, Snapshot
from curation.dataset_version import RETRACTED, WITHDRAWN
from curation.leaving import Note, dependent_models, note
from curation.model_version import SERVING
from curation.roles import CURATOR, MAINTAINER

GONE = (WITHDRAWN, RETRACTED)
ACTIVE = (Job.State.QUEUED, Job.State.RUNNING)


def snapshots_with(versions: Iterable[Version]) -> list[str]:
    """Return the public ids of the snapshots that hold any of these versions, oldest first."""
    held = Snapshot.objects.filter(versions__in=list(versions)).distinct().order_by("pk")
    return list(held.values_list("public_id", flat=True))


def began_with() -> dict[str, str]:
    """Return model → the model whose weights it began with (public ids); two queries for all."""
    runs = Run.objects.filter(model_version__isnull=False).values_list(
        "model_version__public_id", "options"
    )
    return {model: options["began_with"] for model, options in runs if options.get("began_with")}


def models_with(versions: Iterable[Version]) -> list[ModelVersion]:
    """Return the model versions that depend on any of these versions, oldest first."""
    learned = dict(ModelVersion.objects.exclude(snapshot="").values_list("public_id", "snapshot"))
    found = dependent_models(snapshots_with(versions), learned, began_with())
    return list(
        ModelVersion.objects.filter(public_id__in=found)
        .defer("card", "comparison", "curves", "report")
        .order_by("pk")
    )


def runs_with(version: Version) -> list[Run]:
    """Return the training runs under way that learn from a version."""
    return list(
        Run.objects.filter(snapshot__versions=version, job__state__in=ACTIVE)
        .select_related("job")
        .distinct()
        .order_by("pk")
    )


@holder
def _held_by_snapshots(keys: set[int]) -> Iterable[int]:
    snapshots = Snapshot.objects.all()
    yield from snapshots.filter(manifest__in=keys).values_list("manifest", flat=True)
    yield from snapshots.filter(independent__in=keys).values_list("independent", flat=True)
    yield from Benchmark.objects.filter(manifest__in=keys).values_list("manifest", flat=True)


@counter
def _what_rests_on_it(version: Version) -> Mapping[str, Any]:
    models = models_with([version])
    return {
        "snapshots": len(snapshots_with([version])),
        "runs_under_way": len(runs_with(version)),
        "models": len(models),
        "serving_models": tuple(row.identifier for row in models if row.state == SERVING),
    }


@follower("withdraw", "retract", "take_back_train")
def _stop_runs(step: Step, decision: Decision) -> None:
    """Stop the runs under way that learn from data which may no longer be learned from."""
    for run in runs_with(step.version):
        jobs.cancel(run.job)
        decisions.record(
            run,
            "cancel_run",
            by=step.by,
            why=f"{step.version.identifier} may no longer be learned from.",
            facts={"decision": decision.number},
        )


@follower("withdraw", "retract")
def _tell(step: Step, decision: Decision) -> None:
    """Tell the lab, the curators and the maintainers; of wrong data, ask for retraining."""
    version = step.version
    models = models_with([version])
    serving = [row.identifier for row in models if row.state == SERVING]
    lines = [
        f"{decision.actor_name} {'withdrew' if step.action == 'withdraw' else 'retracted'} "
        f"{version.identifier}: {decision.why}",
        "",
    ]
    lines += [f"- {row['sentence']}" for row in decision.facts.get("consequences", [])]
    if step.action == "retract" and models:
        names = ", ".join(row.identifier for row in models)
        lines += ["", f"These model versions depend on the wrong data: {names}."]
        if serving:
            lines.append(
                f"{' and '.join(serving)} serves: please retrain without these data, or roll back."
            )
    left = "withdrawn" if step.action == "withdraw" else "retracted"
    notices.tell(
        notices.people(lab=version.dataset.lab, roles=[CURATOR, MAINTAINER]),
        title=f"{version.identifier} was {left}",
        text="\n".join(lines) + "\n",
        about=version,
        by=step.by,
    )


def _gone(snapshots: Iterable[str]) -> list[Version]:
    wanted = [public_id for public_id in snapshots if public_id]
    if not wanted:
        return []
    return list(
        Version.objects.filter(snapshots__public_id__in=wanted, state__in=GONE)
        .select_related("dataset")
        .distinct()
        .order_by("pk")
    )


def _reasons(versions: list[Version]) -> dict[str, str]:
    """Return why each of these versions left, in the words of the decision; one query."""
    ids = [row.public_id for row in versions]
    told = Decision.objects.filter(subject__in=ids, to_state__in=GONE).order_by("number")
    return dict(told.values_list("subject", "why"))


def _notes(subject: str, snapshots: Iterable[str]) -> list[Note]:
    versions = _gone(snapshots)
    why = _reasons(versions) if versions else {}
    found = (
        note(subject, row.identifier, row.state, why.get(row.public_id, "")) for row in versions
    )
    return [row for row in found if row is not None]


def notes_of_snapshot(snapshot: Snapshot) -> list[Note]:
    """Return what stands on a snapshot's page about data in it that left since."""
    return _notes("This snapshot", [snapshot.public_id])


def notes_of_model(model: ModelVersion, subject: str = "This model") -> list[Note]:
    """Return what stands on a model's page about data that it, or what it began with, rests on."""
    starts, chain = began_with(), [model.public_id]
    while (start := starts.get(chain[-1])) and start not in chain:
        chain.append(start)
    snapshots = ModelVersion.objects.filter(public_id__in=chain).values_list("snapshot", flat=True)
    return _notes(subject, snapshots)


def serving_on_retracted() -> tuple[list[ModelVersion], list[Version]]:
    """Return the serving models that depend on retracted data, and those data."""
    retracted = list(Version.objects.filter(state=RETRACTED).select_related("dataset"))
    if not retracted:
        return [], []
    serving = [row for row in models_with(retracted) if row.state == SERVING]
    if not serving:
        return [], []
    touched = [
        row for row in retracted if any(model.state == SERVING for model in models_with([row]))
    ]
    return serving, touched
