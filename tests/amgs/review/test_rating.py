"""Rating: who is given what, once and for how long, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from amgs.core.errors import NotAllowed, NotFound, Refused
from amgs.repository import services
from amgs.repository.models import Rating
from amgs.review.models import Assignment, Audit, Task
from amgs.review.services import discard, mark_seen, next_assignment, rate
from models.scale import load_scale


def test_raters_of_other_labs_rate_every_frame_of_the_audit_once(in_review, rate_all, rita, roger):
    version = in_review()
    assert Task.objects.filter(audit__version=version, kind="units").count() == 8
    assert rate_all(rita) == 8
    assert rate_all(roger, 2) == 8
    assert Rating.objects.filter(source="audit").count() == 2 * 8 * 5
    assert not Task.objects.filter(kind="units").exclude(finished=2, taken=2).exists()
    assert next_assignment(rater=rita) is None


def test_nobody_is_given_frames_of_their_own_lab(in_review, rolf, carl, rita):
    in_review()
    assert next_assignment(rater=rolf) is None
    assert next_assignment(rater=carl) is None
    assert next_assignment(rater=rita) is not None


def test_only_raters_and_curators_rate(in_review, alice, petra):
    in_review()
    for person in (alice, petra):
        with pytest.raises(NotAllowed):
            next_assignment(rater=person)


def test_who_opened_a_dataset_is_given_none_of_its_frames(in_review, rita, roger):
    version = in_review()
    held = next_assignment(rater=rita)
    mark_seen(user=rita, dataset=version.dataset)
    assert next_assignment(rater=rita) is None
    held.refresh_from_db()
    assert held.freed_at is not None
    assert not Task.objects.filter(taken__gt=0).exists()
    assert next_assignment(rater=roger) is not None


def test_a_rating_after_opening_the_dataset_is_refused(in_review, rita, grades):
    version = in_review()
    held = next_assignment(rater=rita)
    mark_seen(user=rita, dataset=version.dataset)
    with pytest.raises(Refused, match="no longer to be rated"):
        rate(assignment=held, by=rita, grades=grades())


def test_without_the_owners_permission_no_outside_rater_sees_a_frame(
    draft, take, alice, cora, rita
):
    version = draft(animals=1)
    services.sign_permissions(
        by=alice,
        version=version,
        kinds=["train"],
        signer_name="Prof. Arber",
        right_to_share=True,
    )
    take(version, ("submit", alice), ("start_review", cora))
    assert version.state == "in_review"
    assert not Audit.objects.exists()
    assert next_assignment(rater=rita) is None


def test_a_frame_is_given_to_no_more_raters_than_wanted(in_review, rita, roger, person):
    in_review(animals=1)
    frames = Task.objects.filter(kind="units").count()
    third = person("Rana Rossi", "rater")
    beside: dict = {rita: [], roger: [], third: []}
    for rater, held in beside.items():
        while found := next_assignment(rater=rater, beside=held):
            held.append(found.public_id)
    assert [len(held) for held in beside.values()] == [frames, frames, 0]


def test_asking_again_gives_the_same_frame_until_it_is_rated(in_review, rita, grades):
    in_review()
    first = next_assignment(rater=rita)
    assert next_assignment(rater=rita) == first
    ahead = next_assignment(rater=rita, beside=[first.public_id])
    assert ahead != first
    rate(assignment=first, by=rita, grades=grades())
    assert next_assignment(rater=rita) == ahead


def test_a_frame_not_rated_in_time_is_free_again(in_review, rita, roger, person, grades):
    in_review(animals=1)
    Task.objects.exclude(pk=Task.objects.first().pk).delete()
    late, other = next_assignment(rater=rita), next_assignment(rater=roger)
    third = person("Rana Rossi", "rater")
    assert next_assignment(rater=third) is None
    Assignment.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    new = next_assignment(rater=third)
    assert new.task == late.task
    rate(assignment=new, by=third, grades=grades())
    with pytest.raises(Refused, match="Others have rated this frame meanwhile"):
        rate(assignment=late, by=rita, grades=grades())
    rate(assignment=other, by=roger, grades=grades())
    assert Task.objects.get().finished == 2


def test_a_late_rating_is_kept_while_a_place_is_left(in_review, rita, roger, grades):
    in_review()
    late = next_assignment(rater=rita)
    Assignment.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    while held := next_assignment(rater=roger):
        rate(assignment=held, by=roger, grades=grades(0))
    late.refresh_from_db()
    assert late.freed_at is not None
    rate(assignment=late, by=rita, grades=grades())
    assert Rating.objects.filter(source="audit", rater=rita).count() == 5


def test_the_same_grades_sent_twice_are_stored_once_and_others_are_refused(in_review, rita, grades):
    in_review()
    held = next_assignment(rater=rita)
    rate(assignment=held, by=rita, grades=grades(1))
    rate(assignment=held, by=rita, grades=grades(1))
    assert Rating.objects.filter(source="audit").count() == 5
    with pytest.raises(Refused, match="rated this frame already"):
        rate(assignment=held, by=rita, grades=grades(2))


def test_a_frame_put_aside_goes_to_somebody_else(in_review, rita, roger):
    in_review(animals=1)
    Task.objects.exclude(pk=Task.objects.first().pk).delete()
    held = next_assignment(rater=rita)
    discard(assignment=held, by=rita, why="I recognise this animal")
    assert next_assignment(rater=rita) is None
    assert next_assignment(rater=roger).task == held.task
    assert Task.objects.get().taken == 1


def test_somebody_elses_assignment_cannot_be_rated(in_review, rita, roger, grades):
    in_review()
    held = next_assignment(rater=rita)
    with pytest.raises(NotFound):
        rate(assignment=held, by=roger, grades=grades())


@pytest.mark.parametrize("answer", [3, -1, True, 1.5, "1", None, {"reason": "bored"}, {}])
def test_an_answer_that_is_no_grade_is_refused_with_its_unit(in_review, rita, grades, answer):
    in_review(animals=1)
    unit = load_scale().unit_keys[2]
    held = next_assignment(rater=rita)
    with pytest.raises(Refused) as refusal:
        rate(assignment=held, by=rita, grades=grades() | {unit: answer})
    assert refusal.value.field == f"grades.{unit}"
    assert not Rating.objects.filter(source="audit").exists()


def test_silence_about_a_unit_is_no_answer_but_not_scorable_is(in_review, rita, grades):
    in_review(animals=1)
    unit = load_scale().unit_keys[0]
    reason = load_scale().reason_keys[0]
    held = next_assignment(rater=rita)
    some = grades()
    del some[unit]
    with pytest.raises(Refused, match="neither graded nor marked"):
        rate(assignment=held, by=rita, grades=some)
    rate(assignment=held, by=rita, grades=some | {unit: {"reason": reason}})
    rating = Rating.objects.get(source="audit", unit=unit)
    assert (rating.grade, rating.reason) == (None, reason)


def test_the_next_frame_is_one_look_into_one_index(in_review, rita):
    in_review()
    _ = rita.roles, rita.lab_ids
    with CaptureQueriesContext(
        connection,
    ) as queries:
        next_assignment(rater=rita)
    looks = [
        row["sql"]
        for row in queries
        if row["sql"].startswith("SELECT") and 'FROM "review_task"' in row["sql"]
    ]
    assert len([sql for sql in looks if "ORDER BY" in sql]) == 1
    assert "JOIN" not in next(sql for sql in looks if "ORDER BY" in sql)
    sql = next(sql for sql in looks if "ORDER BY" in sql)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = " ".join(str(row) for row in cursor.fetchall())
        assert "USING INDEX task_next" in plan
        assert "TEMP B-TREE FOR ORDER BY" not in plan
    assert len(queries) <= 15


def test_a_frame_chosen_by_eye_is_no_random_share(in_review, rita, grades, draft):
    from amgs.repository.models import Frame

    in_review(
        animals=1,
        metadata={
            "assay": "post_surgical",
            "assigned_unit": "animal",
            "people_and_cards": "none_seen",
            "raters_blind": "yes",
            "frames_chosen": "by_eye",
        },
    )
    while held := next_assignment(rater=rita):
        rate(assignment=held, by=rita, grades=grades())
    for frame in Frame.objects.filter(ratings__source="audit").distinct():
        shares = set(frame.ratings.filter(source="audit").values_list("random_share", flat=True))
        assert shares == {frame.drawn}


def test_the_random_share_is_what_chance_picked_here_or_in_the_lab(draft, bob):
    from amgs.repository.models import Frame
    from amgs.review.queries import random_share

    by_chance = draft(animals=1)
    by_eye = draft(
        by=bob, animals=1, seed=1, metadata={"assay": "post_surgical", "frames_chosen": "by_eye"}
    )
    every = Frame.objects.filter(recording__versions=by_chance).count()
    assert random_share([by_chance]).count() == every
    assert not random_share([by_eye]).filter(drawn=False).exists()
    assert random_share([by_eye]).count() == 2 * 12
