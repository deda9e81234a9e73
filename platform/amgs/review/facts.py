"""Gather VersionFacts: everything the checks may see, in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db.models import Count, Q, QuerySet

from amgs.core import decisions
from amgs.repository.models import (
    Animal,
    Group,
    LabelImport,
    Observation,
    Permission,
    Rating,
    Recording,
    Resemblance,
    Version,
)
from amgs.repository.queries import what_became_of
from amgs.repository.rules import PUBLIC_STATES
from curation.facts import (
    AnimalFacts,
    GroupFacts,
    LabelFacts,
    ObservationFacts,
    RaterUnit,
    RecordingFacts,
    TwinFacts,
    VersionFacts,
)
from curation.likeness import look_alike
from curation.problems import Problem
from models.scale import load_scale


def gather_facts(version: Version) -> VersionFacts:
    """Return the facts of a version as they are now."""
    dataset = version.dataset
    recordings = list(
        Recording.objects.filter(versions=version)
        .select_related("observation", "blob", "upload")
        .annotate(frame_rows=Count("frames"))
        .order_by("pk")
    )
    twins = _twins(version, recordings)
    placed = _splits(Animal.objects.filter(dataset=dataset, dropped=False))
    others: dict[int, set[str]] = defaultdict(set)
    for row in recordings:
        if row.observation is not None:
            others[row.observation.animal_id] |= {
                twin.lab
                for twin in twins[row.pk]
                if twin.known and (twin.same_bytes or look_alike(twin.distance, twin.motion))
            }
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
                labs=tuple(sorted({dataset.lab.name, *others[row.pk]})),
                split=placed.get(row.pk, ""),
            )
        )
    spread = _spread(version)
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
        recordings=tuple(_recording(row, twins[row.pk]) for row in recordings),
        labels=tuple(
            _label(row, spread[row.pk])
            for row in LabelImport.objects.filter(versions=version).exclude(
                status=LabelImport.Status.UNDONE
            )
        ),
        has_grades=has_grades(version),
    )


def has_grades(version: Version) -> bool:
    """Return whether any frame of a version came with a grade that is to be seen."""
    return Rating.objects.of_version(version).filter(source=Rating.Source.SHEET).exists()


def _recording(row: Recording, twins: list[TwinFacts]) -> RecordingFacts:
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
        twins=tuple(twins),
        compared=row.compared_at is not None,
    )


def _label(row: LabelImport, spread: list[RaterUnit]) -> LabelFacts:
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
        declared={key: str(value) for key, value in row.declared.items()},
        conversion=str(row.mapping.get("conversion", "")),
        spread=tuple(spread),
    )


def _spread(version: Version) -> dict[int, list[RaterUnit]]:
    """Return by sheet how often every rater gave each grade of every unit."""
    counted: dict[tuple[int, str, str], dict[int | None, int]] = defaultdict(dict)
    rows = (
        Rating.objects.of_version(version)
        .filter(source=Rating.Source.SHEET)
        .order_by()
        .values_list("label_import", "rater_name", "unit", "grade")
        .annotate(times=Count("pk"))
    )
    for sheet, rater, unit, grade, times in rows:
        counted[sheet, rater, unit][grade] = times
    least = {unit.key: len(unit.grades) for unit in load_scale().units}
    found: dict[int, list[RaterUnit]] = defaultdict(list)
    for (sheet, rater, unit), counts in sorted(counted.items()):
        top = max([least.get(unit, 0), *(grade + 1 for grade in counts if grade is not None)])
        by_grade = tuple(counts.get(grade, 0) for grade in range(top))
        found[sheet].append(RaterUnit(rater, unit, by_grade, counts.get(None, 0)))
    return found


def _twins(version: Version, recordings: list[Recording]) -> dict[int, list[TwinFacts]]:
    """Return by recording what is the same or looks the same elsewhere, or in this version.

    Names of animals repeat in every lab and prove nothing; a film that two hold does.
    """
    mine = {row.pk: row for row in recordings}
    by_blob: dict[int | None, list[int]] = defaultdict(list)
    for row in recordings:
        by_blob[row.blob_id].append(row.pk)
    pairs: list[tuple[int, int, Resemblance | None]] = []
    blobs = [blob for blob in by_blob if blob is not None]
    same = Recording.objects.filter(blob__in=blobs).exclude(dataset=version.dataset_id)
    for pk, blob in same.order_by("pk").values_list("pk", "blob"):
        pairs += [(own, pk, None) for own in by_blob[blob]]
    alike = Resemblance.objects.filter(Q(first__in=mine) | Q(second__in=mine)).order_by("pk")
    for one in alike:
        ends = (one.first_id, one.second_id)
        pairs += [(own, other, one) for own, other in (ends, ends[::-1]) if own in mine]
    others = {
        row.pk: row
        for row in Recording.objects.filter(pk__in={pk for _, pk, _ in pairs})
        .select_related("dataset__lab", "observation__animal")
        .prefetch_related("versions__dataset")
    }
    placed = _splits(Animal.objects.filter(observations__recordings__in=list(others)).distinct())
    found: dict[int, list[TwinFacts]] = defaultdict(list)
    for own, pk, measured in pairs:
        if pk in others:
            found[own] += _twins_of(version, own, others[pk], measured, placed)
    return found


def _twins_of(
    version: Version,
    own: int,
    other: Recording,
    measured: Resemblance | None,
    placed: dict[int, str],
) -> Iterator[TwinFacts]:
    """Yield one recording as a twin of another, once for every living version that holds it."""
    lab = other.dataset.lab
    animal = other.observation.animal if other.observation else None
    own_lab = lab.pk == version.dataset.lab_id
    for held in sorted(other.versions.all(), key=lambda row: row.pk):
        mine = held.pk == version.pk
        if held.deleted_at is not None or (held.dataset_id == version.dataset_id and not mine):
            continue
        yield TwinFacts(
            version=held.identifier,
            lab=lab.name,
            recording=other.public_id,
            file=other.name,
            known=own_lab or held.state in PUBLIC_STATES,
            same_bytes=measured is None,
            distance=0.0 if measured is None else measured.distance,
            motion=0.0 if measured is None else measured.motion,
            mirrored=measured is not None and measured.mirrored,
            # Of a pair the older one is first.
            shift_s=0.0
            if measured is None
            else measured.shift_s * (1 if measured.first_id == own else -1),
            animal=(animal.name if own_lab else animal.pseudonym) if animal else "",
            split=placed.get(animal.pk, "") if animal else "",
        )


Placer = Callable[[QuerySet[Animal]], Mapping[int, str]]
_PLACERS: list[Placer] = []


def placer(function: Placer) -> Placer:
    """Register a function that says where earlier training placed animals: key → split."""
    _PLACERS.append(function)
    return function


def _splits(animals: QuerySet[Animal]) -> dict[int, str]:
    found: dict[int, str] = {}
    for function in _PLACERS:
        found |= function(animals)
    return found


def _number(value: Any) -> float | None:
    try:
        return None if value is None or value == "" else float(value)
    except (TypeError, ValueError):
        return None
