"""Versions: what is published never changes, and the next one shares what did not change."""

from __future__ import annotations

import datetime

import pytest
from django.db import DatabaseError, transaction

from amgs.core.errors import NotAllowed, Refused
from amgs.files.models import Blob
from amgs.repository import immutable, queries, services
from amgs.repository.frames import frames_after
from amgs.repository.models import Animal, Exclusion, Frame, LabelImport, Rating, Version

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(published):
    """AMGS-000001/1, published."""
    return published()


@pytest.fixture
def second(first, alice):
    """AMGS-000001/2, a draft from the first."""
    return services.new_draft(by=alice, version=first)


def shown(user, version) -> tuple:
    """Return all that a version shows of itself, without what may change: acts, addresses."""
    version = Version.objects.select_related("dataset__lab").get(pk=version.pk)
    page = queries.version_page(user, version)
    page.pop("actions")
    recordings = queries.recordings(user, version).rows
    for row in recordings:
        for name in ("poster", "contact_sheet", "proxy"):
            row[name] = bool(row[name])
    frames = [row["id"] for row in frames_after(user, version, after="", limit=60)[0]]
    ratings = list(
        Rating.objects.of_version(version)
        .order_by("frame__public_id", "unit", "rater_name")
        .values_list("frame__public_id", "unit", "rater_name", "grade")
    )
    return page, recordings, frames, ratings


def test_the_next_version_shares_recordings_sheets_and_bytes(first, second, alice, bob):
    assert second.identifier == "AMGS-000001/2"
    assert second.state == "draft"
    assert set(second.recordings.all()) == set(first.recordings.all())
    assert set(second.sheets.all()) == set(first.sheets.all())
    blobs = Blob.objects.count()
    assert not second.permissions.exists()
    assert queries.find_version(bob, "AMGS-000001.1") == first
    assert second not in queries.datasets_visible_to(bob)
    assert Blob.objects.count() == blobs


def test_a_dataset_has_one_unpublished_version_at_a_time(first, second, alice, bob):
    with pytest.raises(Refused, match="AMGS-000001/2 is a draft"):
        services.new_draft(by=alice, version=first)
    with pytest.raises(NotAllowed):
        services.new_draft(by=bob, version=first)


def test_a_new_version_begins_from_a_published_one(draft, alice):
    version = draft()
    with pytest.raises(Refused, match="one unpublished version"):
        services.new_draft(by=alice, version=version)


def test_whatever_is_done_to_the_draft_changes_nothing_in_the_published_version(
    first, second, alice, bob, send, sheet, clip, sign, run_jobs
):
    before = [shown(user, first) for user in (alice, bob)]
    services.update_version(by=alice, version=second, title="Another", metadata={})
    services.set_design(
        by=alice,
        version=second,
        groups=[{"name": "beta", "treatment": {"drug": "morphine"}}],
        animals=[{"name": "m1", "group": "beta", "sex": "male", "coat": "black"}, {"name": "m9"}],
        observations=[{"animal": "m1", "name": "after", "hours_after_procedure": 9}],
    )
    gone, kept = list(second.recordings.order_by("pk"))[:2]
    services.remove_recording(by=alice, version=second, recording=gone)
    services.undo_import(by=alice, version=second, label_import=second.sheets.get())
    services.add_recording(
        by=alice,
        version=second,
        upload=send(alice, "new.mp4", clip(77), "recording"),
        name="new.mp4",
    )
    services.import_labels(
        by=alice,
        version=second,
        upload=send(alice, "again.csv", sheet({(kept.name, 5, "9"): 2}), "labels"),
        name="scores.csv",
    )
    sign(second, alice)
    run_jobs()
    assert [shown(user, first) for user in (alice, bob)] == before
    # And the draft is as it was told to be.
    page = queries.version_page(alice, Version.objects.get(pk=second.pk))
    assert {row["name"] for row in page["design"]["animals"]} == {"m1", "m9"}
    assert [row["name"] for row in page["design"]["observations"]] == ["after"]
    assert page["counts"]["recordings"] == 4
    assert Rating.objects.of_version(second).values("grade").distinct().get() == {"grade": 2}


def test_an_animal_stays_the_same_through_all_versions(first, second, alice):
    before = Animal.objects.get(name="m1")
    services.set_design(by=alice, version=second, groups=[], animals=[], observations=[])
    assert Animal.objects.get(name="m1").dropped
    services.set_design(
        by=alice, version=second, groups=[], animals=[{"name": "m1"}], observations=[]
    )
    after = Animal.objects.get(name="m1")
    assert (after.pk, after.dropped) == (before.pk, False)


