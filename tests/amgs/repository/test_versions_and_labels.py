"""Label files, exports and the search know versions, and what left them."""

from __future__ import annotations

import pytest

from amgs.core import policy
from amgs.core.errors import Refused
from amgs.files.storage import get_storage
from amgs.repository import queries, search, services
from amgs.repository.frames import frames_after
from amgs.repository.label_queries import history
from amgs.repository.models import LandmarkSet, Rating, Version
from amgs.repository.ratings_table import as_csv, ratings_of
from amgs.repository.services import Answers

pytestmark = pytest.mark.django_db
POINTS = b"scorer,a,a\nbodyparts,nose,nose\ncoords,x,y\nlabeled-data/r0001/img0002.png,1,2\n"


def found(user, **chosen: str) -> set[str]:
    """Return the identifiers that a search finds."""
    rows = search.found(queries.datasets_visible_to(user), chosen)
    return {row.identifier for row in rows}


def table(user, version) -> bytes:
    """Return the ratings of a version as somebody takes them home."""
    return b"".join(as_csv(user, Version.objects.select_related("dataset").get(pk=version.pk)))


@pytest.fixture
def first(published):
    """AMGS-000001/1, published, with one animal."""
    return published(animals=1)


@pytest.fixture
def second(first, alice):
    """AMGS-000001/2, a draft from the first."""
    return services.new_draft(by=alice, version=first)


def test_a_draft_reads_anew_what_a_published_version_holds(first, second, alice, send, run_jobs):
    held = first.sheets.get()
    before = table(alice, first)
    with get_storage().open(held.blob.key) as stream:
        data = stream.read()
    for act in (
        lambda: services.answer_labels(
            by=alice, version=second, label_import=held, answers=Answers(declared={})
        ),
        lambda: services.undo_import(by=alice, version=first, label_import=held),
    ):
        with pytest.raises(Refused):
            act()
    services.undo_import(by=alice, version=second, label_import=held)
    assert (history(second), len(history(first))) == ([], 1)
    assert not ratings_of(second).exists()
    row, _ = services.import_labels(
        by=alice, version=second, upload=send(alice, held.name, data, "labels"), name=held.name
    )
    run_jobs()
    row.refresh_from_db()
    assert (row.status, row.digest) == ("done", held.digest)
    assert list(row.versions.all()) == [second]
    assert ratings_of(second).count() == ratings_of(first).count() == Rating.objects.count() / 2
    assert table(alice, first) == before


def test_a_file_of_the_draft_is_undone_and_redone_in_it(
    first, second, alice, sheet, send, run_jobs
):
    before = table(alice, first)
    row, _ = services.import_labels(
        by=alice,
        version=second,
        upload=send(alice, "more.csv", sheet({("r0001.mp4", 5, "9"): 2}), "labels"),
        name="more.csv",
    )
    run_jobs()
    services.undo_import(by=alice, version=second, label_import=row)
    assert "more.csv" in {one["name"] for one in history(second)}
    services.redo_import(by=alice, version=second, label_import=row)
    run_jobs()
    row.refresh_from_db()
    assert row.status == "done"
    assert table(alice, first) == before


def test_what_is_cited_keeps_its_names_and_words_when_the_design_goes_on(first, second, alice, bob):
    before = (table(alice, first), frames_after(alice, first, after="", limit=9)[0])
    words = first.search.words
    services.set_design(
        by=alice,
        version=second,
        groups=[],
        animals=[{"name": "other", "strain": "C57BL/6J", "sex": "male"}],
        observations=[],
    )
    rows = frames_after(alice, first, after="", limit=9)[0]
    for row in (*rows, *before[1]):
        row.pop("still")
    assert (table(alice, first), rows) == before
    search.refresh(Version.objects.select_related("dataset__lab").get(pk=first.pk))
    first.search.refresh_from_db()
    assert first.search.words == words
    assert found(bob, strain="CD-1") == {"AMGS-000001/1"}
    assert found(bob, q="c57bl") == set()
    assert found(alice, q="c57bl") == {"AMGS-000001/2"}


def test_what_left_is_neither_found_nor_taken_home(first, second, alice, bob, cora):
    assert found(bob, q="laparotomy") == {"AMGS-000001/1"}
    services.delete_draft(by=alice, version=second)
    assert found(alice, q="laparotomy") == {"AMGS-000001/1"}
    services.decide_version(by=alice, version=first, action="withdraw", why="No consent.")
    for person in (alice, bob, cora):
        assert found(person, q="laparotomy") == set()
        assert found(person, strain="CD-1") == set()
        assert found(person, state="withdrawn") == {"AMGS-000001/1"}
        assert frames_after(person, first, after="", limit=9) == ([], None)
        for act in ("see_frames", "download_recordings"):
            assert not policy.may(person, act, first)


def test_landmarks_are_deleted_with_a_withdrawn_version(draft, published, alice, send, run_jobs):
    version = draft(animals=1)
    services.import_labels(
        by=alice,
        version=version,
        upload=send(alice, "points.csv", POINTS, "labels"),
        name="points.csv",
    )
    run_jobs()
    key = LandmarkSet.objects.get().key
    assert get_storage().stat(key) is not None
    version = published(version)
    services.decide_version(by=alice, version=version, action="withdraw", why="No consent.")
    run_jobs()
    assert get_storage().stat(key) is None
    assert LandmarkSet.objects.get().key == ""
