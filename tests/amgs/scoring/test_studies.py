"""A study: its table, its pinned version, its locked plan, and what is hidden before the lock."""

from __future__ import annotations

import json

import pytest
from rest_framework.test import APIClient

from amgs.core.errors import Conflict, NotFound, Refused
from amgs.core.models import Decision
from amgs.scoring import studies, study_plans, study_queries
from amgs.scoring.models import ToolRun
from amgs.scoring.study_jobs import ask_for_analysis
from curation.study_table import read

SCORES = (0.1137, 1.7391, 0.2213, 1.6117)
"""Figures that stand nowhere else, so that a leak of one is found in any text."""


@pytest.fixture
def study(make_study):
    """Two animals of Alice before and after, with groups, but no plan yet."""
    return make_study(SCORES)


PLAN = {
    "primary": "mean_score",
    "primary_time_h": 4.0,
    "vehicle": "vehicle",
    "drug": "drug",
    "cut_off": 1.0,
    "draws": 99,
}


@pytest.fixture
def client(alice):
    """Alice's programs."""
    made = APIClient()
    made.force_authenticate(alice)
    return made


def test_the_first_score_pins_the_version_and_another_is_refused_with_the_way_out(
    study, serve, score, alice
):
    first = study.model_version
    second = serve(digest="e" * 64)
    other = score(second, "late.mp4", 0.7, alice)
    with pytest.raises(Refused) as refused:
        studies.add_scores(by=alice, study=study, scores=[other.token])
    assert refused.value.field == studies.MIXED
    assert first.identifier in refused.value.sentence
    assert second.identifier in refused.value.details[0]["sentence"]
    assert study.entries.count() == 4


def test_the_link_of_a_score_adds_it_once(study, score, alice):
    run = score(study.model_version, "more.mp4", 0.3, alice)
    link = f"https://amgs.example.org/score/{run.token}/"
    assert len(studies.add_scores(by=alice, study=study, scores=[link, run.token])) == 1
    assert studies.add_scores(by=alice, study=study, scores=[link]) == []
    with pytest.raises(Refused) as refused:
        studies.add_scores(by=alice, study=study, scores=["https://example.org/score/nothing/"])
    assert "nothing" in refused.value.details[0]["sentence"]


def test_a_recording_comes_into_a_table_once_whichever_version_scored_it(
    study, serve, score, alice
):
    first = studies.entries_of(study)[0].run
    second = serve(digest="e" * 64)
    again = score(second, first.name, 0.7, alice, rescored_from=first)
    assert studies.add_scores(by=alice, study=study, scores=[again.token]) == []
    other = score(study.model_version, "more.mp4", 0.3, alice)
    twice = score(study.model_version, "more.mp4", 0.3, alice, rescored_from=other)
    made = studies.add_scores(by=alice, study=study, scores=[other.token, twice.token])
    assert len(made) == 1


def test_a_score_that_is_not_ready_is_refused_by_name(study, alice):
    run = ToolRun.objects.create(name="soon.mp4", user=alice)
    with pytest.raises(Refused) as refused:
        studies.add_scores(by=alice, study=study, scores=[run.token])
    assert "soon.mp4" in refused.value.details[0]["sentence"]


def test_a_locked_plan_cannot_be_undone_or_changed(study, alice):
    with pytest.raises(Refused, match="Fill in the plan"):
        study_plans.lock_plan(by=alice, study=study)
    study_plans.set_plan(by=alice, study=study, plan=PLAN)
    first = study_plans.lock_plan(by=alice, study=study)
    assert (first.number, first.by, first.after_results) == (1, "Alice Arber", False)
    assert first.plan["primary_time_h"] == 4.0
    with pytest.raises(Refused, match="locked already"):
        study_plans.lock_plan(by=alice, study=study)

    study_plans.set_plan(by=alice, study=study, plan=PLAN | {"cut_off": 0.5})
    assert study_plans.differs(study, first)
    with pytest.raises(Refused, match="why"):
        study_plans.lock_plan(by=alice, study=study)
    with pytest.raises(Refused, match="not locked"):
        ask_for_analysis(by=alice, study=study)
    second = study_plans.lock_plan(by=alice, study=study, why="The cut-off was a slip.")
    assert [row.number for row in study_plans.locks(study)] == [1, 2]
    assert study_plans.locks(study)[0] == first
    assert second.plan["cut_off"] == 0.5


