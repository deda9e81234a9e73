"""The policy fires once for new data, says why it does not, and floods nobody with rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from amgs.core import decisions
from amgs.core.base import SYSTEM
from amgs.core.errors import NotAllowed, Refused
from amgs.core.models import Job
from amgs.training import services, triggers
from amgs.training.jobs import evaluate_policy
from amgs.training.models import Policy, Run, Trigger
from amgs.training.schedule import next_time


@pytest.fixture
def policy(mia):
    return services.edit_policy(by=mia, min_new_frames=10, recipe="tiny", profile="demo")


def finish(run, state=Job.State.DONE, snapshot=True):
    if snapshot:
        run.snapshot = services.freeze_snapshot(by=SYSTEM)
        run.save()
    Job.objects.filter(pk=run.job.pk).update(state=state)


def test_new_frames_fire_and_start_one_run(policy, publish):
    publish(animals=4, frames=3)
    trigger = triggers.evaluate()
    assert trigger.fired
    assert trigger.reason == ("12 new graded frames in AMGS-000001/1; the policy asks for 10.")
    run = trigger.run
    assert (run.recipe, run.profile, run.job.queue) == ("tiny", "demo", "train")
    assert run.thresholds["name"] == "demo"
    assert run.started_by is None
    assert Run.objects.count() == 1


def test_runs_begin_with_the_version_that_serves_where_the_policy_says_so(policy, publish, mia):
    assert policy.warm_start is False
    services.edit_policy(by=mia, warm_start=True)
    publish(animals=4, frames=3)
    assert triggers.evaluate().run.options == {"warm_start": True}


def test_a_negative_control_begins_with_no_model(publish, mia):
    publish()
    with pytest.raises(Refused, match="choose one of the two"):
        services.start_run(
            by=mia, recipe="tiny", profile="demo", negative_control=True, warm_start=True
        )
    assert not Run.objects.exists()


def test_one_run_at_a_time(policy, publish):
    publish()
    triggers.evaluate()
    publish("Meadow")
    assert not triggers.evaluate().fired
    assert triggers.evaluate() is None
    assert Run.objects.count() == 1


def test_too_few_new_frames_do_not_fire_and_the_reason_is_said_once(policy, publish):
    publish(animals=3, frames=3)
    first = triggers.evaluate()
    assert not first.fired
    assert first.reason == ("9 new graded frames since the last run; the policy asks for 10.")
    assert triggers.evaluate() is None
    publish("Meadow", animals=1, frames=1, seed=1)
    assert triggers.evaluate().fired
    assert Trigger.objects.count() == 2


def test_frames_of_a_finished_run_are_not_new(policy, publish):
    publish()
    finish(triggers.evaluate().run)
    said = triggers.evaluate()
    assert not said.fired
    assert "has been used" in said.reason
    publish("Meadow")
    assert triggers.evaluate().fired


def test_a_run_that_failed_is_not_begun_again_for_the_same_data(policy, publish):
    publish()
    finish(triggers.evaluate().run, Job.State.FAILED, snapshot=False)
    assert not triggers.evaluate().fired
    assert Run.objects.count() == 1


def test_a_negative_control_neither_blocks_the_policy_nor_uses_data_up(policy, publish, mia):
    publish()
    control = services.start_run(by=mia, recipe="tiny", profile="demo", negative_control=True)
    control.snapshot = services.freeze_snapshot(by=SYSTEM)
    control.save()
    assert triggers.evaluate().fired


def test_versions_that_training_may_not_use_do_not_count(policy, publish):
    publish(train=False)
    said = triggers.evaluate()
    assert not said.fired
    assert said.reason == "No published version lets training use its frames yet."


def test_switched_off_it_never_fires(policy, publish, mia):
    publish()
    services.edit_policy(by=mia, enabled=False)
    assert triggers.evaluate().reason == "Automatic retraining is switched off."


def test_asking_is_cheap_where_nothing_is_new(policy, publish, django_assert_max_num_queries):
    publish()
    finish(triggers.evaluate().run)
    triggers.evaluate()
    with django_assert_max_num_queries(12):
        assert triggers.evaluate() is None


def test_the_beat_asks_the_policy(policy, publish, run_jobs):
    from amgs.core import jobs

    publish(animals=1)
    jobs.enqueue(evaluate_policy)
    (job,) = run_jobs()
    assert (job.state, job.result["fired"]) == ("done", False)
    assert jobs.kinds()["training.evaluate_policy"].every.total_seconds() == 5


def test_only_a_maintainer_edits_the_policy_and_the_log_keeps_it(policy, alice, mia):
    with pytest.raises(NotAllowed, match="Only a maintainer"):
        services.edit_policy(by=alice, enabled=False)
    services.edit_policy(by=mia, min_new_frames=50)
    last = decisions.history(policy).last()
    assert last.facts == {"before": {"min_new_frames": 10}, "after": {"min_new_frames": 50}}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"recipe": "huge"}, "no recipe called 'huge'; choose one of demo"),
        ({"profile": "lax"}, "no gate profile called 'lax'"),
        ({"min_new_frames": 0}, "At least one new frame"),
        ({"colour": "red"}, "no field 'colour'"),
        ({"schedule": "at night"}, "must have five fields"),
        ({"schedule": "0 25 * * *"}, "names no time"),
        ({"schedule": "0 0 30 2 *"}, "names no time"),
        ({"schedule": "*/5 * * * *"}, "once an hour at most"),
    ],
)
def test_a_wrong_policy_is_refused_in_a_sentence(policy, mia, fields, sentence):
    with pytest.raises(Refused, match=sentence):
        services.edit_policy(by=mia, **fields)


def test_only_a_maintainer_starts_a_run(alice, cora, publish):
    publish()
    for person in (alice, cora):
        with pytest.raises(NotAllowed):
            services.start_run(by=person, recipe="tiny", profile="demo")


def make_due(policy):
    Policy.objects.filter(pk=policy.pk).update(scheduled_for=timezone.now() - timedelta(minutes=1))


def test_a_schedule_starts_a_run_where_anything_is_new(policy, publish, mia):
    services.edit_policy(by=mia, schedule=" 0  3 * * 1 ", min_new_frames=1000)
    policy.refresh_from_db()
    assert policy.schedule == "0 3 * * 1"
    assert policy.scheduled_for > timezone.now()
    publish(animals=1, frames=2)
    assert not triggers.evaluate().fired
    make_due(policy)
    said = triggers.evaluate()
    assert (said.fired, said.name) == (True, "schedule")
    assert said.reason == ("2 new graded frames in AMGS-000001/1; the schedule 0 3 * * 1 asks now.")
    policy.refresh_from_db()
    assert policy.scheduled_for > timezone.now()


def test_a_schedule_that_finds_nothing_new_leaves_one_row_each_time(policy, publish, mia):
    services.edit_policy(by=mia, schedule="0 3 * * *")
    publish()
    finish(triggers.evaluate().run)
    assert "has been used" in triggers.evaluate().reason
    for _ in range(2):
        make_due(policy)
        said = triggers.evaluate()
        assert (said.fired, said.name) == (False, "schedule")
        assert said.reason.startswith("The schedule asked: every published version")
        assert triggers.evaluate() is None


def test_a_schedule_missed_while_a_run_goes_on_asks_at_its_end(policy, publish, mia):
    services.edit_policy(by=mia, schedule="0 3 * * *", min_new_frames=12)
    publish(animals=4, frames=3)
    run = triggers.evaluate().run
    Job.objects.filter(pk=run.job.pk).update(state=Job.State.RUNNING)
    publish("Meadow", animals=1, frames=1)
    make_due(policy)
    assert "under way" in triggers.evaluate().reason
    finish(run)
    Run.objects.filter(pk=run.pk).update(snapshot=None)
    assert triggers.evaluate().name == "schedule"


def test_a_schedule_is_taken_back(policy, mia):
    services.edit_policy(by=mia, schedule="0 3 * * *")
    services.edit_policy(by=mia, schedule="")
    policy.refresh_from_db()
    assert policy.scheduled_for is None


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("0 3 * * 1", datetime(2026, 3, 9, 3, tzinfo=UTC)),
        ("30 12 * * *", datetime(2026, 3, 4, 12, 30, tzinfo=UTC)),
        ("0 0 1 * *", datetime(2026, 4, 1, tzinfo=UTC)),
        ("0 12 * * 3", datetime(2026, 3, 11, 12, tzinfo=UTC)),
    ],
)
def test_the_next_time_of_a_schedule(schedule, wanted):
    assert next_time(schedule, datetime(2026, 3, 4, 12, tzinfo=UTC)) == wanted


def test_a_new_lab_or_coat_starts_a_run_where_the_policy_says_so(policy, publish, mia):
    publish(animals=4, frames=3)
    finish(triggers.evaluate().run)
    publish("Meadow", animals=1, frames=1)
    assert not triggers.evaluate().fired
    services.edit_policy(by=mia, new_lab_or_coat=True)
    said = triggers.evaluate()
    assert (said.fired, said.name) == (True, "new_lab_or_coat")
    assert said.reason == "1 new graded frames in AMGS-000002/1, the first of Meadow."
    finish(said.run)
    publish("Meadow", animals=1, frames=1, coat="black", seed=1)
    assert triggers.evaluate().reason.endswith("the first of black.")


def test_the_first_lab_of_all_is_not_a_new_one(policy, publish, mia):
    services.edit_policy(by=mia, new_lab_or_coat=True)
    publish(animals=1, frames=1)
    assert not triggers.evaluate().fired


def test_data_of_an_independent_lab_start_nothing(policy, publish, mia):
    for name in ("Harbour", "Meadow"):
        publish(name, animals=2)
    publish("Brook", animals=9)
    services.set_lab_aside(by=mia, lab="Brook", why="to see")
    said = triggers.evaluate()
    assert said.facts["new_frames"] == 12
    assert "AMGS-000003/1" not in said.facts["versions"]


def test_a_newer_snapshot_takes_the_place_of_a_run_that_waits(policy, publish, mia):
    publish(animals=8)
    old = services.freeze_snapshot(by=mia)
    waiting = services.start_run(by=mia, recipe="tiny", profile="demo", snapshot=old)
    assert waiting.benchmark == old.benchmark
    publish("Meadow", animals=8)
    newer = triggers.evaluate().run
    waiting.refresh_from_db()
    assert waiting.superseded_by == newer
    assert waiting.job.state == "cancelled"
    why = decisions.history(waiting).last().why
    assert why == f"Run {newer.public_id} learns from a newer snapshot and takes its place."


def test_a_run_that_began_or_learns_from_what_is_newest_keeps_its_place(policy, publish, mia):
    publish(animals=8)
    old = services.freeze_snapshot(by=mia)
    began = services.start_run(by=mia, recipe="tiny", profile="demo", snapshot=old)
    Job.objects.filter(pk=began.job.pk).update(attempt=1)
    same = services.start_run(by=mia, recipe="tiny", profile="demo", snapshot=old)
    open_ended = services.start_run(by=mia, recipe="tiny", profile="demo", seed=3)
    for run in (began, same, open_ended):
        run.refresh_from_db()
    assert (began.superseded_by, same.superseded_by) == (None, None)
    publish("Meadow", animals=8)
    assert "under way" in triggers.evaluate().reason
    Job.objects.filter(pk=began.job.pk).update(state="done")
    assert "waits for its turn" in triggers.evaluate().reason
    open_ended.snapshot = services.freeze_snapshot(by=mia)
    open_ended.save()
    services.supersede_older(run=open_ended)
    same.refresh_from_db()
    assert same.superseded_by == open_ended
