"""Importing label files: nothing doubled, undone and redone as a whole, by the own lab alone."""

from __future__ import annotations

import csv
import io
import threading

import pytest

from amgs.core import jobs
from amgs.core.errors import Refused
from amgs.core.models import Decision
from amgs.repository import services
from amgs.repository.models import LabelImport, Rating
from amgs.repository.places import Told
from amgs.repository.services.labels import digest_of

WIDE = b"filename,ot1,nb1,cb1,ep1,wc1\na.png,0,1,2,9,-\nb.png,0,1,3,0,0\n"
CALL = "=HYPERLINK(1)"


def votes() -> list[tuple]:
    """Return all ratings that count."""
    rows = Rating.objects.visible().values_list("frame", "unit", "rater_name", "grade", "reason")
    return sorted(rows, key=str)


def test_the_same_file_twice_doubles_nothing_and_is_told_so(desk):
    row = desk.read(desk.look("wide.csv", WIDE))
    before = votes()
    again = desk.look("wide.csv", WIDE, expect=200)
    assert (again["id"], again["status"]) == (row["id"], "done")
    other = desk.look("copy.csv", WIDE)
    desk.answer(other, declared=row["declared_in_effect"])
    refusal = desk.ask("POST", f"labels/{other['id']}/confirm", expect=400)
    assert "nothing was doubled" in refusal["detail"]
    assert "'wide.csv'" in refusal["detail"]
    desk.answer(other, mapping={"frames_from": 1})
    refusal = desk.ask("POST", f"labels/{other['id']}/confirm", expect=400)
    assert "with other answers; undo that import first" in refusal["detail"]
    assert votes() == before


def test_another_file_of_the_same_name_is_refused(desk):
    desk.read(desk.look("wide.csv", WIDE))
    refusal = desk.look("wide.csv", WIDE + b"c.png,0,0,0,0,0\n", expect=400)
    assert "undo it first" in refusal["detail"]


def test_two_worksheets_of_one_file_are_two_imports(desk, excel):
    head = ["filename", "ot1", "nb1", "cb1", "ep1", "wc1"]
    data = excel(One=[head, ["a.png", 0, 0, 0, 0, 0]], Two=[head, ["b.png", 1, 1, 1, 1, 1]])
    desk.read(desk.look("one.xlsx", data))
    second = desk.look("two.xlsx", data)
    desk.read(desk.answer(second, mapping={"worksheet": "Two"}))
    assert len(votes()) == 10


def test_an_import_is_undone_and_redone_as_a_whole(desk):
    row = desk.read(desk.look("wide.csv", WIDE))
    before = votes()
    desk.ask("DELETE", f"labels/{row['id']}", expect=204)
    assert votes() == []
    undone = desk.again(row["id"])
    assert (undone["status"], Rating.objects.count()) == ("undone", 0)
    desk.ask("POST", f"labels/{row['id']}/redo")
    done = desk.again(row["id"])
    assert (done["status"], done["counts"]) == ("done", row["counts"])
    assert votes() == before
    desk.ask("POST", f"labels/{row['id']}/redo")  # twice is no error
    assert votes() == before
    acts = Decision.objects.filter(action__in=["import_labels", "undo_labels", "redo_labels"])
    assert list(acts.order_by("number").values_list("action", flat=True)) == [
        "import_labels",
        "undo_labels",
        "redo_labels",
    ]


def test_an_undone_import_may_be_answered_anew(desk):
    data = b"file,frame,rater,ot,nb,cb,ep,wc\nr0001.mp4,1,1,0,0,0,0,0\n"
    row = desk.read(desk.look("long.csv", data))
    desk.ask("DELETE", f"labels/{row['id']}", expect=204)
    row = desk.answer(row, mapping={"frames_from": 1})
    assert row["status"] == "open"
    desk.read(row)
    assert set(Rating.objects.visible().values_list("frame__number", flat=True)) == {0}


def test_an_undone_import_does_not_come_back_beside_its_successor(desk):
    row = desk.read(desk.look("wide.csv", WIDE))
    desk.ask("DELETE", f"labels/{row['id']}", expect=204)
    desk.read(desk.look("wide.csv", WIDE))
    refusal = desk.ask("POST", f"labels/{row['id']}/redo", expect=409)
    assert "undo that one first" in refusal["detail"]


