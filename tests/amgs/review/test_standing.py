"""Raters' own figures: computed from finished frames, shown to themselves alone."""

from __future__ import annotations

import pytest

from amgs.review.models import Assignment, Standing
from amgs.review.queries import standing_page
from amgs.review.services import next_assignment, rate
from amgs.review.standing import measure, raters_to_measure, week_begins


def test_nothing_is_said_of_frames_that_others_may_still_be_given(in_review, rate_all, rita, roger):
    in_review()
    rate_all(rita, 2)
    assert measure(rita)["shared"] == 0
    rate_all(roger, 1)
    figures = measure(rita)
    assert figures["shared"] == 8
    assert figures["bias"] == []  # fewer than twenty frames
    ((week, frames, bias, low, high),) = figures["weeks"]
    assert (frames, bias, low, high) == (8, 1.0, 1.0, 1.0)
    assert week_begins(week).weekday() == 0


def test_a_rater_who_grades_higher_reads_so_and_nobody_else_does(
    in_review, rate_all, rita, roger, run_jobs, client
):
    in_review(animals=6)
    rate_all(rita, 2)
    rate_all(roger, 1)
    from amgs.core.jobs import enqueue

    assert raters_to_measure() == [rita, roger]
    enqueue("review.measure_raters")
    run_jobs()
    assert raters_to_measure() == []
    told = standing_page(rita)
    assert told["committed"] == 24
    assert any("higher than other raters" in line for line in told["figures"]["bias"])
    assert any("lower" in line for line in standing_page(roger)["figures"]["bias"])
    client.force_login(rita)
    page = client.get("/rate/me").content.decode()
    assert "higher than other raters" in page
    assert "lower than other raters" not in page
    assert roger.public_id not in page


def test_before_anything_is_known_the_page_says_so(client, rita, alice):
    client.force_login(rita)
    page = client.get("/rate/me")
    assert b"twice a day" in page.content
    assert not Standing.objects.exists()
    client.force_login(alice)
    assert client.get("/rate/me").status_code == 403


@pytest.mark.parametrize("again", [1, 2])
def test_repeats_are_compared_with_the_first_answers(in_review, rita, roger, grades, again):
    in_review(animals=1)
    held = next_assignment(rater=rita)
    rate(assignment=held, by=rita, grades=grades(1))
    row = Assignment.objects.create(
        task=held.task, rater=rita, repeat=True, expires_at=held.expires_at
    )
    rate(assignment=row, by=rita, grades=grades(again))
    said = "100%" if again == 1 else "0%"
    assert measure(rita)["repeats"].startswith(f"{said} of 5 grades")
