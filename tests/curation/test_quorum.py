"""Quorum, early retirement, and what they save in simulated worlds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curation.quorum import Policy, allocate, error_bounds, needs_rater
from curation.quorum_curve import draw, measure
from curation.rater_model import Estimate, Table
from curation.simulation import plain_mean, world
from models.phantom.raters import draw_rater
from models.scale import load_scale
from models.stats.agreement import pairwise_kappa

SCALE = load_scale()
POLICY = Policy()
UNIT = min(SCALE.units, key=lambda unit: unit.raters_needed)
HARD = max(SCALE.units, key=lambda unit: unit.raters_needed)
BOUNDS = {unit.key: 0.2 for unit in SCALE.units}


def _estimate(n: int, error: float, scorable: float = 1.0, refused: int = 0) -> Estimate:
    counts = (n - refused, 0, 0)
    return Estimate((1.0, 0.0, 0.0), 0.1, error, scorable, 0.3, counts, refused)


@pytest.mark.parametrize(
    ("unit", "estimate", "needs", "reason"),
    [
        (UNIT, None, True, "least"),
        (UNIT, _estimate(1, 0.05), True, "least"),
        (HARD, _estimate(2, 0.15), False, "certain"),
        (HARD, _estimate(5, 0.24), True, "quorum"),
        (HARD, _estimate(8, 0.24), False, "quorum_met"),
        (HARD, _estimate(8, 0.26), True, "uncertain"),
        (UNIT, _estimate(3, 0.30), True, "uncertain"),
        (HARD, _estimate(9, 0.9), False, "cap"),
        (HARD, _estimate(2, 0.9, 0.02, 2), False, "not_scorable"),
        (UNIT, _estimate(2, 0.1, 0.5, 1), True, "scorable_open"),
        (UNIT, _estimate(5, 0.1, 0.5, 2), False, "certain"),
    ],
)
def test_every_rating_is_followed_by_a_verdict_with_its_reason(
    unit, estimate: Estimate | None, needs: bool, reason: str
) -> None:
    found = needs_rater(estimate, unit.key, BOUNDS, SCALE)
    assert (found.needs, found.reason) == (needs, reason)
    assert found.sentence.endswith((".", "?"))


def test_frames_of_the_random_share_get_a_fixed_number_whatever_they_say() -> None:
    for n in range(POLICY.fixed):
        sure = _estimate(n, 0.01) if n else None
        assert needs_rater(sure, UNIT.key, BOUNDS, SCALE, uniform=True).needs
    unsure = _estimate(POLICY.fixed, 0.9)
    assert not needs_rater(unsure, UNIT.key, BOUNDS, SCALE, uniform=True).needs


def _table(error: np.ndarray, n: np.ndarray, scorable: float = 0.99) -> Table:
    shape = error.shape
    counts = np.zeros((*shape, 3), np.int64)
    counts[..., 0] = n
    return Table(
        p=np.full((*shape, 3), 1 / 3),
        mean=np.ones(shape),
        error=error,
        scorable=np.full(shape, scorable),
        scatter=np.full(shape, 0.3),
        counts=counts,
        refused=np.zeros(shape, np.int64),
    )


def test_the_standard_is_the_error_of_the_plain_mean_of_five() -> None:
    table = _table(np.full((4, 5), 0.2), np.full((4, 5), 2))
    assert error_bounds(table, POLICY) == pytest.approx(
        np.full(5, POLICY.precision * np.sqrt(0.3 / 5))
    )


def test_the_most_uncertain_are_asked_first_and_only_until_the_mean_is_reached() -> None:
    error = np.full((80, 5), 0.1)
    error[:10, 1] = np.linspace(0.5, 0.9, 10)
    table = _table(error, np.full(error.shape, 3))
    chosen = allocate(table)
    assert set(np.nonzero(chosen)[1].tolist()) == {1}
    rows = np.nonzero(chosen[:, 1])[0]
    assert 0 < len(rows) < 10
    assert rows.tolist() == list(range(10 - len(rows), 10))
    assert allocate(table, most=1).sum() == 1
    assert allocate(table, most=1)[9, 1]


def test_nothing_goes_beyond_the_cap_and_everything_gets_the_least() -> None:
    error = np.full((6, 5), 0.9)
    n = np.full(error.shape, POLICY.cap)
    n[0] = 1
    chosen = allocate(_table(error, n))
    assert chosen[0].all()
    assert not chosen[1:].any()


def test_what_cannot_be_scored_is_given_up_and_the_random_share_is_completed() -> None:
    error, n = np.full((6, 5), 0.9), np.full((6, 5), 3)
    uniform = np.array([True, False, False, False, False, False])
    chosen = allocate(_table(error, n, scorable=0.01), uniform=uniform)
    assert chosen[0].all()
    assert not chosen[1:].any()
    n[0] = POLICY.fixed
    assert not allocate(_table(error, n, scorable=0.01), uniform=uniform).any()


def test_simulated_raters_agree_as_the_scale_says() -> None:
    one = world(1500, seed=2, strange=0.0)
    for at, unit in enumerate(SCALE.units):
        table = np.full((1500, one.raters.max() + 1), np.nan)
        answers = one.answers[:, :, at].astype(float)
        answers[answers < 0] = np.nan
        np.put_along_axis(table, one.raters, answers, axis=1)
        assert pairwise_kappa(table, 3) == pytest.approx(unit.pairwise_kappa, abs=0.06)
        refused = (one.answers[:, :, at] < 0).mean()
        assert refused == pytest.approx(unit.not_scorable_rate, abs=0.04)
    assert draw_rater("r", 1).bias.keys() == set(SCALE.unit_keys)


def test_asking_where_it_is_open_costs_less_than_five_raters_and_is_no_worse(
    tmp_path: Path,
) -> None:
    curve = measure(250, seed=3)
    best = curve.chosen[-1]
    assert curve.ratio(best) < 0.65
    assert best.mean < curve.baseline.mean
    assert best.worst(curve.baseline) < 1.15
    assert curve.ratio(curve.with_share) < 0.75
    assert curve.ratio(curve.rule) < 0.75
    assert best.wrong < 0.01
    # The same model with a fixed quorum needs more ratings for the same error.
    fixed = list(curve.fixed.values())
    cost = np.interp(-best.mean, [-point.mean for point in fixed], [p.ratings for p in fixed])
    assert best.ratings < cost
    json.dumps(curve.figures(), allow_nan=False)
    draw(curve, tmp_path / "curve.svg")
    assert "RMSE against all raters" in (tmp_path / "curve.svg").read_text(encoding="utf-8")


def test_the_plain_mean_gets_better_with_raters() -> None:
    one = world(300, seed=4)
    errors = [plain_mean(one, raters).mean for raters in (2, 5, 8)]
    assert errors == sorted(errors, reverse=True)
