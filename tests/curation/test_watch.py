"""When a week has drifted and when the probe has moved."""

from __future__ import annotations

import math

from curation.watch import (
    DRIFTED,
    JUDGED_FROM,
    PROBE_TOLERANCE,
    call_sentence,
    judge_probe,
    judge_week,
)
from models.glance import COAT, features
from models.scale import load_scale

SCALE = load_scale()
FEATURES = features(SCALE)


def even(feature: str, recordings: float) -> list[float]:
    bins = next(one.bins for one in FEATURES if one.key == feature)
    return [recordings / bins] * bins


def shifted(feature: str, recordings: float) -> list[float]:
    row = [0.0] * len(even(feature, 1))
    row[0] = recordings
    return row


def test_a_week_like_training_has_not_drifted() -> None:
    (found,) = judge_week(
        FEATURES, {"exposure": even("exposure", 60)}, {"exposure": even("exposure", 40)}
    )
    assert not found.drifted
    assert found.index is not None
    assert found.index < 0.01
    assert "as in training" in found.sentence


def test_a_week_unlike_training_has_drifted_and_says_how_far() -> None:
    (found,) = judge_week(
        FEATURES, {"exposure": even("exposure", 60)}, {"exposure": shifted("exposure", 40)}
    )
    assert found.drifted
    assert found.limit is not None
    assert found.limit >= DRIFTED
    assert found.shift is not None
    assert found.shift > 0.3


def test_too_few_recordings_say_nothing() -> None:
    few = JUDGED_FROM - 1
    (found,) = judge_week(
        FEATURES, {"exposure": even("exposure", 60)}, {"exposure": shifted("exposure", few)}
    )
    assert (found.drifted, found.index) == (False, None)
    assert str(JUDGED_FROM) in found.sentence


def test_the_limit_rises_where_chance_could_do_as_much() -> None:
    small = judge_week(
        FEATURES, {"exposure": even("exposure", 20)}, {"exposure": even("exposure", 20)}
    )
    large = judge_week(
        FEATURES, {"exposure": even("exposure", 2000)}, {"exposure": even("exposure", 2000)}
    )
    assert small[0].limit > DRIFTED
    assert large[0].limit == DRIFTED


def test_more_of_a_coat_is_named_in_the_call() -> None:
    names = next(one.names for one in FEATURES if one.key == COAT)
    before, now = [0.0] * len(names), [0.0] * len(names)
    before[0], now[1] = 50.0, 50.0
    (found,) = judge_week(FEATURES, {COAT: before}, {COAT: now})
    assert found.drifted
    assert found.more == SCALE.coat_keys[1]
    assert found.shift is None
    sentence = call_sentence(found, "2 November 2026", "black")
    assert "“black”" in sentence
    assert "2 November 2026" in sentence


def test_figures_that_one_side_lacks_are_left_out() -> None:
    assert judge_week(FEATURES, {"exposure": even("exposure", 60)}, {}) == []


def answer(score: float | None, coverage: float = 0.9, unit: float | None = 0.5) -> dict:
    return {
        "score": score,
        "score_ungated": score,
        "coverage": coverage,
        "units": {"ear_position": unit},
    }


def test_a_probe_within_tolerance_is_fine() -> None:
    found = judge_probe(answer(0.5), answer(0.5 + PROBE_TOLERANCE / 2))
    assert not found.moved
    assert math.isclose(found.moved_by or 0, PROBE_TOLERANCE / 2)


def test_a_probe_that_moves_names_what_moved() -> None:
    found = judge_probe(answer(0.5), answer(0.5, unit=0.7))
    assert found.moved
    assert "ear position" in found.sentence
    assert "0.200" in found.sentence


def test_a_value_that_goes_and_coverage_that_falls_have_moved() -> None:
    gone = judge_probe(answer(0.5), answer(None))
    assert (gone.moved, gone.moved_by) == (True, None)
    assert judge_probe(answer(0.5), answer(0.5, coverage=0.7)).moved
    assert not judge_probe(answer(None, unit=None), answer(None, unit=None)).moved
