"""Training and data that leave: new snapshots, runs under way, flags, retraining."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from amgs.accounts.models import Notice
from amgs.core.base import SYSTEM
from amgs.core.errors import Conflict, Refused
from amgs.core.models import Job
from amgs.files.services import local_copy
from amgs.registry.models import ModelVersion
from amgs.repository import services as repository
from amgs.repository.models import Animal, Version
from amgs.repository.tombstone import consequences_page
from amgs.scoring.leaving import notes_of_score
from amgs.scoring.models import ToolRun
from amgs.training import freeze, queries, services, triggers
from amgs.training.freeze import freeze_snapshot, trainable_versions
from amgs.training.leaving import models_with, notes_of_model, notes_of_snapshot
from amgs.training.models import Run, Snapshot
from models.manifest import read_manifest

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(publish):
    """Published versions of Harbour and of Meadow."""
    return publish("Harbour", animals=20), publish("Meadow", animals=20)


@pytest.fixture
def learned():
    """Make a model version that learned from a snapshot, and may have begun with another."""

    def make(snapshot, number: int, state: str = "retired", start=None) -> ModelVersion:
        model = ModelVersion.objects.create(
            number=number,
            state=state,
            bundle_key=f"bundles/{number}",
            bundle_sha256="0" * 64,
            digest=f"{number:064d}",
            phantom=True,
            snapshot=snapshot.public_id,
        )
        Run.objects.create(
            snapshot=snapshot,
            recipe="tiny",
            profile="demo",
            model_version=model,
            options={"began_with": start.public_id} if start else {},
        )
        return model

    return make


def leave(version, action: str, by, why: str = "It must go."):
    repository.decide_version(by=by, version=version, action=action, why=why)


@pytest.mark.parametrize("action", ["withdraw", "retract"])
def test_what_left_is_in_no_new_snapshot_and_the_old_one_keeps_its_manifest(two, cora, action):
    harbour, meadow = two
    first = freeze_snapshot(by=SYSTEM)
    assert set(first.versions.all()) == {harbour, meadow}
    leave(harbour, action, cora)
    assert trainable_versions() == [meadow]
    second = freeze_snapshot(by=SYSTEM)
    assert list(second.versions.all()) == [meadow]
    first.refresh_from_db()
    assert harbour.identifier in first.header["versions"]
    assert set(first.versions.all()) == {harbour, meadow}


def test_a_permission_that_was_taken_back_keeps_it_out_as_well(two):
    harbour, meadow = two
    harbour.permissions.filter(kind="train").delete()
    assert list(freeze_snapshot(by=SYSTEM).versions.all()) == [meadow]


def test_what_leaves_while_a_snapshot_is_frozen_is_not_in_it(two, cora, monkeypatch):
    harbour, _ = two
    still = freeze._still_trainable

    def left_just_now(versions, named):
        leave(harbour, "withdraw", cora)
        return still(versions, named)

    monkeypatch.setattr(freeze, "_still_trainable", left_just_now)
    with pytest.raises(Conflict, match="freeze it again"):
        freeze_snapshot(by=SYSTEM)
    assert not Snapshot.objects.exists()


@pytest.mark.parametrize(
    ("ticked", "days", "used"), [(False, 9, False), (True, 9, True), (True, -1, False)]
)
def test_data_under_embargo_are_in_a_snapshot_only_where_it_was_ticked(publish, ticked, days, used):
    version = publish("Harbour", animals=20, state="accepted")
    until = timezone.localdate() + timedelta(days=days)
    Version.objects.filter(pk=version.pk).update(
        embargo_until=until, train_under_embargo=ticked, published_at=None
    )
    assert trainable_versions() == ([version] if used else [])


def test_a_deleted_draft_is_not_learned_from(publish):
    version = publish("Harbour", state="accepted")
    Version.objects.filter(pk=version.pk).update(
        embargo_until=timezone.localdate() + timedelta(days=9),
        train_under_embargo=True,
        deleted_at=timezone.now(),
    )
    assert trainable_versions() == []


def test_a_run_under_way_is_stopped(two, cora, mia):
    harbour, _ = two
    snapshot = freeze_snapshot(by=SYSTEM)
    run = services.start_run(by=mia, recipe="tiny", profile="demo", snapshot=snapshot)
    other = services.start_run(by=mia, recipe="tiny", profile="demo")
    told = consequences_page(cora, "withdraw", harbour)["consequences"]
    assert {row["key"]: row["number"] for row in told}["runs"] == 1
    leave(harbour, "withdraw", cora)
    assert Job.objects.get(pk=run.job.pk).state == "cancelled"
    assert Job.objects.get(pk=other.job.pk).state == "queued"


def test_snapshots_models_and_scores_that_depend_on_it_are_counted_and_flagged(two, cora, learned):
    harbour, meadow = two
    both = freeze_snapshot(by=SYSTEM)
    old = learned(both, 1)
    leave(harbour, "retract", cora, "Mice mixed up.")
    clean = freeze_snapshot(by=SYSTEM)
    warm = learned(clean, 2, start=old)
    fresh = learned(clean, 3, state="serving")
    score = ToolRun.objects.create(name="a.mp4", model_version=warm)
    good = ToolRun.objects.create(name="b.mp4", model_version=fresh)

    assert models_with([harbour]) == [old, warm]
    assert models_with([meadow]) == [old, warm, fresh]
    for notes in (notes_of_snapshot(both), notes_of_model(old), notes_of_model(warm)):
        assert [note.dataset for note in notes] == [harbour.identifier]
        assert notes[0].grave
        assert "Mice mixed up." in notes[0].sentence
    assert notes_of_score(score)[0].sentence.startswith("This score rests in part on")
    assert notes_of_snapshot(clean) == notes_of_model(fresh) == notes_of_score(good) == []
    assert queries.snapshot_detail(both)["notes"]


def test_a_withdrawal_leaves_old_scores_valid_with_a_note(two, cora, learned):
    harbour, _ = two
    model = learned(freeze_snapshot(by=SYSTEM), 1, state="serving")
    score = ToolRun.objects.create(name="a.mp4", model_version=model)
    told = consequences_page(cora, "withdraw", harbour)["consequences"]
    assert {row["key"]: row["number"] for row in told}["scores"] == 1
    leave(harbour, "withdraw", cora)
    note = notes_of_score(score)[0]
    assert "stay valid" in note.sentence
    assert not note.grave


def test_a_retraction_asks_for_retraining_once_and_the_run_begins_afresh(two, cora, mia, learned):
    harbour, _ = two
    learned(freeze_snapshot(by=SYSTEM), 1, state="serving")
    policy = services.get_policy()
    policy.min_new_frames, policy.warm_start = 10**6, True
    policy.save()
    assert not triggers.answer(policy).fires
    leave(harbour, "retract", cora, "Mice mixed up.")
    fired = triggers.evaluate()
    assert fired is not None
    assert (fired.fired, fired.name) == (True, "retraction")
    assert harbour.identifier in fired.reason
    assert fired.run.options["warm_start"] is False
    Job.objects.filter(pk=fired.run.job.pk).update(state="failed")
    assert triggers.answer(policy).name == "new_frames"
    told = Notice.objects.get(user=mia, title=f"{harbour.identifier} was retracted")
    assert "retrain without these data" in told.text
    assert "mouse-v1" in told.text


def test_nobody_begins_with_a_model_that_learned_from_wrong_data(two, cora, mia, learned):
    harbour, _ = two
    learned(freeze_snapshot(by=SYSTEM), 1, state="serving")
    services.start_run(by=mia, recipe="tiny", profile="demo", warm_start=True)
    leave(harbour, "retract", cora)
    with pytest.raises(Refused, match="retracted as wrong"):
        services.start_run(by=mia, recipe="tiny", profile="demo", warm_start=True)


def test_without_other_data_the_policy_says_so(publish, cora, learned):
    version = publish("Harbour", animals=20)
    learned(freeze_snapshot(by=SYSTEM), 1, state="serving")
    leave(version, "retract", cora)
    said = triggers.answer(services.get_policy())
    assert not said.fires
    assert "no other published version" in said.reason


def test_what_a_later_draft_says_of_an_animal_changes_no_snapshot_of_the_published_version(
    publish,
):
    publish("Harbour", animals=20)
    before = freeze_snapshot(by=SYSTEM)
    Animal.objects.update(metadata={"coat": "black"}, dropped=True)
    assert freeze_snapshot(by=SYSTEM) == before


def test_crops_of_what_was_withdrawn_are_in_no_cache_and_no_new_snapshot(
    two, cora, run_jobs, settings
):
    harbour, _ = two
    freeze_snapshot(by=SYSTEM)
    gone = set(harbour.recordings.values_list("blob__sha256", flat=True))
    crops = settings.VAR / "cache" / "crops" / "crops" / "finder-crop-1"
    crops.mkdir(parents=True)
    for blob in gone:
        (crops / f"{blob}.npy").write_bytes(b"crops")
    leave(harbour, "withdraw", cora)
    run_jobs()
    assert not [path for path in (settings.VAR / "cache").rglob("*") if path.stem in gone]
    later = freeze_snapshot(by=SYSTEM)
    for blob in (later.manifest, later.benchmark.manifest):
        assert not gone & set(read_manifest(local_copy(blob)).frames["blob"])
