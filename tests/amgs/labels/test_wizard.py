"""The pages that lead from a label file to its import."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from amgs.repository import services
from amgs.repository.models import LabelImport, Rating

WIDE = b"filename,ot1,nb1,cb1,ep1,wc1\na.png,0,1,2,9,-\nb.png,0,1,3,0,0\n"
DECLARED = {
    "declared-scored_from": "pictures",
    "declared-raters_blind": "yes",
    "declared-frames_chosen": "random",
    "declared-raters_experience": "ten years",
}


@pytest.fixture
def site(draft, send, run_jobs, alice, still):
    """Alice's browser at her draft with three stills; ``look`` brings a file to its page."""
    version = draft(animals=1, grades=False)
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        upload = send(alice, name, still(number), "recording")
        services.add_recording(by=alice, version=version, upload=upload, name=name)
    run_jobs()
    return Site(version, send, run_jobs, alice)


class Site:
    """A signed-in browser without scripts."""

    def __init__(self, version, send, run_jobs, person) -> None:
        self.version, self._send, self._run_jobs, self.person = version, send, run_jobs, person
        self.browser = Client()
        self.browser.force_login(person)
        self.root = f"/datasets/{version.identifier.replace('/', '.')}/"

    def look(self, name: str, data: bytes) -> str:
        """Send a file; return the address of its page once it was looked at."""
        row, _ = services.import_labels(
            by=self.person,
            version=self.version,
            upload=self._send(self.person, name, data, "labels"),
            name=name,
            confirmed=False,
        )
        self._run_jobs()
        return f"{self.root}sheets/{row.public_id}/"

    def get(self, address: str, expect: int = 200) -> str:
        """Return a page."""
        answer = self.browser.get(address)
        assert answer.status_code == expect
        return answer.content.decode()

    def post(self, address: str, expect: int = 200, **fields) -> str:
        """Send a form, let jobs run, and return the page that follows."""
        answer = self.browser.post(address, fields)
        self._run_jobs()
        if answer.status_code == 302:
            answer = self.browser.get(answer.headers["Location"])
        assert answer.status_code == expect, answer.content.decode()[:2000]
        return answer.content.decode()


def test_from_the_first_look_to_the_import(site):
    where = site.look("wide.csv", WIDE)
    listed = site.get(f"{site.root}labels")
    assert "waits for you" in listed
    page = site.get(where)
    assert "One row per frame, columns per unit and rater" in page
    assert "Orbital tightening of rater 1" in page
    assert "The first 2 rows, as they would be read" in page
    assert page.count('alt="Frame 0 of ') == 2
    assert "not assigned" in page
    assert "3 is not possible" in page
    lacking = site.post(where, 422, act="import")
    assert "not declared" in lacking
    done = site.post(where, act="import", **DECLARED)
    assert "is being read" in done
    assert "2 rows by 1 rater; 2 frames found." in re.sub(r"\s+", " ", done)
    assert Rating.objects.visible().count() == 8
    again = site.get(where)
    assert "Undo this import as a whole" in again
    assert "Confirm and import" not in again


def test_another_scale_is_asked_for_and_shown_in_words(site):
    rows = [f"{name}.png,{3 * at},{9 - at},5,7,2" for at, name in enumerate("abc")]
    where = site.look("nine.csv", "\n".join(["filename,ot,nb,cb,ep,wc", *rows]).encode())
    page = site.get(where)
    assert "uses another scale" in page
    assert "Confirm and import" not in page
    assert 'value="0-9:nearest"' in page
    page = site.post(where, act="look", conversion="0-9:nearest")
    assert "below 2.25 is 0" in page
    assert "Confirm and import" in page
    changed = site.post(where, act="import", **{"conversion-text": "0-9:3,7"}, **DECLARED)
    assert "look at its rows, and confirm then" in changed
    assert "from 7 is 2" in changed
    site.post(where, act="import", **{"conversion-text": "0-9:3,7"}, **DECLARED)
    assert LabelImport.objects.get().mapping["conversion"] == "0-9:3,7"
    assert LabelImport.objects.get().status == "done"


