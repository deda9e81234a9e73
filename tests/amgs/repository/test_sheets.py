"""Score sheets: what they mean, what they get wrong, reading twice, undoing, waiting."""

from __future__ import annotations

import pytest

from amgs.core.errors import Refused
from amgs.repository import services
from amgs.repository.models import Frame, LabelImport, Rating
from models.scale import load_scale


@pytest.fixture
def add_sheet(send, run_jobs, alice):
    """Import a sheet of Alice's and have it read."""

    def add(version, data: bytes, name: str = "sheet.csv", **declared):
        row, _ = services.import_labels(
            by=alice,
            version=version,
            upload=send(alice, name, data, "labels"),
            name=name,
            declared=declared,
        )
        run_jobs()
        row.refresh_from_db()
        return row

    return add


def test_a_grade_3_is_reported_with_row_and_column_and_nothing_else_is_lost(
    draft, sheet, add_sheet
):
    version = draft(animals=1, grades=False)
    unit = load_scale().unit_keys[1]
    rows = {("r0001.mp4", 4, "1"): {unit: 3}, ("r0002.mp4", 4, "1"): 2}
    row = add_sheet(version, sheet(rows))
    assert row.status == "done"
    problem = row.problems[0]
    assert (problem["file"], problem["row"], problem["column"]) == ("sheet.csv", 2, unit)
    assert Rating.objects.visible().count() == 9
    assert not Rating.objects.filter(grade__gt=2).exists()


def test_not_scorable_not_assigned_and_missing_stay_apart(draft, sheet, add_sheet):
    version = draft(animals=1, grades=False)
    first, second, third, *_ = load_scale().unit_keys
    add_sheet(version, sheet({("r0001.mp4", 4, "1"): {first: 9, second: "-", third: ""}}))
    ratings = {row.unit: (row.grade, row.reason) for row in Rating.objects.visible()}
    assert ratings[first] == (None, "other")
    assert second not in ratings
    assert third not in ratings
    assert len(ratings) == 3


def test_files_are_matched_by_their_last_part_and_strangers_are_counted(draft, sheet, add_sheet):
    version = draft(animals=1, grades=False)
    rows = {
        ("C:\\videos\\R0001.MP4", 0, "1"): 1,
        ("videos/r0002.mp4", 19, "1"): 1,
        ("r0002.mp4", 20, "1"): 1,
        ("other.mp4", 3, "1"): 1,
        ("other.mp4", 4, "1"): 1,
    }
    row = add_sheet(version, sheet(rows))
    assert (row.frames_matched, row.frames_unmatched) == (2, 3)
    sentences = [problem["sentence"] for problem in row.problems]
    assert any("frames 0 to 19" in text for text in sentences)
    assert sum("other.mp4" in text for text in sentences) == 1


def test_a_frame_number_means_its_place_in_presentation_order(draft, sheet, add_sheet):
    version = draft(animals=1, grades=False)
    add_sheet(version, sheet({("r0001.mp4", 7, "1"): 1}))
    frame = Frame.objects.get(ratings__isnull=False, ratings__unit=load_scale().unit_keys[0])
    assert frame.number == 7
    assert frame.time_s == pytest.approx(7 / 25)


def test_reading_again_changes_nothing(draft, run_jobs):
    from amgs.core import jobs

    draft(animals=1)
    row = LabelImport.objects.get()
    before = sorted(Rating.objects.visible().values_list("frame", "unit", "rater_name", "grade"))
    LabelImport.objects.filter(pk=row.pk).update(status="pending")
    jobs.enqueue("repository.read_labels", label_import=row.public_id)
    run_jobs()
    after = sorted(Rating.objects.visible().values_list("frame", "unit", "rater_name", "grade"))
    assert after == before
    assert Rating.objects.count() == len(before)


def test_ratings_of_a_sheet_that_is_still_being_read_do_not_count(draft):
    draft(animals=1)
    assert Rating.objects.visible().exists()
    LabelImport.objects.update(status="pending")
    assert Rating.objects.exists()
    assert not Rating.objects.visible().exists()


def test_an_import_is_undone_as_a_whole(draft, run_jobs, alice):
    version = draft(animals=1)
    services.undo_import(by=alice, version=version, label_import=LabelImport.objects.get())
    assert not Rating.objects.visible().exists()
    run_jobs()
    assert not Rating.objects.exists()
    services.undo_import(by=alice, version=version, label_import=LabelImport.objects.get())


def test_a_sheet_nobody_knows_is_refused_politely_and_leaves_nothing(draft, add_sheet):
    version = draft(animals=1, grades=False)
    row = add_sheet(version, b"name,weight\nm1,23\n", "weights.csv")
    assert row.status == "refused"
    assert "weights.csv" in row.refusal
    assert not Rating.objects.exists()


def test_landmarks_are_not_taken_for_an_empty_sheet_of_grades(draft, add_sheet):
    text = b"scorer,a,a\nbodyparts,nose,nose\ncoords,x,y\nlabeled-data/r0001/img0002.png,1,2\n"
    row = add_sheet(draft(animals=1, grades=False), text, "points.csv")
    assert (row.status, row.counts, row.frames_matched) == (
        "done",
        {"frames with landmarks": 1},
        1,
    )
    assert not Rating.objects.exists()


def test_the_same_sheet_twice_counts_once(draft, sheet, add_sheet):
    version = draft(animals=1, grades=False)
    data = sheet({("r0001.mp4", 4, "1"): 1})
    add_sheet(version, data, "a.csv")
    second = add_sheet(version, data, "b.csv")
    assert second.status == "refused"
    assert "a.csv" in second.refusal
    with pytest.raises(Refused, match=r"already a sheet called 'a\.csv'"):
        add_sheet(version, data + b"\n", "a.csv")


def test_a_sheet_waits_for_its_films(draft, clip, send, sheet, run_jobs, alice):
    from amgs.files.services import complete_upload

    version = draft(animals=1, grades=False)
    upload = send(alice, "late.mp4", clip(60), "recording", complete=False)
    services.add_recording(by=alice, version=version, upload=upload, name="late.mp4")
    row, _ = services.import_labels(
        by=alice,
        version=version,
        upload=send(alice, "s.csv", sheet({("late.mp4", 3, "1"): 2}), "labels"),
        name="s.csv",
    )
    run_jobs()
    row.refresh_from_db()
    assert row.status == "pending"
    complete_upload(upload=upload, by=alice)
    run_jobs()
    row.refresh_from_db()
    assert (row.status, row.frames_matched) == ("done", 1)


def test_a_sheet_is_read_again_when_a_film_is_replaced(draft, clip, send, run_jobs, alice):
    version = draft(animals=1)
    film = version.recordings.get(name="r0001.mp4")
    services.remove_recording(by=alice, version=version, recording=film)
    run_jobs()
    row = LabelImport.objects.get()
    assert (row.frames_matched, row.frames_unmatched) == (2, 2)
    services.add_recording(
        by=alice,
        version=version,
        upload=send(alice, "r0001.mp4", clip(80), "recording"),
        name="r0001.mp4",
    )
    run_jobs()
    row.refresh_from_db()
    assert (row.status, row.frames_matched, row.frames_unmatched) == ("done", 4, 0)


def test_what_a_sheet_declares_is_checked(draft, send, alice):
    version = draft(animals=1, grades=False)
    upload = send(alice, "s.csv", b"x", "labels")
    for declared in ({"mood": "good"}, {"raters_blind": "perhaps"}):
        with pytest.raises(Refused):
            services.import_labels(
                by=alice, version=version, upload=upload, name="s.csv", declared=declared
            )
