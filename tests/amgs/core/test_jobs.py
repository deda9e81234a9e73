"""A job's row is the truth: leases, attempts, conditional writes, cancelling, failing, sweeping."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from amgs.core import jobs, sweep
from amgs.core.base import SYSTEM
from amgs.core.errors import NotAllowed, NotFound, Refused
from amgs.core.jobs import Cancelled, Finish, later
from amgs.core.models import Beat, Job

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def kind(monkeypatch):
    """Register a function as a job kind for one test."""
    monkeypatch.setattr(jobs, "_KINDS", dict(jobs._KINDS))

    def register(work, **options):
        options = {"queue": "quick", "limit": HOUR, **options}
        work.__module__ = "amgs.tests.jobs"
        return jobs.job(**options)(work)

    return register


@pytest.fixture
def hints(monkeypatch):
    """The public ids the broker was told of; it takes them all."""
    told = []

    def take(row):
        told.append(row.public_id)
        Job.objects.filter(pk=row.pk).update(hinted_at=Now())
        return True

    monkeypatch.setattr(jobs, "hint", take)
    monkeypatch.setattr(sweep, "hint", take)
    monkeypatch.setattr(sweep, "_held", lambda queue: 0)
    return told


def change(row: Job, **values) -> Job:
    Job.objects.filter(pk=row.pk).update(**values)
    row.refresh_from_db()
    return row


def test_a_job_is_run_once_and_keeps_its_result(kind):
    done = []

    def work(context, *, number):
        done.append(number)
        return {"double": 2 * number}

    row = jobs.enqueue(kind(work), number=4)
    assert jobs.run(row.public_id) is True
    assert jobs.run(row.public_id) is False
    row.refresh_from_db()
    assert (row.state, row.result, row.attempt, row.progress) == ("done", {"double": 8}, 1, 1.0)
    assert row.lease_until is None
    assert row.finished_at is not None
    assert done == [4]


def test_a_job_says_who_asked_and_what_it_is_about(kind, alice):
    row = jobs.enqueue(kind(lambda context: None, attempts=7), by=alice, subject=alice)
    assert (row.actor_id, row.actor_name) == (alice.public_id, "Alice Arber")
    assert (row.subject, row.attempts, row.queue) == (alice.public_id, 7, "quick")


def test_a_job_with_a_key_is_asked_for_once_while_it_is_active(kind):
    work = kind(lambda context: None)
    first = jobs.enqueue(work, key="same")
    assert jobs.enqueue(work, key="same").pk == first.pk
    assert jobs.enqueue(work, key="other").pk != first.pk
    assert jobs.enqueue(work).pk != jobs.enqueue(work).pk
    jobs.run(first.public_id)
    assert jobs.enqueue(work, key="same").pk != first.pk


def test_a_job_for_later_is_not_run_before(kind):
    row = jobs.enqueue(kind(lambda context: None), after=HOUR)
    assert jobs.run(row.public_id) is False
    change(row, due_at=later(-HOUR))
    assert jobs.run(row.public_id) is True


def test_a_job_that_another_worker_holds_is_left_alone(kind):
    row = jobs.enqueue(kind(lambda context: None))
    change(row, state="running", attempt=1, lease_until=later(HOUR))
    assert jobs.run(row.public_id) is False
    change(row, lease_until=later(-HOUR))
    assert jobs.run(row.public_id) is True
    row.refresh_from_db()
    assert row.attempt == 2


def test_what_a_job_applies_happens_in_the_transaction_that_ends_it(kind):
    states = []

    def work(context):
        return Finish({}, lambda: states.append(Job.objects.get(pk=context.job.pk).state))

    jobs.run(jobs.enqueue(kind(work)).public_id)
    assert states == ["done"]


def test_nothing_is_applied_when_the_lease_was_lost(kind):
    applied = []

    def work(context):
        change(context.job, attempt=context.attempt + 1)  # another worker took it meanwhile
        return Finish({"late": True}, lambda: applied.append(True))

    row = jobs.enqueue(kind(work))
    assert jobs.run(row.public_id) is False
    row.refresh_from_db()
    assert (row.state, row.result, applied) == ("running", {}, [])


def test_work_that_saves_its_progress_learns_that_the_lease_was_lost(kind):
    went_on = []

    def work(context):
        change(context.job, attempt=context.attempt + 1)
        context.progress(0.5, "half")
        context.save_progress()
        went_on.append(True)

    jobs.run(jobs.enqueue(kind(work)).public_id)
    assert went_on == []


def test_progress_is_written_with_the_renewal_and_kept_between_0_and_1(kind):
    seen = []

    def work(context):
        context.progress(7.0, "almost")
        context.save_progress()
        seen.append(Job.objects.values_list("progress", "note").get(pk=context.job.pk))

    jobs.run(jobs.enqueue(kind(work)).public_id)
    assert seen == [(1.0, "almost")]


def test_a_lease_is_not_renewed_when_progress_stands_still_past_the_limit(kind):
    seen = []

    def work(context):
        assert context.renew()
        Job.objects.filter(pk=context.job.pk).update(progressed_at=later(-2 * HOUR))
        seen.append(context.renew())
        context.check()

    row = jobs.enqueue(kind(work))
    assert jobs.run(row.public_id) is False
    assert seen == [False]
    row.refresh_from_db()
    assert row.state == "running"  # until its lease runs out and another worker takes it


def test_outputs_are_named_by_attempt(kind):
    keys = []

    def work(context):
        keys.append(context.key("still.jpg"))
        raise OSError("disk full")

    row = jobs.enqueue(kind(work))
    jobs.run(row.public_id)
    change(row, due_at=Now())
    jobs.run(row.public_id)
    assert keys == [f"jobs/{row.public_id}/{attempt}/still.jpg" for attempt in (1, 2)]


def test_a_refusal_fails_the_job_at_once_with_its_sentence(kind):
    told = []

    def work(context):
        raise Refused("This file holds no video.")

    row = jobs.enqueue(
        kind(work, on_failure=lambda job, sentence: told.append((sentence, job.trace)))
    )
    jobs.run(row.public_id)
    row.refresh_from_db()
    assert (row.state, row.error, row.trace) == ("failed", "This file holds no video.", "")
    assert told == [("This file holds no video.", "")]


def test_what_breaks_is_tried_again_later_and_fails_after_its_last_attempt(kind):
    told = []

    def work(context):
        raise OSError("no such disk")

    row = jobs.enqueue(
        kind(work, attempts=2, on_failure=lambda job, sentence: told.append(bool(job.trace)))
    )
    jobs.run(row.public_id)
    row.refresh_from_db()
    assert (row.state, row.error) == ("queued", "OSError: no such disk")
    assert row.due_at > row.started_at
    assert told == []
    change(row, due_at=Now())
    jobs.run(row.public_id)
    row.refresh_from_db()
    assert (row.state, told) == ("failed", [True])
    assert "OSError" in row.trace


def test_a_failure_that_cannot_be_told_still_ends_the_job(kind):
    def work(context):
        raise Refused("No.")

    def broken(job, sentence):
        raise ZeroDivisionError

    row = jobs.enqueue(kind(work, on_failure=broken))
    jobs.run(row.public_id)
    row.refresh_from_db()
    assert (row.state, row.error) == ("failed", "No.")
    assert "ZeroDivisionError" in row.trace


def test_a_job_begun_too_often_without_an_end_fails(kind):
    row = jobs.enqueue(kind(lambda context: None, attempts=3))
    change(row, state="running", attempt=3, lease_until=later(-HOUR))
    assert jobs.run(row.public_id) is False
    row.refresh_from_db()
    assert (row.state, row.error) == (
        "failed",
        "The work was begun too often without an end.",
    )


def test_a_job_of_an_unknown_kind_fails_with_a_sentence(kind):
    row = jobs.enqueue(kind(lambda context: None))
    change(row, kind="old.kind")
    jobs.run(row.public_id)
    row.refresh_from_db()
    assert (row.state, "knows no job 'old.kind'" in row.error) == ("failed", True)


def test_a_waiting_job_is_cancelled_at_once_and_its_kind_is_told(kind):
    told = []
    row = jobs.enqueue(
        kind(lambda context: None, on_failure=lambda job, why: told.append(job.cancel_asked))
    )
    jobs.cancel(row)
    row.refresh_from_db()
    assert (row.state, told) == ("cancelled", [True])
    assert jobs.run(row.public_id) is False
    with pytest.raises(Refused, match="already over"):
        jobs.cancel(row)


@pytest.mark.parametrize("how", ["renewal", "raises", "finishes"])
def test_a_running_job_is_cancelled_at_its_next_step(kind, how):
    applied = []

    def work(context):
        jobs.cancel(Job.objects.get(pk=context.job.pk))
        if how == "renewal":
            context.save_progress()
        if how == "raises":
            raise Cancelled
        return Finish({}, lambda: applied.append(True))

    row = jobs.enqueue(kind(work))
    assert jobs.run(row.public_id) is False
    row.refresh_from_db()
    assert (row.state, applied) == ("cancelled", [])


def test_a_job_whose_worker_died_after_it_was_cancelled_ends_cancelled(kind):
    row = jobs.enqueue(kind(lambda context: None))
    change(row, state="running", attempt=1, lease_until=later(-HOUR), cancel_asked=True)
    jobs.run(row.public_id)
    row.refresh_from_db()
    assert row.state == "cancelled"


def test_a_failed_job_is_begun_again_with_fresh_attempts(kind):
    answers = iter([Refused("Not yet."), None])

    def work(context):
        if problem := next(answers):
            raise problem

    row = jobs.enqueue(kind(work, attempts=2))
    jobs.run(row.public_id)
    row.refresh_from_db()
    jobs.retry(row)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.error) == ("queued", 3, "")
    assert jobs.run(row.public_id) is True
    row.refresh_from_db()
    with pytest.raises(Refused, match="Only work that failed"):
        jobs.retry(row)


def test_a_failed_job_is_not_begun_again_beside_the_one_that_replaced_it(kind):
    work = kind(lambda context: None)
    row = jobs.enqueue(work, key="same")
    change(row, state="failed")
    jobs.enqueue(work, key="same")
    with pytest.raises(Refused, match="asked for again meanwhile"):
        jobs.retry(row)


def test_there_is_no_such_job():
    with pytest.raises(NotFound):
        jobs.get("nothing")


def test_a_queue_that_does_not_exist_is_refused_at_import():
    with pytest.raises(RuntimeError, match="'fast' is no queue"):
        jobs.job("fast", HOUR)


def test_only_who_asked_and_maintainers_steer_a_job(kind, alice, bob, mia):
    from amgs.core import policy

    row = jobs.enqueue(kind(lambda context: None), by=alice)
    assert policy.may(alice, "core.job.cancel", row)
    assert policy.may(mia, "core.job.cancel", row)
    assert policy.may(SYSTEM, "core.job.retry", row)
    with pytest.raises(NotAllowed, match="Only the person who asked"):
        policy.require(bob, "core.job.cancel", row)


# --- the sweep -------------------------------------------------------------------------------


@pytest.fixture
def no_periods(monkeypatch):
    """Leave the platform's own periodic kinds out of a sweep."""
    monkeypatch.setattr(
        jobs, "_KINDS", {name: kind for name, kind in jobs._KINDS.items() if not kind.every}
    )


