"""The probe: first answer, the same again, a step away, no answer, and who is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from amgs.accounts.models import Notice
from amgs.core import jobs
from amgs.files.removal import release
from amgs.scoring import probing
from amgs.scoring.models import ProbeClip, ProbeReading, WatchedWeek

State = ProbeReading.State


@pytest.fixture
def ask(run_jobs):
    """Probe once and return the reading."""

    def once():
        jobs.enqueue("scoring.probe")
        run_jobs()
        return ProbeReading.objects.order_by("-pk").first()

    return once


def told(user) -> list[str]:
    return list(Notice.objects.filter(user=user).order_by("pk").values_list("title", flat=True))


def test_the_first_answer_is_the_reference_and_the_next_is_fine(serve_shipped, ask, mia):
    version = serve_shipped()
    first, second = ask(), ask()
    assert (first.state, first.bundle_digest) == (State.REFERENCE, version.digest)
    assert first.answer["score"] is not None
    assert (second.state, second.moved_by) == (State.FINE, 0.0)
    assert told(mia) == []
    assert ProbeClip.objects.count() == 1
    # The probe is no recording of the public, and its clip is held.
    assert not WatchedWeek.objects.exists()
    assert release(ProbeClip.objects.get().blob) is False


def test_a_step_away_alarms_once_and_says_when_it_is_over(serve_shipped, ask, mia, monkeypatch):
    version = serve_shipped()
    ask()
    answer = probing.ask

    def elsewhere(version, path):
        found = answer(version, path)
        return found | {"score": found["score"] + 0.3}

    monkeypatch.setattr(probing, "ask", elsewhere)
    assert ask().state == State.MOVED
    assert ask().state == State.MOVED
    assert told(mia) == [f"The probe of {version.identifier} moved"]
    monkeypatch.setattr(probing, "ask", answer)
    assert ask().state == State.FINE
    assert told(mia)[1:] == [f"The probe of {version.identifier} is fine again"]


def test_a_probe_without_an_answer_has_failed(serve, ask, mia):
    version = serve()  # its bundle is not there
    row = ask()
    assert row.state == State.FAILED
    assert row.moved_by is None
    assert told(mia) == [f"The probe of {version.identifier} failed"]
    assert ask().state == State.FAILED
    assert len(told(mia)) == 1


def test_another_bundle_begins_with_a_first_answer_of_its_own(serve_bundle, ask):
    serve_bundle(0)
    ask()
    serve_bundle(1)
    assert ask().state == State.REFERENCE
    assert ask().state == State.FINE


def test_a_job_that_dies_is_a_failed_reading(serve, mia):
    serve()
    row = jobs.enqueue("scoring.probe")
    jobs.kinds()["scoring.probe"].on_failure(row, "It stood still.")
    assert ProbeReading.objects.get().state == State.FAILED


def test_old_readings_go_and_first_answers_stay(serve, ask):
    version = serve()
    for state in (State.REFERENCE, State.FINE):
        row = probing.keep(version, state, "x")
        old = timezone.now() - probing.KEPT - timedelta(days=1)
        ProbeReading.objects.filter(pk=row.pk).update(created_at=old)
    probing.keep(version, State.FINE, "new")
    assert list(ProbeReading.objects.values_list("state", flat=True)) == ["reference", "fine"]


def test_nothing_is_probed_where_nothing_serves(db, ask):
    assert ask() is None


def test_the_page_offers_to_roll_back_where_the_probe_is_wrong(serve, client, mia, token_of):
    first = serve()
    second = serve(digest="e" * 64)
    probing.keep(second, State.MOVED, "The answer moved by 0.300 grades.", moved_by=0.3)
    client.force_login(mia)
    page = client.get("/watch/").content.decode()
    assert f"Roll back to {first.identifier}" in page
    assert f"/models/{first.public_id}/rollback" in page
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(mia)}")
    shown = api.get("/api/probe").json()
    assert (shown["newest"]["state"], shown["newest"]["wrong"]) == ("moved", True)
    client.post(f"/models/{first.public_id}/rollback", {"why": "the probe moved"})
    first.refresh_from_db()
    assert first.state == "serving"
    assert "The first one comes" in client.get("/watch/").content.decode()


def test_a_probe_that_has_gone_silent_is_late(serve):
    version = serve()
    probing.keep(version, State.FINE, "fine", moved_by=0.0)
    assert not probing.probe_json(version)["late"]
    ProbeReading.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    assert probing.probe_json(version)["late"]
