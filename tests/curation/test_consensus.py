"""From votes to distributions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.consensus import consensus, quorum_met, vote_weights
from models.records import Vote
from models.scale import load_scale

SCALE = load_scale()
UNIT = SCALE.unit_keys[0]
REASON = SCALE.reason_keys[0]


def _vote(grade: int | None, weight: float = 1.0, reason: str | None = None) -> Vote:
    if grade is None and reason is None:
        reason = REASON
    return Vote("r", UNIT, grade, reason, weight, "rating")


def test_weights_shape_the_distribution_and_not_scorable_is_kept_apart() -> None:
    found = consensus([_vote(0), _vote(2, 3.0), _vote(None, 4.0)], SCALE)[UNIT]
    assert found.p == pytest.approx((0.25, 0.0, 0.75))
    assert found.scorable == pytest.approx(0.5)
    assert found.n == 3
    assert found.mean == pytest.approx(1.5)


def test_where_nobody_graded_the_grade_is_unknown_and_not_zero() -> None:
    found = consensus([_vote(None), _vote(None)], SCALE)[UNIT]
    assert all(math.isnan(share) for share in found.p)
    assert math.isnan(found.mean)
    assert found.scorable == 0


def test_a_tie_stays_a_tie() -> None:
    assert consensus([_vote(0), _vote(1)], SCALE)[UNIT].p == (0.5, 0.5, 0.0)


def test_votes_that_say_nothing_or_weigh_nothing_do_not_count() -> None:
    assert consensus([], SCALE) == {}
    assert consensus([_vote(1, 0.0), Vote("r", UNIT, None, None, 1.0, "x")], SCALE) == {}


@pytest.mark.parametrize("vote", [Vote("r", "tail", 1, None, 1.0, "x"), _vote(3), _vote(-1)])
def test_a_vote_outside_the_scale_is_an_error(vote: Vote) -> None:
    with pytest.raises(ValueError, match="is no"):
        consensus([vote], SCALE)


@given(
    st.lists(
        st.tuples(st.sampled_from([None, 0, 1, 2]), st.floats(0.01, 10)), min_size=1, max_size=12
    )
)
def test_a_distribution_sums_to_one_or_is_unknown(given_votes) -> None:
    found = consensus([_vote(grade, weight) for grade, weight in given_votes], SCALE)[UNIT]
    assert 0 <= found.scorable <= 1
    if any(grade is not None for grade, _ in given_votes):
        assert sum(found.p) == pytest.approx(1)
    else:
        assert found.scorable == 0


def test_a_unit_on_which_people_disagree_needs_more_raters() -> None:
    needed = {unit.key: unit.raters_needed for unit in SCALE.units}
    hard = max(needed, key=lambda key: needed[key])
    votes = [Vote(str(n), hard, 1, None, 1.0, "x") for n in range(needed[hard])]
    assert quorum_met(consensus(votes, SCALE)[hard], hard, SCALE)
    assert not quorum_met(consensus(votes[1:], SCALE)[hard], hard, SCALE)
    assert not quorum_met(None, hard, SCALE)


def test_a_rater_weighs_what_their_reliability_is_within_limits() -> None:
    weights = vote_weights({"a": 0.7, "b": -0.3, "c": 1.4}, ["a", "b", "c", "new"])
    assert weights == {"a": 0.7, "b": 0.1, "c": 1.0, "new": 1.0}
