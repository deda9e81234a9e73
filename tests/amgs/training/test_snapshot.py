"""A snapshot holds what owners allow, splits by animal and is the same for the same inputs."""

from __future__ import annotations

import pandas as pd
import pytest

from amgs.core import decisions
from amgs.core.base import SYSTEM
from amgs.core.errors import NotAllowed, NotFound, Refused
from amgs.files.services import local_copy
from amgs.repository.models import Animal, Exclusion, Frame, Recording
from amgs.training.independence import overview
from amgs.training.models import Benchmark, Placement, Snapshot
from amgs.training.services import freeze_snapshot, set_lab_aside
from models.manifest import read_manifest


def read(blob):
    return read_manifest(local_copy(blob)).frames


def frozen(snapshot):
    """All frames of a snapshot, of every manifest it has."""
    blobs = [snapshot.manifest, snapshot.independent]
    blobs += [snapshot.benchmark.manifest if snapshot.benchmark else None]
    return pd.concat([read(blob) for blob in blobs if blob is not None], ignore_index=True)


def test_a_snapshot_freezes_published_frames_whose_owners_allow_training(publish):
    allowed = publish("Harbour")
    publish("Meadow", train=False)
    publish("Brook", state="accepted")
    snapshot = freeze_snapshot(by=SYSTEM)
    frames = frozen(snapshot)
    assert set(frames["dataset"]) == {allowed.identifier}
    assert (snapshot.frames, snapshot.animals, snapshot.phantom) == (12, 4, True)
    assert list(snapshot.versions.all()) == [allowed]
    assert snapshot.header["versions"] == [allowed.identifier]
    row = frames.iloc[0]
    assert (row["lab"], row["coat"], row["assay"]) == ("Harbour", "white", "post_surgical")
    assert row["random_share"]
    assert len(frames["votes"].iloc[0]) > 10


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
    rows = frozen(freeze_snapshot(by=SYSTEM))
    assert (rows.groupby("animal")["split"].nunique() == 1).all()
    assert {"train", "benchmark"} <= set(rows["split"])


def test_an_animal_of_the_benchmark_stays_there_for_ever(publish):
    publish("Harbour", animals=6)
    first = frozen(freeze_snapshot(by=SYSTEM))
    placed = set(first.loc[first["split"] == "benchmark", "animal"])
    assert placed
    assert (
        set(Placement.objects.filter(split="benchmark").values_list("animal__public_id", flat=True))
        == placed
    )
    for name in ("Meadow", "Brook", "Hill"):
        publish(name, animals=6)
        later = frozen(freeze_snapshot(by=SYSTEM))
        assert placed <= set(later.loc[later["split"] == "benchmark", "animal"])


def test_an_animal_that_was_learned_from_never_comes_into_the_benchmark(publish):
    publish("Harbour", animals=12)
    first = frozen(freeze_snapshot(by=SYSTEM))
    trained = set(first.loc[first["split"] == "train", "animal"])
    for name in ("Meadow", "Brook", "Hill"):
        publish(name, animals=7)
        later = frozen(freeze_snapshot(by=SYSTEM))
        assert trained <= set(later.loc[later["split"] == "train", "animal"])


def test_animals_placed_apart_and_found_to_share_a_file_are_brought_together(publish):
    publish("Harbour", animals=12)
    first = frozen(freeze_snapshot(by=SYSTEM)).groupby("animal")["split"].first()
    trained = first[first == "train"].index[0]
    other = first[first == "validation"].index[0]
    source = Recording.objects.get(observation__animal__public_id=trained)
    Recording.objects.filter(observation__animal__public_id=other).update(blob=source.blob)
    later = frozen(freeze_snapshot(by=SYSTEM)).groupby("animal")["split"].first()
    assert (later[trained], later[other]) == ("train", "train")


def test_animals_that_share_a_file_share_their_split(publish):
    publish("Harbour", animals=5)
    publish("Meadow", animals=5)
    ours, theirs = Recording.objects.order_by("pk").first(), Recording.objects.last()
    Recording.objects.filter(pk=theirs.pk).update(blob=ours.blob)
    rows = frozen(freeze_snapshot(by=SYSTEM))
    split = rows.groupby("animal")["split"].first()
    assert split[ours.observation.animal.public_id] == split[theirs.observation.animal.public_id]


def test_only_the_newest_published_version_of_a_dataset_is_frozen(publish):
    old = publish("Harbour")
    new = publish("Harbour", dataset=old.dataset, number=2)
    frames = frozen(freeze_snapshot(by=SYSTEM))
    assert set(frames["dataset"]) == {new.identifier}


def test_an_excluded_frame_is_not_frozen(publish):
    version = publish(state="accepted")
    frame = Frame.objects.first()
    Exclusion.objects.create(version=version, frame=frame, reason="the camera moved")
    type(version).objects.filter(pk=version.pk).update(state="published")
    assert frame.public_id not in set(frozen(freeze_snapshot(by=SYSTEM))["frame"])


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


