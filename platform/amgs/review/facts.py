"""Gather VersionFacts: everything the checks may see, in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db.models import Count

from amgs.core import decisions
from amgs.repository.models import (
    Animal,
    Group,
    LabelImport,
    Observation,
    Permission,
    Rating,
    Recording,
    Version,
)
from amgs.repository.queries import what_became_of
from curation.facts import (
    AnimalFacts,
    GroupFacts,
    LabelFacts,
    ObservationFacts,
    RecordingFacts,
    VersionFacts,
)
from curation.problems import Problem


def gather_facts(version: Version) -> VersionFacts:
    """Return the facts of a version as they are now."""
    dataset = version.dataset
    recordings = list(
        Recording.objects.filter(versions=version)
        .select_related("observation", "blob", "upload")
        .annotate(frame_rows=Count("frames"))
        .order_by("pk")
    )
    elsewhere, labs = _elsewhere(version, recordings)
    animals = []
    held_animals = Animal.objects.filter(dataset=dataset, dropped=False)
    for row in held_animals.select_related("group", "cage"):
        inherited = version.metadata | (row.group.metadata if row.group else {}) | row.metadata
        animals.append(
            AnimalFacts(
                id=row.public_id,
                name=row.name,
                group=row.group.name if row.group else "",
                cage=row.cage.name if row.cage else "",
                sex=str(inherited.get("sex") or ""),
                coat=str(inherited.get("coat") or ""),
                strain=str(inherited.get("strain") or ""),
                age_weeks=_number(inherited.get("age_weeks")),
                labs=tuple(sorted({dataset.lab.name, *labs[row.pk]})),
            )
        )
    held = set(version.permissions.values_list("kind", flat=True))
    return VersionFacts(
        version=version.identifier,
        lab=dataset.lab.name,
        phantom=dataset.phantom,
        licence=version.licence,
        # Before anything was signed, nothing is stated: that is another thing than "no".
        permissions={kind.value: kind.value in held for kind in Permission.Kind}
        if held or decisions.history(version).filter(action="sign_permissions").exists()
        else {},
        ethics=version.ethics,
        metadata=version.metadata,
        groups=tuple(
            GroupFacts(name=row.name, treatment=row.metadata, id=row.public_id)
            for row in Group.objects.filter(dataset=dataset, dropped=False)
        ),
        animals=tuple(animals),
        observations=tuple(
            ObservationFacts(
                id=row.public_id,
                animal=row.animal.public_id,
                name=row.name,
                hours_after_procedure=_number(row.metadata.get("hours_after_procedure")),
            )
            for row in Observation.objects.filter(
                animal__dataset=dataset, animal__dropped=False, dropped=False
            ).select_related("animal")
        ),
        recordings=tuple(_recording(row, elsewhere[row.blob_id]) for row in recordings),
        labels=tuple(
            _label(row)
            for row in LabelImport.objects.filter(versions=version).exclude(
                status=LabelImport.Status.UNDONE
            )
        ),
        has_grades=has_grades(version),
    )


def has_grades(version: Version) -> bool:
    """Return whether any frame of a version came with a grade that is to be seen."""
    return Rating.objects.of_version(version).filter(source=Rating.Source.SHEET).exists()


def _recording(row: Recording, elsewhere: set[str]) -> RecordingFacts:
    status, problem = what_became_of(row)
    return RecordingFacts(
        id=row.public_id,
        file=row.name,
        observation=row.observation.public_id if row.observation else "",
        sha256=row.blob.sha256 if row.blob else "",
        status=status,  # type: ignore[arg-type]  # the vocabularies are the same
        problem=problem,
        media=row.media or None,
        frames=int(row.media.get("frame_count", 0)),
        elsewhere=tuple(sorted(elsewhere)),
    )


def _label(row: LabelImport) -> LabelFacts:
    problems = [Problem.from_json(problem) for problem in row.problems]
    if row.status == LabelImport.Status.REFUSED:
        problems.append(Problem(row.refusal, file=row.name))
    if row.status == LabelImport.Status.OPEN:
        problems.append(Problem("It waits to be confirmed, and was not read.", file=row.name))
    return LabelFacts(
        file=row.name,
        rows=row.rows,
        raters=tuple(row.raters),
        problems=tuple(problems),
        frames_matched=row.frames_matched,
        frames_unmatched=row.frames_unmatched,
        observations_matched=row.observations_matched,
    )


def _elsewhere(
    version: Version, recordings: list[Recording]
) -> tuple[dict[int | None, set[str]], dict[int, set[str]]]:
    """Return other versions that hold the same bytes, and other labs that know an animal.

    An animal is known in another lab where that lab holds one of its films: names of animals
    repeat in every lab and prove nothing.
    """
    versions: dict[int | None, set[str]] = defaultdict(set)
    labs: dict[int | None, set[str]] = defaultdict(set)
    twins = (
        Recording.objects.filter(blob__in=[row.blob_id for row in recordings if row.blob_id])
        .exclude(dataset=version.dataset_id)
        .select_related("dataset__lab")
        .prefetch_related("versions__dataset")
    )
    for twin in twins:
        labs[twin.blob_id].add(twin.dataset.lab.name)
        versions[twin.blob_id].update(row.identifier for row in twin.versions.all())
    by_animal: dict[int, set[str]] = defaultdict(set)
    for row in recordings:
        if row.observation is not None:
            by_animal[row.observation.animal_id] |= labs[row.blob_id]
    return versions, by_animal


def _number(value: Any) -> float | None:
    try:
        return None if value is None or value == "" else float(value)
    except (TypeError, ValueError):
        return None