def test_the_sweep_hints_at_what_is_due_and_was_never_hinted_at(kind, no_periods, hints):
    work = kind(lambda context: None)
    row = jobs.enqueue(work)
    jobs.enqueue(work, after=HOUR)
    assert sweep.sweep() == 1
    assert hints == [row.public_id]
    assert sweep.sweep() == 0  # its hint is fresh


def test_the_sweep_hints_again_at_what_its_worker_lost(kind, no_periods, hints, settings):
    row = jobs.enqueue(kind(lambda context: None))
    change(row, state="running", attempt=1, lease_until=later(-HOUR), hinted_at=later(-2 * HOUR))
    assert sweep.sweep() == 1
    assert sweep.sweep() == 0
    change(row, state="running", lease_until=later(HOUR))
    assert sweep.sweep() == 0


def test_hints_that_only_wait_are_not_given_again(kind, no_periods, hints, monkeypatch):
    work = kind(lambda context: None)
    rows = [change(jobs.enqueue(work), hinted_at=later(-HOUR)) for _ in range(3)]
    monkeypatch.setattr(sweep, "_held", lambda queue: 3)
    assert sweep.sweep() == 0
    monkeypatch.setattr(sweep, "_held", lambda queue: 1)  # the broker lost two of them
    assert sweep.sweep() == 2
    assert hints == [rows[0].public_id, rows[1].public_id]


