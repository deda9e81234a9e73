"""A challenger against a champion on the same frames, paired by animal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.events import Refused
from models.figures import without_nan
from models.stats.bootstrap import cluster_draws, percentile_interval

FEWEST_ANIMALS = 8
"""A group of fewer animals is listed, never assessed."""
SHOWN = 12
"""Frames that are named because the two models differ most on them."""

Array = NDArray[np.float64]


def compare(challenger: Path, champion: Path, draws: int = 1000, seed: int = 0) -> dict[str, Any]:
    """The content of compare.json from two evaluation folders of the same benchmark.

    `difference` is RMSE of the challenger minus RMSE of the champion over frames that the raters
    and both models graded; its interval resamples animals. `coverage_lost` is how much smaller a
    share of the frames that raters graded gets an image score: refusing frames is no way to err on
    fewer of them. Raises Refused where the folders were judged on different frames.
    """
    ours, digest = _read(challenger)
    theirs, other = _read(champion)
    if digest != other:
        raise Refused(
            "The two models were judged on different benchmarks; evaluate both on the same one."
        )
    wanted = ["frame", "score", *(name for name in map(str, theirs) if name.endswith("__grade"))]
    both = ours.merge(theirs[wanted], on="frame", suffixes=("", "_champion"))
    truth = both["truth"].to_numpy(np.float64)
    one = both["score"].to_numpy(np.float64)
    two = both["score_champion"].to_numpy(np.float64)
    rated = np.isfinite(truth)
    usable = rated & np.isfinite(one) & np.isfinite(two)
    groups = (both["lab"].astype(str) + "|" + both["coat"].astype(str)).to_numpy()
    animals = both["animal"].to_numpy()
    result = {
        **paired(one, two, truth, animals, usable, draws, seed),
        **covered(one, two, animals, rated, draws, seed),
        "groups": {},
        "differ": _most_different(both),
        "benchmark_digest": digest,
    }
    for name in sorted(set(groups)):
        inside = groups == name
        figures = paired(one, two, truth, animals, usable & inside, draws, seed)
        result["groups"][name] = {
            **figures,
            **covered(one, two, animals, rated & inside, draws, seed),
            "assessed": figures["n_animals"] >= FEWEST_ANIMALS,
        }
    plain: dict[str, Any] = without_nan(result)
    return plain


def _most_different(both: pd.DataFrame) -> list[dict[str, Any]]:
    """The frames on which the image scores differ most, with the scores and grades of all three.

    `units` holds per unit the raters' mean, the challenger's grade and the champion's.
    """
    gap = (both["score"] - both["score_champion"]).abs()
    units = [name.removesuffix("__grade") for name in map(str, both) if name.endswith("__grade")]
    rows = []
    for place in gap[gap > 0].sort_values(ascending=False, kind="stable").index[:SHOWN]:
        row = both.loc[place]
        rows.append(
            {
                **{name: str(row[name]) for name in ("frame", "dataset", "lab", "coat")},
                "raters": row["truth"],
                "challenger": row["score"],
                "champion": row["score_champion"],
                "units": {
                    unit: [
                        row[f"{unit}__truth"],
                        row[f"{unit}__grade"],
                        row[f"{unit}__grade_champion"],
                    ]
                    for unit in units
                },
            }
        )
    return rows


def paired(
    one: Array,
    two: Array,
    truth: Array,
    animals: NDArray[Any],
    rows: NDArray[np.bool_],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Both RMSEs over some rows, their difference and its 95 % interval over animals."""
    nan = float("nan")
    n_animals = len(set(animals[rows]))
    result: dict[str, Any] = {
        "n_animals": n_animals,
        "n_frames": int(rows.sum()),
        "rmse_challenger": nan,
        "rmse_champion": nan,
        "difference": nan,
        "interval": [nan, nan],
    }
    if not rows.any():
        return result
    squares = np.stack([np.ones(rows.sum()), (one - truth)[rows] ** 2, (two - truth)[rows] ** 2])
    n, mine, other = squares.sum(1)
    result["rmse_challenger"] = float(np.sqrt(mine / n))
    result["rmse_champion"] = float(np.sqrt(other / n))
    result["difference"] = result["rmse_challenger"] - result["rmse_champion"]
    if n_animals >= 2:
        codes, counts = cluster_draws(animals[rows].tolist(), draws, seed)
        sums = np.stack([np.bincount(codes, part, minlength=counts.shape[1]) for part in squares])
        n_drawn, mine_drawn, other_drawn = counts @ sums[0], counts @ sums[1], counts @ sums[2]
        drawn = np.sqrt(mine_drawn / n_drawn) - np.sqrt(other_drawn / n_drawn)
        result["interval"] = list(percentile_interval(drawn))
    return result


def covered(
    one: Array,
    two: Array,
    animals: NDArray[Any],
    rated: NDArray[np.bool_],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Share of the `rated` frames that each model gives a score (n,), NaN where it gives none.

    `coverage_lost` is the champion's share minus the challenger's, with its 95 % interval over
    animals; `n_rated_animals` are those of the rated frames.
    """
    nan = float("nan")
    n_animals = len(set(animals[rated]))
    result: dict[str, Any] = {
        "n_rated_animals": n_animals,
        "coverage_challenger": nan,
        "coverage_champion": nan,
        "coverage_lost": nan,
        "coverage_lost_interval": [nan, nan],
    }
    if not rated.any():
        return result
    mine, other = np.isfinite(one[rated]), np.isfinite(two[rated])
    result["coverage_challenger"] = float(mine.mean())
    result["coverage_champion"] = float(other.mean())
    result["coverage_lost"] = result["coverage_champion"] - result["coverage_challenger"]
    if n_animals >= 2:
        codes, counts = cluster_draws(animals[rated].tolist(), draws, seed)
        lost = np.bincount(codes, other.astype(float) - mine, minlength=counts.shape[1])
        n = np.bincount(codes, minlength=counts.shape[1])
        result["coverage_lost_interval"] = list(percentile_interval(counts @ lost / (counts @ n)))
    return result


def _read(folder: Path) -> tuple[pd.DataFrame, str]:
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return pd.read_parquet(folder / "predictions.parquet"), str(report["benchmark_digest"])
    except (OSError, ValueError, KeyError) as error:
        raise Refused(
            f"{folder} holds no evaluation; run `python -m models evaluate --out {folder}` first."
        ) from error