def test_rows_written_while_an_import_was_undone_go_too(desk, alice, run_jobs):
    row = desk.look("wide.csv", WIDE)
    held = LabelImport.objects.get(public_id=row["id"])
    desk.answer(
        row,
        declared={"scored_from": "video", "frames_chosen": "random", "raters_experience": "years"},
    )
    services.confirm_labels(by=alice, version=desk.version, label_import=held)
    from amgs.repository import label_jobs

    write, done = label_jobs._write, []

    def undo_first(*given):
        services.undo_import(by=alice, version=desk.version, label_import=held)
        done.append(write(*given))
        return done[0]

    label_jobs._write = undo_first
    try:
        run_jobs()
    finally:
        label_jobs._write = write
    held.refresh_from_db()
    assert done
    assert (held.status, Rating.objects.count()) == ("undone", 0)


def test_people_of_another_lab_learn_nothing_and_change_nothing(desk, speak, bob, cora, rita):
    row = desk.look("wide.csv", WIDE)
    path = f"labels/{row['id']}"
    for person in (bob, rita):
        ask = speak(person)
        told = ask("GET", path, expect=404)["detail"]
        assert "or it is not open to you" in told
        ask("PATCH", path, {"declared": {}}, expect=404)
        ask("POST", f"{path}/confirm", expect=404)
        ask("POST", f"{path}/redo", expect=404)
        ask("DELETE", path, expect=404)
        ask("GET", f"{path}/problems", expect=404)
        ask("GET", f"{path}/rows/boxes", expect=404)
    curator = speak(cora)
    seen = curator("GET", path)
    assert (seen["name"], seen["look"], seen["places"]) == ("wide.csv", None, {})
    curator("PATCH", path, {"declared": {}}, expect=403)
    curator("POST", f"{path}/confirm", expect=403)
    curator("DELETE", path, expect=403)
    speak()("GET", path, expect=401)
    assert desk.again(row["id"])["status"] == "open"


def test_names_of_animals_stay_with_the_lab(desk, speak, cora):
    data = b"mouse,day,mean\nm1,baseline,0.5\nsecret,baseline,0.5\n"
    row = desk.read(desk.look("mean.csv", data))
    (problem,) = row["problems"]
    assert (problem["row"], problem["column"]) == (3, "animal")
    assert "secret" not in problem["sentence"]
    assert desk.rows(row, "observation_scores")[0]["animal"] == "m1"
    shown = speak(cora)("GET", f"labels/{row['id']}/rows/observation_scores")["results"]
    assert shown[0]["animal"] == "M001"


def test_what_was_handed_in_is_not_imported_into(desk, take, alice):
    row = desk.read(desk.look("wide.csv", WIDE))
    take(desk.version, ("submit", alice))
    for method, path in (
        ("DELETE", f"labels/{row['id']}"),
        ("POST", f"labels/{row['id']}/redo"),
        ("PATCH", f"labels/{row['id']}"),
    ):
        assert "only a draft can" in desk.ask(method, path, {}, expect=400)["detail"]


def test_a_draft_with_open_questions_is_not_submitted(desk, alice):
    row = desk.look("wide.csv", WIDE)
    refusal = desk.ask("POST", f"versions/{desk.name}/actions/submit", {}, expect=400)
    assert "'wide.csv' waits for your answers" in refusal["detail"]
    desk.ask("DELETE", f"labels/{row['id']}", expect=204)
    desk.ask("POST", f"versions/{desk.name}/actions/submit", {})


def test_a_sheet_sent_without_a_look_comes_back_with_its_questions(desk, send, alice):
    upload = send(alice, "sum.csv", b"mouse,day,score\nm1,baseline,8\n", "labels")
    body = {"upload": upload.public_id, "name": "sum.csv"}
    row = desk.ask("POST", f"versions/{desk.name}/labels", body, expect=201)
    row = desk.again(row["id"])
    assert (row["status"], row["look"]["questions"][0]["field"]) == ("open", "conversion")


def test_nothing_is_read_before_it_is_declared_how_it_came_about(desk):
    row = desk.look("wide.csv", WIDE)
    refusal = desk.ask("POST", f"labels/{row['id']}/confirm", expect=400)
    assert refusal["field"] == "declared.scored_from"
    assert {one["field"] for one in refusal["details"]} >= {"declared.raters_experience"}
    bad = desk.ask("PATCH", f"labels/{row['id']}", {"declared": {"raters_blind": "?"}}, expect=400)
    assert bad["field"] == "declared.raters_blind"
    # What the dataset says of all its sheets need not be said again.
    assert row["declared_in_effect"]["raters_blind"] == "yes"


