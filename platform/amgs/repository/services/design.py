"""The design of an experiment: groups, cages, animals, observations; upserted by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from amgs.core import decisions
from amgs.core.base import Actor
from amgs.core.errors import Refused
from amgs.repository import search
from amgs.repository.frozen import is_held
from amgs.repository.models import (
    Animal,
    Cage,
    Dataset,
    Group,
    Observation,
    Recording,
    Version,
)
from amgs.repository.services.datasets import check_metadata, require_draft
from amgs.repository.services.recordings import read_scores_again

# Keys of a row that say what it is; all others are metadata fields.
_ANIMAL_KEYS = {"name", "group", "cage"}
_OBSERVATION_KEYS = {"name", "animal"}

Row = Mapping[str, Any]


def _names(rows: Sequence[Row], what: str) -> list[str]:
    """Return the names of rows; refuse empty and repeated ones with their place."""
    names: list[str] = []
    for index, row in enumerate(rows):
        name = str(row.get("name") or "").strip()
        if not name:
            raise Refused(f"{what}[{index}] has no name.", field=f"{what}[{index}].name")
        if name in names:
            raise Refused(f"'{name}' is named twice in {what}.", field=f"{what}[{index}].name")
        names.append(name)
    return names


def _upsert(
    model: type[Group] | type[Cage] | type[Animal],
    dataset: Dataset,
    values: Mapping[str, Mapping[str, Any]],
    letter: str,
) -> dict[str, Any]:
    """Make or change rows by name, number new pseudonyms on, drop rows no longer named.

    Once a version was published, dropped rows stay for it and are only marked.
    """
    held = {row.name: row for row in model.objects.filter(dataset=dataset)}
    _drop(model, dataset, [row.pk for name, row in held.items() if name not in values])
    number = max((int(row.pseudonym[1:]) for row in held.values()), default=0)
    new = []
    changed = []
    for name, fields in values.items():
        row = held.get(name)
        if row is None:
            number += 1
            new.append(
                model(dataset=dataset, name=name, pseudonym=f"{letter}{number:03d}", **fields)
            )
            continue
        for key, value in fields.items():
            setattr(row, key, value)
        row.dropped = False
        changed.append(row)
    model.objects.bulk_create(new, batch_size=500)
    fields = sorted({key for row in values.values() for key in row} | {"dropped"})
    if changed:
        model.objects.bulk_update(changed, fields, batch_size=100)
    return {row.name: row for row in model.objects.filter(dataset=dataset, dropped=False)}


def _drop(model: type[Any], dataset: Dataset, keys: list[int]) -> None:
    """Delete rows of a design, or mark them where a version that was published holds them."""
    if is_held(dataset.pk):
        model.objects.filter(pk__in=keys).update(dropped=True)
    else:
        model.objects.filter(pk__in=keys).delete()


@transaction.atomic
def set_design(
    *,
    by: Actor,
    version: Version,
    groups: Sequence[Row],
    animals: Sequence[Row],
    observations: Sequence[Row],
) -> Version:
    """Say which groups, animals and observations there are; rows keep their identity by name.

    ``groups``: ``{name, treatment: {field: value}}``; ``animals``: ``{name, group, cage, …animal
    fields}``; ``observations``: ``{animal, name, …observation fields}``. Cages come from the
    animals. What is no longer named is removed with its recordings' link.
    """
    require_draft(by, "edit_draft", version)
    dataset = version.dataset
    if len(groups) + len(animals) + len(observations) > 5000:
        raise Refused("A dataset holds at most 5,000 groups, animals and observations together.")

    group_values = {}
    for index, (name, row) in enumerate(zip(_names(groups, "groups"), groups, strict=True)):
        treatment = dict(row.get("treatment") or {})
        check_metadata("group", treatment, f"groups[{index}].treatment")
        group_values[name] = {"metadata": treatment}
    group_rows = _upsert(Group, dataset, group_values, "G")

    cages = dict.fromkeys(str(row["cage"]) for row in animals if row.get("cage"))
    cage_rows = _upsert(Cage, dataset, {name: {} for name in cages}, "C")

    animal_values = {}
    for index, (name, row) in enumerate(zip(_names(animals, "animals"), animals, strict=True)):
        group = row.get("group")
        if group and group not in group_rows:
            raise Refused(
                f"Animal '{name}' is in group '{group}', which is not among the groups.",
                field=f"animals[{index}].group",
            )
        metadata = {key: value for key, value in row.items() if key not in _ANIMAL_KEYS}
        check_metadata("animal", metadata, f"animals[{index}]")
        animal_values[name] = {
            "group": group_rows[group] if group else None,
            "cage": cage_rows[str(row["cage"])] if row.get("cage") else None,
            "metadata": metadata,
        }
    animal_rows = _upsert(Animal, dataset, animal_values, "M")

    _set_observations(dataset, animal_rows, observations)
    read_scores_again(dataset.pk)
    search.refresh(version)
    decisions.record(
        version,
        "set_design",
        by=by,
        facts={
            "groups": len(groups),
            "animals": len(animals),
            "observations": len(observations),
        },
    )
    return version


def _set_observations(
    dataset: Dataset, animals: Mapping[str, Animal], observations: Sequence[Row]
) -> None:
    wanted: dict[tuple[str, str], dict[str, Any]] = {}
    for index, row in enumerate(observations):
        place = f"observations[{index}]"
        animal, name = str(row.get("animal") or ""), str(row.get("name") or "").strip()
        if animal not in animals:
            raise Refused(
                f"{place} is of animal '{animal}', which is not among the animals.",
                field=f"{place}.animal",
            )
        if not name:
            raise Refused(f"{place} has no name, such as 'baseline'.", field=f"{place}.name")
        if (animal, name) in wanted:
            raise Refused(f"'{name}' of animal '{animal}' is named twice.", field=f"{place}.name")
        metadata = {key: value for key, value in row.items() if key not in _OBSERVATION_KEYS}
        check_metadata("observation", metadata, place)
        wanted[animal, name] = metadata
    held = {
        (row.animal.name, row.name): row
        for row in Observation.objects.filter(animal__dataset=dataset).select_related("animal")
    }
    gone = [row.pk for key, row in held.items() if key not in wanted]
    Recording.objects.filter(observation__in=gone).update(observation=None)
    _drop(Observation, dataset, gone)
    Observation.objects.bulk_create(
        [
            Observation(animal=animals[animal], name=name, metadata=metadata)
            for (animal, name), metadata in wanted.items()
            if (animal, name) not in held
        ],
        batch_size=500,
    )
    changed = [row for key, row in held.items() if key in wanted]
    for row in changed:
        row.metadata = wanted[row.animal.name, row.name]
        row.dropped = False
    if changed:
        Observation.objects.bulk_update(changed, ["metadata", "dropped"], batch_size=100)
