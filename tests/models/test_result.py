from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.records import Prediction
from models.result import DISCLAIMER, SEVERAL, nothing_scored, summarise
from models.scale import Scale, load_scale

Predict = Callable[..., Prediction]
FACE = [1, 1, 1, 1, 1]


def test_the_score_is_the_mean_per_unit_first(predict: Predict, scale: Scale) -> None:
    # The last unit is scored in the five painful frames only: it must not count five times less.
    frames = [predict(i, [0, 0, 0, 0, None]) for i in range(15)]
    frames += [predict(i, [2, 2, 2, 2, 2]) for i in range(15, 20)]
    result = summarise(frames, scale)
    assert result.units["orbital_tightening"].mean == pytest.approx(0.5)
    assert result.units["whisker_change"].mean == pytest.approx(2.0)
    assert result.score == pytest.approx((4 * 0.5 + 2.0) / 5)
    assert result.units["whisker_change"].n == 5


def test_a_unit_scored_in_a_handful_of_frames_only_does_not_enter_the_score(
    predict: Predict, scale: Scale
) -> None:
    frames = [predict(i, [1, 1, 1, 1, 2 if i < 4 else None]) for i in range(20)]
    assert summarise(frames, scale).score == pytest.approx(1.0)


def test_states_that_are_not_graded_gate_the_score_and_both_are_given(
    predict: Predict, scale: Scale
) -> None:
    frames = [predict(i, [0] * 5) for i in range(10)]
    frames += [predict(i, [2] * 5, "asleep", "asleep") for i in range(10, 20)]
    result = summarise(frames, scale)
    assert result.score == pytest.approx(0.0)
    assert result.score_ungated == pytest.approx(1.0)
    assert result.states == {"awake": 10, "asleep": 10}
    assert result.not_scorable == {"asleep": 10}
    assert result.coverage == pytest.approx(0.5)


def test_a_frame_with_two_scored_units_is_not_graded(predict: Predict, scale: Scale) -> None:
    frames = [predict(i, [1, 1, None, None, None]) for i in range(10)]
    result = summarise(frames, scale)
    assert (result.graded, result.score, result.outcome) == (0, None, "no_scorable_frames")
    assert result.not_scorable == {"blurred": 10}


@pytest.mark.parametrize(("graded", "others"), [(4, 0), (0, 30), (6, 80)])
def test_too_little_is_refused_with_a_sentence(
    predict: Predict, scale: Scale, graded: int, others: int
) -> None:
    frames = [predict(i, FACE) for i in range(graded)]
    frames += [predict(graded + i, None, "unclear", "no_face") for i in range(others)]
    result = summarise(frames, scale)
    assert result.outcome == "no_scorable_frames"
    assert result.score is None
    assert result.sentence.startswith("No score: ")
    assert "try again" in result.sentence
    assert ("no face found" in result.sentence) == bool(others)


def test_the_sentence_of_a_score_counts_frames(predict: Predict, scale: Scale) -> None:
    frames = [predict(i, FACE) for i in range(9)] + [predict(9, None, "grooming", "grooming")]
    result = summarise(frames, scale)
    assert result.sentence == (
        "The mean score is 1.00 on a scale from 0 to 2, from 9 of 10 frames; 1 frame was not "
        "graded, most often because: grooming."
    )
    assert result.disclaimer == DISCLAIMER


def test_frames_of_unclear_state_are_called_that_and_not_another_reason(
    predict: Predict, scale: Scale
) -> None:
    unknown = scale.unknown_state
    frames = [predict(i, FACE) for i in range(9)]
    unclear = [predict(9 + i, None, unknown.key, unknown.reason) for i in range(3)]
    said = summarise([*frames, *unclear], scale).sentence
    assert said.endswith("most often because: it is unclear whether the animal is awake.")
    other = [predict(9 + i, None, "awake", unknown.reason) for i in range(3)]
    assert summarise([*frames, *other], scale).sentence.endswith("because: another reason.")


def test_an_empty_recording_has_no_score(scale: Scale) -> None:
    result = summarise([], scale)
    assert (result.outcome, result.frames, result.bins) == ("no_scorable_frames", 0, ())
    assert "no frame" in result.sentence


def test_bins_have_the_stated_width_and_hold_every_frame_once(
    predict: Predict, scale: Scale
) -> None:
    frames = [predict(i, [0] * 5 if i < 10 else [2] * 5) for i in range(25)]
    result = summarise(frames, scale, bin_s=1.0)
    assert [(b.t0, b.n, b.score) for b in result.bins] == [(0, 10, 0), (1, 10, 2), (2, 5, 2)]
    assert result.bins[-1].t1 == pytest.approx(2.5)
    assert result.bins[1].units["nose_bulge"] == pytest.approx(2.0)


def test_long_recordings_get_wider_bins(predict: Predict, scale: Scale) -> None:
    frames = [predict(i, FACE, fps=0.1) for i in range(60)]
    result = summarise(frames, scale)
    assert result.bin_s == 5.0
    assert len(result.bins) <= 120
    assert {b.score for b in result.bins} == {1.0, None}


def test_segments_merge_neighbours_and_cover_the_recording(predict: Predict, scale: Scale) -> None:
    frames = [predict(i, FACE) for i in range(5)]
    frames += [predict(i, None, "grooming", "grooming") for i in range(5, 8)]
    frames += [predict(i, FACE) for i in range(8, 10)]
    segments = summarise(frames, scale).segments
    assert [(s.state, s.reason) for s in segments] == [
        ("awake", None),
        ("grooming", "grooming"),
        ("awake", None),
    ]
    assert [s.t0 for s in segments] == pytest.approx([0.0, 0.5, 0.8])
    assert [s.t1 for s in segments] == pytest.approx([0.5, 0.8, 1.0])


