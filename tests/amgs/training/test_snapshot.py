"""A snapshot holds what owners allow, splits by animal and is the same for the same inputs."""

from __future__ import annotations

import pytest

from amgs.core.base import SYSTEM
from amgs.core.errors import NotAllowed, Refused
from amgs.files.services import local_copy
from amgs.repository.models import Animal, Exclusion, Frame, Recording
from amgs.training.models import Placement, Snapshot
from amgs.training.services import freeze_snapshot
from models.manifest import read_manifest


def frozen(snapshot):
    return read_manifest(local_copy(snapshot.manifest))


def test_a_snapshot_freezes_published_frames_whose_owners_allow_training(publish):
    allowed = publish("Harbour")
    publish("Meadow", train=False)
    publish("Brook", state="accepted")
    snapshot = freeze_snapshot(by=SYSTEM)
    manifest = frozen(snapshot)
    assert set(manifest.frames["dataset"]) == {allowed.identifier}
    assert (snapshot.frames, snapshot.animals, snapshot.phantom) == (12, 4, True)
    assert list(snapshot.versions.all()) == [allowed]
    assert snapshot.header["versions"] == [allowed.identifier]
    row = manifest.frames.iloc[0]
    assert (row["lab"], row["coat"], row["assay"]) == ("Harbour", "white", "post_surgical")
    assert row["random_share"]
    assert len(manifest.frames["votes"].iloc[0]) > 10


def test_the_same_inputs_give_the_same_snapshot(publish):
    publish(animals=20)
    first = freeze_snapshot(by=SYSTEM)
    assert freeze_snapshot(by=SYSTEM) == first
    assert Snapshot.objects.count() == 1
    publish("Meadow")
    second = freeze_snapshot(by=SYSTEM)
    assert second != first
    assert second.digest != first.digest


def test_an_animal_is_in_one_split_only(publish):
    for name in ("Harbour", "Meadow", "Brook"):
        publish(name, animals=6)
    rows = frozen(freeze_snapshot(by=SYSTEM)).frames
    assert (rows.groupby("animal")["split"].nunique() == 1).all()
    assert {"train", "benchmark"} <= set(rows["split"])


def test_an_animal_of_the_benchmark_stays_there_for_ever(publish):
    publish("Harbour", animals=6)
    first = frozen(freeze_snapshot(by=SYSTEM)).frames
    placed = set(first.loc[first["split"] == "benchmark", "animal"])
    assert placed
    assert (
        set(Placement.objects.filter(split="benchmark").values_list("animal__public_id", flat=True))
        == placed
    )
    for name in ("Meadow", "Brook", "Hill"):
        publish(name, animals=6)
        later = frozen(freeze_snapshot(by=SYSTEM)).frames
        assert placed <= set(later.loc[later["split"] == "benchmark", "animal"])


def test_an_animal_that_was_learned_from_never_comes_into_the_benchmark(publish):
    publish("Harbour", animals=12)
    first = frozen(freeze_snapshot(by=SYSTEM)).frames
    trained = set(first.loc[first["split"] == "train", "animal"])
    for name in ("Meadow", "Brook", "Hill"):
        publish(name, animals=7)
        later = frozen(freeze_snapshot(by=SYSTEM)).frames
        assert trained <= set(later.loc[later["split"] == "train", "animal"])


def test_animals_placed_apart_and_found_to_share_a_file_are_brought_together(publish):
    publish("Harbour", animals=12)
    first = frozen(freeze_snapshot(by=SYSTEM)).frames.groupby("animal")["split"].first()
    trained = first[first == "train"].index[0]
    other = first[first == "validation"].index[0]
    source = Recording.objects.get(observation__animal__public_id=trained)
    Recording.objects.filter(observation__animal__public_id=other).update(blob=source.blob)
    later = frozen(freeze_snapshot(by=SYSTEM)).frames.groupby("animal")["split"].first()
    assert (later[trained], later[other]) == ("train", "train")


def test_animals_that_share_a_file_share_their_split(publish):
    publish("Harbour", animals=5)
    publish("Meadow", animals=5)
    ours, theirs = Recording.objects.order_by("pk").first(), Recording.objects.last()
    Recording.objects.filter(pk=theirs.pk).update(blob=ours.blob)
    rows = frozen(freeze_snapshot(by=SYSTEM)).frames
    split = rows.groupby("animal")["split"].first()
    assert split[ours.observation.animal.public_id] == split[theirs.observation.animal.public_id]


def test_only_the_newest_published_version_of_a_dataset_is_frozen(publish):
    old = publish("Harbour")
    new = publish("Harbour", dataset=old.dataset, number=2)
    manifest = frozen(freeze_snapshot(by=SYSTEM))
    assert set(manifest.frames["dataset"]) == {new.identifier}


def test_an_excluded_frame_is_not_frozen(publish):
    version = publish(state="accepted")
    frame = Frame.objects.first()
    Exclusion.objects.create(version=version, frame=frame, reason="the camera moved")
    type(version).objects.filter(pk=version.pk).update(state="published")
    assert frame.public_id not in set(frozen(freeze_snapshot(by=SYSTEM)).frames["frame"])


def test_a_withdrawn_version_is_in_no_new_snapshot(publish):
    gone, stays = publish("Harbour"), publish("Meadow")
    freeze_snapshot(by=SYSTEM)
    type(gone).objects.filter(pk=gone.pk).update(state="withdrawn")
    assert list(freeze_snapshot(by=SYSTEM).versions.all()) == [stays]


def test_nothing_to_freeze_is_refused_in_a_sentence(publish):
    publish(train=False)
    with pytest.raises(Refused, match="permission to train"):
        freeze_snapshot(by=SYSTEM)


def test_only_maintainers_and_the_platform_freeze(publish, mia, alice):
    publish()
    with pytest.raises(NotAllowed):
        freeze_snapshot(by=alice)
    assert freeze_snapshot(by=mia).frames == 12


def test_freezing_takes_no_more_queries_for_more_animals(publish, django_assert_max_num_queries):
    publish(animals=12)
    with django_assert_max_num_queries(40) as few:
        freeze_snapshot(by=SYSTEM)
    assert Animal.objects.count() == 12
    publish("Meadow", animals=24)
    with django_assert_max_num_queries(len(few) + 2):
        freeze_snapshot(by=SYSTEM)
