"""Alice contributes: films are read, the sheet becomes ratings, bad files are set aside."""

from __future__ import annotations

import pytest

from amgs.core.errors import NotAllowed, Refused
from amgs.core.models import Job
from amgs.files.storage import get_storage
from amgs.repository import queries, services
from amgs.repository.frames import frames_after
from amgs.repository.models import Frame, LabelImport, Rating, Recording


def test_a_contribution_is_read_into_frames_and_ratings(draft):
    version = draft()
    recordings = Recording.objects.filter(versions=version)
    assert {row.status for row in recordings} == {"ready"}
    assert {row.media["frame_count"] for row in recordings} == {20}
    assert all(get_storage().stat(row.poster_key) for row in recordings)
    sheet = LabelImport.objects.get()
    assert (sheet.status, sheet.frames_matched, sheet.frames_unmatched) == ("done", 8, 0)
    assert sheet.raters == ["1", "2"]
    assert Rating.objects.visible().count() == 8 * 2 * 5
    for frame in Frame.objects.all():
        assert get_storage().stat(frame.still_key).size > 100
    assert Frame.objects.filter(drawn=True).count() == 4 * 12


def test_the_drawn_frames_are_the_same_for_the_same_file(draft, bob):
    first, second = draft(grades=False), draft(by=bob, grades=False)

    def drawn(version):
        return list(
            Frame.objects.filter(recording__versions=version, drawn=True)
            .order_by("recording__name", "number")
            .values_list("recording__name", "number", "pts")
        )

    assert drawn(first) == drawn(second)


def test_identifiers_are_sequential_and_found_in_both_spellings(draft, alice):
    version = draft(animals=1, grades=False)
    assert version.identifier == "AMGS-000001/1"
    assert queries.find_version(alice, "AMGS-000001.1") == version
    assert queries.find_version(alice, version.public_id) == version


def test_a_still_tells_neither_recording_nor_order(draft):
    draft(animals=1)
    keys = [frame.still_key for frame in Frame.objects.order_by("pk")]
    stems = [key.rsplit("/", 1)[1] for key in keys]
    assert all(len(stem) == len("0" * 32 + ".jpg") for stem in stems)
    assert stems != sorted(stems)
    assert not any(job.public_id in key for job in Job.objects.all() for key in keys)


@pytest.mark.parametrize(
    ("name", "data", "part"),
    [
        ("notes.mp4", b"These are my notes of Tuesday.\n" * 40, "notes.mp4"),
        ("noise.mp4", bytes(range(256)) * 20, "noise.mp4"),
    ],
)
def test_a_file_that_is_no_film_is_set_aside_and_its_siblings_go_on(
    draft, send, run_jobs, alice, name, data, part
):
    version = draft(animals=1, grades=False)
    services.add_recording(
        by=alice,
        version=version,
        upload=send(alice, name, data, "recording"),
        name=name,
        animal="m1",
        observation="after",
    )
    run_jobs()
    bad = Recording.objects.get(name=name)
    assert bad.status == "unreadable"
    assert part in bad.problem
    assert bad.problem.endswith(".")
    assert not bad.frames.exists()
    assert bad.poster_key == ""
    others = Recording.objects.filter(versions=version).exclude(pk=bad.pk)
    assert {row.status for row in others} == {"ready"}


def test_a_missing_codec_is_named(draft, clip, send, run_jobs, alice):
    version = draft(animals=1, grades=False)
    # The same container with a codec that no decoder answers to.
    data = clip(50).replace(b"mp4v", b"zzzz").replace(b"esds", b"zsds")
    services.add_recording(
        by=alice,
        version=version,
        upload=send(alice, "odd.mp4", data, "recording"),
        name="odd.mp4",
        animal="m1",
        observation="after",
    )
    run_jobs()
    bad = Recording.objects.get(name="odd.mp4")
    assert bad.status == "unreadable"
    assert "odd.mp4" in bad.problem
    assert not bad.frames.exists()


