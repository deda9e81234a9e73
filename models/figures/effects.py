"""Effects over experimental units, raters and model side by side on the same frames and units.

`observation_scores` gives one row per animal and observation; callers add what only the design
knows. Nothing here decides what is enough or what counts as an effect: `curation.validation` does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from models.figures.table import numbers, without_nan
from models.stats.effects import paired_change, percent_reversal, roc

SIDES = {"raters": "truth", "model": "score"}
BASELINE, AFTER = "baseline", "after"
VEHICLE = ""
"""The arm of units without a drug; any other arm is the name of a drug."""


def unit_means(table: pd.DataFrame) -> pd.DataFrame:
    """One row per experimental unit, arm and phase: means of its animals' means.

    `table` has the columns `unit`, `animal`, `arm`, `phase`, `truth` and `score`; an animal with
    several observations in a phase counts once. Columns of the answer: `unit`, `arm`, `phase`,
    `truth`, `score`, `animals`.
    """
    values = list(SIDES.values())
    per_animal = table.groupby(["unit", "arm", "phase", "animal"], as_index=False)[values].mean()
    groups = per_animal.groupby(["unit", "arm", "phase"])
    means: pd.DataFrame = groups[values].mean().assign(animals=groups.size())
    return means.reset_index()


def effect_figures(
    table: pd.DataFrame, least_effect: float, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """Baseline against after, ROC and reversal of one group of units (columns as `unit_means`).

    `n_units` counts the units without a drug that have both phases; `sides` holds for raters and
    model `baseline`, `after`, `change` with `interval` (grades), `p`, `d` with `d_interval`, `auc`
    with `auc_interval`, and the `roc` points; `pairs` the values of every unit; `reversal` one row
    per drug. Reversal is refused where the effect of the vehicle group may be below `least_effect`
    grades. None stands for a figure the units cannot carry.
    """
    means = unit_means(table)
    free = means[means["arm"] == VEHICLE]
    before, after = _phase(free, BASELINE), _phase(free, AFTER)
    both = sorted(set(before.index) & set(after.index))
    before, after = before.loc[both], after.loc[both]
    found: dict[str, Any] = {
        "n_units": len(both),
        "n_animals": int(after["animals"].sum()),
        "sides": {
            side: _change(numbers(before, column), numbers(after, column), level, draws, seed)
            for side, column in SIDES.items()
        },
        "pairs": [
            {
                side: [float(before[column].iloc[row]), float(after[column].iloc[row])]
                for side, column in SIDES.items()
            }
            for row in range(len(both))
        ],
        "reversal": [],
    }
    for drug in sorted(set(means["arm"]) - {VEHICLE}):
        treated = _phase(means[means["arm"] == drug], AFTER)
        if treated.empty:
            continue
        found["reversal"].append(
            {
                "drug": drug,
                "n_vehicle": len(both),
                "n_drug": len(treated),
                **{
                    side: _reversal(
                        numbers(before, column),
                        numbers(after, column),
                        numbers(treated, column),
                        least_effect,
                        level,
                        draws,
                        seed,
                    )
                    for side, column in SIDES.items()
                },
            }
        )
    plain: dict[str, Any] = without_nan(found)
    return plain


def _phase(means: pd.DataFrame, phase: str) -> pd.DataFrame:
    return means[means["phase"] == phase].set_index("unit").sort_index()


def _change(
    before: np.ndarray, after: np.ndarray, level: float, draws: int, seed: int
) -> dict[str, Any]:
    change = paired_change(before, after, level, draws, seed)
    curve = roc(before, after, level)
    return {
        "baseline": float(before.mean()) if before.size else None,
        "after": float(after.mean()) if after.size else None,
        "change": change.mean,
        "interval": list(change.interval),
        "p": change.p,
        "d": change.d,
        "d_interval": list(change.d_interval),
        "auc": curve.area,
        "auc_interval": list(curve.interval),
        "roc": [list(point) for point in curve.points],
    }


def _reversal(
    before: np.ndarray,
    after: np.ndarray,
    treated: np.ndarray,
    least: float,
    level: float,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    found = percent_reversal(before, after, treated, least, level, draws, seed)
    return {
        "percent": found.percent,
        "interval": list(found.interval),
        "effect": found.effect,
        "effect_interval": list(found.effect_interval),
        "drug_mean": float(treated.mean()) if treated.size else None,
        "refused": found.refused,
    }