def test_a_broker_that_is_away_stops_the_hints_until_the_next_sweep(kind, no_periods, monkeypatch):
    work = kind(lambda context: None)
    for _ in range(3):
        jobs.enqueue(work)
    asked = []
    monkeypatch.setattr(sweep, "_held", lambda queue: 0)
    monkeypatch.setattr(sweep, "hint", lambda row: asked.append(row.pk) is not None)
    assert sweep.sweep() == 0
    assert len(asked) == 1
    monkeypatch.setattr(sweep, "_held", lambda queue: None)
    assert sweep.sweep() == 0


def test_periodic_work_is_asked_for_once_per_period(kind, no_periods, hints):
    kind(lambda context: None, every=HOUR)
    sweep.sweep()
    sweep.sweep()
    (row,) = Job.objects.all()
    assert row.key == f"every:{row.kind}"
    jobs.run(row.public_id)
    sweep.sweep()
    assert Job.objects.count() == 1
    Beat.objects.update(last_at=later(-2 * HOUR))
    sweep.sweep()
    assert Job.objects.count() == 2


def test_old_rows_of_periodic_work_are_forgotten_and_others_stay(kind, run_jobs):
    work = kind(lambda context: None)
    rows = [jobs.enqueue(work, key=key) for key in ("every:x", "every:y", "mine")]
    for row in rows:
        jobs.run(row.public_id)
    change(rows[0], finished_at=later(-48 * HOUR))
    change(rows[2], finished_at=later(-48 * HOUR))
    row = jobs.enqueue(sweep.forget_periodic)
    jobs.run(row.public_id)
    row.refresh_from_db()
    assert row.result == {"removed": 1}
    assert set(Job.objects.values_list("key", flat=True)) == {"every:y", "mine", ""}


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_renewed_by_a_thread_while_the_work_goes_on(kind, settings):
    settings.JOB_LEASE = timedelta(seconds=0.3)
    seen = []

    def work(context):
        import time

        first = Job.objects.get(pk=context.job.pk).lease_until
        deadline = time.monotonic() + 10
        while not seen and time.monotonic() < deadline:
            context.progress(0.25, "on it")
            time.sleep(0.02)
            row = Job.objects.get(pk=context.job.pk)
            if row.lease_until > first and row.progress == 0.25:
                seen.append(True)

    row = jobs.enqueue(kind(work))
    assert jobs.run(row.public_id) is True
    assert seen == [True]


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_does_not_fail_the_service(kind, monkeypatch):
    from amgs.core.celery_tasks import run_job_task

    def away(**_):
        raise OSError("nobody listens")

    monkeypatch.setattr(run_job_task, "apply_async", away)
    row = jobs.enqueue(kind(lambda context: None))
    row.refresh_from_db()
    assert (row.state, row.hinted_at) == ("queued", None)
    assert not connection.in_atomic_block
