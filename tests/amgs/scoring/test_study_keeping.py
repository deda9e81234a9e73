"""A study is deleted with what goes and what stays told first, brought back, or cleared away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from amgs.core import jobs
from amgs.core.decisions import broken_links, history
from amgs.core.errors import Conflict, NotAllowed, NotFound, Refused
from amgs.core.models import Job
from amgs.files.storage import get_storage
from amgs.scoring import keeping, studies, study_keeping, study_plans, study_queries
from amgs.scoring.models import Study, StudyAnalysis, StudyEntry, ToolRun
from amgs.scoring.study_jobs import ask_for_analysis
from curation.leaving import UNDO_FOR

PLAN = {"primary": "mean_score", "primary_time_h": 4.0, "cut_off": 1.0, "draws": 99}


@pytest.fixture
def study(make_study, settings):
    """A study of Alice's with four scores, which are kept for long."""
    settings.SCORE_KEPT_DAYS = 365
    return make_study()


@pytest.fixture
def analysed(study, alice, run_jobs):
    """The study with a locked plan, results that were seen, and a change after them."""
    study_plans.set_plan(by=alice, study=study, plan=PLAN)
    study_plans.lock_plan(by=alice, study=study)
    ask_for_analysis(by=alice, study=study)
    run_jobs()
    row = studies.entries_of(study)[0]
    change = [{"id": row.public_id, "excluded": "moved too much"}]
    studies.change_entries(by=alice, study=study, changes=change)
    return Study.objects.get(pk=study.pk)


def deleted_for(study: Study, time: timedelta) -> None:
    Study.objects.filter(pk=study.pk).update(deleted_at=timezone.now() - time)


def sweep(run_jobs) -> dict:
    row = jobs.enqueue(study_keeping.clear_deleted_studies)
    run_jobs()
    row.refresh_from_db()
    return row.result


def keys_of(study: Study) -> list[str]:
    rows = StudyAnalysis.objects.filter(study=study)
    return [key for row in rows for key in row.outputs.values()]


def lies(key: str) -> bool:
    return key in list(get_storage().list(key))


def test_what_goes_and_what_stays_is_told_with_its_numbers(analysed, alice):
    studies.share_study(by=alice, study=analysed)
    told = study_keeping.told_deletion(Study.objects.get(pk=analysed.pk))
    goes = {one["key"]: one for one in told if not one["stays"]}
    stays = {one["key"]: one for one in told if one["stays"]}
    assert list(goes) == ["hidden", "link", "files"]
    assert "4 rows, its plan (1 locked version)" in goes["hidden"]["sentence"]
    assert goes["files"]["number"] == len(keys_of(analysed)) > 5
    assert goes["files"]["sentence"].startswith("1 analysis with ")
    assert list(stays) == ["undo", "scores", "log"]
    assert stays["scores"]["sentence"].startswith("4 scores stay at their links")
    assert stays["log"]["number"] == 2


def test_scores_that_only_the_study_keeps_are_told(study, alice, settings):
    settings.SCORE_KEPT_DAYS = 40
    runs = list(ToolRun.objects.order_by("pk"))
    for run, days in zip(runs, (5, 11, 11, 50), strict=True):
        ToolRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(days=days))
    other = studies.create_study(by=alice, title="Another")
    studies.add_scores(by=alice, study=other, scores=[runs[2].token])
    told = {one["key"]: one for one in study_keeping.told_deletion(study)}
    assert told["scores_due"]["number"] == 2
    assert "2 scores are older than 40 days" in told["scores_due"]["sentence"]


def test_a_deleted_study_is_hidden_and_comes_back_as_it_was(analysed, alice):
    studies.share_study(by=alice, study=analysed)
    analysed.refresh_from_db()
    entries = study_queries.entries_json(analysed)
    locked = study_plans.locks(analysed)
    before = list(history(analysed).values_list("digest", flat=True))
    changes = study_plans.changes_after_results(analysed)

    study_keeping.delete_study(by=alice, study=analysed)
    with pytest.raises(NotFound, match="Deleted studies"):
        studies.find_study(analysed.public_id, alice)
    with pytest.raises(NotFound):
        studies.shared_study(analysed.share_token)
    assert not study_queries.studies_of(alice).exists()
    # Whoever read it before the deletion changes nothing after it.
    for act in (
        lambda: studies.remove_entries(by=alice, study=analysed, entries=[entries[0]["id"]]),
        lambda: study_plans.lock_plan(by=alice, study=analysed, why="x"),
        lambda: ask_for_analysis(by=alice, study=analysed),
        lambda: study_keeping.delete_study(by=alice, study=analysed),
    ):
        with pytest.raises(NotFound):
            act()

    gone = study_keeping.find_deleted(analysed.public_id, alice)
    study_keeping.restore_study(by=alice, study=gone)
    back = studies.find_study(analysed.public_id, alice)
    assert study_queries.entries_json(back) == entries
    assert study_plans.locks(back) == locked
    assert study_plans.changes_after_results(back) == changes
    assert studies.shared_study(analysed.share_token) == back
    assert study_queries.analysis_of(back).outputs
    # The log has what it had, and an entry each for deletion and return.
    after = list(history(back).values_list("digest", "action"))
    assert [digest for digest, _ in after[: len(before)]] == before
    assert [action for _, action in after[len(before) :]] == ["delete", "restore"]
    assert not list(broken_links())
    told = [one["sentence"] for one in study_queries.study_detail(back)["goings"]]
    assert told == ["Deleted by Alice Arber.", "Brought back by Alice Arber."]
    with pytest.raises(Conflict):
        study_keeping.restore_study(by=alice, study=gone)


