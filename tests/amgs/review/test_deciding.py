"""Deciding: every triple of the lifecycle, audit before acceptance, four eyes, consensus."""

from __future__ import annotations

import itertools

import pytest

from amgs.core.decisions import history
from amgs.core.errors import NotAllowed, Refused
from amgs.repository import queries, services
from amgs.repository.models import Version
from amgs.repository.services import decide_version
from amgs.review.models import Audit, Consensus, Screening, Task
from amgs.review.services import next_assignment, rate
from curation.dataset_version import LIFECYCLE
from models.scale import load_scale


def _actor(role: str, people: dict):
    from amgs.core.base import SYSTEM

    return SYSTEM if role == "system" else people[role]


@pytest.fixture
def people(alice, rita, cora, mia, carl, bob, petra):
    """One person per role; the lab's own curator and a contributor of another lab."""
    return {
        "contributor": alice,
        "rater": rita,
        "curator": cora,
        "maintainer": mia,
        "own curator": carl,
        "other contributor": bob,
        "nobody": petra,
    }


@pytest.fixture
def version_in(alice, harbour):
    """Put a version without grades, checks passed, into any state (for the walk of triples)."""
    from django.utils import timezone

    def put(state: str) -> Version:
        # A new one each time: what is published never becomes anything else again.
        version = services.create_dataset(by=alice, lab=harbour, title="Walk")
        Screening.objects.create(version=version, facts={}, passed=True)
        Version.objects.filter(pk=version.pk).update(state=state, published_at=timezone.now())
        return Version.objects.select_related("dataset__lab").get(pk=version.pk)

    return put


WHO = (
    "contributor",
    "rater",
    "curator",
    "maintainer",
    "system",
    "own curator",
    "other contributor",
    "nobody",
)


@pytest.mark.parametrize("state", LIFECYCLE.states)
def test_every_step_is_taken_by_exactly_those_the_lifecycle_names(state, version_in, people):
    for who, action in itertools.product(WHO, LIFECYCLE.actions):
        version = version_in(state)
        actor = _actor(who, people)
        own = version.dataset.lab_id in actor.lab_ids
        roles = actor.roles if own else actor.roles - {"contributor"}
        steps = [
            row for row in LIFECYCLE.transitions if (row.source, row.action) == (state, action)
        ]
        allowed = bool(
            steps and steps[0].roles & roles and not (steps[0].own_lab_forbidden and own)
        )
        if allowed:
            decide_version(by=actor, version=version, action=action, why="the walk")
            version.refresh_from_db()
            assert version.state == steps[0].target, (state, who, action)
        else:
            with pytest.raises(Refused) as refusal:
                decide_version(by=actor, version=version, action=action, why="the walk")
            assert refusal.value.sentence.endswith((".", "…")), refusal.value.sentence
            version.refresh_from_db()
            assert version.state == state, (state, who, action)


def test_a_step_that_needs_a_reason_is_refused_without_one(version_in, cora):
    for row in LIFECYCLE.transitions:
        if row.needs_reason and "curator" in row.roles:
            with pytest.raises(Refused) as refusal:
                decide_version(by=cora, version=version_in(row.source), action=row.action)
            assert refusal.value.field == "why"


def test_buttons_say_what_the_service_would_say(version_in, people):
    for state in LIFECYCLE.states:
        for who in ("contributor", "curator", "own curator", "maintainer"):
            for entry in queries.actions(people[who], version_in(state)):
                assert entry["allowed"] or entry["reason"].endswith("."), entry
                try:
                    decide_version(
                        by=people[who],
                        version=version_in(state),
                        action=entry["action"],
                        why="as the button says",
                    )
                    assert entry["allowed"], (state, who, entry)
                except Refused:
                    assert not entry["allowed"], (state, who, entry)


def test_acceptance_waits_for_the_audit_or_a_stated_reason(in_review, rate_all, rita, roger, cora):
    version = in_review()
    with pytest.raises(Refused, match="0 of 16 ratings") as refusal:
        decide_version(by=cora, version=version, action="accept", why="looks good")
    assert refusal.value.field == "without_audit"
    entry = next(row for row in queries.actions(cora, version) if row["action"] == "accept")
    assert entry["allowed"]
    assert "0 of 16 ratings" in entry["warning"]
    rate_all(rita)
    rate_all(roger)
    assert queries.actions(cora, version)[1]["warning"] == ""
    decide_version(by=cora, version=version, action="accept", why="raters agree")
    facts = history(version).get(action="accept").facts
    assert facts["audit"]["ratings"] == facts["audit"]["ratings_wanted"] == 16
    assert set(facts["agreement"]["units"]) == set(load_scale().unit_keys)
    assert "accepted_although" not in facts


def test_a_curator_may_insist_and_the_objection_is_kept(in_review, cora):
    version = in_review(animals=1)
    decide_version(
        by=cora,
        version=version,
        action="accept",
        why="the raters of this lab trained ours",
        without_audit=True,
    )
    facts = history(version).get(action="accept").facts
    assert "0 of 8 ratings" in facts["accepted_although"]


def test_nobody_decides_on_their_own_labs_data(in_review, carl):
    version = in_review(animals=1)
    for action in ("accept", "reject", "request_changes"):
        with pytest.raises(NotAllowed, match="own lab"):
            decide_version(by=carl, version=version, action=action, why="ours", without_audit=True)


