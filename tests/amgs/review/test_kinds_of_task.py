"""State and view tasks, gold and training frames, repeats, flags, taking back, recognising."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from amgs.core.errors import NotAllowed, NotFound, Refused
from amgs.repository.models import Frame, Rating
from amgs.review import queries
from amgs.review.models import Assignment, Gold, Judgement, Seen, Standing, Task
from amgs.review.services import (
    discard,
    feedback,
    next_assignment,
    rate,
    retire_gold,
    set_gold,
    start_audit,
    take_back,
)
from curation import asking
from curation.qualifying import QUALIFYING_FRAMES
from models.scale import load_scale


@pytest.fixture
def golden(in_review, draft, take, bob, cora, grades):
    """Make frames of another lab gold, all graded 1."""

    def make(count: int = 1, *, training: bool = False) -> list[Gold]:
        version = draft(by=bob, animals=3, seed=5)
        take(version, ("submit", bob))
        frames = Frame.objects.filter(recording__versions=version).order_by("pk")
        return [
            set_gold(by=cora, frame=frame, agreed=grades(1), training=training, note="look")
            for frame in frames[:count]
        ]

    return make


def answer_all(rater, kind, answer) -> int:
    count = 0
    while held := next_assignment(rater=rater, kind=kind):
        rate(assignment=held, by=rater, grades=answer)
        count += 1
    return count


def test_views_are_named_by_raters_and_never_mix_with_grades(in_review, rita, roger):
    in_review()
    assert answer_all(rita, "view", "frontal") == 8
    assert answer_all(roger, "view", "profile") == 8
    assert Judgement.objects.filter(kind="view").count() == 16
    assert not Rating.objects.filter(source="audit").exists()
    assert next_assignment(rater=rita).kind == "units"
    held = next_assignment(rater=roger)
    Assignment.objects.filter(pk=held.pk).update(kind="view")
    held.refresh_from_db()
    with pytest.raises(Refused, match="Choose one of frontal"):
        rate(assignment=held, by=roger, grades="sideways")


def test_an_empty_task_says_which_others_wait(in_review, rita):
    in_review()
    assert answer_all(rita, "view", "frontal") == 8
    browser = Client()
    browser.force_login(rita)
    page = browser.get("/rate/?kind=view").content.decode()
    assert "No view task waits for you" in page
    assert "8 under Action units" in " ".join(page.split())
    answer_all(rita, "units", dict.fromkeys(load_scale().unit_keys, 1))
    page = browser.get("/rate/").content.decode()
    assert "Nothing waits for you" in page
    assert "under Action units" not in page


def test_a_state_task_waits_for_its_silent_clip(in_review, rita, run_jobs):
    version = in_review(animals=1)
    Task.objects.filter(kind="state").update(clip_key="", closed=True)
    assert next_assignment(rater=rita, kind="state") is None
    start_audit(version=version)
    assert next_assignment(rater=rita, kind="state") is None
    run_jobs()
    held = next_assignment(rater=rita, kind="state")
    row = queries.assignment_row(held)
    assert row["clip"]
    assert row["units"] == []
    assert {choice["key"] for choice in row["choices"]} == set(load_scale().state_keys)
    rate(assignment=held, by=rita, grades="asleep")
    assert Judgement.objects.get(kind="state").answer == "asleep"


def test_units_are_graded_on_the_still_alone(in_review, rita, run_jobs):
    in_review(animals=1)
    run_jobs()
    assert queries.assignment_row(next_assignment(rater=rita))["clip"] is None


def test_there_is_no_fourth_kind(in_review, rita):
    in_review(animals=1)
    with pytest.raises(Refused, match="units, state, view"):
        next_assignment(rater=rita, kind="mood")


def test_zoom_contrast_flag_and_the_answers_as_sent_are_kept(in_review, rita, grades):
    in_review(animals=1)
    held = next_assignment(rater=rita)
    rate(
        assignment=held,
        by=rita,
        grades=grades(2),
        seconds=99999,
        viewing={"zoom": 2.5, "contrast": 99, "hue": 1, "contrast2": True},
        flag="  two mice?  ",
    )
    held.refresh_from_db()
    assert held.viewing == {"zoom": 2.5, "contrast": 4.0}
    assert (held.flag, held.seconds, held.answers) == ("two mice?", 3600.0, grades(2))


def test_the_last_frame_can_be_taken_back_and_answered_again(in_review, rita, grades):
    in_review(animals=1)
    first = next_assignment(rater=rita)
    rate(assignment=first, by=rita, grades=grades(1))
    second = next_assignment(rater=rita)
    rate(assignment=second, by=rita, grades=grades(1))
    with pytest.raises(Refused, match="Only the last frame"):
        take_back(assignment=first, by=rita)
    take_back(assignment=second, by=rita)
    assert Rating.objects.filter(source="audit").count() == 5
    assert Task.objects.get(pk=second.task_id).finished == 0
    second.refresh_from_db()
    assert next_assignment(rater=rita) == second
    rate(assignment=second, by=rita, grades=grades(2))
    assert set(Rating.objects.filter(frame=second.task.frame).values_list("grade", flat=True)) >= {
        2
    }
    assert take_back(assignment=second, by=rita).rated_at is None
    assert take_back(assignment=second, by=rita).rated_at is None  # twice is once


def test_after_ten_minutes_nothing_is_taken_back(in_review, rita, roger, grades):
    in_review(animals=1)
    held = next_assignment(rater=rita)
    rate(assignment=held, by=rita, grades=grades(1))
    with pytest.raises(NotFound):
        take_back(assignment=held, by=roger)
    long_ago = timezone.now() - timedelta(minutes=11)
    Assignment.objects.filter(pk=held.pk).update(rated_at=long_ago)
    with pytest.raises(Refused, match="within ten minutes"):
        take_back(assignment=held, by=rita)


def test_who_recognises_an_animal_gets_no_frame_of_its_dataset(in_review, rita):
    version = in_review()
    held = next_assignment(rater=rita)
    discard(assignment=held, by=rita, why="", recognised=True)
    held.refresh_from_db()
    assert held.discarded == "I recognise this animal or group"
    assert Seen.objects.filter(user=rita, dataset=version.dataset).exists()
    assert next_assignment(rater=rita) is None


def test_gold_is_hidden_between_frames_that_count_and_never_told(
    in_review, golden, rita, grades, monkeypatch
):
    in_review()
    golden(1)
    monkeypatch.setattr("amgs.review.services.queue.turn", lambda rater, given: "gold")
    held = next_assignment(rater=rita)
    assert held.gold is not None
    row = queries.assignment_row(held)
    counted = {"id", "kind", "question", "still", "clip", "training", "units", "choices", "reasons"}
    assert set(row) == counted
    assert row["training"] is False
    rate(assignment=held, by=rita, grades=grades(2))
    held.refresh_from_db()
    assert feedback(held) is None
    assert not Rating.objects.filter(source="audit").exists()
    assert next_assignment(rater=rita).gold is None  # once each, then what counts


def test_a_repeat_is_kept_apart_from_what_counts(in_review, rita, grades, monkeypatch):
    in_review(animals=1)
    first = next_assignment(rater=rita)
    rate(assignment=first, by=rita, grades=grades(1))
    monkeypatch.setattr("amgs.review.services.queue.turn", lambda rater, given: "repeat")
    assert next_assignment(rater=rita).repeat is False  # nothing is old enough
    Assignment.objects.filter(rated_at=None).delete()
    Task.objects.update(taken=F("finished"))
    days = timedelta(days=asking.REPEAT_AFTER_DAYS, minutes=1)
    Assignment.objects.filter(pk=first.pk).update(rated_at=timezone.now() - days)
    again = next_assignment(rater=rita)
    assert again.repeat
    assert again.task == first.task
    rate(assignment=again, by=rita, grades=grades(0))
    assert Rating.objects.filter(source="audit").count() == 5
    assert Task.objects.get(pk=first.task_id).finished == 1
    assert next_assignment(rater=rita).repeat is False


def test_a_learner_gets_the_training_set_with_feedback_until_qualified(
    in_review, golden, rita, roger, grades
):
    in_review()
    made = golden(QUALIFYING_FRAMES, training=True)
    assert len(made) == QUALIFYING_FRAMES
    for number in range(QUALIFYING_FRAMES):
        held = next_assignment(rater=rita)
        assert held.gold.training
        assert feedback(held) is None
        rate(assignment=held, by=rita, grades=grades(1))
        held.refresh_from_db()
        assert feedback(held)["agreed"] == grades(1)
        assert (number == QUALIFYING_FRAMES - 1) == bool(
            Standing.objects.filter(rater=rita, qualified_at__isnull=False)
        )
    assert next_assignment(rater=rita).gold is None
    newest = Assignment.objects.filter(rater=rita, rated_at__isnull=False).last()
    with pytest.raises(Refused, match="shown the agreed grades"):
        take_back(assignment=newest, by=rita)
    for _ in range(QUALIFYING_FRAMES):
        rate(assignment=next_assignment(rater=roger), by=roger, grades=grades(0))
    assert next_assignment(rater=roger).gold.training  # not qualified: once more round


def test_only_curators_set_gold_and_only_where_the_lab_allows(golden, rita, cora, grades):
    (gold,) = golden(1)
    with pytest.raises(NotAllowed):
        set_gold(by=rita, frame=gold.frame, agreed=grades(1))
    with pytest.raises(Refused, match="graded 0 to 2"):
        set_gold(by=cora, frame=gold.frame, agreed=grades(7))
    retire_gold(by=cora, gold=gold)
    again = set_gold(by=cora, frame=gold.frame, agreed=grades(0))
    assert again != gold
    gold.frame.recording.versions.first().permissions.all().delete()
    with pytest.raises(Refused, match="does not let raters"):
        set_gold(by=cora, frame=gold.frame, agreed=grades(1))


def test_a_training_frame_that_was_left_open_comes_again(golden, in_review, rita, grades):
    in_review()
    golden(QUALIFYING_FRAMES, training=True)
    left = next_assignment(rater=rita)
    Assignment.objects.filter(pk=left.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    for _ in range(QUALIFYING_FRAMES):
        rate(assignment=next_assignment(rater=rita), by=rita, grades=grades(1))
    met = Assignment.objects.filter(rater=rita, rated_at__isnull=False)
    assert met.filter(gold=left.gold).exists()
    assert Standing.objects.get(rater=rita).qualified_at
