"""Raters measured: training, qualification, gold, repeats, drift, bias."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from curation.qualifying import QUALIFYING_FRAMES, GoldAnswer, qualification
from curation.rater_model import RaterTraits
from curation.raters import (
    GOLD_TOLD_EVERY,
    Deviation,
    RepeatedAnswer,
    bias_sentences,
    drift,
    gold_feedback,
    repeatability,
    repeats,
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


def test_what_is_told_of_gold_changes_rarely_and_gives_no_number() -> None:
    good = _answers([(1, 1)] * 10)
    assert gold_feedback(good[:-1], SCALE) == ""
    assert "close to what was agreed" in gold_feedback(good, SCALE)
    later = good + _answers([(0, 2)] * (GOLD_TOLD_EVERY - 1))
    assert gold_feedback(later, SCALE) == gold_feedback(good, SCALE)
    mixed = gold_feedback(_answers([(1, 1)] * 6 + [(0, 1)] * 4), SCALE)
    bad = gold_feedback(_answers([(0, 1)] * 10), SCALE)
    assert "mostly close" in mixed
    assert "often different" in bad
    assert "reference card" in bad
    assert not any(letter.isdigit() for letter in mixed + bad)


def test_repeats_give_a_kappa_per_unit() -> None:
    unit = SCALE.unit_keys[0]
    pairs = [(0, 0), (1, 1), (2, 2), (1, 2), (None, None), (0, None)]
    found = repeats([RepeatedAnswer(unit, *pair) for pair in pairs], SCALE)
    assert found.n == 6
    assert found.exact == pytest.approx(4 / 6)
    assert found.kappa[unit] == pytest.approx(0.8)
    assert math.isnan(found.kappa[SCALE.unit_keys[1]])
    assert found.sentence.startswith("67% of 6 grades were the same")
    assert "kappa 0.80" in found.sentence
    assert "No frame" in repeats([], SCALE).sentence
    assert "kappa" not in repeats([RepeatedAnswer(unit, 1, 1)], SCALE).sentence


def _course(shift: float, weeks: int = 10, each: int = 12) -> list[Deviation]:
    rng = np.random.default_rng(3)
    return [
        Deviation(week, f"{week}-{frame}", float(rng.normal(shift if week >= 6 else 0.0, 0.3)))
        for week in range(weeks)
        for frame in range(each)
        for _ in SCALE.units
    ]


@pytest.mark.parametrize(("shift", "word"), [(0.4, "higher"), (-0.4, "lower")])
def test_a_rater_who_moved_is_told_and_by_how_much(shift: float, word: str) -> None:
    found = drift(_course(shift))
    assert found.moved
    assert word in found.sentence
    assert found.change == pytest.approx(shift, abs=0.08)
    assert found.interval[0] < shift < found.interval[1]


def test_a_steady_rater_is_left_alone() -> None:
    found = drift(_course(0.0))
    assert not found.moved
    assert found.sentence == ""
    assert [week.week for week in found.weeks] == list(range(10))


def test_intervals_of_drift_equal_those_of_a_second_implementation() -> None:
    course = _course(0.2)
    looks: dict[str, list[float]] = {}
    for one in course:
        looks.setdefault(one.frame, []).append(one.difference)
    means = {frame: float(np.mean(values)) for frame, values in looks.items()}
    found = drift(course)
    first = [value for frame, value in means.items() if frame.startswith("0-")]
    assert found.weeks[0].interval == pytest.approx(ttest_1samp(first, 0).confidence_interval())
    late = [value for frame, value in means.items() if int(frame.split("-")[0]) >= 6]
    early = [value for frame, value in means.items() if int(frame.split("-")[0]) < 6]
    welch = ttest_ind(late, early, equal_var=False).confidence_interval()
    assert found.interval == pytest.approx(tuple(welch))


def test_too_little_to_say_moves_nobody() -> None:
    assert drift([]).weeks == ()
    few = drift([Deviation(0, "a", 1.0), Deviation(1, "b", -1.0)])
    assert not few.moved
    assert math.isnan(few.change)
    assert math.isnan(few.weeks[0].interval[0])
    constant = [
        Deviation(week, f"{week}-{n}", float(week > 3)) for week in range(8) for n in (1, 2)
    ]
    assert drift(constant).moved


def test_a_rater_hears_of_their_own_bias_only_where_it_is_sure_and_large() -> None:
    keys = SCALE.unit_keys
    bias = dict(zip(keys, (0.4, -0.3, 0.4, 0.05, 0.0), strict=True))
    error = dict(zip(keys, (0.1, 0.1, 0.3, 0.01, 0.1), strict=True))
    told = bias_sentences(RaterTraits(bias, error, 1.0, 1.0, 80), SCALE)
    assert len(told) == 2
    assert "higher than other raters, by 0.40 of a grade (± 0.20)" in told[0]
    assert "lower" in told[1]
    none = bias_sentences(RaterTraits(dict.fromkeys(keys, 0.0), error, 1.0, 1.0, 80), SCALE)
    assert none == ["Your grades are in line with those of the other raters."]
