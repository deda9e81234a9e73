"""Weekly counts of the public scorer, held against the snapshot; drift calls for data."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from amgs.core import jobs
from amgs.core.models import Job
from amgs.review.calls import open_calls
from amgs.review.models import CallForData
from amgs.scoring import services, watching
from amgs.scoring.models import WatchedWeek, WatchReference
from models.glance import COAT, features
from models.scale import load_scale


def test_a_public_score_adds_one_to_its_week_and_a_second_score_does_not(
    serve_bundle, uploaded, run_jobs, tmp_path, render
):
    from amgs.scoring.rescoring import rescore

    first = serve_bundle(0)
    run = services.start_score(upload=uploaded(render(tmp_path / "film.mp4").read_bytes()))
    run_jobs()
    week = WatchedWeek.objects.get()
    assert (week.week, week.model_version, week.recordings) == (
        watching.monday(timezone.localdate()),
        first,
        1,
    )
    assert sum(week.counts["coverage"]) == pytest.approx(1.0)
    assert sum(week.counts["view"]) == pytest.approx(1.0)
    assert COAT not in week.counts  # nothing to tell coats by yet
    serve_bundle(1)
    run.refresh_from_db()
    rescore(user=None, run=run, model="mouse-v2")
    run_jobs()
    assert [row.recordings for row in WatchedWeek.objects.all()] == [1]


@pytest.mark.django_db(transaction=True)
def test_the_reference_is_counted_from_recordings_not_learned_from(study, serve_shipped, run_jobs):
    version = serve_shipped(study("test").public_id)
    jobs.enqueue("scoring.watch")
    run_jobs()
    reference = WatchReference.objects.get(model_version=version)
    assert reference.recordings == 20
    assert sum(reference.counts["coverage"]) == pytest.approx(20)
    assert sum(reference.counts["exposure"]) > 15  # those in which a face was looked at
    assert list(reference.centres) == [load_scale().coat_keys[0]]
    # One coat cannot be told from another.
    assert reference.coats_right is None
    jobs.enqueue("scoring.watch")
    run_jobs()
    assert Job.objects.filter(kind="scoring.watch_reference").count() == 1


def test_a_benchmark_is_no_reference(study, serve_shipped, run_jobs):
    serve_shipped(study("benchmark").public_id)
    jobs.enqueue("scoring.watch")
    run_jobs()
    assert WatchReference.objects.get().recordings == 0


@pytest.fixture
def drifted(serve):
    """A version with a reference, and a week whose coats are others."""
    version = serve()
    names = next(one.names for one in features(load_scale()) if one.key == COAT)
    before, now = [0.0] * len(names), [0.0] * len(names)
    before[0], now[1] = 60.0, 40.0
    WatchReference.objects.create(model_version=version, recordings=60, counts={COAT: before})
    WatchedWeek.objects.create(
        week=watching.monday(timezone.localdate()),
        model_version=version,
        recordings=40,
        counts={COAT: now},
    )
    return version


def test_drift_opens_one_call_tells_people_and_starts_no_training(drifted, run_jobs, mia, cora):
    from amgs.accounts.models import Notice
    from amgs.training.models import Run

    jobs.enqueue("scoring.watch")
    run_jobs()
    (call,) = open_calls()
    assert call.coat == load_scale().coat_keys[1]
    assert "coat" in call.reason
    assert set(Notice.objects.filter(subject=call.public_id).values_list("user", flat=True)) == {
        mia.pk,
        cora.pk,
    }
    jobs.enqueue("scoring.watch")
    run_jobs()
    assert CallForData.objects.count() == 1
    assert not Run.objects.exists()
    assert not Job.objects.filter(queue="train").exists()


def test_a_call_that_was_closed_is_not_opened_again_for_the_same_week(drifted, run_jobs, cora):
    from amgs.review.calls import close_call

    jobs.enqueue("scoring.watch")
    run_jobs()
    close_call(by=cora, call=open_calls()[0], why="A new camera of a known lab.")
    jobs.enqueue("scoring.watch")
    run_jobs()
    assert not open_calls()


def test_an_old_week_is_not_judged_again(drifted, run_jobs):
    WatchedWeek.objects.update(week=watching.monday(timezone.localdate()) - timedelta(days=14))
    jobs.enqueue("scoring.watch")
    run_jobs()
    assert not open_calls()


def test_weeks_of_few_recordings_are_named_without_their_counts(drifted, mia, token_of):
    WatchedWeek.objects.update(recordings=4)
    told = watching.watch_json(drifted)
    assert [row["recordings"] for row in told["weeks"]] == [None]
    assert all(figure["weeks"] == [] for figure in told["figures"])
    api = APIClient()
    assert api.get("/api/watch").status_code == 401
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(mia)}")
    assert api.get("/api/watch").json()["weeks"][0]["recordings"] is None


def test_the_page_shows_weeks_and_is_for_the_office(drifted, client, mia, petra):
    client.force_login(petra)
    assert client.get("/watch/").status_code == 403
    client.force_login(mia)
    page = client.get("/watch/").content.decode()
    assert "has drifted" in page
    assert page.count("<svg") >= 2
    assert "No reading yet" in page


def test_without_a_version_the_page_says_so(client, mia):
    client.force_login(mia)
    page = client.get("/watch/").content.decode()
    assert "nothing to watch" in page
    assert watching.monday(date(2026, 11, 26)) == date(2026, 11, 23)
