"""From observations to one value per experimental unit, for every outcome."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.stats.courses import area_over_baseline
from models.study.observations import AFTER
from models.study.plan import StudyPlan

PER_UNIT = ("mean_score", "change", "auc", "high_share")
"""Outcomes that are one value per experimental unit; percent reversal is one per study."""


def at_baseline(table: pd.DataFrame, plan: StudyPlan) -> pd.Series:
    """Which observations are the baseline."""
    if plan.baseline_h is None:
        return table["time_h"] <= 0
    return (table["time_h"] - plan.baseline_h).abs() < 1e-9


def at_primary(table: pd.DataFrame, plan: StudyPlan) -> pd.Series:
    """Which observations the primary outcome rests on."""
    if plan.primary_time_h is None:
        return (table["time_h"] > 0) & ~at_baseline(table, plan)
    return (table["time_h"] - plan.primary_time_h).abs() < 1e-9


def per_animal(table: pd.DataFrame, plan: StudyPlan) -> pd.DataFrame:
    """One row per animal: `unit`, `group`, `baseline` and the outcomes of PER_UNIT, NaN if unknown.

    Means over an animal's observations are over those with a value. The area under the curve
    needs the animal's own baseline and a value at the last time of the study.
    """
    times = sorted(set(table.loc[table["phase"] == AFTER, "time_h"]))
    before, primary = at_baseline(table, plan), at_primary(table, plan)
    rows = []
    for (animal, unit, group), own in table.groupby(
        ["animal", "unit", "group"], sort=False, observed=True
    ):
        base = _mean(own.loc[before.loc[own.index], "value"])
        chosen = own[primary.loc[own.index]]
        score = _mean(chosen["value"])
        course = own[own["phase"] == AFTER].set_index("time_h")["value"].reindex(times)
        high = _mean(chosen["high_share"]) if "high_share" in own else math.nan
        area = area_over_baseline(times, course.to_numpy(), base)
        rows.append(
            {"animal": animal, "cage": own["cage"].iloc[0], "unit": unit, "group": group,
             "baseline": base, "mean_score": score, "change": score - base, "auc": area,
             "high_share": high}
        )  # fmt: skip
    return pd.DataFrame(rows)


def per_unit(animals: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """One row per experimental unit: means over its animals with a value; `animals` counts them."""
    grouped = animals.groupby(["group", "unit"], sort=False, observed=True)
    means: pd.DataFrame = grouped[list(columns)].mean()
    return means.assign(animals=grouped.size()).reset_index()


def values_at(table: pd.DataFrame, time_h: float, column: str = "value") -> pd.DataFrame:
    """One row per experimental unit at one time: `unit`, `group` and `column`."""
    here = table[(table["time_h"] - time_h).abs() < 1e-9]
    animals = here.groupby(["group", "unit", "animal"], sort=False, observed=True)[column].mean()
    return animals.groupby(["group", "unit"], sort=False, observed=True).mean().reset_index()


def of_group(units: pd.DataFrame, group: str, column: str) -> np.ndarray:
    """Known values (n,) of the units of a group."""
    values = units.loc[units["group"] == group, column].to_numpy(np.float64)
    return values[np.isfinite(values)]


def groups_of(table: pd.DataFrame) -> list[str]:
    """The groups in the order they are shown."""
    return [str(one) for one in table["group"].cat.categories if (table["group"] == one).any()]


def _mean(values: pd.Series) -> float:
    known = values.to_numpy(np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else math.nan
