"""Whether a number tells which group a row is of: rank separation with a permutation test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata


def rank_separation(
    values: ArrayLike,
    labels: Sequence[object],
    blocks: Sequence[object] | None = None,
    draws: int = 4999,
    seed: int = 0,
) -> tuple[float, float]:
    """How far groups lie apart in ranks, and how often chance would do as well: (eta², p).

    eta² is the share of the sum of squares of the ranks that lies between the groups: H / (n - 1)
    of Kruskal and Wallis (1952), 0 (no difference) to 1. p is (1 + draws at least as far apart) /
    (1 + draws), with the labels shuffled among the rows; with `blocks` (such as the animal a row is
    of) ranks are taken within a block and labels shuffled within it. Both are NaN where there are
    fewer than two labels, or all values are equal. The same input gives the same answer.
    """
    numbers = np.asarray(values, float)
    _, codes = np.unique([str(label) for label in labels], return_inverse=True)
    groups = int(codes.max()) + 1 if codes.size else 0
    if groups < 2:
        return float("nan"), float("nan")
    places = _places(blocks, len(numbers))
    ranks = np.empty(len(numbers))
    for place in places:
        ranks[place] = rankdata(numbers[place])
        ranks[place] -= ranks[place].mean()
    total = float((ranks**2).sum())
    if total == 0:
        return float("nan"), float("nan")
    seen = _between(ranks, codes[None], groups)[0]
    rng = np.random.default_rng(seed)
    shuffled = np.repeat(codes[None], draws, axis=0)
    for place in places:
        shuffled[:, place] = rng.permuted(shuffled[:, place], axis=1)
    by_chance = _between(ranks, shuffled, groups)
    as_far = int((by_chance >= seen - 1e-9 * total).sum())
    return float(seen / total), (1 + as_far) / (1 + draws)


def _places(blocks: Sequence[object] | None, rows: int) -> list[NDArray[np.int64]]:
    if blocks is None:
        return [np.arange(rows)]
    _, codes = np.unique([str(block) for block in blocks], return_inverse=True)
    return [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]


def _between(
    ranks: NDArray[np.float64], codes: NDArray[np.int64], groups: int
) -> NDArray[np.float64]:
    """Sum of squares between the groups for every row of `codes` (draws, rows)."""
    found = np.zeros(len(codes))
    for group in range(groups):
        member = codes == group
        size = member.sum(axis=1)
        found += np.where(size > 0, (member @ ranks) ** 2 / np.maximum(size, 1), 0.0)
    return found
