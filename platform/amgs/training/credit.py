"""Credit: what became of a lab's data in every model that was promoted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from amgs.accounts import notices
from amgs.accounts.models import User
from amgs.core.models import Decision
from amgs.registry.models import ModelVersion
from amgs.registry.services import PROMOTING
from amgs.repository.models import Version
from amgs.training.media import bring_manifest
from amgs.training.models import Credit, Snapshot

Json = dict[str, Any]
HELD_OUT = ("benchmark", "independent", "test")
"""Splits whose animals no training saw."""


def without_credit() -> QuerySet[ModelVersion]:
    """Return the versions that were promoted and whose contributors were not told yet."""
    promoted = Decision.objects.filter(subject=OuterRef("public_id"), action__in=PROMOTING)
    told = Credit.objects.filter(model_version=OuterRef("pk"))
    return ModelVersion.objects.filter(
        Exists(promoted), ~Exists(told), snapshot__in=Snapshot.objects.values("public_id")
    ).order_by("pk")


def used_in(snapshot: Snapshot) -> dict[str, Json]:
    """Return dataset → split → ``{frames, animals}`` of all manifests of a snapshot."""
    from models.manifest import read_manifest

    benchmark = snapshot.benchmark
    held = (snapshot.manifest, benchmark.manifest if benchmark else None, snapshot.independent)
    found: dict[str, Json] = {}
    for blob in held:
        if blob is None:
            continue
        frames = read_manifest(bring_manifest(blob)).frames
        counted = frames.groupby(["dataset", "split"])["animal"].agg(["size", "nunique"])
        for (dataset, part), row in counted.iterrows():
            sums = {"frames": int(row["size"]), "animals": int(row["nunique"])}
            found.setdefault(str(dataset), {})[str(part)] = sums
    return found


def errors_of(comparison: Mapping[str, Any], lab: str) -> list[Json]:
    """Return before and after on held-out animals of a lab, coat by coat, from a comparison.

    ``assessed`` is false where there are too few animals to say anything (`models.compare`).
    """
    found = []
    for key, row in sorted((comparison.get("groups") or {}).items()):
        name, _, coat = key.rpartition("|")
        if name == lab:
            found.append(
                {
                    "coat": coat,
                    "animals": row.get("n_animals"),
                    "frames": row.get("n_frames"),
                    "before": row.get("rmse_champion"),
                    "after": row.get("rmse_challenger"),
                    "difference": row.get("difference"),
                    "interval": row.get("interval"),
                    "assessed": bool(row.get("assessed")),
                }
            )
    return found


def give(model: ModelVersion) -> int:
    """Keep what a promoted model made of each version it rests on, and tell the labs; how many."""
    rows = Snapshot.objects.select_related("manifest", "benchmark__manifest", "independent")
    snapshot = rows.get(public_id=model.snapshot)
    used = used_in(snapshot)
    versions = list(snapshot.versions.select_related("dataset__lab").order_by("pk"))
    with transaction.atomic():
        made = Credit.objects.bulk_create(
            [
                Credit(
                    model_version=model,
                    version=row,
                    used=used.get(row.identifier, {}),
                    errors=errors_of(model.comparison, row.dataset.lab.name),
                )
                for row in versions
            ],
            ignore_conflicts=True,
        )
        for row in versions:
            _tell(model, row, used.get(row.identifier, {}))
    return len(made)


def _tell(model: ModelVersion, row: Version, used: Mapping[str, Any]) -> None:
    notices.tell(
        notices.people(lab=row.dataset.lab),
        title=f"{row.identifier} helped to make {model.identifier}",
        text=f"{sentence(used)} The page “Credit” says how far its scores were off on your own "
        "held-out animals before and since.",
        about=row,
        key=f"credit:{model.public_id}:{row.public_id}",
    )


def sentence(used: Mapping[str, Any]) -> str:
    """Say in words how many frames a model learned from, and how many it was only judged on."""
    learned = used.get("train", {}).get("frames", 0)
    judged = sum(used.get(part, {}).get("frames", 0) for part in HELD_OUT)
    animals = sum(used.get(part, {}).get("animals", 0) for part in HELD_OUT)
    return (
        f"It learned from {_counted(learned, 'frame')} of it and was judged on "
        f"{_counted(judged, 'frame')} of {_counted(animals, 'animal')} it never saw."
    )


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def credits_for(user: User) -> QuerySet[Credit]:
    """Return what became of the data of a person's labs."""
    return Credit.objects.filter(version__dataset__lab__in=user.lab_ids).select_related(
        "model_version__measured_against", "version__dataset__lab"
    )


def shown(rows: Sequence[Credit]) -> list[Json]:
    """Return credits as page and API show them; asks the database for nothing."""
    return [
        {
            "id": row.public_id,
            "at": row.created_at,
            "model": row.model_version.identifier,
            "model_id": row.model_version.public_id,
            "state": row.model_version.state,
            "phantom": row.model_version.phantom,
            "before": row.model_version.measured_against.identifier
            if row.model_version.measured_against
            else None,
            "version": row.version.identifier,
            "title": row.version.title,
            "lab": row.version.dataset.lab.name,
            "used": row.used,
            "sentence": sentence(row.used),
            "errors": row.errors,
        }
        for row in rows
    ]