def test_agreement_is_computed_from_blind_ratings_and_the_blind_sheet(
    in_review, rate_all, rita, roger
):
    in_review()
    rate_all(rita)
    rate_all(roger)
    audit = Audit.objects.get()
    assert audit.agreement_ratings == 2 * 8 * 5
    assert audit.agreement["n_raters"] == 4
    assert audit.agreement["n_frames"] == 8
    text = str(audit.agreement)
    assert rita.public_id not in text
    assert rita.full_name not in text


def test_grades_not_given_blind_are_shown_and_not_counted(
    in_review, rate_all, rita, roger, take, cora
):
    version = in_review(
        metadata={
            "assay": "post_surgical",
            "assigned_unit": "animal",
            "people_and_cards": "none_seen",
            "raters_blind": "no",
        }
    )
    rate_all(rita, 0)
    rate_all(roger, 0)
    audit = Audit.objects.get()
    assert audit.agreement["n_raters"] == 2
    assert audit.agreement["with_not_blind"]["n_raters"] == 4
    take(version, ("accept", cora))
    assert {len(row.votes) for row in Consensus.objects.all()} == {2}
    # The sheet, which says otherwise, moves nothing: what two raters say of all is nearly sure.
    assert all(row.probabilities[0] > 0.9 for row in Consensus.objects.all())
    assert all(0 < row.error < 0.3 for row in Consensus.objects.all())


def test_the_consensus_holds_every_vote_that_counts_under_neutral_names(
    in_review, rate_all, take, rita, roger, cora
):
    version = in_review(animals=1)
    rate_all(rita, 0)
    rate_all(roger, 2)
    take(version, ("accept", cora))
    rows = list(Consensus.objects.all())
    assert len(rows) == 4 * 5
    for row in rows:
        assert len(row.votes) == 4
        assert sum(row.probabilities) == pytest.approx(1.0)
        assert row.scorable > 0.99
        names = {vote["rater"] for vote in row.votes}
        assert len(names) == 4
        assert all(name.startswith(("rater:", "sheet:")) for name in names)


def test_a_unit_nobody_could_score_keeps_no_invented_distribution(
    in_review, take, rita, roger, cora, grades, run_jobs
):
    version = in_review(
        animals=1,
        metadata={
            "assay": "post_surgical",
            "assigned_unit": "animal",
            "people_and_cards": "none_seen",
        },
    )
    unit = load_scale().unit_keys[0]
    reason = {"reason": load_scale().reason_keys[0]}
    for rater in (rita, roger):
        while held := next_assignment(rater=rater):
            rate(assignment=held, by=rater, grades=grades(1) | {unit: reason})
    run_jobs()
    run_jobs()
    take(version, ("accept", cora), without_audit=True)
    rows = Consensus.objects.filter(unit=unit)
    assert all(row.scorable < 0.05 and row.error is None for row in rows)
    assert {tuple(row.probabilities) for row in rows} == {(None, None, None)}


def test_publication_needs_the_consensus_and_keeps_the_facts(
    in_review, rate_all, take, run_jobs, rita, roger, cora
):
    version = in_review(animals=1)
    rate_all(rita)
    rate_all(roger)
    decide_version(by=cora, version=version, action="accept", why="raters agree")
    with pytest.raises(Refused, match="still being combined"):
        decide_version(by=cora, version=version, action="publish")
    assert not queries.actions(cora, version)[0]["allowed"]
    run_jobs()
    take(version, ("publish", cora))
    assert version.state == "published"
    assert version.published_at is not None
    assert version.facts == Screening.objects.get().facts
    assert history(version).get(action="publish").facts["facts_sha256"]


def test_a_published_version_is_open_to_everybody_and_changes_no_more(
    in_review, take, cora, alice, petra
):
    from django.contrib.auth.models import AnonymousUser

    version = in_review(animals=1, grades=False)
    assert not queries.datasets_visible_to(petra).exists()
    take(version, ("accept", cora), ("publish", cora))
    for who in (petra, AnonymousUser()):
        assert queries.datasets_visible_to(who).get() == version
        assert queries.version_page(who, version)["dataset"]["identifier"] == "AMGS-000001"
    with pytest.raises(Refused):
        services.update_version(by=alice, version=version, title="Other")


def test_asking_for_changes_takes_the_frames_from_the_queue_and_review_begins_anew(
    in_review, take, rate_all, rita, roger, cora, alice
):
    version = in_review(animals=1)
    held = next_assignment(rater=rita)
    assert held is not None
    rate_all(roger)
    take(version, ("request_changes", cora))
    assert next_assignment(rater=rita) is None
    assert not Task.objects.filter(closed=False).exists()
    take(version, ("reopen", alice), ("submit", alice), ("start_review", cora))
    assert Task.objects.filter(kind="units", closed=False).count() == 4
    assert next_assignment(rater=roger) is None
    assert rate_all(rita) == 4


def test_phantom_data_say_so_wherever_they_are_shown(draft, alice):
    version = draft(animals=1, grades=False)
    assert queries.version_row(alice, version)["phantom"]
    assert queries.version_page(alice, version)["phantom"]


def test_an_embargo_holds_publication_back_until_its_day(draft, take, alice, cora):
    from datetime import date, timedelta

    version = draft(animals=1, grades=False)
    day = date.today() + timedelta(days=30)  # noqa: DTZ011  (an embargo is a day, not a moment)
    services.update_version(by=alice, version=version, embargo_until=day)
    take(version, ("submit", alice), ("start_review", cora), ("accept", cora))
    with pytest.raises(Refused, match="under embargo until"):
        decide_version(by=cora, version=version, action="publish")
    Version.objects.filter(pk=version.pk).update(embargo_until=date(2020, 1, 1))
    version.refresh_from_db()
    assert take(version, ("publish", cora)).state == "published"