def test_a_lock_that_was_forged_in_the_log_is_not_analysed(study, alice):
    study_plans.set_plan(by=alice, study=study, plan=PLAN)
    locked = study_plans.lock_plan(by=alice, study=study)
    row = Decision.objects.get(number=locked.decision)
    facts = row.facts
    facts["plan"]["cut_off"] = 0.2
    facts["digest"] = studies.digest(facts["plan"])
    Decision.objects.filter(pk=row.pk).update(facts=facts)
    study.plan = facts["plan"]
    study.save()
    with pytest.raises(Refused, match="changed after it was written"):
        ask_for_analysis(by=alice, study=study)


def test_a_draft_that_changed_meanwhile_is_not_locked(study, alice):
    kept = study_plans.set_plan(by=alice, study=study, plan=PLAN)
    seen = studies.digest(kept)
    study_plans.set_plan(by=alice, study=study, plan=PLAN | {"cut_off": 0.4})
    with pytest.raises(Conflict):
        study_plans.lock_plan(by=alice, study=study, seen=seen)


def test_a_group_that_no_row_has_is_not_locked(study, alice):
    study_plans.set_plan(by=alice, study=study, plan=PLAN | {"drug": "morphine"})
    with pytest.raises(Refused, match="morphine"):
        study_plans.lock_plan(by=alice, study=study)


def _answers(client, web, study) -> str:
    """Return all that the site says about a study, as one text."""
    base = f"/api/studies/{study.public_id}"
    told = [client.get(address).content for address in (base, f"{base}/entries", "/api/studies")]
    told.append(client.get(f"{base}/results").content)
    pages = ("", "plan", "add", "results", "table.csv")
    told += [web.get(f"/studies/{study.public_id}/{page}", follow=True).content for page in pages]
    told.append(web.get("/studies/").content)
    if study.share_token:
        told.append(web.get(f"/studies/shared/{study.share_token}/").content)
    return b"\n".join(told).decode()


def test_no_figure_by_group_is_on_the_wire_before_the_plan_is_locked(
    study, alice, client, run_jobs
):
    from django.test import Client

    web = Client()
    web.force_login(alice)
    studies.share_study(by=alice, study=study)
    told = _answers(client, web, study)
    assert "vehicle" in told
    for value in (*SCORES, 0.613):
        assert str(value) not in told
        assert f"{value:.2f}" not in told
    assert "61\N{NARROW NO-BREAK SPACE}%" not in told
    answer = client.post(f"/api/studies/{study.public_id}/results")
    assert answer.status_code == 400
    assert "Lock the plan first" in answer.json()["detail"]

    base = f"/api/studies/{study.public_id}"
    assert client.put(f"{base}/plan", {"plan": PLAN}, format="json").status_code == 200
    for value in SCORES:
        assert str(value) not in _answers(client, web, study)
    assert client.post(f"{base}/lock", {}, format="json").status_code == 201
    shown = client.get(f"{base}/entries").json()["entries"]
    assert [row["result"]["score"] for row in shown] == list(SCORES)
    assert client.post(f"{base}/results").status_code == 202
    run_jobs()
    results = client.get(f"{base}/results").json()
    assert results["plan"]["number"] == 1
    assert results["report"]
    assert client.get(f"{base}/files/study.zip").status_code == 302
    assert results["disclaimer"] in client.get(f"{base}/results").json()["disclaimer"]


