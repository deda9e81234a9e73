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
    times = np.array(sorted(set(table.loc[table["phase"] == AFTER, "time_h"])))
    value, time = table["value"].to_numpy(np.float64), table["time_h"].to_numpy(np.float64)
    before, primary = at_baseline(table, plan).to_numpy(), at_primary(table, plan).to_numpy()
    high = table["high_share"].to_numpy(np.float64) if "high_share" in table else value * math.nan
    rows = []
    # Arrays: as tables of pandas, hundreds of animals would take seconds.
    for animal, own in table.groupby("animal", sort=False).indices.items():
        base = _mean(value[own[before[own]]])
        chosen = own[primary[own]]
        score = _mean(value[chosen])
        course = np.full(len(times), np.nan)
        after = own[time[own] > 0]
        course[np.searchsorted(times, time[after])] = value[after]
        first = table.iloc[own[0]]
        rows.append(
            {"animal": animal, "cage": first["cage"], "unit": first["unit"],
             "group": first["group"], "baseline": base, "mean_score": score,
             "change": score - base, "auc": area_over_baseline(times, course, base),
             "high_share": _mean(high[chosen])}
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
    if not here["unit"].duplicated().any():
        return here[["group", "unit", column]].reset_index(drop=True)
    animals = here.groupby(["group", "unit", "animal"], sort=False, observed=True)[column].mean()
    return animals.groupby(["group", "unit"], sort=False, observed=True).mean().reset_index()


def of_group(units: pd.DataFrame, group: str, column: str) -> np.ndarray:
    """Known values (n,) of the units of a group."""
    values = units.loc[units["group"] == group, column].to_numpy(np.float64)
    return np.asarray(values[np.isfinite(values)])


def groups_of(table: pd.DataFrame) -> list[str]:
    """The groups in the order they are shown."""
    return [str(one) for one in table["group"].cat.categories if (table["group"] == one).any()]


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan
