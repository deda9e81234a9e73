"""The checks: a bad submission is refused with sentences, mended and handed in again."""

from __future__ import annotations

import pytest

from amgs.core.decisions import broken_links, history
from amgs.core.errors import NotAllowed, Refused
from amgs.repository import services
from amgs.review import queries
from amgs.review.facts import gather_facts
from amgs.review.models import CheckResult, Screening
from amgs.review.services import answer_check
from curation.facts import VersionFacts


def test_a_bad_submission_is_refused_mended_and_handed_in_again(draft, send, take, run_jobs, alice):
    version = draft(licence="")
    services.add_recording(
        by=alice,
        version=version,
        upload=send(alice, "notes.mp4", b"notes of Tuesday\n" * 50, "recording"),
        name="notes.mp4",
        animal="m1",
        observation="after",
    )
    run_jobs()
    take(version, ("submit", alice))
    assert version.state == "changes_requested"
    refusal = history(version).filter(action="request_changes").get()
    assert refusal.actor_name == "aMGS"
    assert "licence" in refusal.why.lower()
    assert "notes.mp4" in refusal.why
    page = queries.screening_page(version)
    assert not page["passed"]
    assert len(page["blocking"]) == len(refusal.why.splitlines())

    with pytest.raises(Refused, match="only a draft can"):
        services.update_version(by=alice, version=version, licence="CC0-1.0")
    take(version, ("reopen", alice))
    services.update_version(by=alice, version=version, licence="CC0-1.0")
    bad = version.recordings.get(name="notes.mp4")
    services.remove_recording(by=alice, version=version, recording=bad)
    run_jobs()
    take(version, ("submit", alice))
    assert version.state == "screened"
    assert queries.screening_page(version)["passed"]
    assert Screening.objects.filter(version=version).count() == 2
    assert [row.action for row in history(version) if row.to_state] == [
        "submit",
        "request_changes",
        "reopen",
        "submit",
        "screen",
    ]
    assert list(broken_links()) == []


def test_a_dataset_without_grades_is_screened_and_rests_there(draft, take, run_jobs, alice):
    version = draft(grades=False, phantom=False)
    take(version, ("submit", alice))
    assert version.state == "screened"
    told = {row.check_name: row for row in CheckResult.objects.filter(severity="informs")}
    assert not told["grades_present"].passed
    run_jobs()
    version.refresh_from_db()
    assert version.state == "screened"


def test_permissions_that_nobody_stated_are_asked_for(alice, harbour, take):
    version = services.create_dataset(by=alice, lab=harbour, title="Bare")
    take(version, ("submit", alice))
    assert version.state == "changes_requested"
    assert not CheckResult.objects.get(check_name="permissions").passed
    take(version, ("reopen", alice))
    services.sign_permissions(by=alice, version=version, kinds=[], signer_name="Prof. Arber")
    take(version, ("submit", alice))
    newest = Screening.objects.order_by("-pk").first()
    assert newest.results.get(check_name="permissions").passed


def test_facts_are_stored_as_they_were_gathered(draft, take, alice):
    version = draft()
    facts = gather_facts(version)
    take(version, ("submit", alice))
    assert VersionFacts.from_json(Screening.objects.get().facts) == facts
    assert facts.phantom
    assert facts.has_grades
    assert {row.frames for row in facts.recordings} == {20}


def test_facts_cost_the_same_however_large_the_version(draft, django_assert_max_num_queries):
    counts = []
    for animals in (1, 3):
        version = draft(animals=animals)
        _ = version.dataset.lab
        with django_assert_max_num_queries(12) as queries_made:
            gather_facts(version)
        counts.append(len(queries_made))
    # The second holds the films of the first too; looking those up takes one query more.
    assert counts[1] <= counts[0] + 2


def test_the_same_film_in_two_labs_is_noticed(draft, bob):
    first, second = draft(animals=1), draft(by=bob, animals=1)
    facts = gather_facts(second)
    assert facts.recordings[0].elsewhere == (first.identifier,)
    assert facts.animals[0].labs == ("Harbour", "Meadow")


def test_a_warning_can_be_answered_by_the_lab_and_the_answer_stays(draft, take, alice, bob):
    version = draft()
    take(version, ("submit", alice))
    warning = CheckResult.objects.filter(severity="warns", passed=False).first()
    with pytest.raises(NotAllowed):
        answer_check(by=bob, result=warning, answer="It is fine.")
    answer_check(by=alice, result=warning, answer="Our camera films small pictures.")
    sentences = {row["check"]: row["answer"] for row in queries.screening_page(version)["results"]}
    assert sentences[warning.check_name] == "Our camera films small pictures."
    passed = CheckResult.objects.filter(passed=True).first()
    with pytest.raises(Refused):
        answer_check(by=alice, result=passed, answer="Thanks.")