def test_what_is_changed_after_results_were_seen_is_told(study, alice, run_jobs):
    rows = studies.entries_of(study)
    study_plans.set_plan(by=alice, study=study, plan=PLAN)
    study_plans.lock_plan(by=alice, study=study)
    change = [{"id": rows[0].public_id, "dose": "5 mg/kg"}]
    studies.change_entries(by=alice, study=study, changes=change)
    assert study_plans.changes_after_results(study) == []
    ask_for_analysis(by=alice, study=study)
    run_jobs()
    change = [{"id": rows[0].public_id, "excluded": "moved too much"}]
    studies.change_entries(by=alice, study=study, changes=change)
    study_plans.set_plan(by=alice, study=study, plan=PLAN | {"cut_off": 0.5})
    study_plans.lock_plan(by=alice, study=study, why="It was too high.")
    told = [row["sentence"] for row in study_plans.changes_after_results(study)]
    assert told == [
        "1 row of the table was changed after results were seen (excluded).",
        "The plan was changed after results were seen (version 2).",
    ]
    row = ask_for_analysis(by=alice, study=study)
    run_jobs()
    row.refresh_from_db()
    assert [change["sentence"] for change in row.plan["changes"]] == told
    assert row.plan["number"] == 2
    warned = [one["sentence"] for one in row.report["warnings"] if one["key"] == "changed"]
    assert warned == [told[0], f"{told[1]} Reason: “It was too high.”"]
    assert "before group names were shown" not in row.report["methods"]
    assert all(sentence in row.report["methods"] for sentence in told)


def test_a_second_study_of_what_was_seen_before_says_so(study, alice, bob, run_jobs):
    tokens = [row.run.token for row in studies.entries_of(study)]
    first = {"animal": "a0", "time_h": 4.0}
    plan = PLAN | {"drug": "", "cut_off": 0.5}

    def another(owner, scores):
        made = studies.create_study(by=owner, title="Once more")
        studies.add_scores(by=owner, study=made, scores=scores)
        changes = [
            {"id": row.public_id, "group": "vehicle", **first} for row in studies.entries_of(made)
        ]
        studies.change_entries(by=owner, study=made, changes=changes)
        study_plans.set_plan(by=owner, study=made, plan=plan)
        study_plans.lock_plan(by=owner, study=made)
        return [row["sentence"] for row in study_plans.changes_after_results(made)]

    assert another(alice, tokens[:1]) == []  # nothing was seen yet
    study_plans.set_plan(by=alice, study=study, plan=PLAN)
    study_plans.lock_plan(by=alice, study=study)
    ask_for_analysis(by=alice, study=study)
    run_jobs()
    assert another(alice, tokens[:2]) == [
        "Version 1 of the plan was locked after 2 recordings had been analysed in another study "
        "of the same owner."
    ]
    assert another(bob, tokens[:2]) == []


def test_a_study_is_its_owners_alone_and_its_link_can_be_taken_back(study, alice, bob):
    with pytest.raises(NotFound):
        studies.find_study(study.public_id, bob)
    other = APIClient()
    other.force_authenticate(bob)
    for address in ("", "/entries", "/results"):
        assert other.get(f"/api/studies/{study.public_id}{address}").status_code == 404
    assert APIClient().get(f"/api/studies/{study.public_id}").status_code == 401
    token = studies.share_study(by=alice, study=study)
    assert studies.share_study(by=alice, study=study) == token
    assert studies.shared_study(token) == study
    studies.stop_sharing(by=alice, study=study)
    with pytest.raises(NotFound):
        studies.shared_study(token)
    with pytest.raises(NotFound):
        studies.shared_study("")


def test_one_wrong_cell_refuses_all_changes_by_row_and_column(study, alice):
    rows = studies.entries_of(study)
    with pytest.raises(Refused) as refused:
        studies.change_entries(
            by=alice,
            study=study,
            changes=[
                {"id": rows[0].public_id, "animal": "new"},
                {"id": rows[1].public_id, "time_h": "four", "human_score": 3},
            ],
        )
    assert [(one["entry"], one["column"]) for one in refused.value.details] == [
        (rows[1].public_id, "time_h"),
        (rows[1].public_id, "human_score"),
    ]
    assert studies.entries_of(study)[0].animal == "a0"


def test_changes_are_taken_back_by_what_they_return(study, alice):
    before = [studies._values(row) for row in studies.entries_of(study)]
    text = "name\tanimal\ttime_h\texcluded\nm0.mp4\tz9\t2,5\tblurred\nm3.mp4\tz8\t\t\n"
    reading = read("The table", text.encode())
    back = studies.fill_table(by=alice, study=study, reading=reading)
    now = studies.entries_of(study)
    assert (now[0].animal, now[0].time_h, now[0].excluded) == ("z9", 2.5, "blurred")
    assert (now[3].animal, now[3].time_h) == ("z8", None)
    studies.change_entries(by=alice, study=study, changes=back)
    assert [studies._values(row) for row in studies.entries_of(study)] == before

    removed = studies.remove_entries(by=alice, study=study, entries=[now[1].public_id])
    assert study.entries.count() == 3
    assert studies.restore_entries(by=alice, study=study, entries=json.loads(json.dumps(removed)))
    assert study.entries.count() == 4
    assert studies.restore_entries(by=alice, study=study, entries=removed) == 0