def test_the_best_frames_are_the_surest_and_lie_apart(predict: Predict, scale: Scale) -> None:
    frames = [predict(i, FACE, sure=0.9 if i in (4, 6, 20, 31) else 0.5) for i in range(40)]
    best = summarise(frames, scale).best
    numbers = [one.frame for one in best]
    assert 4 in numbers
    assert 20 in numbers
    assert 6 not in numbers  # too near to the one before
    assert 31 not in numbers  # not the first of its fifth of a second
    assert [one.pts for one in best] == sorted(one.pts for one in best)
    assert [one.time_s for one in best] == pytest.approx([one.pts / 1000 for one in best])


def test_where_only_later_frames_of_a_cell_are_graded_those_are_shown(
    predict: Predict, scale: Scale
) -> None:
    frames = [
        predict(i, FACE if i % 2 else None, "awake", None if i % 2 else "wrong_angle")
        for i in range(40)
    ]
    best = summarise(frames, scale).best
    assert best
    assert all(one.frame is not None and one.frame % 2 for one in best)


def test_frames_that_were_not_counted_are_named_by_their_timestamp(
    predict: Predict, scale: Scale
) -> None:
    frames = [replace(predict(i, FACE), index=-1) for i in range(20)]
    result = summarise(frames, scale)
    assert [one.frame for one in result.best] == [None] * len(result.best)
    assert len({one.pts for one in result.best}) == len(result.best) > 1
    assert "-1" not in json.dumps(result.to_json())


def wandering(predict: Predict, seconds: float, fps: float = 10.0) -> list[Prediction]:
    """A film whose grades swing slowly, so that neighbouring frames say nearly the same."""
    rng = np.random.default_rng(2)
    frames = []
    for second in range(round(seconds / 5)):
        low = rng.random() < 0.5
        for number in range(round(5 * fps)):
            frames.append(predict(second * round(5 * fps) + number, [0 if low else 1] * 5, fps=fps))
    return frames


def test_the_intervals_hold_the_means_and_stay_on_the_scale(predict: Predict, scale: Scale) -> None:
    result = summarise(wandering(predict, 120), scale)
    assert result.score is not None
    assert result.score_interval is not None
    low, high = result.score_interval
    assert 0 <= low < result.score < high <= 2
    # 24 swings, not 1,200 frames: as independent frames the interval would be a tenth as wide.
    assert high - low > 0.15
    for unit in result.units.values():
        assert unit.mean is not None
        assert unit.interval is not None
        assert unit.interval[0] <= unit.mean <= unit.interval[1]
    known = [b for b in result.bins if b.interval is not None]
    assert len(known) == len(result.bins)
    for b in known:
        assert b.interval is not None
        assert b.score is not None
        assert 0 <= b.interval[0] <= b.score <= b.interval[1] <= 2
    assert result.score_ungated_interval is not None
    assert "not how much animals differ" in result.interval_note


def test_intervals_are_the_same_every_time(predict: Predict, scale: Scale) -> None:
    frames = wandering(predict, 90)
    assert summarise(frames, scale) == summarise(frames, scale)


def test_a_short_recording_has_a_score_but_no_interval(predict: Predict, scale: Scale) -> None:
    result = summarise(wandering(predict, 10), scale)
    assert result.score is not None
    assert result.score_interval is None
    assert {unit.interval for unit in result.units.values()} == {None}
    assert {b.interval for b in result.bins} == {None}


def test_a_bin_without_a_score_has_no_interval(predict: Predict, scale: Scale) -> None:
    frames = wandering(predict, 120)
    frames[300:350] = [predict(300 + i, None, "asleep", "asleep") for i in range(50)]
    result = summarise(frames, scale, bin_s=5.0)
    assert result.bins[6].score is None
    assert result.bins[6].interval is None
    assert result.bins[7].interval is not None


def test_a_recording_of_several_animals_has_no_numbers(scale: Scale) -> None:
    result = nothing_scored("several_animals", SEVERAL, scale, phantom=True)
    assert (result.outcome, result.score, result.frames) == ("several_animals", None, 0)
    assert result.phantom
    assert "region" in result.sentence


def test_unfamiliar_frames_are_counted(predict: Predict, scale: Scale) -> None:
    frames = [predict(i, FACE) for i in range(6)]
    frames += [replace(predict(6, None, "unclear", "other"), unfamiliar=True)]
    assert summarise(frames, scale).unfamiliar == 1


def test_a_result_is_plain_json(predict: Predict, scale: Scale) -> None:
    result = summarise([predict(i, FACE) for i in range(6)], scale, phantom=True)
    told = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert told["phantom"] is True
    assert told["units"]["ear_position"] == {"mean": 1.0, "n": 6, "interval": None}
    assert told["bins"][0]["units"]["ear_position"] == 1.0


SCALE = load_scale()


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from([None, 0, 1, 2]), min_size=5, max_size=5),
            st.sampled_from([(None, "awake"), ("asleep", "asleep"), ("grooming", "grooming")]),
        ),
        max_size=40,
    )
)
def test_counts_always_add_up(
    predict: Predict, drawn: list[tuple[list[int | None], tuple[str | None, str]]]
) -> None:
    frames = [
        predict(i, grades, state, reason) for i, (grades, (reason, state)) in enumerate(drawn)
    ]
    result = summarise(frames, SCALE)
    assert result.graded + sum(result.not_scorable.values()) == result.frames == len(drawn)
    assert sum(result.states.values()) == len(drawn)
    assert sum(b.n for b in result.bins) == len(drawn)
    assert sum(b.n_graded for b in result.bins) == result.graded
    assert result.score is None or 0 <= result.score <= 2
    assert (result.score is None) == (result.outcome != "scored")
