"""The design of a version as it was at publication, and the rows of the next draft.

Groups, cages, animals and observations are rows of the *dataset*: an animal keeps its identity
through all versions, and with it its place in the splits of training. What such a row says
belongs to the version that is worked on. So a version that is published keeps a copy in
``Version.design``; pages, the API and training read that copy, and a later draft may change,
add and drop rows without anything published changing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db.models import Q

from amgs.repository.models import Animal, Cage, Group, Observation, Recording, Version

Json = dict[str, Any]


def gather(dataset: int, version: int, manager: Callable[[str], Any]) -> Json:
    """Return the design of a dataset (by primary key) as it is now.

    ``manager`` gives the manager of a model by name, so that a migration may ask with its own.
    ``recordings`` holds for every recording of the version its observation and metadata.
    """
    held = {"dropped": False, "dataset": dataset}
    animals = manager("Animal").filter(**held).select_related("group", "cage").order_by("pk")
    observations = (
        manager("Observation")
        .filter(dropped=False, animal__dropped=False, animal__dataset=dataset)
        .select_related("animal")
        .order_by("pk")
    )
    recordings = (
        manager("Recording").filter(versions=version).select_related("observation").order_by("pk")
    )
    return {
        "groups": [_named(row) for row in manager("Group").filter(**held).order_by("pk")],
        "cages": [
            {"id": row.public_id, "name": row.name, "pseudonym": row.pseudonym}
            for row in manager("Cage").filter(**held).order_by("pk")
        ],
        "animals": [
            _named(row)
            | {
                "group": row.group.public_id if row.group else None,
                "cage": row.cage.public_id if row.cage else None,
            }
            for row in animals
        ],
        "observations": [
            {
                "id": row.public_id,
                "animal": row.animal.public_id,
                "name": row.name,
                "metadata": row.metadata,
            }
            for row in observations
        ],
        "recordings": {
            row.public_id: {
                "observation": row.observation.public_id if row.observation else None,
                "metadata": row.metadata,
            }
            for row in recordings
        },
    }


def _named(row: Any) -> Json:
    return {
        "id": row.public_id,
        "name": row.name,
        "pseudonym": row.pseudonym,
        "metadata": row.metadata,
    }


def freeze(version: Version) -> Json:
    """Return the design of a version as its rows are now."""
    return gather(
        version.dataset_id,
        version.pk,
        lambda name: apps.get_model("repository", name)._base_manager,
    )


def design_of(version: Version) -> Json:
    """Return the design of a version: the kept copy where there is one, else the rows."""
    kept: Json = version.design
    return kept or freeze(version)


def places_of(version: Version, own: bool) -> dict[str, tuple[str, str]] | None:
    """Return recording → (animal, time point) as a published version keeps them, by public id.

    ``own``: the animals by the names their lab gave them, else by pseudonym. ``None`` of a version
    that keeps nothing: its rows tell.
    """
    return None if version.published_at is None else _kept_places(version.public_id, own)


# What is published never changes: a process reads its design once, not with every page.
@lru_cache(maxsize=32)
def _kept_places(version: str, own: bool) -> dict[str, tuple[str, str]] | None:
    kept = Version.objects.values_list("design", flat=True).get(public_id=version)
    if not kept:
        return None
    key = "name" if own else "pseudonym"
    animals = {row["id"]: row[key] for row in kept["animals"]}
    held = {
        row["id"]: (animals[row["animal"]], row["name"])
        for row in kept["observations"]
        if row["animal"] in animals
    }
    return {
        recording: held[row["observation"]]
        for recording, row in kept["recordings"].items()
        if row["observation"] in held
    }


def is_held(dataset_id: int) -> bool:
    """Whether a version of the dataset keeps its design, so that rows must not be deleted."""
    return Version.objects.filter(dataset=dataset_id).exclude(design={}).exists()


def restore(version: Version, kept: Mapping[str, Any]) -> None:
    """Give the rows of the dataset the values of a kept design; call it in a transaction.

    Rows that are not in it are dropped from the draft, not deleted: other versions hold them.
    """
    dataset = version.dataset_id
    groups = _restore(Group, {"dataset": dataset}, kept["groups"], ())
    cages = _restore(Cage, {"dataset": dataset}, kept["cages"], ())
    links = {"group": groups, "cage": cages}
    animals = _restore(Animal, {"dataset": dataset}, kept["animals"], ("group", "cage"), links)
    rows = _restore(
        Observation,
        {"animal__dataset": dataset},
        kept["observations"],
        ("animal",),
        {"animal": animals},
    )
    changed = []
    for row in Recording.objects.filter(versions=version):
        entry = kept["recordings"].get(row.public_id)
        if entry is not None:
            row.observation = rows.get(entry["observation"])
            row.metadata = entry["metadata"]
            changed.append(row)
    Recording.objects.bulk_update(changed, ["observation", "metadata"], batch_size=100)


def _restore(
    model: Any,
    where: Mapping[str, Any],
    entries: list[Json],
    linked: tuple[str, ...],
    links: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Write the values of kept rows back by public id; return the rows that are kept."""
    by_id = {entry["id"]: entry for entry in entries}
    held = {row.public_id: row for row in model.objects.filter(**where)}
    plain = [
        name for name in ("metadata",) if any(field.name == name for field in model._meta.fields)
    ]
    for public_id, row in held.items():
        entry = by_id.get(public_id)
        row.dropped = entry is None
        if entry is None:
            continue
        for name in plain:
            setattr(row, name, entry[name])
        for name in linked:
            setattr(row, name, (links or {})[name].get(entry[name]))
    fields = ["dropped", *plain, *linked]
    model.objects.bulk_update(list(held.values()), fields, batch_size=100)
    return {public_id: row for public_id, row in held.items() if public_id in by_id}


def held_by_published() -> Q:
    """Recordings or sheets that a version holds which was published: they are as they are."""
    return Q(versions__published_at__isnull=False)
