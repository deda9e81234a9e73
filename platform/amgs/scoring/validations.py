"""The validation page of a model version: made from its snapshot by one job, kept as made."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from amgs.core import jobs, policy
from amgs.core.base import SYSTEM, Actor
from amgs.core.errors import NotFound, Refused
from amgs.core.jobs import ACTIVE, Context, Finish, job
from amgs.core.models import Job
from amgs.registry.bundles import bundle_folder
from amgs.registry.models import ModelVersion
from amgs.repository.frozen import design_of
from amgs.repository.models import Version
from amgs.scoring.models import Validation
from amgs.training.child import run_child
from amgs.training.media import bring_manifest, bring_media
from amgs.training.models import Snapshot

if TYPE_CHECKING:
    import pandas as pd

    from curation.validation import Observation

# Which split each claim rests on; each has a manifest of its own.
SPLITS = {"unseen_animals": "benchmark", "independent_lab": "independent"}
FIELDS = ("assay", "procedure", "drug", "analgesic", "assigned_unit")
NOT_HERE = (
    "{name} was not trained here, so its snapshot is not on this site and nothing can be validated "
    "from it. Train a version here first."
)


def snapshot_of(version: ModelVersion) -> Snapshot:
    """Return the snapshot a version learned from; raises ``Refused`` where it is not here."""
    rows = Snapshot.objects.select_related("manifest", "benchmark__manifest", "independent")
    found = rows.filter(public_id=version.snapshot).first()
    if not version.snapshot or found is None:
        raise Refused(NOT_HERE.format(name=version.identifier))
    return found


@transaction.atomic
def ask_for_validation(*, by: Actor, version: ModelVersion) -> Validation:
    """Ask that the validation page of a version be made anew; one at a time per version."""
    policy.require(by, "scoring.validate_model", version)
    snapshot_of(version)
    # Locked, so that of two who ask at once the second one finds the first one's.
    ModelVersion.objects.select_for_update().get(pk=version.pk)
    waiting = Validation.objects.filter(model_version=version, job__state__in=ACTIVE).first()
    if waiting is not None:
        return waiting
    row = Validation.objects.create(model_version=version)
    row.job = jobs.enqueue(validate_model, by=by, subject=row, validation=row.public_id)
    row.save(update_fields=["job"])
    return row


def newest(version: ModelVersion) -> Validation | None:
    """Return the newest validation of a version that is done."""
    done = Validation.objects.filter(model_version=version, job__state=Job.State.DONE)
    return done.select_related("job", "model_version").order_by("-pk").first()


def asked(version: ModelVersion) -> Validation | None:
    """Return the newest validation that was asked for, whatever came of it."""
    rows = Validation.objects.filter(model_version=version).select_related("job")
    return rows.order_by("-pk").first()


def content(version: ModelVersion) -> dict[str, Any]:
    """Return the newest validation as the API shows it; raises ``NotFound``."""
    row = newest(version)
    if row is None:
        raise NotFound(f"No validation page has been made of {version.identifier} yet.")
    return row.content | {"id": row.public_id, "digest": row.digest}


@job(queue="train", limit=timedelta(minutes=10), attempts=3)
def validate_model(context: Context, validation: str) -> Finish:
    """Grade the benchmark and the independent labs of the snapshot, and tell effects per animal."""
    from curation.validation import FEWEST_UNITS, LEAST_EFFECT, LEVEL, describe
    from models.scale import load_scale

    row = Validation.objects.select_related("model_version").get(public_id=validation)
    version = row.model_version
    snapshot = snapshot_of(version)
    folder = settings.VAR / "validations" / row.public_id / str(context.attempt)
    graded: dict[str, Any] = {}
    present = _judging(snapshot)
    try:
        for number, (claim, manifest) in enumerate(present.items()):
            begin, end = (
                0.05 + 0.9 * number / len(present),
                0.05 + 0.9 * (number + 1) / len(present),
            )
            media = bring_media(
                manifest,
                folder / "media",
                lambda share, number, at=begin: context.progress(
                    at + 0.02 * share, f"bringing {number} recordings to this machine"
                ),
            )
            graded[claim] = _evaluate(
                context,
                version,
                (manifest, bring_manifest(snapshot.manifest)),
                media,
                folder / SPLITS[claim],
                (begin, end),
            )
        context.progress(0.96, "telling the effects")
        claims = describe(graded, _design(snapshot), version.report, load_scale())
    finally:
        shutil.rmtree(folder.parent, ignore_errors=True)
    told = {
        "model": version.identifier,
        "model_id": version.public_id,
        "bundle_digest": version.digest,
        "snapshot": snapshot.public_id,
        "snapshot_digest": snapshot.digest,
        "phantom": bool(version.phantom or snapshot.phantom),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rules": {"fewest_units": FEWEST_UNITS, "least_effect": LEAST_EFFECT, "level": LEVEL},
        "claims": claims,
    }
    # What was found, without when: the same snapshot and bundle give the same digest.
    stable = {key: value for key, value in told.items() if key != "made_at"}
    digest = hashlib.sha256(json.dumps(stable, sort_keys=True).encode()).hexdigest()

    def apply() -> None:
        Validation.objects.filter(pk=row.pk).update(content=told, digest=digest)

    return Finish(result={"digest": digest}, apply=apply)


def _judging(snapshot: Snapshot) -> dict[str, Path]:
    """Return the manifest that each claim rests on, where the snapshot has one."""
    benchmark = snapshot.benchmark
    held = {
        "unseen_animals": benchmark.manifest if benchmark else None,
        "independent_lab": snapshot.independent,
    }
    return {claim: bring_manifest(blob) for claim, blob in held.items() if blob is not None}


def _evaluate(
    context: Context,
    version: ModelVersion,
    manifests: tuple[Path, Path],
    media: Path,
    out: Path,
    part: tuple[float, float],
) -> pd.DataFrame:
    """Let a child process grade the frames of a judging manifest; return them.

    ``manifests`` are that one and what the version learned from; ``out`` is named for the split.
    """
    import pandas as pd

    def hear(event: Mapping[str, Any]) -> None:
        if event.get("event") == "progress":
            share = float(event.get("fraction") or 0.0)
            done = part[0] + (part[1] - part[0]) * share
            context.progress(done, str(event.get("sentence") or ""))

    judging, training = map(str, manifests)
    arguments = ["evaluate", "--bundle", str(bundle_folder(version)), "--manifest", judging]
    arguments += ["--training", training, "--media", str(media)]
    arguments += ["--out", str(out), "--split", out.name]
    run_child(context, arguments, out.with_suffix(".log"), hear, watch=True)
    return pd.read_parquet(out / "predictions.parquet")


def _design(snapshot: Snapshot) -> dict[str, Observation]:
    """Return what the frozen designs of the snapshot's versions say of every observation."""
    found: dict[str, Observation] = {}
    for version in snapshot.versions.select_related("dataset__lab"):
        found |= _observations(version)
    return found


