"""Where animals are placed: in one split, for ever; films that resemble each other go together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from amgs.repository.models import Animal, Resemblance
from amgs.review.facts import placer
from amgs.training.independence import INDEPENDENT
from amgs.training.models import Placement
from curation.likeness import look_alike

if TYPE_CHECKING:
    import pandas as pd

# One seed for ever: the splits of an animal depend on the animal, not on who asks when.
SEED = 0
BENCHMARK, TRAIN = "benchmark", "train"


def splits_of(animals: pd.DataFrame, apart: Collection[str]) -> dict[str, str]:
    """Return animal → split; ``apart`` names the labs that only validate.

    An animal whose film resembles one of theirs validates too. Where one of a group was learned
    from, or judged, before, theirs prove nothing any more: they are left out, that is in no split.
    """
    from models.manifest import split

    placed = _placed_before(animals)
    splits: dict[str, str] = {}
    rest: list[str] = []
    for _, group in animals.groupby("near_duplicate_group"):
        members = list(group["animal"])
        theirs = {
            animal
            for animal, lab in zip(group["animal"], group["lab"], strict=True)
            if lab in apart or placed.get(animal) == INDEPENDENT
        }
        if not theirs:
            rest += members
        elif any(placed.get(animal, INDEPENDENT) != INDEPENDENT for animal in members):
            rest += [animal for animal in members if animal not in theirs]
        else:
            splits |= dict.fromkeys(members, INDEPENDENT)
    others = animals[animals["animal"].isin(rest)]
    return splits | split(others, _pins(others, placed), SEED)


def place(splits: Mapping[str, str]) -> None:
    """Keep where animals are now; who has a place keeps it."""
    keys = Animal.objects.filter(public_id__in=list(splits), placement=None).values_list(
        "pk", "public_id"
    )
    Placement.objects.bulk_create(
        [Placement(animal_id=key, split=splits[animal]) for key, animal in keys],
        batch_size=500,
        ignore_conflicts=True,
    )


@placer
def _placed(animals: QuerySet[Animal]) -> Mapping[int, str]:
    """Tell the checks where earlier snapshots placed animals."""
    rows = Placement.objects.filter(animal__in=animals.values("pk"))
    return dict(rows.values_list("animal", "split"))


def _placed_before(animals: pd.DataFrame) -> dict[str, str]:
    rows = Placement.objects.filter(animal__public_id__in=list(animals["animal"]))
    return dict(rows.values_list("animal__public_id", "split"))


def _pins(animals: pd.DataFrame, placed: Mapping[str, str]) -> dict[str, str]:
    """Return where animals were placed by earlier snapshots, without contradictions.

    All placements are kept, not those of the benchmark alone: an animal that one model learned
    from must not come into the benchmark on which that model is measured against the next.
    Animals that were found only later to share a file may have been placed apart: a benchmark
    wins (``split`` sees to that), else what was trained on stays in training.
    """
    pins = {}
    for _, members in animals.groupby("near_duplicate_group")["animal"]:
        held = {animal: placed[animal] for animal in members if animal in placed}
        names = sorted(set(held.values()))
        if len(names) > 1 and BENCHMARK not in names:
            held = dict.fromkeys(held, TRAIN if TRAIN in names else names[0])
        pins.update(held)
    return pins


def animals_of(recordings: Mapping[int, Mapping[str, Any]], present: set[str]) -> pd.DataFrame:
    """Return one row per animal with lab, coat and the group of animals that share a film.

    ``recordings`` are the columns that all frames of a recording share, by its primary key. The
    same film is the same file, or one that shows the same moments in another shape.
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
    for recording, columns in recordings.items():
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
