"""The ordinal model of raters against exact integration, and on raters whose traits are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from models.stats.ordinal_raters import (
    NOT_RATED,
    NOT_SCORABLE,
    Parameters,
    Sheets,
    fit,
    population_grades,
    population_mean,
    posterior,
    scatter,
)
from models.stats.scorable_raters import fit_scorable

KAPPA = np.array([0.5, 0.4])


def _parameters(halo: float = 0.4, parts: int = 1) -> Parameters:
    correlated = np.array([[0.3, 0.15], [0.15, 0.4]])
    return Parameters(
        share=np.full(parts, 1 / parts),
        mean=np.array([[0.3, 0.4], [1.2, 1.0]])[:parts],
        spread=np.stack([correlated, 0.5 * correlated])[:parts],
        noise=np.array([0.2, 0.3]),
        halo=np.full(2, halo),
        bias=np.array([[0.0, 0.0], [0.2, -0.1]]),
        bias_error=np.full((2, 2), 0.1),
        scale=np.array([1.0, 1.5]),
        bias_common=0.08,
        bias_own=0.06,
    )


def _sheets(grades: list[list[int]], frame: list[int], rater: list[int]) -> Sheets:
    return Sheets(
        np.array(grades),
        np.array(frame),
        np.array(rater),
        max(frame) + 1,
        max(rater) + 1,
        np.array([2, 2]),
    )


def _exact(sheets: Sheets, known: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the intensities of the first frame, by many draws of the prior."""
    rng = np.random.default_rng(0)
    draws = 300_000
    part = rng.choice(len(known.share), draws, p=known.share)
    theta = np.empty((draws, 2))
    for number in range(len(known.share)):
        rows = part == number
        theta[rows] = rng.multivariate_normal(known.mean[number], known.spread[number], rows.sum())
    weight = np.ones(draws)
    for grades, rater in zip(sheets.grades, sheets.rater, strict=True):
        eta = rng.standard_normal(draws)
        for unit, grade in enumerate(grades):
            if grade < 0:
                continue
            at = theta[:, unit] + known.bias[rater, unit] + known.halo[unit] * eta
            noise = np.sqrt(known.noise[unit] * known.scale[rater])
            low = ndtr((grade - 0.5 - at) / noise) if grade else 0.0
            high = ndtr((grade + 0.5 - at) / noise) if grade < 2 else 1.0
            weight *= high - low
    weight /= weight.sum()
    mean = weight @ theta
    return mean, weight @ (theta - mean) ** 2


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize(
    "grades",
    [
        [[0, 0], [0, 1]],
        [[2, 1], [1, NOT_RATED]],
        [[0, 2], [2, 2]],
        [[1, NOT_SCORABLE], [NOT_RATED, 0]],
    ],
)
def test_intensities_equal_those_of_exact_integration(grades: list[list[int]], parts: int) -> None:
    sheets, known = _sheets(grades, [0, 0], [0, 1]), _parameters(parts=parts)
    found = posterior(sheets, known, sweeps=30)
    mean = (found.weight[..., None] * found.mean).sum(0)[0]
    square = (found.weight[..., None] * (found.variance + found.mean**2)).sum(0)[0]
    exact_mean, exact_variance = _exact(sheets, known)
    assert mean == pytest.approx(exact_mean, abs=0.04)
    assert square - mean**2 == pytest.approx(exact_variance, rel=0.12)


def test_a_frame_without_grades_is_known_as_the_prior_knows_it() -> None:
    sheets = _sheets([[NOT_SCORABLE, NOT_RATED]], [0], [0])
    found = posterior(sheets, _parameters())
    assert found.mean[0, 0] == pytest.approx([0.3, 0.4])
    assert found.variance[0, 0] == pytest.approx([0.3, 0.4])


def test_shares_of_grades_and_their_mean_and_scatter_belong_together() -> None:
    sheets, known = _sheets([[0, 2], [1, 2]], [0, 0], [0, 1]), _parameters(parts=2)
    found = posterior(sheets, known)
    p = population_grades(found, known, sheets.tops)
    mean, error = population_mean(found, known, sheets.tops)
    assert p.sum(-1) == pytest.approx(np.ones((1, 2)))
    assert p @ np.arange(3) == pytest.approx(mean, abs=1e-3)
    # A grade of a rater drawn anew varies by what is not known of the mean, and round the mean.
    whole = p @ np.arange(3) ** 2 - mean**2
    assert whole == pytest.approx(error**2 + scatter(found, known, sheets.tops), abs=2e-3)


