"""Freeze a snapshot: everything training may use, as one manifest with digests and splits."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from amgs.core import policy
from amgs.core.base import Actor
from amgs.core.errors import Conflict, Refused
from amgs.repository.exclusions import frames_left_out
from amgs.repository.frozen import design_of
from amgs.repository.models import (
    Animal,
    Frame,
    Permission,
    Recording,
    Resemblance,
    Version,
)
from amgs.review.facts import placer
from amgs.review.models import Consensus
from amgs.review.queries import random_share
from amgs.training.models import Placement, Snapshot
from curation.dataset_version import ACCEPTED, PUBLISHED
from curation.embargo import may_train
from curation.likeness import look_alike

if TYPE_CHECKING:
    import pandas as pd

# One seed for ever: the splits of an animal depend on the animal, not on who asks when.
SEED = 0
BENCHMARK, TRAIN = "benchmark", "train"
CHUNK = 2000


@dataclass(frozen=True)
class _Place:
    """All that the frames of one recording share."""

    version: str
    columns: Mapping[str, Any]


def trainable_versions() -> list[Version]:
    """Return the newest version of every dataset that training may use (``curation.embargo``).

    That is a published one, or an accepted one under embargo whose owner ticked it.
    """
    newest: dict[int, Version] = {}
    today = timezone.localdate()
    rows = (
        Version.objects.filter(
            Q(state=PUBLISHED) | Q(state=ACCEPTED, train_under_embargo=True),
            deleted_at=None,
            permissions__kind=Permission.Kind.TRAIN.value,
        )
        .select_related("dataset", "dataset__lab")
        .order_by("dataset_id", "number")
    )
    for row in rows:
        if may_train(
            row.state,
            row.embargo_until,
            today,
            train=True,
            before_the_end=row.train_under_embargo,
        ):
            newest[row.dataset_id] = row
    return list(newest.values())


def allows_training(version: Version) -> bool:
    """Whether the owner of a version lets training use it."""
    return version.permissions.filter(kind=Permission.Kind.TRAIN.value).exists()


def freeze_snapshot(*, by: Actor) -> Snapshot:
    """Freeze all published frames that training may use; the same inputs give the same snapshot.

    Splits are by animal; an animal stays in the split it was first placed in, and animals that
    share a file share theirs. Raises ``Refused`` where there is nothing to freeze.
    """
    policy.require(by, "training.freeze_snapshot")
    from amgs.files.services import store_file
    from models.manifest import read_manifest, split, write_manifest
    from models.scale import load_scale

    scale = load_scale()
    versions = trainable_versions()
    places = _places(versions)
    table = _frames(versions, places, scale)
    if table.empty:
        raise Refused(
            "No published version with grades lets training use its frames yet; publish one whose "
            "owners signed the permission to train."
        )
    present = set(table["animal"])
    animals = _animals(places, present)
    splits = split(animals, _pins(animals), SEED)
    table["split"] = table["animal"].map(splits)
    named = sorted(table["dataset"].unique())
    header = {
        "scale": scale.name,
        "scale_version": scale.version,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": SEED,
        "versions": named,
        "phantom": bool(table["phantom"].any()),
        "counts": {str(name): int(count) for name, count in table["split"].value_counts().items()},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.parquet"
        digest = write_manifest(path, table, header)
        if (known := Snapshot.objects.filter(digest=digest).first()) is not None:
            return known
        blob = store_file(path, "application/vnd.apache.parquet")
        kept = read_manifest(path).header
    try:
        with transaction.atomic():
            if not _still_trainable(versions, named):
                raise Conflict(
                    "A dataset was withdrawn, or its permission taken back, while the snapshot was "
                    "being frozen; freeze it again."
                )
            _place(splits)
            snapshot = Snapshot.objects.create(
                manifest=blob,
                digest=digest,
                header=kept,
                frames=len(table),
                animals=len(present),
                phantom=header["phantom"],
            )
            snapshot.versions.set([row for row in versions if row.identifier in named])
    except IntegrityError:
        # Somebody froze the same inputs at the same moment.
        return Snapshot.objects.get(digest=digest)
    return snapshot


def _still_trainable(versions: list[Version], named: list[str]) -> bool:
    """Whether all that is in a snapshot may still be in it; the rows are locked to be sure."""
    keys = {row.pk for row in versions if row.identifier in named}
    list(Version.objects.select_for_update().filter(pk__in=keys).values_list("pk"))
    return keys <= {row.pk for row in trainable_versions()}


@placer
def _placed(animals: QuerySet[Animal]) -> Mapping[int, str]:
    """Tell the checks where earlier snapshots placed animals."""
    rows = Placement.objects.filter(animal__in=animals.values("pk"))
    return dict(rows.values_list("animal", "split"))


def _pins(animals: pd.DataFrame) -> dict[str, str]:
    """Return where animals were placed by earlier snapshots, without contradictions.

    All placements are kept, not those of the benchmark alone: an animal that one model learned
    from must not come into the benchmark on which that model is measured against the next.
    Animals that were found only later to share a file may have been placed apart: a benchmark
    wins (``split`` sees to that), else what was trained on stays in training.
    """
    placed = dict(
        Placement.objects.filter(animal__public_id__in=list(animals["animal"])).values_list(
            "animal__public_id", "split"
        )
    )
    pins = {}
    for _, members in animals.groupby("near_duplicate_group")["animal"]:
        held = {animal: placed[animal] for animal in members if animal in placed}
        names = sorted(set(held.values()))
        if len(names) > 1 and BENCHMARK not in names:
            held = dict.fromkeys(held, TRAIN if TRAIN in names else names[0])
        pins.update(held)
    return pins


def _place(splits: Mapping[str, str]) -> None:
    """Keep where animals are now; who has a place keeps it."""
    keys = Animal.objects.filter(public_id__in=list(splits), placement=None).values_list(
        "pk", "public_id"
    )
    Placement.objects.bulk_create(
        [Placement(animal_id=key, split=splits[animal]) for key, animal in keys],
        batch_size=500,
        ignore_conflicts=True,
    )


def _inherited(field: str, *levels: Mapping[str, Any] | None) -> str:
    """Return a metadata field from the first level that has it, most special level first."""
    for level in levels:
        if level and level.get(field) not in (None, ""):
            return str(level[field])
    return ""


def _places(versions: Iterable[Version]) -> dict[int, _Place]:
    """Return what every recording of these versions tells of its frames, by primary key."""
    by_dataset = {row.dataset_id: row for row in versions}
    designs = {row.pk: _Design(design_of(row)) for row in by_dataset.values()}
    recordings = (
        Recording.objects.filter(
            versions__in=list(by_dataset.values()),
            blob__isnull=False,
            blob__deleted_at=None,
            status=Recording.Status.READY,
        )
        .select_related("blob")
        .distinct()
    )
    found = {}
    for row in recordings:
        version = by_dataset[row.dataset_id]
        place = designs[version.pk].place(row.public_id)
        if place is None:
            continue
        recording, observation, animal, group = place
        levels = (
            recording["metadata"],
            observation["metadata"],
            animal["metadata"],
            group["metadata"] if group else None,
            version.metadata,
        )
        found[row.pk] = _Place(
            version=version.identifier,
            columns={
                "blob": row.blob.sha256,
                "dataset": version.identifier,
                "lab": version.dataset.lab.name,
                "animal": animal["id"],
                "observation": observation["id"],
                "assay": _inherited("assay", *levels),
                "coat": _inherited("coat", *levels),
                "sex": _inherited("sex", *levels),
                "strain": _inherited("strain", *levels),
                "time_point": observation["name"],
                "phantom": version.dataset.phantom,
            },
        )
    return found


class _Design:
    """The design of a version, looked up by recording."""

    def __init__(self, design: Mapping[str, Any]) -> None:
        self._recordings = design["recordings"]
        self._groups = {row["id"]: row for row in design["groups"]}
        self._animals = {row["id"]: row for row in design["animals"]}
        self._observations = {row["id"]: row for row in design["observations"]}

    def place(self, recording: str) -> tuple[Any, Any, Any, Any] | None:
        """Return recording, observation, animal and group (or ``None``) of a recording."""
        held = self._recordings.get(recording)
        observation = self._observations.get(held["observation"]) if held else None
        animal = self._animals.get(observation["animal"]) if observation else None
        if animal is None:
            return None
        return held, observation, animal, self._groups.get(animal["group"])


def _frames(versions: list[Version], places: Mapping[int, _Place], scale: Any) -> pd.DataFrame:
    """Return one row per graded frame with its consensus and votes, ordered by public id."""
    import pandas as pd

    grades = {unit.key: len(unit.grades) for unit in scale.units}
    consensus: dict[int, dict[str, Any]] = {}
    rows = (
        Consensus.objects.filter(frame__recording__versions__in=versions)
        .order_by("frame_id", "unit")
        .values_list("frame_id", "unit", "probabilities", "scorable", "votes")
    )
    for frame, unit, probabilities, scorable, votes in rows.iterator(chunk_size=CHUNK):
        if unit not in grades:
            continue  # a unit of an older scale
        held = consensus.setdefault(frame, {"votes": []})
        held["votes"] += votes
        held[f"{unit}__scorable"] = scorable
        for grade in range(grades[unit]):
            share = probabilities[grade] if grade < len(probabilities) else None
            held[f"{unit}__p{grade}"] = float("nan") if share is None else float(share)
    excluded = frames_left_out(versions)
    frames = (
        Frame.objects.filter(recording__in=list(places), consensus__isnull=False)
        .distinct()
        .order_by("public_id")
        .values_list("pk", "public_id", "recording_id", "stream", "pts", "tb_num", "tb_den")
    )
    # Picked by chance by us, or by a lab that says so; agreement and benchmark rest on these.
    by_chance = set(random_share(versions).values_list("pk", flat=True))
    table = []
    for key, public_id, recording, stream, pts, tb_num, tb_den in frames.iterator(chunk_size=CHUNK):
        if key in excluded or key not in consensus:
            continue
        held = consensus[key]
        table.append(
            {
                "frame": public_id,
                "stream": stream,
                "pts": pts,
                "tb_num": tb_num,
                "tb_den": tb_den,
                "random_share": key in by_chance,
                **places[recording].columns,
                **held,
                "votes": json.dumps(held["votes"], sort_keys=True),
            }
        )
    columns = [f"{unit}__p{grade}" for unit, count in grades.items() for grade in range(count)]
    frame = pd.DataFrame(table)
    for name in (*columns, *(f"{unit}__scorable" for unit in grades)):
        if name not in frame:
            frame[name] = float("nan")
    return frame


def _animals(places: Mapping[int, _Place], present: set[str]) -> pd.DataFrame:
    """Return one row per animal with lab, coat and the group of animals that share a film.

    The same file, or one that shows the same moments in another shape.
    """
    import pandas as pd

    parent: dict[str, str] = {}

    def root(animal: str) -> str:
        while parent.setdefault(animal, animal) != animal:
            animal = parent[animal]
        return animal

    def join(one: str, other: str) -> None:
        ends = sorted((root(one), root(other)))
        parent[ends[1]] = ends[0]

    owner: dict[str, str] = {}
    by_recording: dict[int, str] = {}
    rows: dict[str, dict[str, Any]] = {}
    for recording, place in places.items():
        columns = place.columns
        animal = columns["animal"]
        if animal not in present:
            continue
        by_recording[recording] = animal
        rows.setdefault(animal, {"animal": animal, "lab": columns["lab"], "coat": columns["coat"]})
        join(owner.setdefault(columns["blob"], animal), animal)
    for one in Resemblance.objects.filter(first__in=by_recording, second__in=by_recording):
        if look_alike(one.distance, one.motion):
            join(by_recording[one.first_id], by_recording[one.second_id])
    for animal, row in rows.items():
        row["near_duplicate_group"] = root(animal)
    return pd.DataFrame([rows[animal] for animal in sorted(rows)])
