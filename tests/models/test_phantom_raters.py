from __future__ import annotations

import numpy as np
import pytest

from models.phantom.animals import draw_recordings
from models.phantom.motion import course, population
from models.phantom.plans import study_plan
from models.phantom.raters import (
    BIAS_SD,
    NOTICED,
    REFERENCE,
    REFUSED_WITHOUT_CAUSE,
    draw_rater,
    expected_grade,
    expected_kappa,
    grade_chances,
    noise_sd,
    rate,
)
from models.phantom.truth import FaceParams, FaceTruth, not_scorable
from models.scale import Scale, load_scale

UNITS = load_scale().unit_keys
BOX = (0.0, 0.0, 1.0, 1.0)


def truth(intensities: dict[str, float], why: dict[str, str] | None = None) -> FaceTruth:
    return FaceTruth(intensities, why or {}, "awake", BOX, {}, "frontal", 0.0)


@pytest.fixture(scope="module")
def table(scale: Scale) -> dict[str, np.ndarray]:
    """Votes of eight raters on 500 reference faces: unit → (raters, faces), NaN = not scorable."""
    faces = population(scale, REFERENCE, 500, seed=5)
    raters = [draw_rater(str(n), n) for n in range(8)]
    rng = np.random.default_rng(0)
    votes = {unit: np.full((8, 500), np.nan) for unit in UNITS}
    for i in range(500):
        seen = truth({unit: float(faces[unit][i]) for unit in UNITS})
        for n, rater in enumerate(raters):
            for vote in rate(seen, rater, rng, scale):
                if vote.grade is not None:
                    votes[vote.unit][n, i] = vote.grade
    return votes


def kappa(a: np.ndarray, b: np.ndarray) -> float:
    both = ~np.isnan(a) & ~np.isnan(b)
    a, b = a[both], b[both]
    return float(1 - ((a - b) ** 2).mean() / ((a[:, None] - b[None]) ** 2).mean())


@pytest.mark.parametrize("unit", UNITS)
def test_raters_agree_as_often_as_people(
    scale: Scale, table: dict[str, np.ndarray], unit: str
) -> None:
    votes = table[unit]
    pairs = [kappa(votes[a], votes[b]) for a in range(8) for b in range(a)]
    assert np.mean(pairs) == pytest.approx(scale.unit(unit).pairwise_kappa, abs=0.06)


@pytest.mark.parametrize("unit", UNITS)
def test_the_expected_kappa_is_the_published_one(scale: Scale, unit: str) -> None:
    reference = population(scale, REFERENCE, 3000)[unit]
    spread = float(np.hypot(noise_sd(scale, scale.unit(unit)), BIAS_SD))
    chances = grade_chances(scale.unit(unit), reference, spread)
    assert chances.sum(axis=1) == pytest.approx(1.0)
    assert expected_kappa(chances) == pytest.approx(scale.unit(unit).pairwise_kappa, abs=1e-3)


def test_one_rater_against_the_others_is_as_far_off_as_people(
    table: dict[str, np.ndarray],
) -> None:
    scores = np.nanmean([table[unit] for unit in UNITS], axis=0)
    errors = [scores[n] - np.delete(scores, n, 0).mean(axis=0) for n in range(8)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(0.36, abs=0.05)
    assert 0.38 <= scores.mean(axis=0).std() <= 0.52


def test_the_top_grade_is_rare(table: dict[str, np.ndarray]) -> None:
    for unit in UNITS:
        assert 0.03 <= np.nanmean(table[unit] == 2) <= 0.20


def test_what_cannot_be_scored_is_mostly_refused_with_its_reason(scale: Scale) -> None:
    seen = truth(dict.fromkeys(UNITS, 1.0), {"nose_bulge": "wrong_angle"})
    rng = np.random.default_rng(3)
    rater = draw_rater("r", 1)
    votes = [rate(seen, rater, rng, scale) for _ in range(300)]
    reasons = [vote.reason for row in votes for vote in row if vote.unit == "nose_bulge"]
    assert 0.85 < reasons.count("wrong_angle") / 300 < 0.99
    assert all((vote.grade is None) == (vote.reason is not None) for row in votes for vote in row)


def test_a_sleeping_animal_is_never_graded(scale: Scale) -> None:
    asleep = scale.state("asleep")
    seen = FaceTruth(
        dict.fromkeys(UNITS, 0.0), dict.fromkeys(UNITS, "asleep"), asleep.key, BOX, {}, "frontal", 0
    )
    rng = np.random.default_rng(1)
    for _ in range(50):
        assert {vote.reason for vote in rate(seen, draw_rater("r", 1), rng, scale)} == {"asleep"}


@pytest.fixture(scope="module")
def graded(scale: Scale) -> list[tuple[FaceParams, dict[str, str], float]]:
    """Awake frames of a small study of five labs: parameters, what cannot be scored, lab bias."""
    found = []
    for n, lab in enumerate(study_plan(5, 10).labs):
        for one in draw_recordings(lab, 100 * n, scale):
            for params in course(one.plan, scale, one.seed)[::6]:
                if params.state is not None and params.state.graded:
                    found.append((params, not_scorable(params, scale), lab.rater_bias))
    return found


def test_not_scorable_rates_are_those_of_people_within_a_third(
    scale: Scale, graded: list[tuple[FaceParams, dict[str, str], float]]
) -> None:
    for unit in scale.units:
        hidden = sum(unit.key in why for _, why, _ in graded) / len(graded)
        rate = NOTICED * hidden + (1 - hidden) * REFUSED_WITHOUT_CAUSE * unit.not_scorable_rate
        assert rate == pytest.approx(unit.not_scorable_rate, rel=1 / 3), unit.key


def test_image_scores_of_a_study_spread_as_those_of_people(
    scale: Scale, graded: list[tuple[FaceParams, dict[str, str], float]]
) -> None:
    rng = np.random.default_rng(2)
    scores = []
    for params, why, bias in graded[::3]:
        raters = [draw_rater("r", int(rng.integers(1 << 30)), bias, scale) for _ in range(3)]
        seen = truth(dict(params.intensities), why)
        means = []
        for rater in raters:
            grades = [vote.grade for vote in rate(seen, rater, rng, scale)]
            known = [grade for grade in grades if grade is not None]
            if len(known) >= scale.minimum_units:
                means.append(np.mean(known))
        if means:
            scores.append(np.mean(means))
    assert 0.40 <= np.std(scores) <= 0.50


def test_the_expected_grade_rises_with_intensity(scale: Scale) -> None:
    for unit in scale.units:
        grades = expected_grade(unit, np.linspace(0, 2, 9), scale)
        assert (np.diff(grades) > 0).all()
        assert 0 <= grades[0] < 0.6
        assert 1.4 < grades[-1] <= 2


def test_a_rater_keeps_their_bias() -> None:
    assert draw_rater("a", 4).bias == draw_rater("b", 4).bias
    assert draw_rater("a", 4).bias != draw_rater("a", 5).bias
    assert np.mean(list(draw_rater("a", 4, lab_bias=1.0).bias.values())) > 0.5
