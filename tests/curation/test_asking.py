"""What raters are asked, and where gold and repeats are hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.asking import (
    GOLD_EVERY,
    KINDS,
    STATE,
    VIEW,
    VIEWS,
    NoAnswer,
    choices,
    read_choice,
    read_units,
    turn,
)
from models.faces import VIEWS as FOUND_VIEWS
from models.scale import load_scale

SCALE = load_scale()


@given(st.text(max_size=26))
def test_under_a_tenth_of_the_frames_is_gold_and_the_first_ones_count(rater):
    turns = [turn(rater, number) for number in range(10 * GOLD_EVERY)]
    assert set(turns[:GOLD_EVERY]) == {"counted"}
    assert turns.count("gold") == 9
    for end in range(1, len(turns)):
        assert turns[:end].count("gold") * 10 <= end
    assert turns.count("repeat") <= len(turns) / 20


def test_the_places_differ_between_raters():
    first = [turn("rita", number) for number in range(120)]
    second = [turn("roger", number) for number in range(120)]
    assert first != second


def test_views_are_those_of_the_finder():
    assert tuple(VIEWS) == FOUND_VIEWS
    assert [choice.key for choice in choices(VIEW, SCALE)] == list(VIEWS)
    assert [choice.key for choice in choices(STATE, SCALE)] == list(SCALE.state_keys)
    assert choices("units", SCALE) == ()
    assert [kind.shows for kind in KINDS.values()] == ["still", "clip", "still"]


@pytest.mark.parametrize("answer", ["", "bored", None, 1, ["awake"]])
def test_a_word_that_is_no_answer_is_refused(answer):
    with pytest.raises(NoAnswer) as refusal:
        read_choice(STATE, answer, SCALE)
    assert refusal.value.field == "answer"
    assert "awake" in refusal.value.sentence


@given(
    st.dictionaries(
        st.sampled_from([*SCALE.unit_keys, "tail"]),
        st.one_of(
            st.integers(-2, 5),
            st.booleans(),
            st.none(),
            st.floats(allow_nan=True),
            st.fixed_dictionaries({"reason": st.sampled_from([*SCALE.reason_keys, "bored"])}),
        ),
    )
)
def test_whatever_is_sent_is_read_or_refused_with_its_field(grades):
    found = None
    try:
        found = read_units(grades, SCALE)
    except NoAnswer as refusal:
        problem = refusal
    if found is None:
        assert problem.field.startswith("grades.")
        return
    assert set(found) == set(SCALE.unit_keys)
    for unit, (grade, reason) in found.items():
        assert (grade is None) == bool(reason)
        assert grade is None or grade == grades[unit]
