"""Freeze a snapshot: everything training may use, as manifests with digests and splits.

What a run reads is one file, what it is judged on another: no run can read its own benchmark.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils import timezone

from amgs.core import policy
from amgs.core.base import Actor
from amgs.core.errors import Conflict, Refused
from amgs.files.models import Blob
from amgs.repository.exclusions import frames_left_out
from amgs.repository.frozen import design_of
from amgs.repository.models import Frame, Permission, Recording, Version
from amgs.review.models import Consensus
from amgs.review.queries import random_share
from amgs.training.independence import INDEPENDENT, independent_labs, overview_sentences
from amgs.training.models import Benchmark, Snapshot
from amgs.training.placing import BENCHMARK, SEED, animals_of, place, splits_of
from curation.dataset_version import ACCEPTED, PUBLISHED
from curation.embargo import may_train

if TYPE_CHECKING:
    import pandas as pd

SPECIES = "mouse"
MANIFEST, TRAINING = "manifest.parquet", "training"
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


@dataclass(frozen=True)
class _Written:
    """The manifests of a snapshot: digests and files by name, ``training`` and what only judges."""

    digests: Mapping[str, str]
    blobs: Mapping[str, Blob]
    headers: Mapping[str, Mapping[str, Any]]

    @property
    def digest(self) -> str:
        """SHA-256 over the digests: the same frames in the same splits give the same."""
        return hashlib.sha256(json.dumps(self.digests, sort_keys=True).encode()).hexdigest()


def freeze_snapshot(*, by: Actor) -> Snapshot:
    """Freeze all published frames that training may use; the same inputs give the same snapshot.

    What a run may read, the benchmark, and the frames of independent labs are three manifests.
    Splits are by animal; an animal stays in the split it was first placed in, and animals that
    share a file share theirs. Raises ``Refused`` where there is nothing to freeze.
    """
    policy.require(by, "training.freeze_snapshot")
    from models.scale import load_scale

    versions = trainable_versions()
    places = _places(versions)
    table = _frames(versions, places, load_scale())
    if table.empty:
        raise Refused(
            "No published version with grades lets training use its frames yet; publish one whose "
            "owners signed the permission to train."
        )
    recordings = {key: place.columns for key, place in places.items()}
    apart = independent_labs().values()
    splits = splits_of(animals_of(recordings, set(table["animal"])), apart)
    left_out = sorted(set(table["animal"]) - set(splits))
    table = table[table["animal"].isin(splits)].reset_index(drop=True)
    table["split"] = table["animal"].map(splits)
    named = sorted(table["dataset"].unique())
    with tempfile.TemporaryDirectory() as folder:
        written = _write(Path(folder), table, named)
        if (known := Snapshot.objects.filter(digest=written.digest).first()) is not None:
            return known
        written = _store(Path(folder), written)
    header = _header(table, written, left_out)
    try:
        with transaction.atomic():
            if not _still_trainable(versions, named):
                raise Conflict(
                    "A dataset was withdrawn, or its permission taken back, while the snapshot was "
                    "being frozen; freeze it again."
                )
            if set(independent_labs().values()) != set(apart):
                raise Conflict(
                    "A lab was set aside while the snapshot was being frozen; freeze it again."
                )
            place(splits)
            benchmark = _benchmark(table, written)
            if benchmark is not None:
                header["benchmark"] = {
                    "id": benchmark.public_id,
                    "identifier": benchmark.identifier,
                    "digest": benchmark.digest,
                }
            snapshot = Snapshot.objects.create(
                manifest=written.blobs[TRAINING],
                benchmark=benchmark,
                independent=written.blobs.get(INDEPENDENT),
                digest=written.digest,
                header=header,
                frames=len(table),
                animals=len(splits),
                phantom=bool(table["phantom"].any()),
            )
            snapshot.versions.set([row for row in versions if row.identifier in named])
    except IntegrityError as error:
        # Somebody froze the same inputs at the same moment, or other inputs with a new benchmark.
        if (known := Snapshot.objects.filter(digest=written.digest).first()) is not None:
            return known
        raise Conflict("Another snapshot was frozen at the same moment; freeze again.") from error
    return snapshot


def _write(folder: Path, table: pd.DataFrame, named: list[str]) -> _Written:
    """Write the manifests of a snapshot into a folder."""
    from models.manifest import write_apart

    header = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": SEED,
        "versions": named,
    }
    return _Written(write_apart(folder / MANIFEST, table, header), {}, {})


def _store(folder: Path, written: _Written) -> _Written:
    """Put the manifests into storage, as they were read back."""
    from amgs.files.services import store_file
    from models.manifest import beside, read_manifest

    blobs, headers = {}, {}
    for name, digest in written.digests.items():
        path = folder / MANIFEST
        path = path if name == TRAINING else beside(path, name)
        read = read_manifest(path)
        if read.digest != digest:
            raise Conflict("A manifest changed while it was being stored; freeze it again.")
        blobs[name] = store_file(path, "application/vnd.apache.parquet")
        headers[name] = read.header
    return _Written(written.digests, blobs, headers)


def _header(table: pd.DataFrame, written: _Written, left_out: list[str]) -> dict[str, Any]:
    """Return what a snapshot tells of itself: the header of its training manifest, and more."""
    from models.manifest import SPLITS

    counts = table["split"].value_counts()
    apart = table[table["split"] == INDEPENDENT]
    return {
        **written.headers[TRAINING],
        "versions": sorted(table["dataset"].unique()),
        "phantom": bool(table["phantom"].any()),
        "counts": {name: int(counts.get(name, 0)) for name in SPLITS},
        "labs": sorted(table["lab"].unique()),
        "coats": sorted(table["coat"].unique()),
        "manifests": dict(written.digests),
        "benchmark": None,
        "independent": {
            "labs": sorted(apart["lab"].unique()),
            "frames": len(apart),
            "animals": int(apart["animal"].nunique()),
            "left_out": len(left_out),
            "sentences": overview_sentences(),
        },
    }


def _benchmark(table: pd.DataFrame, written: _Written) -> Benchmark | None:
    """Return the benchmark with this content, as the next one of its species where it is new."""
    if BENCHMARK not in written.digests:
        return None
    digest = written.digests[BENCHMARK]
    if (known := Benchmark.objects.filter(digest=digest).first()) is not None:
        return known
    held = table[table["split"] == BENCHMARK]
    most = Benchmark.objects.filter(species=SPECIES).aggregate(most=Max("number"))["most"]
    return Benchmark.objects.create(
        species=SPECIES,
        number=(most or 0) + 1,
        manifest=written.blobs[BENCHMARK],
        digest=digest,
        frames=len(held),
        animals=held["animal"].nunique(),
        phantom=bool(held["phantom"].any()),
    )


def _still_trainable(versions: list[Version], named: list[str]) -> bool:
    """Whether all that is in a snapshot may still be in it; the rows are locked to be sure."""
    keys = {row.pk for row in versions if row.identifier in named}
    list(Version.objects.select_for_update().filter(pk__in=keys).values_list("pk"))
    return keys <= {row.pk for row in trainable_versions()}


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