def test_faults_of_a_table_are_named_by_row_and_column(study, alice):
    text = "video,time,animal\nm0.mp4,soon,a\nnowhere.mp4,1,b\nm0.mp4,1,c\nm0.mp4,1,c\n"
    with pytest.raises(Refused) as refused:
        studies.fill_table(by=alice, study=study, reading=read("design.csv", text.encode()))
    assert "row 2, column time_h" in refused.value.details[0]["sentence"]
    text = text.replace("soon", "1")
    with pytest.raises(Refused) as refused:
        studies.fill_table(by=alice, study=study, reading=read("design.csv", text.encode()))
    told = [row["sentence"] for row in refused.value.details]
    assert told[0] == "The table, row 3: “nowhere.mp4” is not in this study; add its score first."
    assert told[1] == "The table, row 4: m0.mp4 stands twice."


def test_an_incomplete_table_is_not_analysed(study, alice):
    rows = studies.entries_of(study)
    study_plans.set_plan(by=alice, study=study, plan=PLAN)
    study_plans.lock_plan(by=alice, study=study)
    changes = [{"id": rows[2].public_id, "animal": ""}, {"id": rows[3].public_id, "time_h": ""}]
    studies.change_entries(by=alice, study=study, changes=changes)
    with pytest.raises(Refused) as refused:
        ask_for_analysis(by=alice, study=study)
    assert [row["sentence"] for row in refused.value.details] == [
        "m2.mp4: the animal is missing.",
        "m3.mp4: the time is missing.",
    ]


def test_all_are_scored_with_one_version_and_replaced_when_they_are_there(
    scored_films, alice, run_jobs
):
    made, first, second, other = scored_films
    with pytest.raises(Refused):
        studies.add_scores(by=alice, study=made, scores=[other.token])
    studies.add_scores(by=alice, study=made, scores=[other.token], model=second.identifier)
    made.refresh_from_db()
    assert made.model_version == second
    rows = study_queries.entries_json(made)
    assert [row["state"] for row in rows] == ["waiting", "done"]
    assert [row["model"] for row in rows] == [first.identifier, second.identifier]
    study_plans.set_plan(by=alice, study=made, plan={"cut_off": 1.0})
    changes = [{"id": row["id"], "animal": row["name"], "group": "g", "time_h": 1} for row in rows]
    studies.change_entries(by=alice, study=made, changes=changes)
    study_plans.lock_plan(by=alice, study=made)
    with pytest.raises(Refused) as refused:
        ask_for_analysis(by=alice, study=made)
    assert refused.value.field == studies.MIXED
    run_jobs()
    rows = study_queries.entries_json(made)
    assert [(row["state"], row["model"]) for row in rows] == [("done", second.identifier)] * 2
    # Back again: the first score is still there and nothing is scored a third time.
    count = ToolRun.objects.count()
    studies.score_all(by=alice, study=made, model=first.identifier)
    made.refresh_from_db()
    rows = study_queries.entries_json(made)
    assert rows[0]["state"] == "done"
    assert ToolRun.objects.count() == count + 1


@pytest.fixture
def scored_films(serve_bundle, uploaded, run_jobs, tmp_path, render, alice):
    """A study with a score of a first version, and another score of a second one."""
    from amgs.scoring.services import start_score

    def score(number: int):
        film = render(tmp_path / f"film{number}.mp4", number).read_bytes()
        run = start_score(user=alice, upload=uploaded(film, f"film{number}.mp4", alice))
        run_jobs()
        run.refresh_from_db()
        return run

    first = serve_bundle(0)
    run = score(1)
    made = studies.create_study(by=alice, title="Two versions")
    studies.add_scores(by=alice, study=made, scores=[run.token])
    second = serve_bundle(1)
    made.refresh_from_db()
    return made, first, second, score(2)
