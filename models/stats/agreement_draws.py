"""Agreement of raters in every draw of a cluster bootstrap, from sums per cluster.

Resampling clusters with replacement weights the rows of a cluster by how often it was drawn, and
all figures of `models.stats.agreement` are functions of sums over rows. So the rows are summed once
per cluster, and the draws are a product of matrices. A row drawn twice counts as two rows. Tables
are (rows, raters) with NaN for a missing rating; `codes` (rows,) and `counts` (draws, clusters) are
those of `models.stats.bootstrap.cluster_draws`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.stats.agreement import alpha_of_coincidences, kappa_of_counts

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

FEWEST_SHARED = 2
"""A pair of raters with fewer rows in common has no kappa of its own."""


@dataclass(frozen=True, eq=False)
class PairKappas:
    """Quadratic-weighted kappa of every pair of raters in every draw.

    `kappa` and `shared` (draws, pairs), `pairs` (pairs, 2) columns of the table. `kappa` is NaN
    where a pair shares too few rows or does not vary.
    """

    kappa: Array
    shared: Array
    pairs: NDArray[np.int64]

    def mean(self, rater: int | None = None) -> Array:
        """Mean over pairs (draws,) by shared rows; over those with `rater` where one is named."""
        kappa, shared = self.kappa, self.shared
        if rater is not None:
            own = (self.pairs == rater).any(1)
            kappa, shared = kappa[:, own], shared[:, own]
        weight = np.where(np.isfinite(kappa), shared, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((np.nan_to_num(kappa) * weight).sum(1) / weight.sum(1))


def pair_kappas(table: Array, codes: Codes, counts: Codes, categories: int) -> PairKappas:
    """The kappas of all pairs of raters; see `models.stats.agreement.pairwise_kappa`."""
    known = np.isfinite(table)
    grades = np.where(known, table, 0).astype(np.int64)
    pairs = np.array(list(combinations(range(table.shape[1]), 2)), np.int64).reshape(-1, 2)
    cells = categories**2
    first, second = pairs.T
    row, pair = np.nonzero(known[:, first] & known[:, second])
    cell = grades[row, first[pair]] * categories + grades[row, second[pair]]
    joint = sparse.coo_array(
        (np.ones(row.size), (codes[row], pair * cells + cell)),
        shape=(counts.shape[1], len(pairs) * cells),
    ).tocsc()
    drawn = np.asarray((joint.T @ counts.T.astype(np.float64)).T)
    drawn = drawn.reshape(len(counts), len(pairs), categories, categories)
    shared = drawn.sum((-2, -1))
    kappa = np.where(shared >= FEWEST_SHARED, kappa_of_counts(drawn), np.nan)
    return PairKappas(kappa, shared, pairs)


def alpha_draws(table: Array, codes: Codes, counts: Codes, level: str) -> Array:
    """Krippendorff's alpha (draws,); see `models.stats.agreement.krippendorff_alpha`."""
    known = np.isfinite(table)
    usable = known.sum(1) >= 2
    if not usable.any():
        return np.full(len(counts), np.nan)
    table, codes = table[usable], codes[usable]
    values = np.unique(table[np.isfinite(table)])
    said = np.stack([(table == value).sum(1) for value in values], axis=1).astype(np.float64)
    pairs = said[:, :, None] * said[:, None, :] - said[:, :, None] * np.eye(len(values))
    pairs /= (said.sum(1) - 1)[:, None, None]
    coincidence = _drawn(pairs.reshape(len(pairs), -1), codes, counts)
    coincidence = coincidence.reshape(len(counts), len(values), len(values))
    return alpha_of_coincidences(coincidence, values, level)


def icc_draws(table: Array, codes: Codes, counts: Codes) -> tuple[Array, Array, Array]:
    """ICC(1,1), ICC(2,1) and ICC(2,k) of every draw, each (draws,), k being the draw's raters.

    The same estimators as `models.stats.agreement.one_way_icc` and `variance_components`, which
    name the sources.
    """
    known = np.isfinite(table)
    number = known.sum(1).astype(np.float64)
    y = np.where(known, table - (table[known].mean() if known.any() else 0.0), 0.0)
    total = y.sum(1)
    of_rows = np.column_stack(
        [number > 0, number, number**2, total, total**2 / np.maximum(number, 1), (y**2).sum(1)]
    )
    sums = _drawn(np.hstack([of_rows, known, y]), codes, counts)
    a, n, n_squared, t, t_rows, t_all = sums[:, :6].T
    raters = table.shape[1]
    n_rater, t_rater = sums[:, 6 : 6 + raters], sums[:, 6 + raters :]
    b = (n_rater > 0).sum(1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        t_mean = t**2 / n
        t_raters = (t_rater**2 / np.maximum(n_rater, 1)).sum(1)
        k_rows, k_raters = n_squared / n, (n_rater**2).sum(1) / n
        within = (t_all - t_rows) / (n - a)
        between = ((t_rows - t_mean) - (a - 1) * within) / (n - k_rows)
        one_way = np.where((a >= 2) & (n > a), between / (between + within), np.nan)
    expectation = np.stack(
        [
            np.stack([n - k_rows, a - k_raters, a - 1], -1),
            np.stack([b - k_rows, n - k_raters, b - 1], -1),
            np.stack([n - k_rows, n - k_raters, n - 1], -1),
        ],
        1,
    )
    usable = (a >= 2) & (b >= 2) & (n > a + b - 1)
    expectation[~usable] = np.eye(3)
    # Relative to its size: the entries are counts of ratings.
    usable &= np.abs(np.linalg.det(expectation)) > 1e-12 * np.maximum(n, 1) ** 3
    expectation[~usable] = np.eye(3)
    right = np.stack([t_rows - t_mean, t_raters - t_mean, t_all - t_mean], -1)
    right[~usable] = np.nan
    rows, own, rest = np.linalg.solve(expectation, right[..., None])[..., 0].T
    return np.asarray(one_way), _icc(rows, own + rest, np.ones_like(b)), _icc(rows, own + rest, b)


def exact_draws(table: Array, codes: Codes, counts: Codes) -> Array:
    """Share of pairs of ratings of a row that are equal (draws,); NaN without pairs."""
    known = np.isfinite(table)
    number = known.sum(1).astype(np.float64)
    equal = np.zeros(len(table))
    for value in np.unique(table[known]):
        said = (table == value).sum(1)
        equal += said * (said - 1)
    same, pairs = _drawn(np.column_stack([equal, number * (number - 1)]), codes, counts).T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(pairs > 0, same / pairs, np.nan))


def bias_draws(table: Array, codes: Codes, counts: Codes) -> Array:
    """Mean difference of every rater from the mean of the others in the same row (draws, raters).

    NaN where a rater shares no row with another.
    """
    known = np.isfinite(table)
    number = known.sum(1, keepdims=True)
    shared = known & (number >= 2)
    filled = np.where(known, table, 0.0)
    others = (filled.sum(1, keepdims=True) - filled) / np.maximum(number - 1, 1)
    difference = np.where(shared, filled - others, 0.0)
    sums = _drawn(np.hstack([difference, shared]), codes, counts)
    raters = table.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[:, :raters] / sums[:, raters:])


def _drawn(columns: Array, codes: Codes, counts: Codes) -> Array:
    """Sums of the columns (rows, c) in every draw, (draws, c)."""
    sums = np.zeros((counts.shape[1], columns.shape[1]))
    np.add.at(sums, codes, columns)
    return np.asarray(counts @ sums)


def _icc(rows: Array, noise: Array, raters: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        total = rows + noise / raters
        return np.asarray(np.where(total > 0, rows / total, np.nan))
