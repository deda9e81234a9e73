"""Frames rated for training: a random share, chosen ones with a reason, per-unit quorum."""

from __future__ import annotations

from collections import Counter

import pytest

from amgs.core.errors import Refused
from amgs.core.jobs import enqueue
from amgs.repository import services
from amgs.repository.models import Rating
from amgs.review.models import Consensus, Task
from amgs.review.queries import assignment_row, random_share
from amgs.review.services import next_assignment, rate
from curation.quorum import Policy
from curation.sampling import FIXED_RATERS
from models.scale import load_scale


@pytest.fixture
def published(publish):
    """Publish a version whose audit is rated."""
    return publish(animals=6)


@pytest.fixture
def filled(published, run_jobs):
    """Fill the queue from it."""
    enqueue("review.fill_queue")
    run_jobs()
    return published


@pytest.fixture
def rater(person):
    """Make more raters of no lab."""
    return lambda number: person(f"Rater{number} Rossi", "rater")


def queue(**more):
    return Task.objects.filter(audit=None, **more)


def test_a_fifth_is_drawn_at_random_for_a_fixed_number_of_raters(filled):
    random, chosen = queue(purpose="random"), queue(purpose="chosen")
    assert queue().count() > 20
    assert random.count() >= queue().count() / 5
    assert set(random.values_list("wanted", flat=True)) == {FIXED_RATERS}
    assert set(chosen.values_list("wanted", flat=True)) == {2}
    assert all(task.why.startswith("Chosen because") for task in chosen)
    assert min(queue().values_list("priority", flat=True)) >= 1


def test_filling_again_adds_nothing_twice(filled, run_jobs):
    before = set(queue().values_list("frame", flat=True))
    enqueue("review.fill_queue")
    run_jobs()
    after = list(queue().values_list("frame", flat=True))
    assert len(after) == len(set(after))
    assert before <= set(after)


def test_chosen_frames_are_no_random_share_and_random_ones_are(filled, rater, grades):
    someone = rater(1)
    while held := next_assignment(rater=someone):
        rate(assignment=held, by=someone, grades=grades(1))
    for task in queue(finished__gt=0).select_related("frame"):
        shares = set(
            Rating.objects.filter(frame=task.frame, rater=someone).values_list(
                "random_share", flat=True
            )
        )
        assert (True in shares) <= (task.purpose == "random")
    assert random_share([filled]).exists()


def test_units_that_are_exact_enough_are_asked_no_more(filled, rater, grades, run_jobs):
    units = load_scale().unit_keys
    split = dict.fromkeys(units, 1)
    for number in (1, 2):
        someone = rater(number)
        while held := next_assignment(rater=someone):
            # On every fourth frame they disagree about one unit, now one higher and now the other.
            frame = held.task.frame_id
            told = dict.fromkeys(units, frame % 3)
            if frame % 4 == 0:
                told[units[1]] = 2 * ((number + frame // 4) % 2)
            rate(assignment=held, by=someone, grades=told)
    enqueue("review.fill_queue")
    run_jobs()
    again = queue(purpose="chosen", wanted__gt=2)
    assert again.exists()
    counts = Counter(unit for task in again for unit in task.units)
    # Asked per unit: the noisiest ones are held to a wider bound.
    assert sum(counts.values()) < len(units) * again.count()
    assert not queue(purpose="random").exclude(wanted=FIXED_RATERS).exists()
    assert not queue(wanted__gt=Policy().cap).exists()
    assert Consensus.objects.filter(frame__in=queue().values("frame")).exists()
    third = rater(3)
    while (held := next_assignment(rater=third)) and not held.task.units:
        rate(assignment=held, by=third, grades=split)
    asked = [unit["key"] for unit in assignment_row(held)["units"]]
    assert asked == [unit for unit in units if unit in held.task.units]
    missing = next((unit for unit in units if unit not in asked), None)
    if missing:
        with pytest.raises(Refused, match="is not asked of this frame"):
            rate(assignment=held, by=third, grades=split)
    rate(assignment=held, by=third, grades=dict.fromkeys(asked, 1))
    assert Rating.objects.filter(frame=held.task.frame, rater=third).count() == len(asked)


def test_a_permission_taken_back_empties_the_queue(filled, alice):
    assert queue(closed=False).exists()
    services.take_back_permission(
        by=alice, version=filled, kind="outside_raters", why="Not any more."
    )
    assert not queue(closed=False).exists()
