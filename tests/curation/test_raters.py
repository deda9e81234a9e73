"""Qualification of raters and how well they repeat themselves."""

from __future__ import annotations

import math

from curation.raters import (
    QUALIFYING_FRAMES,
    GoldAnswer,
    RepeatedAnswer,
    qualification,
    repeatability,
)
from models.scale import load_scale

SCALE = load_scale()


def _answers(given: list[tuple[int | None, int | None]]) -> list[GoldAnswer]:
    return [GoldAnswer(unit, *pair) for pair in given for unit in SCALE.unit_keys]


def test_a_rater_who_matches_the_agreed_grades_is_qualified() -> None:
    found = qualification(_answers([(1, 1), (None, None)] * 10), SCALE)
    assert found.qualified
    assert (found.frames, found.exact, found.far_off) == (20, 1.0, 0.0)
    assert found.sentence == "You are qualified: 100% of your grades match the agreed ones."


def test_a_rater_who_is_far_off_is_not_qualified_and_learns_no_key() -> None:
    found = qualification(_answers([(1, 1)] * 18 + [(0, 2)] * 2), SCALE)
    assert not found.qualified
    assert "10% are far off" in found.sentence


def test_a_rater_who_guesses_is_not_qualified() -> None:
    assert not qualification(_answers([(0, 1), (1, 1)] * 15), SCALE).qualified


def test_too_few_frames_are_asked_for() -> None:
    found = qualification(_answers([(1, 1)] * 5), SCALE)
    assert not found.qualified
    assert found.sentence == f"Grade {QUALIFYING_FRAMES - 5} more training frames to qualify."


def test_repeats_count_not_scorable_as_an_answer() -> None:
    unit = SCALE.unit_keys[0]
    pairs = [
        RepeatedAnswer(unit, 1, 1),
        RepeatedAnswer(unit, None, None),
        RepeatedAnswer(unit, 0, None),
    ]
    assert repeatability(pairs) == 2 / 3
    assert math.isnan(repeatability([]))
