"""The checks: a bad submission is refused with sentences, mended and handed in again."""

from __future__ import annotations

import pytest

from amgs.core.decisions import broken_links, history
from amgs.core.errors import NotAllowed, Refused
from amgs.repository import inputs, services
from amgs.repository.models import Recording, Resemblance
from amgs.repository.steps import Step
from amgs.review import queries
from amgs.review.acceptance import _is_checked
from amgs.review.facts import gather_facts
from amgs.review.models import CheckResult, Screening
from amgs.review.screenings import refusal_page
from amgs.review.services import answer_check, check_now
from amgs.review.services.checks import is_stale
from curation.checks import run_checks
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
    page = queries.screening_page(alice, version)
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
    assert queries.screening_page(alice, version)["passed"]
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
        with django_assert_max_num_queries(18) as queries_made:
            gather_facts(version)
        counts.append(len(queries_made))
    # The second holds the films of the first too: those, their versions, datasets and splits.
    assert counts[1] <= counts[0] + 5


def test_the_same_film_in_two_labs_is_noticed(draft, bob):
    first, second = draft(animals=1), draft(by=bob, animals=1)
    facts = gather_facts(second)
    (twin,) = facts.recordings[0].twins
    assert (twin.version, twin.lab, twin.same_bytes) == (first.identifier, "Harbour", True)
    # Bob's lab may not know of a draft of Alice's.
    assert not twin.known
    assert facts.animals[0].labs == ("Meadow",)


def test_a_warning_can_be_answered_by_the_lab_and_the_answer_stays(draft, take, alice, bob):
    version = draft()
    take(version, ("submit", alice))
    warning = CheckResult.objects.filter(severity="warns", passed=False).first()
    with pytest.raises(NotAllowed):
        answer_check(by=bob, result=warning, answer="It is fine.")
    answer_check(by=alice, result=warning, answer="Our camera films small pictures.")
    sentences = {
        row["check"]: row["answer"] for row in queries.screening_page(alice, version)["results"]
    }
    assert sentences[warning.check_name] == "Our camera films small pictures."
    passed = CheckResult.objects.filter(passed=True).first()
    with pytest.raises(Refused):
        answer_check(by=alice, result=passed, answer="Thanks.")


def test_stored_facts_give_the_outcomes_that_are_stored(draft, take, alice):
    version = draft()
    take(version, ("submit", alice))
    screening = Screening.objects.get()
    again = run_checks(VersionFacts.from_json(screening.facts))
    stored = screening.results.values_list("check_name", "passed", "sentence", "where", "shown")
    assert [
        (one.check, one.passed, one.sentence[:1000], list(one.where), [list(p) for p in one.shown])
        for one in again
    ] == list(stored)


def test_every_rater_is_counted_by_unit_and_grade(draft):
    (sheet,) = gather_facts(draft()).labels
    assert {row.rater for row in sheet.spread} == {"1", "2"}
    assert sum(sum(row.counts) for row in sheet.spread) == 4 * 2 * 2 * 5
    assert sheet.declared == {}


def test_of_another_labs_draft_only_the_office_is_told(draft, take, alice, bob, cora):
    draft(animals=1)
    second = draft(by=bob, animals=1)
    take(second, ("submit", bob))
    told = queries.screening_page(bob, second)
    assert "hidden_twins" not in {row["check"] for row in told["results"]}
    assert "Harbour" not in str(told)
    assert "AMGS-000001" not in str(told)
    office = {row["check"]: row for row in queries.screening_page(cora, second)["results"]}
    assert not office["hidden_twins"]["passed"]
    assert "Harbour" in office["hidden_twins"]["sentence"]
    screened = history(second).filter(action="screen").get()
    assert "hidden_twins" not in str(screened.facts)
    accepted = _is_checked(Step(second, "accept", cora, without_audit=True))
    assert "Harbour" not in str(accepted)


def test_a_film_coded_anew_is_found_in_the_same_version_and_shown(
    draft, send, take, run_jobs, alice, moving_clip
):
    version = draft(grades=False)
    for name, data in (("one.mp4", moving_clip(1)), ("two.mp4", moving_clip(1, quality=2))):
        services.add_recording(
            by=alice,
            version=version,
            upload=send(alice, name, data, "recording"),
            name=name,
            animal="m1",
            observation="after",
        )
    run_jobs()
    outcomes = {one.check: one for one in run_checks(gather_facts(version))}
    assert "one.mp4 and two.mp4 look like the same film" in outcomes["near_duplicates"].sentence
    check_now(by=alice, version=version)
    run_jobs()
    page = queries.screening_page(alice, version)
    told = next(row for row in page["results"] if row["check"] == "near_duplicates")
    assert [one["file"] for one in told["pictures"]] == ["one.mp4", "two.mp4"]
    assert Resemblance.objects.count() == 1