def test_answers_that_make_no_sense_are_refused_by_name(desk):
    row = desk.look("wide.csv", WIDE)
    for answers, field in (
        ({"mapping": {"colour": "red"}}, "mapping"),
        ({"mapping": {"frames_from": 7}}, "mapping"),
        ({"places": {"files": {"a": ["b"]}}}, "places"),
    ):
        refusal = desk.ask("PATCH", f"labels/{row['id']}", answers, expect=400)
        assert refusal["field"].startswith(field)
    with pytest.raises(Refused, match="Nothing can be said about 'cages'"):
        Told.from_json({"cages": {}})
    row = desk.answer(row, mapping={"conversion": "0-9:often"})
    assert (row["status"], "no rule for another scale" in row["refusal"]) == ("refused", True)
    assert desk.answer(row, mapping={})["status"] == "open"


def test_problems_are_downloaded_with_their_places(desk):
    data = WIDE + CALL.encode() + b",0,0,0,0,0\nb.png,x,0,0,0,0\n"
    row = desk.read(desk.look("wide.csv", data))
    text = desk.ask("GET", f"labels/{row['id']}/problems")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {(one["file"], one["row"], one["column"]) for one in rows} >= {
        ("wide.csv", "3", "cb1"),
        ("wide.csv", "4", "file"),
    }
    assert all(one["sentence"].endswith(".") for one in rows)
    assert not any(one["file"].startswith("=") for one in rows)


def test_a_design_that_names_the_animal_later_brings_its_scores(desk, alice, run_jobs):
    data = b"animal,time point,rater,mean score\nm9,later,anna,0.5\nm1,after,anna,1\n"
    row = desk.read(desk.look("mean.csv", data))
    assert (row["observations_matched"], row["observations_unmatched"]) == (1, 1)
    services.set_design(
        by=alice,
        version=desk.version,
        groups=[],
        animals=[{"name": "m1"}, {"name": "m9"}],
        observations=[{"animal": "m1", "name": "after"}, {"animal": "m9", "name": "later"}],
    )
    row = desk.again(row["id"])
    assert (row["status"], row["observations_matched"], row["problems"]) == ("done", 2, [])
    assert len(desk.rows(row, "observation_scores")) == 2


def test_a_look_with_older_answers_is_dropped(desk, run_jobs):
    row = desk.look("wide.csv", WIDE)
    held = LabelImport.objects.select_related("blob").get(public_id=row["id"])
    old, seen = digest_of(held), held.look
    LabelImport.objects.filter(pk=held.pk).update(mapping={"frames_from": 1})
    jobs.enqueue("repository.look_at_labels", label_import=held.public_id, answers=old)
    run_jobs()
    held.refresh_from_db()
    assert held.look == seen
    told = desk.ask("POST", f"labels/{row['id']}/confirm", expect=400)["detail"]
    assert "being looked at with your newest answers" in told


def test_what_is_said_of_names_survives_being_stored():
    told = Told.from_json({"files": {"a": "b", "c": ""}, "animals": {}})
    assert told == Told(files={"a": "b"})
    assert Told.from_json(told.to_json()) == told


@pytest.mark.django_db(transaction=True)
def test_two_people_who_send_the_same_file_at_once_get_it_once(desk, send, alice):
    from django.db import connection

    uploads = [send(alice, f"{name}.csv", WIDE, "labels", complete=True) for name in "xy"]
    for upload in uploads:
        services.import_labels(by=alice, version=desk.version, upload=upload, name=upload.name)
    kinds = jobs.Job.objects.filter(kind="repository.read_labels", state="queued")
    waiting = list(kinds.values_list("public_id", flat=True))
    assert len(waiting) == 2

    def work(public_id: str) -> None:
        try:
            jobs.run(public_id)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[public_id]) for public_id in waiting]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.again(LabelImport.objects.first().public_id)
    statuses = sorted(LabelImport.objects.values_list("status", flat=True))
    assert statuses == ["done", "refused"]
    assert len(votes()) == 8