def test_columns_and_names_are_said_on_the_page(site):
    from models.scale import load_scale

    eye, nose, *_ = load_scale().unit_keys
    where = site.look("noten.csv", b"Bild;Auge;Nase\neins;1;2\nzwei;0;9\n")
    page = site.get(where)
    assert "No column was recognised" in page
    columns = {
        "column-0": "file",
        "column-1": nose,  # what is typed goes first
        "column-1-text": f"{eye}@anna",
        "column-2-text": f"{nose}@anna",
    }
    page = site.post(where, act="look", **columns)
    assert "0 of 2 found" in page
    names = {"files-name": ["eins", "zwei"], "files-here": ["a.png", "-"]}
    page = site.post(where, act="look", **columns, **names)
    assert "1 of 2 found, 1 left out" in page
    site.post(where, act="import", **columns, **names, **DECLARED)
    assert Rating.objects.visible().count() == 2
    row = LabelImport.objects.get()
    assert (row.frames_matched, row.frames_unmatched) == (1, 0)


def test_files_that_ask_nothing_are_imported_together(site):
    for name in ("a", "b"):
        site.look(f"{name}.csv", f"filename,ot1,nb1,cb1,ep1,wc1\n{name}.png,0,1,2,9,-\n".encode())
    page = site.get(f"{site.root}labels")
    assert "2 files ask nothing more" in page
    page = site.post(f"{site.root}sheets/import-all")
    assert page.count("not declared") >= 2
    services.update_version(
        by=site.person,
        version=site.version,
        metadata={**site.version.metadata, **{k[9:]: v for k, v in DECLARED.items()}},
    )
    page = site.post(f"{site.root}sheets/import-all")
    assert "2 files are being read" in page
    assert set(LabelImport.objects.values_list("status", flat=True)) == {"done"}


def test_undo_and_redo_and_the_history_on_the_page_of_the_version(site):
    where = site.look("wide.csv", WIDE)
    site.post(where, act="import", **DECLARED)
    page = site.post(f"{where}undo")
    assert "is undone" in page
    assert "1 undone" in page
    assert not Rating.objects.exists()
    site.post(f"{where}redo")
    assert Rating.objects.visible().count() == 8
    page = site.get(site.root)
    assert "Label files" in page
    assert "Alice Arber" in page
    assert "7 graded, 1 not scorable, 1 not assigned" in re.sub(r"\s+", " ", page)
    answer = site.browser.get(f"{where}problems.csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    lines = answer.content.decode().splitlines()
    assert lines[0] == "file,row,column,sentence"
    assert lines[1].startswith("wide.csv,3,cb1,")


def test_what_cannot_be_read_says_so_and_can_be_left_out(site):
    where = site.look("notes.txt", b"Tuesday: all well.\n")
    page = site.get(where)
    assert "is no score sheet that can be read" in page
    page = site.post(f"{where}undo")
    assert "No label file yet" in page


def test_another_lab_sees_nothing_of_it(site, bob, cora):
    where = site.look("wide.csv", WIDE)
    for person, status in ((bob, 404), (cora, 403)):
        browser = Client()
        browser.force_login(person)
        assert browser.get(where).status_code == status
        assert browser.post(where, {"act": "look"}).status_code == status
        assert browser.post(f"{where}undo").status_code == status
    page = browser.get(site.root).content.decode()
    assert "waits for answers" in page  # a curator sees the history, and its problems
    assert browser.get(f"{where}problems.csv").status_code == 200
    assert Client().get(where).status_code == 302


def test_cells_that_say_nothing_are_refused_with_the_line(site):
    where = site.look("wide.csv", WIDE)
    page = site.post(where, 422, act="look", cells="x means nothing")
    assert "names no meaning" in page
    page = site.post(where, act="look", cells="3 = 2\n- = missing")
    assert "is not possible" not in page
    assert LabelImport.objects.get().mapping["cells"] == {"3": "2", "-": "missing"}


def test_pages_take_a_constant_number_of_queries(site, django_assert_max_num_queries):
    for name in "abc":
        where = site.look(
            f"{name}.csv", f"filename,ot1,nb1,cb1,ep1,wc1\n{name}.png,0,1,2,9,-\n".encode()
        )
    with django_assert_max_num_queries(20):
        site.get(f"{site.root}sheets")
    with django_assert_max_num_queries(32):
        site.get(where)
