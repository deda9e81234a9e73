"""Mixed models with random intercepts of animals and cages, and p-values from permuted units.

Wald z-tests of such models are too optimistic with few units, so none are given here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MixedFit:
    """A fitted model y = Xβ + animal + cage + rest.

    `beta` (p,) and its covariance (p, p); variances of animals, cages and the rest (0 where a level
    is not in the model); `loglik` the (restricted) log likelihood; `ratios` are the standard
    deviations of animals and cages over that of the rest.
    """

    beta: Array
    covariance: Array
    animals: float
    cages: float
    rest: float
    loglik: float
    ratios: tuple[float, float]


def fit_mixed(
    y: ArrayLike,
    X: ArrayLike,
    animals: Sequence[object],
    cages: Sequence[object] | None = None,
    restricted: bool = True,
    animals_vary: bool = True,
) -> MixedFit:
    """Fit by restricted (or full) maximum likelihood.

    With V = I + r_a²·Z_a Z_aᵀ + r_c²·Z_c Z_cᵀ, β = (XᵀV⁻¹X)⁻¹XᵀV⁻¹y and s² = eᵀV⁻¹e/(n - p), the
    ratios r maximise -½[(n - p)(log 2πs² + 1) + log|V| + log|XᵀV⁻¹X|] (Harville 1977, Journal of
    the American Statistical Association 72:320; without restriction n stands for n - p and the last
    term goes). Animals must lie within cages. `animals_vary` False leaves animals out, as where
    each is seen once. Raises ValueError where columns of X depend on each other.
    """
    data, design = np.asarray(y, np.float64), np.asarray(X, np.float64)
    n, p = design.shape
    if np.linalg.matrix_rank(design) < p or n <= p:
        raise ValueError("the columns of the design depend on each other")
    blocks = group_rows(animals, cages)
    fixed = (animals_vary, cages is not None)

    def worse(ratios: Array) -> float:
        return -_profile(data, design, blocks, (ratios[0], ratios[1]), restricted)[0]

    best = None
    bounds = [(0.0, 100.0) if free else (0.0, 0.0) for free in fixed]
    for start in (0.3, 1.0) if any(fixed) else (0.0,):
        begin = np.array([start if free else 0.0 for free in fixed])
        found = minimize(worse, begin, method="L-BFGS-B", bounds=bounds)
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None  # noqa: S101 - the loop runs at least once
    ratios = (float(best.x[0]), float(best.x[1]))
    loglik, beta, inverse, rest = _profile(data, design, blocks, ratios, restricted)
    return MixedFit(
        beta=beta,
        covariance=rest * inverse,
        animals=rest * ratios[0] ** 2,
        cages=rest * ratios[1] ** 2,
        rest=rest,
        loglik=loglik,
        ratios=ratios,
    )


def permuted_units(
    y: ArrayLike,
    X: ArrayLike,
    units: Sequence[object],
    groups: Sequence[object],
    fit: MixedFit,
    animals: Sequence[object],
    cages: Sequence[object] | None = None,
    by: ArrayLike | None = None,
    draws: int = 999,
    seed: int = 0,
) -> float:
    """p of no difference between groups, from shuffling whole units among them.

    The statistic is the drop in eᵀV⁻¹e when the groups (times the columns of `by`, such as one per
    time, where given) join X, with V of `fit`, a fit without the groups. Labels are those of whole
    units, so that p = (1 + draws at least as large)/(1 + draws) holds whatever V is, if units were
    assigned at random (Freedman and Lane 1983 is not needed: columns of X belong to the unit or the
    time and move with it). NaN where there are fewer than two groups or one unit each.
    """
    data, design = np.asarray(y, np.float64), np.asarray(X, np.float64)
    names, codes = np.unique(np.asarray([str(one) for one in units]), return_inverse=True)
    rows = np.asarray([str(one) for one in groups])
    first = np.array([np.flatnonzero(codes == code)[0] for code in range(len(names))], np.int64)
    kinds, of_unit = np.unique(rows[first], return_inverse=True)
    if len(kinds) < 2 or len(names) <= len(kinds):
        return math.nan
    blocks = group_rows(animals, cages)

    def whiten(table: Array) -> Array:
        return np.concatenate([whitened(one, factor_of(one, fit.ratios), table) for one in blocks])

    basis, _ = np.linalg.qr(whiten(design))
    target = whiten(data[:, None])[:, 0]
    target = target - basis @ (basis.T @ target)
    columns = np.ones((len(data), 1)) if by is None else np.asarray(by, np.float64)
    # One column per unit (and column of `by`): groups are sums of them, whitening is done once.
    marks = np.zeros((len(data), len(names)))
    marks[np.arange(len(data)), codes] = 1.0
    spread = [whiten(marks * column[:, None]) for column in columns.T]
    spread = [part - basis @ (basis.T @ part) for part in spread]

    # Everything below is in units, not rows: products of their columns and with the target.
    cross = np.stack([np.stack([one.T @ other for other in spread]) for one in spread])
    toward = np.stack([one.T @ target for one in spread])

    def explained(labels: Codes) -> float:
        member = (labels[:, None] == np.arange(1, len(kinds))).astype(np.float64)
        size = len(spread) * (len(kinds) - 1)
        gram = (member.T @ cross @ member).transpose(0, 2, 1, 3).reshape(size, size)
        right = (toward @ member).ravel()
        return float(right @ np.linalg.lstsq(gram, right, rcond=1e-10)[0])

    seen = explained(of_unit)
    rng = np.random.default_rng(seed)
    slack = 1e-9 * max(float(target @ target), 1e-300)
    chance = sum(explained(rng.permutation(of_unit)) >= seen - slack for _ in range(draws))
    return (1 + chance) / (1 + draws)


@dataclass(frozen=True, eq=False)
class Block:
    """Sets of rows (k, r) with one pattern: which of the r share an animal and a cage, (r, r)."""

    rows: Codes
    animal: Array
    cage: Array


def group_rows(animals: Sequence[object], cages: Sequence[object] | None) -> list[Block]:
    """Return the rows that belong together, those of one pattern in one block."""
    of = np.asarray([str(one) for one in animals])
    if cages is None:
        top = of
    else:
        # Animals without a cage stand alone.
        top = np.asarray([f"c{c}" if str(c) else f"a{a}" for a, c in zip(of, cages, strict=True)])
    # Sorted by animal, so that cages with as many animals and rows have one pattern.
    order = np.lexsort((of, top))
    _, starts = np.unique(top[order], return_index=True)
    patterns: dict[bytes, list[Codes]] = {}
    for rows in np.split(order, starts[1:]):
        same = of[rows, None] == of[rows]
        patterns.setdefault(same.tobytes(), []).append(rows)
    blocks = []
    for several in patterns.values():
        rows = np.stack(several)
        alike = (of[rows[0], None] == of[rows[0]]).astype(np.float64)
        cage = np.ones_like(alike) if cages is not None else np.zeros_like(alike)
        blocks.append(Block(rows, alike, cage))
    return blocks


def factor_of(block: Block, ratios: tuple[float, float]) -> Array:
    """Return the Cholesky factor (r, r) of V within each set of a block."""
    covariance = np.eye(block.rows.shape[1])
    covariance += ratios[0] ** 2 * block.animal + ratios[1] ** 2 * block.cage
    return np.asarray(np.linalg.cholesky(covariance), np.float64)


def whitened(block: Block, root: Array, table: Array) -> Array:
    """The rows of a block (k · r, columns), times the inverse of their factor."""
    k, r = block.rows.shape
    # The inverse is small and of a well-conditioned matrix; a product is one call for all sets.
    return np.asarray((np.linalg.inv(root) @ table[block.rows]).reshape(k * r, -1))


def _profile(
    y: Array, X: Array, blocks: list[Block], ratios: tuple[float, float], restricted: bool
) -> tuple[float, Array, Array, float]:
    n, p = X.shape
    both = np.column_stack([X, y])
    cross = np.zeros((p + 1, p + 1))
    logdet = 0.0
    for block in blocks:
        root = factor_of(block, ratios)
        part = whitened(block, root, both)
        cross += part.T @ part
        logdet += 2 * len(block.rows) * float(np.log(np.diag(root)).sum())
    inverse = np.linalg.inv(cross[:p, :p])
    beta = inverse @ cross[:p, p]
    squares = max(float(cross[p, p] - cross[:p, p] @ beta), 1e-300)
    freedom = n - p if restricted else n
    rest = squares / freedom
    loglik = -0.5 * (freedom * (math.log(2 * math.pi * rest) + 1) + logdet)
    if restricted:
        loglik -= 0.5 * float(np.linalg.slogdet(cross[:p, :p])[1])
    return loglik, beta, inverse, rest