def test_a_draft_is_checked_before_it_is_handed_in_and_stays_one(draft, run_jobs, alice, bob):
    version = draft(licence="")
    assert is_stale(version, None)
    with pytest.raises(NotAllowed):
        check_now(by=bob, version=version)
    check_now(by=alice, version=version)
    run_jobs()
    version.refresh_from_db()
    assert version.state == "draft"
    screening = Screening.objects.get()
    assert not screening.passed
    assert not is_stale(version, screening)
    services.update_version(by=alice, version=version, licence="CC0-1.0")
    assert is_stale(version, screening)


def test_what_was_screened_is_checked_again_when_a_recording_changes(draft, take, run_jobs, alice):
    version = draft()
    take(version, ("submit", alice))
    assert version.state == "screened"
    recording = version.recordings.order_by("pk").first()
    media = {**recording.media, "has_location_tag": True}
    Recording.objects.filter(pk=recording.pk).update(media=media)
    inputs.changed_recordings([recording.pk])
    run_jobs()
    version.refresh_from_db()
    assert version.state == "changes_requested"
    assert "place where it was made" in history(version).last().why


def test_a_version_under_review_keeps_its_state_and_cannot_be_accepted(
    draft, take, run_jobs, alice, cora
):
    version = draft(grades=False)
    take(version, ("submit", alice), ("start_review", cora))
    recording = version.recordings.order_by("pk").first()
    media = {**recording.media, "has_location_tag": True}
    Recording.objects.filter(pk=recording.pk).update(media=media)
    inputs.changed_recordings([recording.pk])
    run_jobs()
    version.refresh_from_db()
    assert version.state == "in_review"
    with pytest.raises(Refused, match="has not passed the checks"):
        services.decide_version(by=cora, version=version, action="accept", why="Fine.")


def test_an_answer_stays_while_the_sentence_does_and_is_decided_with(
    draft, take, run_jobs, alice, cora
):
    version = draft(grades=False)
    check_now(by=alice, version=version)
    run_jobs()
    warning = CheckResult.objects.filter(severity="warns", passed=False).first()
    logged = history(version).count()
    answer_check(by=alice, result=warning, answer="Half a sent", draft=True)
    answer_check(by=alice, result=warning, answer="Half a sentence more.", draft=True)
    assert history(version).count() == logged
    take(version, ("submit", alice))
    newest = Screening.objects.order_by("-pk").first()
    kept = newest.results.get(check_name=warning.check_name)
    assert (kept.answer, kept.answered_by) == ("Half a sentence more.", "Alice Arber")
    told = {row["check"]: row for row in queries.screening_page(cora, version)["results"]}
    assert told[warning.check_name]["answer"] == "Half a sentence more."
    facts = _is_checked(Step(version, "accept", cora, without_audit=True))
    assert facts["answers"] == {warning.check_name: "Half a sentence more."}
    answer_check(by=alice, result=kept, answer="", draft=True)
    check_now(by=alice, version=version)
    run_jobs()
    newest = Screening.objects.order_by("-pk").first()
    assert newest.results.get(check_name=warning.check_name).answer == ""


def test_the_next_try_says_what_changed_since(draft, take, run_jobs, alice):
    version = draft(licence="", ethics="")
    take(version, ("submit", alice))
    told = refusal_page(alice, version)
    assert not told["by_person"]
    assert {row["check"] for row in told["blocking"]} == {"licence", "ethics"}
    assert told["since"] is None
    take(version, ("reopen", alice))
    services.update_version(by=alice, version=version, licence="CC0-1.0")
    bad = version.recordings.order_by("pk").last()
    services.remove_recording(by=alice, version=version, recording=bad)
    run_jobs()
    check_now(by=alice, version=version)
    run_jobs()
    since = refusal_page(alice, version)["since"]
    assert [row["check"] for row in since["gone"]] == ["licence"]
    assert "ethics" in [row["check"] for row in since["still"]]
    assert since["removed"] == (bad.name,)
    assert {"licence", "score sheets"} <= set(since["fields"])


def test_a_curator_who_rejected_is_named_to_the_lab(draft, take, alice, cora):
    version = draft(grades=False)
    take(version, ("submit", alice), ("start_review", cora), ("reject", cora))
    told = refusal_page(alice, version)
    assert (told["by"], told["by_person"], told["rejected"]) == ("Cora Costa", True, True)
    assert told["why"] == "for the story"
    assert told["kept_until"] is not None
