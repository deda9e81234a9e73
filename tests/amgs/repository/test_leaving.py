"""Leaving: drafts deleted and brought back, versions withdrawn and retracted, files deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from amgs.accounts.models import Notice
from amgs.core import jobs, policy
from amgs.core.decisions import history
from amgs.core.errors import NotAllowed, NotFound, Refused
from amgs.core.jobs import enqueue
from amgs.core.models import Job
from amgs.files import removal as files
from amgs.files.models import Blob
from amgs.files.services import local_copy
from amgs.files.storage import get_storage
from amgs.repository import queries, removal, services
from amgs.repository.frames import frames_after
from amgs.repository.models import Dataset, Frame, Rating, Recording, Version
from amgs.repository.tombstone import consequences_page, deleted_drafts, tombstone
from curation.leaving import UNDO_FOR

pytestmark = pytest.mark.django_db
WHY = "The consent of the animal facility has ended."


def objects() -> set[str]:
    """Return the keys of all that is stored of recordings and sheets."""
    storage = get_storage()
    return {key for prefix in ("blobs/", "jobs/", "stills/") for key in storage.list(prefix)}


def of_recording(recording: Recording) -> set[str]:
    """Return every key that a recording names, its stills and its original included."""
    keys = {recording.poster_key, recording.contact_sheet_key, recording.likeness_key}
    keys |= {recording.proxy_key, recording.public.get("key", ""), recording.blob.key}
    keys |= {shown["key"] for shown in recording.evidence.values()}
    keys |= set(Frame.objects.filter(recording=recording).values_list("still_key", flat=True))
    return keys - {""}


def withdraw(version, by):
    services.decide_version(by=by, version=version, action="withdraw", why=WHY)


# Deletion of drafts ------------------------------------------------------------------------


def test_a_deleted_draft_is_gone_from_every_list_and_comes_back_as_it_was(draft, alice, carl):
    version = draft()
    before = queries.version_page(alice, version)
    services.delete_draft(by=alice, version=version)
    assert version not in queries.datasets_visible_to(alice)
    assert list(deleted_drafts(carl)) == [version]
    with pytest.raises(NotFound):
        queries.find_version(alice, version.public_id)
    with pytest.raises(Refused, match="was deleted"):
        services.update_version(by=alice, version=version, title="New")
    services.restore_draft(by=carl, version=version)
    after = queries.version_page(alice, queries.find_version(alice, version.public_id))
    assert after == before | {"design": after["design"]}
    assert after["design"]["animals"] == before["design"]["animals"]
    assert [row.action for row in history(version)][-2:] == ["delete", "restore"]


def test_only_its_own_lab_deletes_and_brings_back(draft, alice, bob, cora):
    version = draft(grades=False)
    for person in (bob, cora):
        with pytest.raises(NotAllowed):
            services.delete_draft(by=person, version=version)
    services.delete_draft(by=alice, version=version)
    with pytest.raises(NotAllowed):
        services.restore_draft(by=bob, version=version)
    assert not deleted_drafts(bob).exists()


def test_a_draft_under_review_is_deleted_and_asks_nobody_any_more(draft, take, alice, cora, rita):
    from amgs.review.services import next_assignment

    version = draft()
    take(version, ("submit", alice), ("start_review", cora))
    services.delete_draft(by=alice, version=version)
    assert next_assignment(rater=rita) is None
    services.restore_draft(by=alice, version=version)
    assert next_assignment(rater=rita) is not None


def test_the_design_of_a_deleted_draft_survives_another_draft(published, alice):
    first = published()
    second = services.new_draft(by=alice, version=first)
    services.set_design(
        by=alice, version=second, groups=[], animals=[{"name": "m7"}], observations=[]
    )
    services.delete_draft(by=alice, version=second)
    third = services.new_draft(by=alice, version=first)
    assert third.identifier == "AMGS-000001/3"
    names = {row["name"] for row in queries.design(alice, third)["animals"]}
    assert names == {"m1", "m2"}
    with pytest.raises(Refused, match="AMGS-000001/3 is being worked on"):
        services.restore_draft(by=alice, version=second)
    services.delete_draft(by=alice, version=third)
    services.restore_draft(by=alice, version=second)
    names = {row["name"] for row in queries.design(alice, second)["animals"]}
    assert names == {"m7"}


def test_after_thirty_days_a_deleted_draft_goes_with_its_files(draft, alice, run_jobs):
    version = draft()
    keys = objects()
    assert keys
    services.delete_draft(by=alice, version=version)
    enqueue("repository.check_deleted")
    enqueue("repository.clear_deleted", version=version.public_id)
    run_jobs()
    assert objects() == keys
    long_ago = timezone.now() - UNDO_FOR - timedelta(minutes=1)
    Version.objects.filter(pk=version.pk).update(deleted_at=long_ago)
    version.refresh_from_db()
    with pytest.raises(Refused, match="more than 30 days ago"):
        services.restore_draft(by=alice, version=version)
    enqueue("repository.check_deleted")
    run_jobs()
    assert not Version.objects.exists()
    assert not Dataset.objects.exists()
    assert not Recording.objects.exists()
    assert objects() == set()
    assert Blob.objects.filter(deleted_at=None).count() == 0


def test_a_deleted_draft_takes_nothing_of_a_published_version_with_it(
    published, alice, send, clip, run_jobs
):
    first = published()
    keys = objects()
    second = services.new_draft(by=alice, version=first)
    services.add_recording(
        by=alice,
        version=second,
        upload=send(alice, "new.mp4", clip(91), "recording"),
        name="new.mp4",
    )
    run_jobs()
    assert objects() > keys
    services.delete_draft(by=alice, version=second)
    Version.objects.filter(pk=second.pk).update(deleted_at=timezone.now() - timedelta(days=31))
    enqueue("repository.check_deleted")
    run_jobs()
    assert objects() == keys
    assert list(Version.objects.all()) == [first]
    assert Dataset.objects.exists()


# Withdrawal --------------------------------------------------------------------------------


def test_a_withdrawal_is_told_beforehand_in_numbers_and_kept_with_them(published, alice, run_jobs):
    version = published()
    recordings = list(version.recordings.select_related("blob"))
    wanted = set().union(*(of_recording(row) for row in recordings))
    told = consequences_page(alice, "withdraw", version)
    by_key = {row["key"]: row for row in told["consequences"]}
    assert by_key["downloads"]["number"] == len(recordings)
    assert by_key["files"]["number"] == len(wanted) + 1  # and the score sheet
    assert by_key["no_snapshot"]["number"] == 8
    withdraw(version, alice)
    left = tombstone(version)
    assert left is not None
    assert (left["by"], left["why"]) == (alice.name, WHY)
    assert left["consequences"] == told["consequences"]


def test_it_needs_a_reason_and_somebody_who_may(published, alice, bob, cora):
    version = published()
    with pytest.raises(NotAllowed):
        withdraw(version, bob)
    with pytest.raises(Refused, match="reason"):
        services.decide_version(by=alice, version=version, action="withdraw", why="  ")
    withdraw(version, cora)
    assert version.state == "withdrawn"


def test_every_file_of_it_is_deleted_and_nothing_else(published, alice, bob, run_jobs):
    version, other = published(), published(seed=3)
    keys, digests = objects(), set(Blob.objects.values_list("sha256", flat=True))
    mine = set().union(*(of_recording(row) for row in version.recordings.all()))
    sheet = version.sheets.get().blob.key
    assert mine <= keys
    assert policy.may(bob, "download_recordings", version)
    withdraw(version, alice)
    # At once, before any job has run.
    for person in (alice, bob):
        assert not policy.may(person, "download_recordings", version)
        assert queries.recordings(person, version).rows == []
        assert frames_after(person, version, after="", limit=60) == ([], None)
    run_jobs()
    gone = keys - objects()
    assert mine | {sheet} <= gone
    theirs = set().union(*(of_recording(row) for row in other.recordings.all()))
    assert theirs <= objects()
    # The digests stay, for the manifests that name them.
    assert set(Blob.objects.values_list("sha256", flat=True)) == digests
    version.refresh_from_db()
    assert version.files_deleted_at is not None
    done = history(version).last()
    assert done.action == "files_deleted"
    assert done.facts["originals"] == version.recordings.count() + 1
    assert Rating.objects.filter(frame__recording__versions=version).exists()


def test_a_second_version_keeps_what_it_shares(published, alice, clip, send, run_jobs, sign):
    first = published()
    second = services.new_draft(by=alice, version=first)
    left_out, *kept = second.recordings.order_by("pk")
    services.remove_recording(by=alice, version=second, recording=left_out)
    told = {row["key"]: row for row in consequences_page(alice, "withdraw", first)["consequences"]}
    assert told["shared"]["number"] == len(kept)
    gone = of_recording(left_out)
    stays = set().union(*(of_recording(row) for row in kept)) - gone
    withdraw(first, alice)
    run_jobs()
    assert not gone & objects()
    assert stays <= objects()
    assert queries.recordings(alice, second).rows[0]["poster"]
    sign(second, alice, licence="CC0-1.0")
    assert published(second).state == "published"


def test_a_second_version_withdrawn_as_well_takes_the_rest(published, alice, run_jobs, sign):
    first = published()
    second = services.new_draft(by=alice, version=first)
    sign(second, alice, licence="CC0-1.0")
    published(second)
    withdraw(first, alice)
    run_jobs()
    assert all(of_recording(row) <= objects() for row in second.recordings.all())
    withdraw(second, alice)
    run_jobs()
    assert objects() == set()


def test_the_same_bytes_in_another_dataset_stay_there(published, alice, clip, send, run_jobs):
    version = published()
    recording = version.recordings.order_by("pk").first()
    other = services.create_dataset(by=alice, lab=alice.labs.first(), title="Another")
    services.add_recording(
        by=alice,
        version=other,
        upload=send(alice, "twin.mp4", clip(1), "recording"),
        name="twin.mp4",
    )
    run_jobs()
    assert other.recordings.get().blob == recording.blob
    withdraw(version, alice)
    run_jobs()
    recording.refresh_from_db()
    assert recording.blob.deleted_at is None
    assert get_storage().stat(recording.blob.key) is not None
    assert recording.poster_key == ""
    assert other.recordings.get().poster_key
    assert history(version).last().facts["kept"] == 1


def test_caches_are_cleared_too(published, alice, run_jobs):
    version = published()
    blob = version.recordings.first().blob
    copy = local_copy(blob)
    crops = settings.VAR / "cache" / "crops" / "crops" / "finder-crop-1"
    crops.mkdir(parents=True)
    mine, theirs = crops / f"{blob.sha256}.npy", crops / f"{'0' * 64}.npy"
    for path in (mine, theirs, crops / f".{blob.sha256}.123"):
        path.write_bytes(b"crops")
    assert copy.exists()
    withdraw(version, alice)
    run_jobs()
    assert not copy.exists()
    assert [path.name for path in crops.iterdir()] == [theirs.name]


def test_a_cache_of_another_machine_is_cleared_by_its_own_hourly_work(published, alice, run_jobs):
    version = published()
    blob = version.recordings.first().blob
    withdraw(version, alice)
    run_jobs()
    late = settings.VAR / "cache" / "blobs" / blob.sha256
    late.parent.mkdir(parents=True, exist_ok=True)
    late.write_bytes(b"copied before")
    enqueue("files.clean_caches")
    run_jobs()
    assert not late.exists()


def test_a_job_that_was_killed_goes_on_where_it_was(published, alice, run_jobs, monkeypatch):
    version = published()
    mine = set().union(*(of_recording(row) for row in version.recordings.all()))
    withdraw(version, alice)
    storage, deleted = get_storage(), []
    delete = type(storage).delete

    def killed_at_the_tenth(self, key: str) -> None:
        if len(deleted) == 10:
            raise KeyboardInterrupt  # what a dying process looks like from inside
        deleted.append(key)
        delete(self, key)

    monkeypatch.setattr(type(storage), "delete", killed_at_the_tenth)
    job = Job.objects.get(kind=removal.CLEAR_WITHDRAWN)
    with pytest.raises(KeyboardInterrupt):
        jobs.run(job.public_id)
    monkeypatch.setattr(type(storage), "delete", delete)
    assert mine & objects()
    assert not history(version).filter(action="files_deleted").exists()
    # Its lease runs out, and the sweep gives it to another worker.
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert jobs.run(job.public_id)
    assert not mine & objects()
    version.refresh_from_db()
    assert version.files_deleted_at is not None
    assert history(version).filter(action="files_deleted").count() == 1


def test_what_was_never_deleted_is_asked_for_again(published, alice, run_jobs):
    version = published()
    withdraw(version, alice)
    Job.objects.filter(kind=removal.CLEAR_WITHDRAWN).delete()
    enqueue("repository.check_withdrawn")
    run_jobs()
    version.refresh_from_db()
    assert version.files_deleted_at is not None


def test_bytes_that_were_deleted_may_be_sent_again(published, alice, send, clip, run_jobs):
    version = published()
    withdraw(version, alice)
    run_jobs()
    other = services.create_dataset(by=alice, lab=alice.labs.first(), title="Another")
    upload = send(alice, "again.mp4", clip(1), "recording")
    assert upload.blob.deleted_at is None
    services.add_recording(by=alice, version=other, upload=upload, name="again.mp4")
    run_jobs()
    assert other.recordings.get().status == "ready"


def test_an_upload_whose_bytes_went_meanwhile_is_asked_for_again(published, alice, run_jobs):
    version = published()
    upload = version.recordings.first().upload
    withdraw(version, alice)
    run_jobs()
    other = services.create_dataset(by=alice, lab=alice.labs.first(), title="Another")
    with pytest.raises(Refused, match="send the file again"):
        services.add_recording(by=alice, version=other, upload=upload, name="again.mp4")


def test_bytes_that_somebody_holds_are_never_released(published):
    blob = published().recordings.first().blob
    assert not files.release(blob)
    assert get_storage().stat(blob.key) is not None


def test_lab_curators_and_maintainers_are_told(published, alice, cora, mia, bob, run_jobs):
    version = published()
    Notice.objects.all().delete()
    withdraw(version, alice)
    run_jobs()
    told = Notice.objects.filter(subject=version.public_id)
    assert {row.user for row in told} == {alice, cora, mia}
    assert WHY in told.get(user=cora).text
    assert "files" in told.get(user=alice).title


# Retraction --------------------------------------------------------------------------------


def test_a_retracted_version_keeps_its_files_for_its_lab_alone(
    published, alice, bob, cora, run_jobs
):
    version = published()
    keys = objects()
    services.decide_version(by=cora, version=version, action="retract", why="Mice mixed up.")
    run_jobs()
    assert objects() == keys
    assert policy.may(alice, "download_recordings", version)
    assert not policy.may(bob, "download_recordings", version)
    assert queries.recordings(bob, version).rows == []
    assert queries.recordings(cora, version).rows
    left = tombstone(version)
    assert left is not None
    assert left["why"] == "Mice mixed up."


def test_a_corrected_version_begins_from_a_retracted_one(published, alice):
    version = published()
    services.decide_version(by=alice, version=version, action="retract", why="Mice mixed up.")
    draft = services.new_draft(by=alice, version=version)
    assert draft.recordings.count() == version.recordings.count()


def test_a_retracted_version_can_be_withdrawn_as_well(published, alice, run_jobs):
    version = published()
    services.decide_version(by=alice, version=version, action="retract", why="Mice mixed up.")
    withdraw(version, alice)
    run_jobs()
    assert objects() == set()
