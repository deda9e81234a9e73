import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import binomtest
from scipy.stats import t as student

from models.stats.bootstrap import bin_intervals, block_interval, cluster_mean_interval

FPS = 5.0


def wobbling(rng: np.random.Generator, seconds: float, units: int, sd: float = 0.4) -> np.ndarray:
    """Smooth noise with a correlation time of about two seconds, one column per unit."""
    n = round(seconds * FPS)
    noise = gaussian_filter1d(rng.standard_normal((n + 100, units)), FPS, axis=0)[50 : n + 50]
    return 1.0 + sd * noise / noise.std()


def test_three_blocks_give_the_interval_of_their_multinomial_draws() -> None:
    times = np.arange(30.0)
    values = np.repeat([0.0, 1.0, 2.0], 10)
    low, high = block_interval(times, values, draws=4000)
    # The widest draws hold one block three times (means 0 and 2): 1/27 of all, above 2.5 %.
    factor = np.sqrt(3 / 2) * student.ppf(0.975, 2) / 1.959964
    assert (low, high) == pytest.approx((1 - factor, 1 + factor), rel=1e-6)


def test_units_are_averaged_before_the_mean_over_units() -> None:
    times = np.arange(60.0)
    values = np.full((60, 2), np.nan)
    values[:, 0] = 0.0
    values[::10, 1] = 1.0
    assert block_interval(times, values) == pytest.approx((0.5, 0.5))


def test_short_or_empty_stretches_have_no_interval() -> None:
    assert np.isnan(block_interval(np.arange(24.0), np.arange(24.0))).all()
    assert np.isnan(block_interval([], [])).all()
    assert np.isnan(block_interval(np.arange(40.0), np.full(40, np.nan))).all()


def test_the_same_seed_gives_the_same_interval_whatever_the_order_of_frames() -> None:
    rng = np.random.default_rng(0)
    times, values = np.arange(0, 120, 1 / FPS), wobbling(rng, 120, 3)
    order = rng.permutation(len(times))
    first = block_interval(times, values, seed=4)
    assert first == pytest.approx(block_interval(times[order], values[order], seed=4))
    assert first != block_interval(times, values, seed=5)


@pytest.mark.parametrize(("seconds", "width"), [(60, 60.0), (180, 10.0), (120, 2.0)])
def test_intervals_hold_the_true_mean_about_as_often_as_they_say(
    seconds: float, width: float
) -> None:
    rng = np.random.default_rng(1)
    times, held = np.arange(0, seconds, 1 / FPS), []
    for trial in range(60):
        found = bin_intervals(
            times, wobbling(rng, seconds, 2), np.arange(0, seconds + 1, width), seed=trial
        )
        held += [low <= 1.0 <= high for low, high in found]
    assert 0.88 <= np.mean(held) <= 0.995


def test_a_slow_course_does_not_widen_the_bins() -> None:
    rng = np.random.default_rng(2)
    times = np.arange(0, 600, 1 / FPS)
    flat = wobbling(rng, 600, 2, sd=0.2)
    edges = np.arange(0, 601, 10.0)
    rising = flat + times[:, None] / 600
    width = np.diff(bin_intervals(times, flat, edges)).mean()
    assert np.diff(bin_intervals(times, rising, edges)).mean() == pytest.approx(width, rel=0.15)
    whole = np.diff(block_interval(times, rising))[0]
    assert whole > 2 * np.diff(block_interval(times, flat))[0]


def test_empty_bins_and_short_recordings_have_none() -> None:
    times = np.r_[np.arange(0, 60, 0.5), np.arange(80, 140, 0.5)]
    values = np.sin(times)
    found = bin_intervals(times, values, np.arange(0, 141, 10.0))
    empty = np.isnan(found).all(1)
    assert np.flatnonzero(empty).tolist() == [6, 7]
    assert np.isnan(bin_intervals(times[:40], values[:40], [0, 10, 20])).all()
    assert bin_intervals([], [], [0, 1]).shape == (1, 2)


def test_twenty_minutes_of_video_are_many_frames_and_all_of_them_count() -> None:
    times = np.arange(36_000) / 30.0
    values = np.random.default_rng(3).normal(1.0, 0.3, (36_000, 5))
    found = bin_intervals(times, values, np.arange(0, 1201, 10.0))
    assert found.shape == (120, 2)
    assert np.isfinite(found).all()
    mean = values.mean()
    low, high = block_interval(times, values)
    assert low < mean < high
    assert high - low < 0.01


def test_the_mean_of_animals_with_one_row_each_has_the_interval_of_a_t_test() -> None:
    values = np.array([0.7, 0.9, 1.0, 0.8, 0.75])
    reach = student.ppf(0.975, 4) * values.std(ddof=1) / np.sqrt(5)
    found = cluster_mean_interval(values, list("abcde"))
    assert found == pytest.approx((values.mean() - reach, min(1.0, values.mean() + reach)))
    assert np.isnan(cluster_mean_interval(values, ["a"] * 5)).all()
    none = cluster_mean_interval([0.0] * 6, list("aabbcd"))
    assert none == pytest.approx((0.0, binomtest(0, 4).proportion_ci().high))
    assert cluster_mean_interval([1.0] * 4, list("abcd")) == pytest.approx((1 - none[1], 1.0))
    wide = cluster_mean_interval(values, list("abcde"), level=0.99)
    assert wide[0] < found[0]
