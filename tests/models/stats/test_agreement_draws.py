"""Agreement in every draw of a bootstrap is that of the rows drawn."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from models.stats.agreement import (
    krippendorff_alpha,
    one_way_icc,
    pairwise_kappa,
    variance_components,
)
from models.stats.agreement_draws import (
    alpha_draws,
    bias_draws,
    exact_draws,
    icc_draws,
    pair_kappas,
)
from models.stats.bootstrap import cluster_draws


def test_figures_of_every_draw_are_those_of_the_rows_drawn() -> None:
    rng = np.random.default_rng(2)
    table = np.clip(np.rint(rng.normal(0.8, 0.7, (60, 1)) + rng.normal(0, 0.5, (60, 5))), 0, 2)
    table[rng.random(table.shape) < 0.4] = np.nan
    table[:3] = np.nan
    # One rater saw one animal only and is absent from many draws.
    table[6:, 4] = np.nan
    codes, counts = cluster_draws([row // 6 for row in range(60)], 40, seed=5)
    one_way, single, mean = icc_draws(table, codes, counts)
    kappa = pair_kappas(table, codes, counts, 3).mean()
    for draw, drawn in enumerate(counts):
        rows = table[np.repeat(np.arange(60), drawn[codes])]
        components = variance_components(rows)
        assert one_way[draw] == pytest.approx(one_way_icc(rows), abs=1e-9)
        assert single[draw] == pytest.approx(components.icc_single, abs=1e-9)
        assert mean[draw] == pytest.approx(components.icc_mean, abs=1e-9)
        assert kappa[draw] == pytest.approx(pairwise_kappa(rows, 3), abs=1e-9, nan_ok=True)
        for level in ("ordinal", "interval", "nominal"):
            ours = alpha_draws(table, codes, counts, level)[draw]
            assert ours == pytest.approx(krippendorff_alpha(rows, level), abs=1e-9)
        pairs = [(a, b) for row in rows for a, b in combinations(row[np.isfinite(row)].tolist(), 2)]
        exact = exact_draws(table, codes, counts)[draw]
        assert exact == pytest.approx(np.mean([a == b for a, b in pairs]))
        gaps = [
            row[0] - np.delete(row, 0)[np.isfinite(np.delete(row, 0))].mean()
            for row in rows
            if np.isfinite(row[0]) and np.isfinite(row).sum() > 1
        ]
        assert bias_draws(table, codes, counts)[draw, 0] == pytest.approx(np.mean(gaps))


def test_the_kappas_of_one_rater_are_those_of_its_pairs() -> None:
    rng = np.random.default_rng(3)
    table = np.clip(np.rint(rng.normal(0.8, 0.7, (40, 1)) + rng.normal(0, 0.4, (40, 3))), 0, 2)
    codes, counts = cluster_draws(list(range(40)), 5, seed=1)
    found = pair_kappas(table, codes, counts, 3)
    assert found.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert found.mean(1) == pytest.approx(found.kappa[:, [0, 2]].mean(1))  # all pairs share 40 rows


def test_without_two_ratings_of_a_row_there_is_no_agreement() -> None:
    table = np.array([[1.0, np.nan], [np.nan, 2.0]])
    codes, counts = cluster_draws([0, 1], 4, seed=1)
    assert np.isnan(alpha_draws(table, codes, counts, "ordinal")).all()
    assert np.isnan(exact_draws(table, codes, counts)).all()
    assert np.isnan(pair_kappas(table, codes, counts, 3).mean()).all()
