import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from models.stats.agreement import (
    confusion,
    krippendorff_alpha,
    one_way_icc,
    pairwise_kappa,
    quadratic_weighted_kappa,
    variance_components,
)


@pytest.fixture
def ratings() -> np.ndarray:
    rng = np.random.default_rng(4)
    truth = rng.normal(1, 0.8, 60)
    bias = rng.normal(0, 0.3, 4)
    noisy = truth[:, None] + bias + rng.normal(0, 0.5, (60, 4))
    return np.clip(np.round(noisy), 0, 2)


def with_holes(ratings: np.ndarray) -> np.ndarray:
    table = ratings.copy()
    table[np.random.default_rng(1).random(table.shape) < 0.25] = np.nan
    return table


def test_kappa_equals_a_second_implementation(ratings: np.ndarray) -> None:
    ours = quadratic_weighted_kappa(ratings[:, 0], ratings[:, 1], 3)
    theirs = cohen_kappa_score(ratings[:, 0], ratings[:, 1], weights="quadratic")
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_kappa_of_equal_raters_is_one_and_of_constants_undefined() -> None:
    assert quadratic_weighted_kappa([0, 1, 2], [0, 1, 2], 3) == 1.0
    assert np.isnan(quadratic_weighted_kappa([1, 1], [1, 1], 3))
    assert np.isnan(quadratic_weighted_kappa([np.nan], [1], 3))


def test_kappa_leaves_out_pairs_with_a_missing_grade() -> None:
    with_gap = quadratic_weighted_kappa([0, 1, 2, np.nan], [0, 2, 2, 1], 3)
    assert with_gap == quadratic_weighted_kappa([0, 1, 2], [0, 2, 2], 3)


def test_confusion_counts_truth_in_rows() -> None:
    assert confusion([0, 0, 2], [1, 0, 2], 3).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    with pytest.raises(ValueError, match="between 0 and 2"):
        confusion([3], [0], 3)


def test_pairwise_kappa_is_the_mean_weighted_by_shared_frames(ratings: np.ndarray) -> None:
    table = ratings[:, :3].copy()
    table[40:, 2] = np.nan
    pairs = [(0, 1, 60), (0, 2, 40), (1, 2, 40)]
    kappas = [quadratic_weighted_kappa(table[:n, i], table[:n, j], 3) for i, j, n in pairs]
    expected = np.average(kappas, weights=[n for *_, n in pairs])
    assert pairwise_kappa(table, 3) == pytest.approx(expected)


@pytest.mark.parametrize("level", ["interval", "ordinal", "nominal"])
def test_alpha_equals_a_second_implementation(ratings: np.ndarray, level: str) -> None:
    import krippendorff

    table = with_holes(ratings)
    theirs = krippendorff.alpha(reliability_data=table.T, level_of_measurement=level)
    assert krippendorff_alpha(table, level) == pytest.approx(theirs, abs=1e-9)


def test_alpha_is_undefined_without_pairs_or_variation() -> None:
    assert np.isnan(krippendorff_alpha([[1, np.nan], [np.nan, 2]]))
    assert np.isnan(krippendorff_alpha([[1, 1], [1, 1]]))
    with pytest.raises(ValueError, match="ratio"):
        krippendorff_alpha([[1, 2], [1, 1]], "ratio")


@pytest.mark.filterwarnings("ignore")
def test_icc_of_a_full_table_equals_a_second_implementation(ratings: np.ndarray) -> None:
    import pingouin

    frame, rater = np.indices(ratings.shape)
    long = pd.DataFrame({"frame": frame.ravel(), "rater": rater.ravel(), "grade": ratings.ravel()})
    theirs = pingouin.intraclass_corr(long, "frame", "rater", "grade")
    by_type = dict(zip(theirs["Type"], theirs["ICC"], strict=True))
    single = next(value for key, value in by_type.items() if key in ("ICC2", "ICC(A,1)"))
    mean = next(value for key, value in by_type.items() if key in ("ICC2k", "ICC(A,k)"))
    one = next(value for key, value in by_type.items() if key in ("ICC1", "ICC(1,1)"))
    ours = variance_components(ratings)
    assert one_way_icc(ratings) == pytest.approx(one, abs=1e-3)
    assert ours.icc_single == pytest.approx(single, abs=1e-3)
    assert ours.icc_mean == pytest.approx(mean, abs=1e-3)


def test_icc_with_holes_recovers_the_simulated_components() -> None:
    rng = np.random.default_rng(0)
    table = (
        rng.normal(0, 1.0, (4000, 1)) + rng.normal(0, 0.5, (1, 30)) + rng.normal(0, 0.7, (4000, 30))
    )
    table[rng.random(table.shape) < 0.7] = np.nan
    found = variance_components(table)
    assert found.frames == pytest.approx(1.0, rel=0.08)
    assert found.rest == pytest.approx(0.49, rel=0.05)
    assert found.icc(1) == pytest.approx(1 / (1 + 0.25 + 0.49), abs=0.06)


def test_the_one_way_icc_with_holes_recovers_the_simulated_share() -> None:
    rng = np.random.default_rng(1)
    table = rng.normal(0, 1.0, (4000, 1)) + rng.normal(0, 0.8, (4000, 8))
    table[rng.random(table.shape) < 0.6] = np.nan
    assert one_way_icc(table) == pytest.approx(1 / 1.64, abs=0.02)
    assert np.isnan(one_way_icc([[1.0, np.nan], [np.nan, 2.0]]))
    assert np.isnan(one_way_icc([[1.0, 2.0]]))


def test_icc_needs_two_raters() -> None:
    assert np.isnan(variance_components([[1.0], [2.0]]).icc_single)
