"""The consensus by a model of the raters."""

from __future__ import annotations

import numpy as np
import pytest

from curation.rater_model import Estimate, RaterModel, fit_rater_model, needs_adjudication
from curation.simulation import World, world
from models.records import Vote
from models.scale import load_scale

SCALE = load_scale()
KEYS = SCALE.unit_keys
REASON = SCALE.reason_keys[0]


def _votes(one: World, raters: int) -> dict[str, list[Vote]]:
    return {
        f"F{frame}": [
            Vote(
                f"rater:{one.raters[frame, turn]}",
                key,
                grade if grade >= 0 else None,
                None if grade >= 0 else REASON,
                1.0,
                "rating",
            )
            for turn in range(raters)
            for key, grade in zip(KEYS, one.answers[frame, turn].tolist(), strict=True)
        ]
        for frame in range(len(one.truth))
    }


@pytest.fixture(scope="module")
def simulated() -> World:
    return world(250, seed=1)


@pytest.fixture(scope="module")
def model(simulated: World) -> RaterModel:
    return fit_rater_model(_votes(simulated, 4), SCALE)


def _say(grades: dict[str, list[int | None]]) -> list[Vote]:
    return [
        Vote(f"new:{number}", unit, grade, None if grade is not None else REASON, 1.0, "rating")
        for unit, given in grades.items()
        for number, grade in enumerate(given)
    ]


def test_the_model_is_closer_to_all_raters_than_the_plain_mean_and_says_how_close(
    simulated: World, model: RaterModel
) -> None:
    votes = _votes(simulated, 4)
    found = model.estimates(votes)
    for at, key in enumerate(KEYS):
        rows = [f for f in range(250) if simulated.scorable[f, at]]
        truth = simulated.truth[rows, at]
        ours = np.array([found[f"F{f}"][key].mean for f in rows])
        error = np.array([found[f"F{f}"][key].error for f in rows])
        plain = []
        for f in rows:
            grades = [vote.grade for vote in votes[f"F{f}"] if vote.unit == key]
            known = [grade for grade in grades if grade is not None]
            plain.append(np.mean(known) if known else np.nan)
        assert np.mean((ours - truth) ** 2) < 1.03 * np.nanmean((np.array(plain) - truth) ** 2)
        assert 0.7 < np.sqrt(np.mean(((ours - truth) / error) ** 2)) < 1.3, key


def test_an_estimate_is_a_distribution_with_its_votes(model: RaterModel) -> None:
    found = model.estimate(_say({KEYS[0]: [0, 1, None]}))
    assert list(found) == [KEYS[0]]
    one = found[KEYS[0]]
    assert sum(one.p) == pytest.approx(1)
    assert (one.counts, one.refused, one.n) == ((1, 1, 0), 1, 3)
    assert one.mean == pytest.approx(sum(g * p for g, p in enumerate(one.p)), abs=0.01)
    assert 0 < one.error < 0.6
    assert model.estimate([]) == {}
    assert model.estimates({"a": [], "b": _say({KEYS[1]: [2]})})["a"] == {}


