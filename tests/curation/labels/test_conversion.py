"""Rules from other scales."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.labels import UnknownFormat, conversion
from curation.labels.conversion import grade_choices, score_choices


@pytest.mark.parametrize(
    ("rule", "grades"),
    [
        ("0-9:nearest", [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]),
        ("0-9:equal", [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]),
        ("0-9:3,7", [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]),
        ("0-8:nearest", [0, 0, 1, 1, 1, 1, 2, 2, 2, None]),
        ("1-9:2,9", [None, 0, 1, 1, 1, 1, 1, 1, 1, 2]),
    ],
)
def test_a_rule_gives_grades(rule: str, grades: list[int | None]) -> None:
    assert [conversion(rule, 2).grade(number) for number in range(10)] == grades


def test_a_rule_is_shown_in_words() -> None:
    assert conversion("0-9:3,7", 2).sentence == (
        "Of the scale 0 to 9, below 3 is 0, from 3 and below 7 is 1, from 7 is 2."
    )
    assert "shares" in conversion("0-8:share", 2).sentence


@pytest.mark.parametrize(
    "rule", ["", "9", "0-9", "9-0:equal", "0-9:guess", "0-9:7,3", "0-9:3", "0-9:0,3", "0-9:3,,"]
)
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(UnknownFormat):
        conversion(rule, 2)


def test_the_sum_of_four_units_is_a_share_of_eight() -> None:
    rule = conversion("0-8:share", 2)
    assert [rule.share(number, 2) for number in (0, 4, 8, 9)] == [0, 1, 2, None]


def test_only_rules_that_reach_the_highest_number_are_offered() -> None:
    assert {rule.split(":")[0] for rule, _ in grade_choices(9, 2)} == {"0-9", "0-10", "0-100"}
    assert {rule for rule, _ in grade_choices(1.5, 2)} == {"0-2:nearest", "0-2:equal"}
    assert [rule for rule, _ in score_choices(8, 2, 5)] == [
        *("0-10:share", "0-8:share", "0-100:share")
    ]


@given(st.text(max_size=12))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    try:
        rule = conversion(text, 2)
    except UnknownFormat:
        return
    assert rule.low < rule.high


@given(st.floats(0, 9), st.floats(0, 9), st.sampled_from(["nearest", "equal", "1,8"]))
def test_a_higher_number_never_gives_a_lower_grade(one: float, other: float, how: str) -> None:
    rule = conversion(f"0-9:{how}", 2)
    low, high = sorted((one, other))
    assert rule.grade(low) <= rule.grade(high)