def test_only_its_owner_deletes_and_brings_back(study, alice, bob):
    with pytest.raises(NotAllowed):
        study_keeping.delete_study(by=bob, study=study)
    study_keeping.delete_study(by=alice, study=study)
    with pytest.raises(NotFound):
        study_keeping.find_deleted(study.public_id, bob)
    with pytest.raises(NotAllowed):
        study_keeping.restore_study(by=bob, study=study)


def test_an_analysis_under_way_is_stopped(study, alice, run_jobs):
    study_plans.set_plan(by=alice, study=study, plan=PLAN)
    study_plans.lock_plan(by=alice, study=study)
    row = ask_for_analysis(by=alice, study=study)
    told = [one["key"] for one in study_keeping.told_deletion(study)]
    assert "stopped" in told
    study_keeping.delete_study(by=alice, study=study)
    run_jobs()
    row.job.refresh_from_db()
    assert row.job.state == Job.State.CANCELLED


def test_files_and_rows_go_when_nobody_brought_it_back_and_scores_stay(analysed, alice, run_jobs):
    keys = keys_of(analysed)
    study_keeping.delete_study(by=alice, study=analysed)
    deleted_for(analysed, UNDO_FOR - timedelta(minutes=1))
    assert sweep(run_jobs) == {"studies": 0, "files": 0}
    assert all(map(lies, keys))
    deleted_for(analysed, UNDO_FOR + timedelta(minutes=1))
    with pytest.raises(Refused, match="30 days ago"):
        study_keeping.restore_study(by=alice, study=analysed)
    deleted_for(analysed, UNDO_FOR + timedelta(hours=2))
    assert sweep(run_jobs) == {"studies": 1, "files": len(keys)}
    assert not any(map(lies, keys))
    for rows in (Study, StudyEntry, StudyAnalysis):
        assert not rows.objects.exists()
    assert ToolRun.objects.exclude(result={}).count() == 4
    entries = history(analysed)
    assert list(entries.values_list("action", flat=True)) == [
        "lock_plan",
        "edit_table",
        "delete",
        "clear_deleted",
    ]
    assert not list(broken_links())


def test_scores_are_kept_while_a_deleted_study_can_come_back(study, alice, settings, run_jobs):
    settings.SCORE_KEPT_DAYS = 40
    ToolRun.objects.update(created_at=timezone.now() - timedelta(days=41))
    study_keeping.delete_study(by=alice, study=study)
    assert not keeping.due().exists()
    deleted_for(study, UNDO_FOR + timedelta(hours=2))
    sweep(run_jobs)
    assert keeping.due().count() == 4


def test_a_program_deletes_and_brings_back(study, alice, bob):
    client, other = APIClient(), APIClient()
    client.force_authenticate(alice)
    other.force_authenticate(bob)
    base = f"/api/studies/{study.public_id}"
    told = client.get(f"{base}/deletion").json()["consequences"]
    assert {one["key"] for one in told if one["stays"]} == {"undo", "scores", "log"}
    assert other.delete(base).status_code == 404
    assert client.delete(base).status_code == 204
    assert client.delete(base).status_code == 404
    assert "brought back" in client.get(base).json()["detail"]
    assert client.get("/api/studies").json()["results"] == []
    (row,) = client.get("/api/deleted-studies").json()["results"]
    assert (row["id"], row["rows"]) == (study.public_id, 4)
    assert other.get("/api/deleted-studies").json()["results"] == []
    back = f"/api/deleted-studies/{study.public_id}/restore"
    assert other.post(back).status_code == 404
    assert client.post(back).json()["id"] == study.public_id
    assert client.post(back).status_code == 404
    assert [one["action"] for one in client.get(base).json()["goings"]] == ["delete", "restore"]


def test_the_pages_tell_delete_and_bring_back(study, alice, client):
    client.force_login(alice)
    page = f"/studies/{study.public_id}/delete"
    assert page in client.get(f"/studies/{study.public_id}/").content.decode()
    shown = client.get(page).content.decode()
    assert "What goes" in shown
    assert "4 scores stay at their links" in shown
    assert client.post(page).status_code == 422
    told = client.post(page, {"understood": "on"}, follow=True).content.decode()
    assert "is deleted. It can be brought back for 30 days." in told
    assert "Deleted studies (1)" in client.get("/studies/").content.decode()
    assert client.get(f"/studies/{study.public_id}/").status_code == 404
    back = client.post(f"/deleted-studies/{study.public_id}/restore", follow=True)
    assert "is back, as it was." in back.content.decode()
    plan = client.get(f"/studies/{study.public_id}/plan").content.decode()
    assert "Deleted by Alice Arber." in plan
    assert "Brought back by Alice Arber." in plan
