"""Embargo: invisible until its day, checked once more, published or sent back; the lab is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from amgs.accounts.models import Notice
from amgs.core.base import PUBLIC
from amgs.core.decisions import history
from amgs.core.errors import NotAllowed, NotFound, Refused
from amgs.core.jobs import enqueue
from amgs.repository import queries, services
from amgs.repository.models import Recording, Version
from amgs.review.models import Consensus, Screening

pytestmark = pytest.mark.django_db


class _Visitor:
    is_authenticated = False


def later(days: int):
    """Return the day so many days from now."""
    return timezone.localdate() + timedelta(days=days)


@pytest.fixture
def embargoed(draft, take, alice, cora):
    """An accepted version that is held back for ten days."""

    def make(version=None, **options):
        version = version or draft(**options)
        services.set_embargo(by=alice, version=version, until=later(10))
        take(version, ("submit", alice), ("start_review", cora))
        return take(version, ("accept", cora), without_audit=True)

    return make


@pytest.fixture
def days_pass(monkeypatch):
    """Let the day be so many days later than it is."""

    def go(days: int):
        now = later(days)
        monkeypatch.setattr(timezone, "localdate", lambda *_: now)

    return go


def test_it_is_invisible_to_others_and_publishes_to_nobody_before_its_day(
    embargoed, bob, cora, take, run_jobs
):
    version = embargoed()
    assert version.state == "accepted"
    for person in (bob, _Visitor()):
        assert version not in queries.datasets_visible_to(person)
        with pytest.raises(NotFound):
            queries.find_version(person, "AMGS-000001.1")
    with pytest.raises(Refused, match="under embargo until"):
        take(version, ("publish", cora))
    enqueue("review.end_embargoes")
    run_jobs()
    version.refresh_from_db()
    assert version.state == "accepted"


def test_on_its_day_the_checks_run_once_more_and_it_is_published(
    embargoed, days_pass, run_jobs, alice
):
    version = embargoed()
    before = Screening.objects.filter(version=version).count()
    days_pass(10)
    enqueue("review.end_embargoes")
    run_jobs()
    version.refresh_from_db()
    assert version.state == "published"
    assert Screening.objects.filter(version=version).count() == before + 1
    decision = history(version).filter(to_state="published").get()
    assert decision.actor_name == "aMGS"
    told = Notice.objects.filter(user=alice, title__contains="AMGS-000001/1")
    assert told.filter(title__contains="embargo of AMGS-000001/1 has ended").count() == 1
    assert not told.filter(title__contains="is published").exists()


def test_what_the_checks_refuse_goes_back_to_its_lab(embargoed, days_pass, run_jobs, alice, bob):
    version = embargoed()
    Recording.objects.filter(versions=version).update(status="unreadable", problem="Broken.")
    days_pass(11)
    enqueue("review.end_embargoes")
    run_jobs()
    version.refresh_from_db()
    assert version.state == "changes_requested"
    assert history(version).last().why
    assert version not in queries.datasets_visible_to(bob)
    told = Notice.objects.filter(user=alice).last()
    assert "was not published" in told.title
    assert "mend" in told.text


def test_its_lab_lifts_it_early_and_it_is_checked_and_published(embargoed, run_jobs, alice, bob):
    version = embargoed()
    with pytest.raises(NotAllowed):
        services.set_embargo(by=bob, version=version, until=None)
    services.set_embargo(by=alice, version=version, until=None, why="The paper is out.")
    run_jobs()
    version.refresh_from_db()
    assert version.state == "published"


def test_an_embargo_that_is_extended_does_not_end_on_the_old_day(
    embargoed, days_pass, run_jobs, alice
):
    version = embargoed()
    services.set_embargo(by=alice, version=version, until=later(40))
    days_pass(11)
    enqueue("review.lift_embargo", version=version.public_id)
    enqueue("review.end_embargoes")
    run_jobs()
    version.refresh_from_db()
    assert version.state == "accepted"
    facts = [row.facts for row in history(version) if row.action == "set_embargo"]
    assert facts[-1]["before"]["until"] != facts[-1]["until"]


def test_after_publication_no_embargo_hides_anything(embargoed, run_jobs, alice):
    version = embargoed()
    services.set_embargo(by=alice, version=version, until=None)
    run_jobs()
    version = Version.objects.get(pk=version.pk)
    with pytest.raises(Refused, match="published already"):
        services.set_embargo(by=alice, version=version, until=later(5))


def test_grades_under_embargo_do_not_reach_what_is_public(
    draft, take, alice, cora, embargoed, days_pass, run_jobs, send, sheet
):
    first = draft()
    take(first, ("submit", alice), ("start_review", cora))
    take(first, ("accept", cora), without_audit=True)
    take(first, ("publish", cora))
    before = list(Consensus.objects.order_by("pk").values_list("pk", "votes"))
    second = services.new_draft(by=alice, version=first)
    recording = second.recordings.order_by("pk").first()
    services.import_labels(
        by=alice,
        version=second,
        upload=send(alice, "more.csv", sheet({(recording.name, 2, "7"): 2}), "labels"),
        name="more.csv",
        declared={"raters_blind": "yes"},
    )
    services.sign_permissions(
        by=alice,
        version=second,
        kinds=["train"],
        signer_name="Prof. Arber",
        right_to_share=True,
    )
    run_jobs()
    embargoed(second)
    assert list(Consensus.objects.order_by("pk").values_list("pk", "votes")) == before
    days_pass(10)
    enqueue("review.end_embargoes")
    run_jobs()
    second.refresh_from_db()
    assert second.state == "published"
    assert list(Consensus.objects.order_by("pk").values_list("pk", "votes")) != before


def test_the_public_sees_no_trace_of_it(embargoed):
    embargoed()
    assert not Version.objects.visible_to(_Visitor()).exists()
    assert PUBLIC.roles == frozenset()
