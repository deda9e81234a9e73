"""The queue of the curators, and who has a review."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from amgs.accounts.models import Notice
from amgs.core.decisions import history
from amgs.core.errors import NotAllowed, Refused
from amgs.repository import queries
from amgs.repository.models import Version
from amgs.repository.services import decide_version
from amgs.review import desk
from amgs.review.models import CheckResult, Reviewer, Screening
from amgs.review.services import hand_over, start_audit
from models.scale import load_scale


@pytest.fixture
def second(person):
    """Another curator of no lab."""
    return person("Sven Sand", "curator")


def _ids(user, **chosen):
    chosen = desk.check(chosen, desk.filters(user))
    return {row.pk for row in desk.page(user, chosen)[0]}


def test_the_queue_is_narrowed_by_everything_it_shows(rows_of, cora, meadow, bob):
    waits = rows_of("screened")
    mine = rows_of("in_review", metadata={"assay": "inflammatory"})
    other = rows_of("accepted", lab=meadow, by=bob)
    draft = rows_of("draft")
    Reviewer.objects.create(version=mine, user=cora)
    start_audit(version=mine)
    long_ago = timezone.now() - timedelta(days=10)
    Version.objects.filter(pk=waits.pk).update(submitted_at=long_ago)
    screening = Screening.objects.get(version=waits)
    CheckResult.objects.create(
        screening=screening, check_name="x", title="x", severity="warns", passed=False, sentence="x"
    )
    Screening.objects.create(version=other, facts={}, passed=False)
    everything = {waits.pk, mine.pk, other.pk}
    assert _ids(cora) == everything
    assert draft.pk not in everything
    coats = load_scale().coat_keys
    for choices, expected in (
        ({"state": "screened"}, {waits.pk}),
        ({"who": "me"}, {mine.pk}),
        ({"who": "nobody"}, {waits.pk, other.pk}),
        ({"who": "others"}, set()),
        ({"checks": "warned"}, {waits.pk}),
        ({"checks": "passed"}, {mine.pk}),
        ({"checks": "failed"}, {other.pk}),
        ({"audit": "running"}, {mine.pk}),
        ({"audit": "finished"}, set()),
        ({"audit": "none"}, {waits.pk, other.pk}),
        ({"since": "7"}, {waits.pk}),
        ({"since": "14"}, set()),
        ({"assay": "inflammatory"}, {mine.pk}),
        ({"coat": coats[0]}, everything),
        ({"coat": coats[1]}, set()),
        ({"lab": meadow.public_id}, {other.pk}),
        ({"lab": meadow.public_id, "who": "me"}, set()),
    ):
        assert _ids(cora, **choices) == expected, choices
    with pytest.raises(Refused):
        _ids(cora, state="draft")


def test_pages_of_the_queue_neither_lose_nor_repeat_and_cost_the_same(rows_of, cora):
    now = timezone.now()
    made = [rows_of("screened", animals=0, submitted_at=now) for _ in range(5)]
    for first in ({}, {"first": "newest"}):
        seen, after = [], ""
        while True:
            rows, after = desk.page(cora, first, after=after, limit=2)
            seen += [row.pk for row in rows]
            if not after:
                break
        assert sorted(seen) == sorted(row.pk for row in made)
        assert seen == sorted(seen, reverse=bool(first))
    browser = Client()
    browser.force_login(cora)
    browser.get("/review/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        browser.get("/review/?since=")
    for _ in range(6):
        rows_of("screened", animals=1)
    with CaptureQueriesContext(connection) as many:
        page = browser.get("/review/").content.decode()
    assert len(many) == len(few)
    assert page.count('data-label="Waits since"') == 11
    nothing = browser.get("/review/?state=in_review&who=me").content.decode()
    assert "Nothing fits" in nothing
    assert browser.get("/review/?state=nowhere").status_code == 422


def test_a_review_is_taken_by_whoever_begins_it_and_handed_over_with_a_note(
    rows_of, cora, second, carl, rita
):
    version = rows_of("screened")
    decide_version(by=cora, version=version, action="start_review")
    assert version.reviewer.user == cora
    with pytest.raises(Refused, match="note"):
        hand_over(by=cora, version=version, to=second)
    for nobody in (carl, rita):
        with pytest.raises(Refused, match="no curator of another lab"):
            hand_over(by=cora, version=version, to=nobody, note="please")
    with pytest.raises(NotAllowed, match="own lab"):
        hand_over(by=carl, version=version, to=carl, note="ours")
    hand_over(by=cora, version=version, to=second, note="The audit is done; see m2.")
    assert Reviewer.objects.get().user == second
    decision = history(version).get(action="hand_over")
    assert decision.why == "The audit is done; see m2."
    assert decision.facts == {"from": cora.name, "to": second.name}
    notice = Notice.objects.get(user=second, about="waits")
    assert "hands you the review" in notice.title


def test_only_whoever_has_the_review_decides_and_another_takes_it_over_first(
    rows_of, cora, second, bob
):
    version = rows_of("screened")
    decide_version(by=cora, version=version, action="start_review")
    for action in ("accept", "reject", "request_changes"):
        with pytest.raises(Refused, match="Cora Costa has this review"):
            decide_version(
                by=second, version=version, action=action, why="quickly", without_audit=True
            )
        entry = next(row for row in queries.actions(second, version) if row["action"] == action)
        assert not entry["allowed"]
    with pytest.raises(Refused, match="take it over yourself"):
        hand_over(by=second, version=version, to=_third(second), note="you do it")
    hand_over(by=second, version=version, to=second, note="Cora is on leave")
    assert Notice.objects.filter(user=cora, title__contains="took over").exists()
    decide_version(by=second, version=version, action="reject", why="no mouse")
    with pytest.raises(Refused, match="while it goes on"):
        hand_over(by=second, version=version, to=cora, note="back")


def _third(like):
    from amgs.accounts.models import Grant, User

    user = User.objects.create_user("third@example.org", full_name="Thea Third")
    Grant.objects.create(user=user, role="curator")
    return user