def test_more_votes_narrow_the_error(model: RaterModel) -> None:
    errors = [model.estimate(_say({KEYS[1]: [1] * n}))[KEYS[1]].error for n in (1, 2, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.75 * errors[0]


def test_the_ear_of_one_frame_is_not_dictated_by_the_other_units(model: RaterModel) -> None:
    for unit in KEYS:
        others = {key: [2, 2, 2, 2] for key in KEYS if key != unit}
        said = model.estimate(_say({**others, unit: [0, 0, 0, 0]}))
        assert said[unit].mean < 0.75, unit
        assert all(said[key].mean > 1.2 for key in others)


def test_a_unit_that_most_raters_refuse_is_likely_not_scorable(model: RaterModel) -> None:
    refused = model.estimate(_say({KEYS[1]: [None, None, None]}))[KEYS[1]]
    graded = model.estimate(_say({KEYS[1]: [1, 0, 1]}))[KEYS[1]]
    assert refused.scorable < 0.05
    assert graded.scorable > 0.95
    assert refused.n == 3


def test_raters_are_described_and_a_biased_one_weighs_less(
    simulated: World, model: RaterModel
) -> None:
    traits = model.traits()
    asked = np.unique(simulated.raters[:, :4])
    assert set(traits) == {f"rater:{number}" for number in asked}
    # The first six raters of a world are biased, by turns down and up.
    up = np.mean([np.mean(list(traits[f"rater:{n}"].bias.values())) for n in (1, 3, 5)])
    down = np.mean([np.mean(list(traits[f"rater:{n}"].bias.values())) for n in (0, 2, 4)])
    assert up > 0.15 > -0.15 > down
    biased = np.mean([traits[f"rater:{n}"].weight for n in range(6)])
    usual = np.mean([traits[f"rater:{n}"].weight for n in range(6, 30)])
    assert 0.1 <= biased < usual <= 1
    assert all(one.votes > 0 for one in traits.values())


def test_a_biased_vote_counts_for_what_it_says_of_others(model: RaterModel) -> None:
    unit = KEYS[0]
    high = [Vote(f"rater:{n}", unit, 1, None, 1.0, "rating") for n in (1, 3, 5)]
    low = [Vote(f"rater:{n}", unit, 1, None, 1.0, "rating") for n in (0, 2, 4)]
    assert model.estimate(high)[unit].mean < model.estimate(low)[unit].mean


def test_the_same_votes_in_any_order_of_frames_give_the_same_model(simulated: World) -> None:
    votes = dict(list(_votes(simulated, 2).items())[:60])
    one = fit_rater_model(votes, SCALE).estimates(votes)
    two = fit_rater_model(dict(reversed(votes.items())), SCALE).estimates(votes)
    for frame in votes:
        for unit in KEYS:
            assert one[frame][unit].mean == pytest.approx(two[frame][unit].mean, abs=1e-6)


def test_nothing_at_all_is_a_model_too() -> None:
    assert fit_rater_model({}, SCALE).traits() == {}
    found = fit_rater_model({"a": _say({KEYS[0]: [1]})}, SCALE).estimate(_say({KEYS[0]: [2]}))
    assert 0 < found[KEYS[0]].mean < 2


@pytest.mark.parametrize("vote", [("tail", 1), (KEYS[0], 3), (KEYS[0], -1)])
def test_a_vote_outside_the_scale_is_an_error(vote: tuple[str, int]) -> None:
    with pytest.raises(ValueError, match="is no"):
        fit_rater_model({"a": [Vote("r", vote[0], vote[1], None, 1.0, "x")]}, SCALE)


def test_votes_without_weight_and_empty_ones_do_not_count(model: RaterModel) -> None:
    silent = [Vote("r", KEYS[0], 2, None, 0.0, "x"), Vote("r", KEYS[0], None, None, 1.0, "x")]
    assert model.estimate(silent) == {}


def _estimate(counts: tuple[int, ...], refused: int, error: float, scorable: float) -> Estimate:
    return Estimate((0.3, 0.4, 0.3), 1.0, error, scorable, 0.3, counts, refused)


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (_estimate((3, 2, 3), 0, 0.2, 1.0), "3 raters gave 0 and 3 gave 2"),
        (_estimate((4, 0, 0), 4, 0.2, 0.5), "4 of 8 raters could not score it"),
        (_estimate((1, 6, 1), 0, 0.4, 1.0), "open by ± 0.40"),
        (_estimate((1, 6, 1), 0, 0.3, 1.0), ""),
        (_estimate((3, 0, 3), 0, 0.9, 0.5), ""),
        (_estimate((2, 0, 2), 8, 0.9, 0.01), ""),
    ],
)
def test_what_raters_did_not_settle_is_put_before_a_curator(estimate: Estimate, words: str) -> None:
    unit = max(SCALE.units, key=lambda unit: unit.raters_needed)
    sentence = needs_adjudication(estimate, unit.key, SCALE)
    assert words in sentence
    assert bool(sentence) == bool(words)
    assert not sentence or sentence.startswith(unit.title)
