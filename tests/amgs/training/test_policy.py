"""The policy fires once for new data, says why it does not, and floods nobody with rows."""

from __future__ import annotations

import pytest

from amgs.core.base import SYSTEM
from amgs.core.errors import NotAllowed, Refused
from amgs.core.models import Job
from amgs.training import services, triggers
from amgs.training.jobs import evaluate_policy
from amgs.training.models import Run, Trigger


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
    from amgs.core import decisions

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