def test_what_judges_lies_in_a_manifest_that_a_run_is_not_given(publish):
    publish("Harbour", animals=12)
    snapshot = freeze_snapshot(by=SYSTEM)
    learnt, judged_on = read(snapshot.manifest), read(snapshot.benchmark.manifest)
    assert set(judged_on["split"]) == {"benchmark"}
    assert not {"benchmark", "independent"} & set(learnt["split"])
    for column in ("frame", "animal", "blob"):
        assert not set(learnt[column]) & set(judged_on[column])
    assert snapshot.frames == len(learnt) + len(judged_on) == 36
    assert snapshot.header["counts"]["benchmark"] == len(judged_on) == snapshot.benchmark.frames
    assert snapshot.header["benchmark"]["identifier"] == "mouse-b1"
    assert snapshot.independent is None


def test_a_benchmark_is_the_same_one_until_its_frames_change(publish):
    publish("Harbour", animals=12)
    first = freeze_snapshot(by=SYSTEM)
    small = publish("Meadow", animals=1)
    second = freeze_snapshot(by=SYSTEM)
    assert second != first
    same = not read(second.benchmark.manifest)["dataset"].eq(small.identifier).any()
    assert (second.benchmark == first.benchmark) is same
    publish("Brook", animals=20)
    third = freeze_snapshot(by=SYSTEM)
    assert third.benchmark.number == Benchmark.objects.count()
    assert set(read(first.benchmark.manifest)["animal"]) < set(
        read(third.benchmark.manifest)["animal"]
    )


def test_an_independent_lab_validates_and_nothing_else(publish, mia):
    publish("Harbour", animals=8)
    publish("Meadow", animals=8)
    aside = publish("Brook", animals=8)
    row = set_lab_aside(by=mia, lab="Brook", why="its camera is like no other")
    snapshot = freeze_snapshot(by=SYSTEM)
    kept = read(snapshot.independent)
    assert (set(kept["lab"]), set(kept["split"])) == ({"Brook"}, {"independent"})
    assert len(kept) == 24
    for blob in (snapshot.manifest, snapshot.benchmark.manifest):
        assert "Brook" not in set(read(blob)["lab"])
    assert aside in snapshot.versions.all()
    assert snapshot.header["independent"]["sentences"] == ["White mice: Brook only validates."]
    assert freeze_snapshot(by=SYSTEM) == snapshot
    last = decisions.history(row).last()
    assert (last.action, last.why) == ("set_lab_aside", "its camera is like no other")
    assert last.facts["coats"] == {"white": 8}


def test_an_animal_whose_film_is_also_an_independent_one_validates_too(publish, mia):
    publish("Harbour", animals=8)
    publish("Meadow", animals=8)
    publish("Brook", animals=8)
    set_lab_aside(by=mia, lab="Brook", why="to see")
    ours, theirs = Recording.objects.order_by("pk").first(), Recording.objects.last()
    Recording.objects.filter(pk=ours.pk).update(blob=theirs.blob)
    kept = read(freeze_snapshot(by=SYSTEM).independent)
    assert ours.observation.animal.public_id in set(kept["animal"])


def test_an_independent_animal_whose_film_was_learned_from_is_left_out(publish, mia):
    publish("Harbour", animals=8)
    first = freeze_snapshot(by=SYSTEM)
    learned = read(first.manifest)["animal"].iloc[0]
    publish("Meadow", animals=8)
    publish("Brook", animals=8)
    set_lab_aside(by=mia, lab="Brook", why="to see")
    source = Recording.objects.get(observation__animal__public_id=learned)
    twin = Recording.objects.filter(dataset__lab__name="Brook").order_by("pk").first()
    Recording.objects.filter(pk=twin.pk).update(blob=source.blob)
    later = freeze_snapshot(by=SYSTEM)
    assert twin.observation.animal.public_id not in set(frozen(later)["animal"])
    assert learned in set(read(later.manifest)["animal"])
    assert later.header["independent"]["left_out"] == 1


def test_a_lab_that_was_learned_from_can_never_be_independent(publish, mia):
    for name in ("Harbour", "Meadow", "Brook"):
        publish(name, animals=8)
    freeze_snapshot(by=SYSTEM)
    with pytest.raises(Refused, match="already learned from"):
        set_lab_aside(by=mia, lab="Brook", why="too late")


def test_labs_are_set_aside_by_maintainers_with_a_reason(publish, mia, cora):
    publish("Harbour")
    publish("Meadow")
    with pytest.raises(Refused, match="only 1 lab with white mice"):
        set_lab_aside(by=mia, lab="Meadow", why="to see")
    assert overview()["proposals"] == []
    publish("Brook")
    assert [one["lab"] for one in overview()["proposals"]] == ["Brook", "Harbour", "Meadow"]
    with pytest.raises(NotAllowed, match="Only a maintainer"):
        set_lab_aside(by=cora, lab="Brook", why="to see")
    with pytest.raises(Refused, match="Say why"):
        set_lab_aside(by=mia, lab="Brook", why=" ")
    with pytest.raises(NotFound, match="no lab called 'Nowhere'"):
        set_lab_aside(by=mia, lab="Nowhere", why="to see")
    set_lab_aside(by=mia, lab="Brook", why="to see")
    with pytest.raises(Refused, match="independent already"):
        set_lab_aside(by=mia, lab="Brook", why="again")
    assert overview()["independent"][0]["by"] == "Mia Moreau"