def test_a_sheet_that_a_published_version_holds_is_not_read_again(
    first, second, alice, send, clip, run_jobs
):
    LabelImport.objects.update(frames_unmatched=3)
    before = list(Rating.objects.order_by("pk").values_list("pk", flat=True))
    services.add_recording(
        by=alice,
        version=second,
        upload=send(alice, "late.mp4", clip(78), "recording"),
        name="late.mp4",
    )
    run_jobs()
    assert list(Rating.objects.order_by("pk").values_list("pk", flat=True)) == before


def test_a_cited_name_is_not_given_to_another_recording(first, second, alice, send, clip):
    recording = second.recordings.order_by("pk").first()
    services.remove_recording(by=alice, version=second, recording=recording)
    with pytest.raises(Refused, match="what is cited keeps its name"):
        services.add_recording(
            by=alice,
            version=second,
            upload=send(alice, recording.name, clip(79), "recording"),
            name=recording.name,
        )
    back, _ = services.add_recording(
        by=alice,
        version=second,
        upload=recording.upload,
        name=recording.name,
        animal="m1",
        observation="baseline",
    )
    assert back == recording
    assert recording in second.recordings.all()


def test_a_second_version_is_published_beside_the_first(first, second, alice, bob, published, sign):
    sign(second, alice, licence="CC0-1.0")
    published(second)
    assert queries.find_version(bob, "AMGS-000001.2") == second
    assert queries.find_version(bob, "AMGS-000001.1") == first


def test_every_service_refuses_to_change_what_is_published(first, alice, send, clip, sheet):
    recording, label_import = first.recordings.first(), first.sheets.first()
    writes = [
        lambda: services.update_version(by=alice, version=first, title="New"),
        lambda: services.set_design(
            by=alice, version=first, groups=[], animals=[], observations=[]
        ),
        lambda: services.sign_permissions(
            by=alice, version=first, kinds=[], signer_name="Prof. Arber"
        ),
        lambda: services.add_recording(
            by=alice, version=first, upload=recording.upload, name="again.mp4"
        ),
        lambda: services.remove_recording(by=alice, version=first, recording=recording),
        lambda: services.import_labels(
            by=alice, version=first, upload=label_import.upload, name="again.csv"
        ),
        lambda: services.undo_import(by=alice, version=first, label_import=label_import),
        lambda: services.delete_draft(by=alice, version=first),
        lambda: services.set_embargo(by=alice, version=first, until=datetime.date(2099, 1, 1)),
        lambda: services.submit_version(by=alice, version=first),
    ]
    before = shown(alice, first)
    for write in writes:
        with pytest.raises(Refused):
            write()
    assert shown(alice, first) == before


OTHER = {
    "dataset_id": None,
    "number": 9,
    "title": "New",
    "description": "New",
    "ethics": "New",
    "funder": "New",
    "metadata": {"assay": "other_assay"},
    "contributors": [{"name": "New", "orcid": "", "role": "author"}],
    "embargo_until": datetime.date(2099, 1, 1),
    "submitted_at": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    "published_at": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    "facts": {"new": True},
    "design": {"new": True},
}


def test_the_database_refuses_every_write_to_what_is_published(first, published):
    other = published(seed=1)
    values = OTHER | {"dataset_id": other.dataset_id}
    assert set(values) == set(immutable.CONTENT)
    recording = other.recordings.first()
    row = Version.objects.filter(pk=first.pk)
    frame = Frame.objects.filter(recording__versions=first).first()
    writes = [lambda name=name: row.update(**{name: values[name]}) for name in values]
    writes += [
        lambda: row.update(licence="CC-BY-4.0"),
        lambda: row.update(state="draft"),
        lambda: row.update(deleted_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)),
        row.delete,
        first.dataset.delete,
        lambda: first.recordings.add(recording),
        lambda: first.recordings.remove(first.recordings.first()),
        lambda: first.sheets.add(other.sheets.first()),
        lambda: first.sheets.clear(),
        lambda: first.recordings.through.objects.filter(version=other).update(version=first),
        lambda: Exclusion.objects.create(version=first, frame=frame, reason="I dislike it."),
    ]
    for write in writes:
        with pytest.raises(DatabaseError, match="does not change"), transaction.atomic():
            write()
    fresh = Version.objects.get(pk=first.pk)
    assert (fresh.title, fresh.state) == (first.title, "published")


def test_what_is_no_content_may_change_after_publication(first):
    row = Version.objects.filter(pk=first.pk)
    row.update(state="withdrawn")
    row.update(files_deleted_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    with pytest.raises(DatabaseError), transaction.atomic():
        row.update(title="Still not")
