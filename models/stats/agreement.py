"""Agreement of raters: weighted kappa, Krippendorff's alpha, intraclass correlation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def quadratic_weighted_kappa(a: ArrayLike, b: ArrayLike, categories: int) -> float:
    """Cohen's kappa with quadratic weights of two vectors of grades 0 … categories - 1.

    κ = 1 - Σ w·O / Σ w·E with w_ij = (i - j)², O the joint counts and E the product of the margins
    divided by n (Cohen 1968, Psychological Bulletin 70:213). Pairs with a NaN are left out; NaN
    where nothing is left or neither vector varies around the other's only grade.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    known = np.isfinite(x) & np.isfinite(y)
    rows, columns = x[known].astype(np.int64), y[known].astype(np.int64)
    return float(kappa_of_counts(confusion(rows, columns, categories)))


def kappa_of_counts(counts: ArrayLike) -> Array:
    """Quadratic-weighted kappa (…) of joint counts (…, K, K); see `quadratic_weighted_kappa`."""
    observed = np.asarray(counts, np.float64)
    grade = np.arange(observed.shape[-1])
    weights = (grade[:, None] - grade[None, :]).astype(np.float64) ** 2
    n = observed.sum((-2, -1))
    margins = observed.sum(-1)[..., :, None] * observed.sum(-2)[..., None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = (weights * margins).sum((-2, -1)) / n
        kappa = 1.0 - (weights * observed).sum((-2, -1)) / chance
    return np.asarray(np.where((n > 0) & (chance > 0), kappa, np.nan))


def confusion(truth: ArrayLike, predicted: ArrayLike, categories: int) -> NDArray[np.int64]:
    """Counts (categories, categories) of pairs of whole grades: rows truth, columns predicted."""
    rows = np.asarray(truth, np.int64)
    columns = np.asarray(predicted, np.int64)
    if rows.size and not (
        min(rows.min(), columns.min()) >= 0 and max(rows.max(), columns.max()) < categories
    ):
        raise ValueError(f"grades must lie between 0 and {categories - 1}")
    flat = np.bincount(rows * categories + columns, minlength=categories**2)
    return flat.reshape(categories, categories).astype(np.int64)


def pairwise_kappa(ratings: ArrayLike, categories: int, least: int = 2) -> float:
    """Mean quadratic-weighted kappa over all pairs of raters, weighted by their shared frames.

    `ratings` is (frames, raters) with NaN for a missing rating; pairs that share fewer than `least`
    frames or have no defined kappa are left out; NaN where none is left.
    """
    table = np.asarray(ratings, np.float64)
    total, weight = 0.0, 0
    for i, j in combinations(range(table.shape[1]), 2):
        both = np.isfinite(table[:, i]) & np.isfinite(table[:, j])
        shared = int(both.sum())
        if shared < least:
            continue
        kappa = quadratic_weighted_kappa(table[both, i], table[both, j], categories)
        if np.isfinite(kappa):
            total, weight = total + kappa * shared, weight + shared
    return total / weight if weight else float("nan")


def krippendorff_alpha(ratings: ArrayLike, level: str = "interval") -> float:
    """Krippendorff's alpha of a table (frames, raters) with NaN for a missing rating.

    α = 1 - D_o / D_e over all pairs of values within a frame against all pairs whatever the frame,
    with the distances of `alpha_of_coincidences`. Source: Krippendorff 2011, Computing
    Krippendorff's alpha-reliability. NaN where fewer than two values can be paired or all are the
    same.
    """
    table = np.asarray(ratings, np.float64)
    table = table[np.isfinite(table).sum(1) >= 2]
    if table.size == 0:
        return float("nan")
    values = np.unique(table[np.isfinite(table)])
    counts = np.stack([(table == value).sum(1) for value in values], axis=1).astype(np.float64)
    per_frame = counts.sum(1)
    scaled = counts / (per_frame - 1)[:, None]
    coincidence = counts.T @ scaled - np.diag(scaled.sum(0))
    return float(alpha_of_coincidences(coincidence, values, level))


def alpha_of_coincidences(coincidence: Array, values: Array, level: str) -> Array:
    """Krippendorff's alpha (…) of coincidences (…, V, V) of the values (V,) in rising order.

    The distance of two values is (c - k)² (`interval`), 1 unless they are equal (`nominal`), or
    (Σ_{g=c..k} n_g - (n_c + n_k)/2)² with the margins n (`ordinal`). NaN where nothing varies.
    """
    margin = coincidence.sum(-2)
    if level == "interval":
        distance = np.broadcast_to((values[:, None] - values) ** 2, coincidence.shape)
    elif level == "nominal":
        distance = np.broadcast_to(1 - np.eye(len(values)), coincidence.shape)
    elif level == "ordinal":
        centre = np.cumsum(margin, -1) - margin / 2
        distance = (centre[..., :, None] - centre[..., None, :]) ** 2
    else:
        raise ValueError(f"level must be “interval”, “nominal” or “ordinal”, not “{level}”")
    expected = (margin[..., :, None] * margin[..., None, :] * distance).sum((-2, -1))
    observed = (coincidence * distance).sum((-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha = 1 - observed * (margin.sum(-1) - 1) / expected
    return np.asarray(np.where(expected > 0, alpha, np.nan))


@dataclass(frozen=True)
class Components:
    """Variance components of ratings: between frames, between raters, and the rest."""

    frames: float
    raters: float
    rest: float
    n_frames: int
    n_raters: int

    @property
    def icc_single(self) -> float:
        """ICC(2,1), absolute agreement of one rater: σ²_f / (σ²_f + σ²_r + σ²_e)."""
        return self.icc(1)

    @property
    def icc_mean(self) -> float:
        """ICC(2,k), absolute agreement of the mean of all raters of the table."""
        return self.icc(self.n_raters)

    def icc(self, raters: int) -> float:
        """ICC(2,k) of the mean of `raters` raters: σ²_f / (σ²_f + (σ²_r + σ²_e) / k)."""
        total = self.frames + (self.raters + self.rest) / raters
        return self.frames / total if total > 0 else float("nan")


def one_way_icc(ratings: ArrayLike) -> float:
    """ICC(1,1): agreement of one rating where every frame may have other raters.

    One-way random effects of a table (frames, raters) with holes (NaN): σ²_f / (σ²_f + MS_within)
    with σ²_f = (MS_between - MS_within) / n₀ and n₀ = (N - Σ n_f² / N) / (F - 1). With a full table
    it is that of Shrout and Fleiss 1979, Psychological Bulletin 86:420; the unbalanced estimator is
    in Searle, Casella, McCulloch 1992, Variance Components, ch. 3. NaN where fewer than two frames
    or no second rating are there.
    """
    table = np.asarray(ratings, np.float64)
    known = np.isfinite(table)
    number = known.sum(1)
    a, n = int((number > 0).sum()), int(number.sum())
    if a < 2 or n <= a:
        return float("nan")
    y = np.where(known, table - table[known].mean(), 0.0)
    t_frames = float((y.sum(1) ** 2 / np.maximum(number, 1)).sum())
    within = (float((y**2).sum()) - t_frames) / (n - a)
    frames = (t_frames - (a - 1) * within) / (n - float((number**2).sum()) / n)
    total = frames + within
    return frames / total if total != 0 else float("nan")


def variance_components(ratings: ArrayLike) -> Components:
    """Two-way random effects of a table (frames, raters) that may have holes (NaN).

    Henderson's method I (Searle, Casella, McCulloch 1992, Variance Components, ch. 5): the
    uncorrected sums of squares for the mean, frames and raters are equated to their expectations.
    With a full table it gives the ANOVA estimates, hence the ICCs of Shrout and Fleiss 1979. A
    negative estimate stays negative, so that balanced results equal the published formula. NaN
    where frames or raters are fewer than two.
    """
    table = np.asarray(ratings, np.float64)
    known = np.isfinite(table)
    table, known = table[known.any(1)], known[known.any(1)]
    table, known = table[:, known.any(0)], known[:, known.any(0)]
    a, b = table.shape if table.ndim == 2 else (0, 0)
    nan = float("nan")
    if a < 2 or b < 2 or known.sum() <= a + b - 1:
        return Components(nan, nan, nan, a, b)
    y = np.where(known, table - table[known].mean(), 0.0)
    n_frame, n_rater, n = known.sum(1), known.sum(0), float(known.sum())
    t_all = float((y**2).sum())
    t_frames = float((y.sum(1) ** 2 / n_frame).sum())
    t_raters = float((y.sum(0) ** 2 / n_rater).sum())
    t_mean = float(y.sum() ** 2 / n)
    k_frames, k_raters = float((n_frame**2).sum() / n), float((n_rater**2).sum() / n)
    # E[T] = n·μ² + coefficients · (σ²_frames, σ²_raters, σ²_rest); differences remove μ².
    expectation = np.array(
        [
            [n - k_frames, a - k_raters, a - 1],
            [b - k_frames, n - k_raters, b - 1],
            [n - k_frames, n - k_raters, n - 1],
        ]
    )
    sums = np.array([t_frames - t_mean, t_raters - t_mean, t_all - t_mean])
    frames, raters, rest = np.linalg.solve(expectation, sums)
    return Components(float(frames), float(raters), float(rest), a, b)
