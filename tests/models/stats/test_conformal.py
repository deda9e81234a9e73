import numpy as np
import pytest

from models.sets import (
    FEWEST_IN_GROUP,
    LeftOut,
    fit_sets,
    group_of,
    possible_grades,
    prediction_set,
    threshold_for,
)
from models.stats.conformal import (
    clustered_threshold,
    conformal_threshold,
    covered,
    fewest_clusters,
    grade_sets,
    never_empty,
)

ALPHA = 0.1


def sample(rng: np.random.Generator, n: int, honest: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Stated probabilities and one-hot grades; the true ones are the stated to a power."""
    p = rng.dirichlet([1.2, 0.8, 0.5], n)
    true = p**honest / (p**honest).sum(1, keepdims=True)
    grades = np.array([rng.choice(3, p=row) for row in true])
    return p, np.eye(3)[grades]


def test_the_threshold_is_the_corrected_quantile() -> None:
    p = np.arange(1, 20)[:, None] / 20 * np.array([[1.0, 0.0]])
    votes = np.tile([1.0, 0.0], (19, 1))
    # (19 + 1) · 0.1 - 1 = 1 vote may lie below.
    assert conformal_threshold(p, votes, ALPHA) == pytest.approx(0.10)
    assert conformal_threshold(p[:5], votes[:5], ALPHA) == 0.0


def test_clusters_of_one_are_the_plain_case() -> None:
    p, votes = sample(np.random.default_rng(5), 200)
    plain = conformal_threshold(p, votes, ALPHA)
    assert clustered_threshold(p, votes, ALPHA, [str(n) for n in range(200)]) == plain


def test_nothing_is_promised_on_too_few_clusters() -> None:
    assert (fewest_clusters(0.1), fewest_clusters(0.2), fewest_clusters(0.5)) == (9, 4, 1)
    p, votes = sample(np.random.default_rng(6), 900)
    names = [str(n % 9) for n in range(900)]
    assert clustered_threshold(p, votes, ALPHA, names) > 0
    assert clustered_threshold(p[:800], votes[:800], ALPHA, [str(n % 8) for n in range(800)]) == 0
    assert clustered_threshold(p[:0], votes[:0], ALPHA, []) == 0


def test_sets_keep_their_promise_for_animals_not_seen() -> None:
    """Animals differ in how honest the probabilities are; 30 are seen, 30 others come."""

    def herd(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[str]]:
        parts = [sample(rng, 20, honest=float(rng.choice([0.1, 0.6, 2.0]))) for _ in range(30)]
        p, votes = (np.concatenate(two) for two in zip(*parts, strict=True))
        return p, votes, [str(n // 20) for n in range(600)]

    promised, plain = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        (p, votes, animals), (fresh, truth, _) = herd(rng), herd(rng)
        for found, threshold in (
            (promised, clustered_threshold(p, votes, ALPHA, animals)),
            (plain, conformal_threshold(p, votes, ALPHA)),
        ):
            found.append(covered(grade_sets(fresh, threshold), truth).mean())
    assert np.mean(promised) >= 0.9
    assert np.mean(promised) > np.mean(plain) + 0.01


def test_a_group_of_few_animals_has_the_pooled_threshold() -> None:
    p, votes = sample(np.random.default_rng(7), 1000)
    labs = ["many"] * 500 + ["few"] * 500
    animals = [f"m{n % 20}" for n in range(500)] + [f"f{n % 3}" for n in range(500)]
    found = fit_sets(["u"], [p], [votes], labs, ["c"] * 1000, ALPHA, animals=animals)
    facts = found["units"]["u"]
    assert set(facts["groups"]) == {group_of("many", "c")}
    assert facts["pooled"]["animals"] == 23
    assert threshold_for(found, "u", group_of("few", "c")) == facts["pooled"]["threshold"]


def test_a_set_is_never_empty() -> None:
    sets = grade_sets(np.array([[0.4, 0.35, 0.25]]), 0.9)
    assert sets.tolist() == [[True, False, False]]
    assert never_empty(np.empty((0, 3))).shape == (0, 3)
    assert covered(sets, np.array([[0.5, 0.5, 0.0]])).tolist() == [0.5]


def test_sets_keep_their_promise_pooled_and_in_a_group_that_is_harder() -> None:
    rng = np.random.default_rng(0)
    parts = [sample(rng, 1500), sample(rng, 1500, honest=0.3)]
    p, votes = (np.concatenate(two) for two in zip(*parts, strict=True))
    labs = ["one"] * 1500 + ["two"] * 1500
    found = fit_sets(["u"], [p], [votes], labs, ["c"] * 3000, ALPHA)
    fresh = sample(rng, 2000, honest=0.3)
    own = prediction_set(found, fresh[0], "u", group_of("two", "c"))
    assert covered(own, fresh[1]).mean() == pytest.approx(0.9, abs=0.02)
    pooled = prediction_set(found, fresh[0], "u", group_of("two", "rarer"))
    assert covered(pooled, fresh[1]).mean() < covered(own, fresh[1]).mean() - 0.02


def test_who_gets_which_threshold() -> None:
    rng = np.random.default_rng(1)
    p, votes = sample(rng, 400)
    labs = ["seen"] * 400
    coats = ["often"] * (400 - FEWEST_IN_GROUP + 1) + ["seldom"] * (FEWEST_IN_GROUP - 1)
    left = LeftOut([p], [votes], ["far"] * 200 + ["farther"] * 200)
    found = fit_sets(["u"], [p], [votes], labs, coats, ALPHA, left)
    facts = found["units"]["u"]
    assert set(facts["groups"]) == {"seen|often"}
    wanted = {"seen|often": facts["groups"]["seen|often"], "seen|seldom": facts["pooled"],
              "new|often": facts["elsewhere"], None: facts["elsewhere"]}  # fmt: skip
    for group, row in wanted.items():
        assert threshold_for(found, "u", group) == row["threshold"]
    without = fit_sets(["u"], [p], [votes], labs, coats, ALPHA)
    assert threshold_for(without, "u", None) == without["units"]["u"]["pooled"]["threshold"]


def test_unseen_labs_get_the_threshold_of_the_hardest_and_each_is_judged_by_the_others() -> None:
    rng = np.random.default_rng(2)
    parts = [sample(rng, 2000), sample(rng, 2000, honest=0.5), sample(rng, 100, honest=0.2)]
    p, votes = (np.concatenate(two) for two in zip(*parts, strict=True))
    labs = ["easy"] * 2000 + ["middling"] * 2000 + ["hard"] * 100
    left = LeftOut([p], [votes], labs)
    found = fit_sets(["u"], [p], [votes], ["x"] * 4100, ["c"] * 4100, ALPHA, left)["units"]["u"]
    hardest = conformal_threshold(p[4000:], votes[4000:], ALPHA)
    assert found["elsewhere"]["threshold"] == hardest < found["pooled"]["threshold"]
    tried = found["elsewhere"]["labs"]
    assert {name: row["n"] for name, row in tried.items()} == {
        "easy": 2000, "middling": 2000, "hard": 100,
    }  # fmt: skip
    middling = conformal_threshold(p[2000:4000], votes[2000:4000], ALPHA)
    held = covered(grade_sets(p[4000:], middling), votes[4000:])
    assert tried["hard"]["coverage"] == held.mean() < 0.9
    assert min(tried["easy"]["coverage"], tried["middling"]["coverage"]) > 0.9


def test_unknown_targets_are_left_out_and_nothing_is_promised_on_nothing() -> None:
    p, votes = sample(np.random.default_rng(3), 30)
    votes[:] = np.nan
    found = fit_sets(["u"], [p], [votes], [""] * 30, [""] * 30, ALPHA)
    assert found["units"]["u"] == {
        "pooled": {"threshold": 0.0, "n": 0, "animals": 0},
        "groups": {},
        "elsewhere": None,
    }
    assert found["labs"] == []
    assert prediction_set(found, p, "u").all()


def test_the_set_of_one_frame_is_that_of_the_table() -> None:
    rng = np.random.default_rng(4)
    table = rng.dirichlet([0.7, 0.7, 0.7], 200)
    for threshold in (0.0, 0.2, 0.5, 0.9):
        rows = grade_sets(table, threshold)
        for row, p in zip(rows, table, strict=True):
            assert possible_grades(tuple(p), threshold) == tuple(np.flatnonzero(row))