def _simulated(frames: int, each: int, raters: int = 10, seed: int = 0):
    rng = np.random.default_rng(seed)
    calm = rng.random(frames) < 0.6
    common = np.where(calm, 0.1, 1.1) + rng.normal(0, 0.2, frames)
    theta = common[:, None] + rng.normal(0, 0.35, (frames, 2))
    bias = rng.normal(0, 0.15, (raters, 2))
    bias[0] = 0.5
    frame = np.repeat(np.arange(frames), each)
    rater = np.stack([rng.permutation(raters)[:each] for _ in range(frames)]).ravel()
    halo = rng.standard_normal((len(frame), 1)) * np.array([0.3, 0.45])
    noise = rng.standard_normal((len(frame), 2)) * np.array([0.3, 0.45])
    noise[rater == 1] *= 2.5
    seen = theta[frame] + bias[rater] + halo + noise
    grades = np.clip(np.floor(seen + 0.5), 0, 2).astype(int)
    return Sheets(grades, frame, rater, frames, raters, np.array([2, 2])), theta, bias


def test_bias_noise_and_honest_errors_are_found() -> None:
    sheets, theta, bias = _simulated(500, 4)
    found = fit(sheets, KAPPA)
    known = found.parameters
    assert known.bias[0].min() > 0.3
    assert np.corrcoef(known.bias.ravel(), bias.ravel())[0, 1] > 0.85
    assert np.argmax(known.scale) == 1
    assert known.scale[1] > 1.6
    assert np.hypot(np.sqrt(known.noise), known.halo) == pytest.approx([0.42, 0.64], abs=0.12)
    mean, error = population_mean(found.posterior, known, sheets.tops)
    edges = np.array([0.5, 1.5])
    reach = np.sqrt(np.array([0.18, 0.405]) + 0.15**2)
    truth = ndtr((theta[..., None] - edges) / reach[:, None]).sum(-1)
    plain = np.stack([sheets.grades[sheets.frame == f].mean(0) for f in range(sheets.frames)])
    assert (np.sqrt(((mean - truth) ** 2).mean(0)) < np.sqrt(((plain - truth) ** 2).mean(0))).all()
    honest = np.sqrt((((mean - truth) / error) ** 2).mean(0))
    assert honest == pytest.approx([1, 1], abs=0.25)


def test_the_same_votes_give_the_same_fit_and_a_later_fit_goes_on() -> None:
    sheets, _, _ = _simulated(80, 3)
    one, two = fit(sheets, KAPPA, rounds=10), fit(sheets, KAPPA, rounds=10)
    assert np.array_equal(one.parameters.bias, two.parameters.bias)
    on = fit(sheets, KAPPA, start=one.parameters, rounds=10).parameters
    straight = fit(sheets, KAPPA, rounds=20).parameters
    assert on.noise == pytest.approx(straight.noise, abs=0.02)


def test_fitting_on_and_on_does_not_wander() -> None:
    sheets, _, _ = _simulated(150, 3)
    settled = fit(sheets, KAPPA, rounds=80).parameters
    again = settled
    for _ in range(6):
        again = fit(sheets, KAPPA, start=again, rounds=4).parameters
    assert again.noise == pytest.approx(settled.noise, abs=0.01)
    assert again.bias_sd == pytest.approx(settled.bias_sd, abs=0.01)
    assert again.bias == pytest.approx(settled.bias, abs=0.02)


def test_few_votes_shrink_to_the_crowd() -> None:
    sheets = _sheets([[2, 2], [0, 0]], [0, 0], [0, 1])
    found = fit(sheets, KAPPA)
    assert np.abs(found.parameters.bias).max() < 0.15
    assert found.parameters.scale == pytest.approx([1, 1], abs=0.2)
    # A rater the fit has not seen counts as an average one.
    more = posterior(_sheets([[1, 1]], [0], [5]), found.parameters)
    assert np.isfinite(more.mean).all()


def test_the_chance_to_be_scorable_follows_votes_and_who_gave_them() -> None:
    rng = np.random.default_rng(3)
    frames, raters = 400, 6
    truly = rng.random((frames, 1)) >= 0.2
    frame = np.repeat(np.arange(frames), 3)
    rater = np.stack([rng.permutation(raters)[:3] for _ in range(frames)]).ravel()
    chance = np.where(truly[frame], np.where(rater[:, None] == 0, 0.4, 0.03), 0.92)
    refused = (rng.random((len(frame), 1)) < chance).astype(float)
    model = fit_scorable(refused, frame, rater, (frames, raters), np.array([0.15]))
    assert model.prevalence[0] == pytest.approx(0.8, abs=0.06)
    assert model.refused[0, 0] > 0.25
    assert model.refused[1:, 0].max() < 0.12
    found = model.chance(refused, frame, rater, frames)
    assert ((found > 0.5) == truly).mean() > 0.97
    alone = np.array([[1.0]])
    of_careless = model.chance(alone, np.array([0]), np.array([0]), 1)
    of_careful = model.chance(alone, np.array([0]), np.array([1]), 1)
    assert of_careless > of_careful
    unseen = model.chance(np.array([[np.nan]]), np.array([0]), np.array([99]), 1)
    assert unseen == pytest.approx(model.prevalence[0])