def _observations(version: Version) -> dict[str, Observation]:
    from curation.validation import Observation

    design = design_of(version)
    groups = {one["id"]: one["metadata"] for one in design["groups"]}
    animals = {one["id"]: one for one in design["animals"]}
    found = {}
    for one in design["observations"]:
        animal = animals.get(one["animal"])
        if animal is None:
            continue
        group = groups.get(animal["group"]) or {}
        told = {**version.metadata, **group, **animal["metadata"], **one["metadata"]}
        hours = told.get("hours_after_procedure")
        found[one["id"]] = Observation(
            name=one["name"],
            animal=animal["id"],
            cage=animal["cage"] or "",
            hours=None if hours in (None, "") else float(hours),
            **{name: str(told.get(name) or "") for name in FIELDS},
        )
    return found


def validation_due(version: ModelVersion | None) -> bool:
    """Whether the serving version has no validation page yet and one can be made."""
    if version is None or not version.snapshot:
        return False
    if Validation.objects.filter(model_version=version).exists():
        return False
    return Snapshot.objects.filter(public_id=version.snapshot).exists()


@job(queue="quick", limit=timedelta(minutes=1), every=timedelta(minutes=10))
def ask_for_validations(context: Context) -> dict[str, Any]:
    """Ask for the validation page of the version that serves, once."""
    from amgs.registry import services as registry

    version = registry.serving()
    if version is None or not validation_due(version):
        return {}
    return {"asked": ask_for_validation(by=SYSTEM, version=version).public_id}