def test_an_empty_file_is_refused_before_anything_is_stored(alice, send):
    with pytest.raises(Refused, match="is empty"):
        send(alice, "r1.mp4", b"", "recording")


def test_a_recording_may_be_added_before_its_file_arrived(draft, clip, send, run_jobs, alice):
    from amgs.files.services import complete_upload

    version = draft(animals=1, grades=False)
    upload = send(alice, "late.mp4", clip(60), "recording", complete=False)
    row, _ = services.add_recording(
        by=alice, version=version, upload=upload, name="late.mp4", animal="m1", observation="after"
    )
    again, is_new = services.add_recording(
        by=alice, version=version, upload=upload, name="late.mp4", animal="m1", observation="after"
    )
    assert (again, is_new) == (row, False)
    with pytest.raises(Refused, match="1 recording is still being sent or read"):
        services.submit_version(by=alice, version=version)
    complete_upload(upload=upload, by=alice)
    run_jobs()
    row.refresh_from_db()
    assert row.status == "ready"


def test_somebody_elses_upload_opens_no_door(draft, send, clip, alice, bob):
    version = draft(animals=1, grades=False)
    upload = send(bob, "bob.mp4", clip(70), "recording")
    with pytest.raises(Refused, match="no such upload of yours"):
        services.add_recording(by=alice, version=version, upload=upload, name="bob.mp4")


def test_only_members_of_the_lab_change_a_draft_and_only_a_draft(draft, take, alice, bob, cora):
    version = draft(animals=1)
    for stranger in (bob, cora):
        with pytest.raises(NotAllowed):
            services.update_version(by=stranger, version=version, title="Mine")
    take(version, ("submit", alice))
    with pytest.raises(Refused, match="only a draft can"):
        services.update_version(by=alice, version=version, title="Better")


def test_metadata_that_cannot_be_right_is_refused_with_its_field(alice, harbour):
    with pytest.raises(Refused) as refusal:
        services.create_dataset(by=alice, lab=harbour, title="T", metadata={"assay": "tickling"})
    assert refusal.value.field == "metadata.assay"


def test_the_design_keeps_rows_by_name_and_pseudonyms_for_ever(draft, alice):
    version = draft(animals=2, grades=False)
    before = {row.name: row.pseudonym for row in version.dataset.animals.all()}
    coat = version.dataset.animals.first().metadata["coat"]
    rows = [{"name": name, "sex": "male", "strain": "CD-1", "coat": coat} for name in ("m2", "m3")]
    services.set_design(
        by=alice,
        version=version,
        groups=[],
        animals=rows,
        observations=[{"animal": "m2", "name": "after"}],
    )
    after = {row.name: row.pseudonym for row in version.dataset.animals.all()}
    assert after["m2"] == before["m2"]
    assert after["m3"] not in before.values()
    # The films of what is no longer named stay, without a place.
    assert Recording.objects.filter(versions=version).count() == 4
    assert Recording.objects.filter(versions=version, observation=None).count() == 3


def test_others_read_pseudonyms_where_the_lab_reads_names(draft, alice, cora):
    version = draft(animals=1, grades=False)
    own = queries.version_page(alice, version)["design"]["animals"][0]
    other = queries.version_page(cora, version)["design"]["animals"][0]
    assert (own["name"], other["name"]) == ("m1", "M001")


def test_lists_cost_the_same_however_long(draft, bob, cora, django_assert_num_queries):
    for seed in range(3):
        draft(by=bob, animals=1, grades=False, seed=seed)
    _ = cora.roles, cora.lab_ids
    with django_assert_num_queries(1):
        rows = [queries.version_row(cora, row) for row in queries.datasets_visible_to(cora).all()]
    assert len(rows) == 3
    version = queries.datasets_visible_to(cora).first()
    for limit in (1, 2):
        with django_assert_num_queries(1):
            assert len(queries.recordings(cora, version, limit=limit).rows) == limit
        with django_assert_num_queries(1):
            rows, _ = frames_after(cora, version, after="", limit=limit * 10)
            assert len(rows) == limit * 10
