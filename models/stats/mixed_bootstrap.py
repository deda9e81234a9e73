"""The p of a likelihood ratio from data simulated where nothing differs, beside the usual one.

The usual p compares the ratio with a χ² distribution, which holds for many units. With few cages or
animals it is far too small; what the ratio does by chance is therefore drawn from the model itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from models.stats.mixed import Block, factor_of, fit_mixed, group_rows, whitened

Array = NDArray[np.float64]
GRID = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.1, 1.3, 1.6, 2.0, 2.5, 3.2, 4.0, 6.0, 10.0, 30.0)
"""Ratios of standard deviations among which every simulated data set is fitted."""


@dataclass(frozen=True)
class LikelihoodRatio:
    """How much better a model with some columns is than one without.

    `statistic` is twice the difference of the log likelihoods, `freedom` how many columns joined;
    `p` comes from `draws` simulated data sets, `p_asymptotic` from the χ² distribution.
    """

    statistic: float
    freedom: int
    p: float
    p_asymptotic: float
    draws: int


def likelihood_ratio(
    y: ArrayLike,
    X: ArrayLike,
    joined: ArrayLike,
    animals: Sequence[object],
    cages: Sequence[object] | None = None,
    animals_vary: bool = True,
    draws: int = 499,
    seed: int = 0,
) -> LikelihoodRatio:
    """Whether the columns `joined` (n, k) say more of y (n,) than X (n, p) does.

    T = 2·(l₁ − l₀) of full maximum likelihood, since restricted ones of different columns cannot be
    compared. T does not change with the coefficients of X nor with the unit of y, so that data are
    simulated as r_a·a + r_c·c + e with a, c, e standard normal and the ratios r of the fit without
    `joined` (restricted, which takes them less too small). p = (1 + simulated T at least as
    large)/(1 + draws) (Davison and Hinkley 1997, *Bootstrap Methods and their Application*, 4.2.3;
    Halekoh and Højsgaard 2014, Journal of Statistical Software 59:9). Unlike a permutation of few
    units it can be small, and it rests on the normal distribution for that: give both. Raises
    ValueError where columns depend on each other.
    """
    data, less = np.asarray(y, np.float64), np.asarray(X, np.float64)
    new = np.asarray(joined, np.float64).reshape(len(data), -1)
    more = np.column_stack([less, new])
    ratios = fit_mixed(data, less, animals, cages, True, animals_vary).ratios
    fits = [fit_mixed(data, part, animals, cages, False, animals_vary) for part in (less, more)]
    statistic = max(2 * (fits[1].loglik - fits[0].loglik), 0.0)
    blocks = group_rows(animals, cages)

    rng = np.random.default_rng(seed)
    # Animals without a cage stand alone, as in the model.
    named = animals if cages is None else cages
    top = [f"c{cage}" if str(cage) else f"a{one}" for cage, one in zip(named, animals, strict=True)]
    values = rng.standard_normal((len(data), draws))
    for ratio, names in zip(ratios, (animals, top), strict=True):
        _, codes = np.unique(np.asarray([str(one) for one in names]), return_inverse=True)
        values += ratio * rng.standard_normal((codes.max() + 1, draws))[codes]

    vary = (animals_vary, cages is not None)
    found = _on_grid(np.column_stack([data, values]), more, less.shape[1], blocks, vary)
    chance = int((found[1:] >= found[0] - 1e-9).sum())
    return LikelihoodRatio(
        statistic=statistic,
        freedom=new.shape[1],
        p=(1 + chance) / (1 + draws),
        p_asymptotic=float(chi2.sf(statistic, new.shape[1])),
        draws=draws,
    )


def _on_grid(
    values: Array, design: Array, less: int, blocks: Sequence[Block], vary: tuple[bool, bool]
) -> Array:
    """Return T of every column of values (n, m), each likelihood at its best place of `GRID`.

    `less` is how many columns of the design the smaller model has. The data and what is simulated
    are treated alike, so that the coarseness of the grid costs no honesty.
    """
    n, count = values.shape
    best = np.full((2, count), -np.inf)
    of_animals, of_cages = (GRID if free else (0.0,) for free in vary)
    for ratios in product(of_animals, of_cages):
        parts, logdet = [], 0.0
        for block in blocks:
            root = factor_of(block, ratios)
            parts.append(whitened(block, root, np.column_stack([design, values])))
            logdet += 2 * len(block.rows) * float(np.log(np.diag(root)).sum())
        table = np.concatenate(parts)
        # The columns of the smaller model come first, so that one basis serves both.
        basis, _ = np.linalg.qr(table[:, : design.shape[1]])
        rest = table[:, design.shape[1] :]
        explained = np.cumsum((basis.T @ rest) ** 2, axis=0)
        total = (rest**2).sum(axis=0)
        for place, columns in enumerate((less, design.shape[1])):
            squares = np.maximum(total - explained[columns - 1], 1e-300)
            likelihood = -0.5 * (n * np.log(squares) + logdet)
            best[place] = np.maximum(best[place], likelihood)
    return np.asarray(np.maximum(2 * (best[1] - best[0]), 0.0), np.float64)
