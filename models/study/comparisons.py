"""Tests of groups, one value per experimental unit, and what rests on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from models.scale import Scale
from models.stats.courses import mean_over_units
from models.stats.effects import percent_reversal
from models.stats.methods_compared import agreement_of_methods
from models.stats.mixed import fit_mixed, permuted_units
from models.stats.mixed_bootstrap import likelihood_ratio
from models.stats.permutation import cliffs_delta, hedges_g, holm, many_groups, two_groups
from models.stats.power import cautious_spread, power_of_two_groups, units_needed
from models.study.outcomes import (
    PER_UNIT,
    at_baseline,
    at_primary,
    groups_of,
    of_group,
    per_animal,
    per_unit,
    values_at,
)
from models.study.plan import OUTCOMES, StudyPlan

EFFECTS = {
    "mean_score": (0.1, 0.2, 0.3, 0.5),
    "change": (0.1, 0.2, 0.3, 0.5),
    "high_share": (0.1, 0.2, 0.3, 0.5),
}
"""Differences that the table of power is made for; of an area they depend on its length."""
MOST_MIXED_DRAWS = 999
FEW_UNITS, MOST_SIMULATED = 30, 499
"""Up to so many units the likelihood ratio is told, too, with its chance from so many draws."""
FEWEST_FOR_AGREEMENT = 3
WITHIN = {
    "mean_score": (0.0, 2.0),
    "change": (-2.0, 2.0),
    "auc": (-math.inf, math.inf),
    "high_share": (0.0, 1.0),
    "bouts_per_min": (0.0, math.inf),
    "bout_s": (0.0, math.inf),
}
"""What a value can be: intervals of means end there."""


def tested_outcome(plan: StudyPlan) -> str:
    """The outcome with one value per unit that the primary test is of."""
    return "mean_score" if plan.primary == "percent_reversal" else plan.primary


def pairs_of(groups: Sequence[str], plan: StudyPlan) -> list[tuple[str, str]]:
    """Which pairs are compared, reference first.

    Each group with the control where there is one, else with the vehicle where more than two groups
    have one, else all pairs. Vehicle and drug are a pair in any case.
    """
    lead = plan.control or plan.vehicle
    if lead and lead in groups:
        pairs = [(lead, other) for other in groups if other != lead]
    else:
        pairs = list(combinations(groups, 2))
    asked = (plan.vehicle, plan.drug)
    if all(one in groups for one in asked) and not {asked, asked[::-1]} & set(pairs):
        pairs.append(asked)
    return pairs


def compare_groups(
    units: pd.DataFrame, column: str, groups: Sequence[str], plan: StudyPlan
) -> list[dict[str, Any]]:
    """One row per pair of groups: difference, p, p by Holm's method within this family, effects."""
    rows = []
    for first, second in pairs_of(groups, plan):
        x, y = of_group(units, first, column), of_group(units, second, column)
        found = two_groups(x, y, 1 - plan.alpha, plan.draws, plan.seed)
        g, g_interval = hedges_g(x, y, 1 - plan.alpha)
        delta, delta_interval = cliffs_delta(x, y, 1 - plan.alpha)
        rows.append(
            {"reference": first, "group": second, "n_reference": found.n[0], "n_group": found.n[1],
             "mean_reference": found.means[0], "mean_group": found.means[1],
             "difference": found.difference, "interval": list(found.interval), "p": found.p,
             "least_p": found.least_p, "exact": found.exact, "ways": found.ways,
             "hedges_g": g, "g_interval": list(g_interval),
             "cliffs_delta": delta, "delta_interval": list(delta_interval)}
        )  # fmt: skip
    return _with_holm(rows)


def _with_holm(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    adjusted = holm([row["p"] for row in rows])
    return [row | {"p_holm": float(p)} for row, p in zip(rows, adjusted, strict=True)]


def primary_and_secondary(table: pd.DataFrame, plan: StudyPlan) -> dict[str, Any]:
    """The primary test, the same for every other outcome, and for every time by itself."""
    animals = per_animal(table, plan)
    units = per_unit(animals, ["baseline", *PER_UNIT])
    groups, tested = groups_of(table), tested_outcome(plan)
    outcomes = [one for one in PER_UNIT if np.isfinite(units[one]).any()]
    found: dict[str, Any] = {}
    for outcome in dict.fromkeys([tested, *outcomes]):
        rows = compare_groups(units, outcome, groups, plan)
        f, p = many_groups(units[outcome], list(units["group"]), plan.draws, plan.seed)
        found[outcome] = {
            "outcome": outcome,
            "title": OUTCOMES[outcome],
            "pairs": rows,
            "overall": {"f": f, "p": p, "groups": len(groups)} if len(groups) > 2 else None,
        }
    baseline = compare_groups(units, "baseline", groups, plan)
    times = []
    for time in sorted(set(table.loc[~at_baseline(table, plan) & (table["time_h"] > 0), "time_h"])):
        here = values_at(table, time)
        times += [{"time_h": float(time), **row} for row in compare_groups(here, "value", groups,
                                                                           plan)]  # fmt: skip
    for row in times:
        row.pop("p_holm")
    return {
        "groups": groups,
        "units": units,
        "animals": animals,
        "primary": found[tested],
        "secondary": [one for name, one in found.items() if name != tested],
        "by_time": _with_holm(times),
        "baseline": baseline,
    }


def time_course(table: pd.DataFrame, plan: StudyPlan) -> list[dict[str, Any]]:
    """One row per group and time: mean over experimental units, interval, and what was counted."""
    rows = []
    for group in groups_of(table):
        for time in sorted(set(table["time_h"])):
            here = table[(table["group"] == group) & (table["time_h"] == time)]
            if here.empty:
                continue
            values = values_at(here, time)["value"].to_numpy(np.float64)
            mean, interval = mean_over_units(
                values, 1 - plan.alpha, plan.draws, plan.seed, WITHIN["mean_score"]
            )
            known = here[np.isfinite(here["value"])]
            rows.append(
                {"group": group, "time_h": float(time), "mean": mean, "interval": list(interval),
                 "units": int(np.isfinite(values).sum()), "animals": int(known["animal"].nunique()),
                 "observations": len(here), "without_score": len(here) - len(known),
                 "frames": int(here["frames"].sum()), "graded": int(here["graded"].sum()),
                 "not_graded": int(here["frames"].sum() - here["graded"].sum())}
            )  # fmt: skip
    return rows


def reversal(table: pd.DataFrame, animals: pd.DataFrame, plan: StudyPlan) -> dict[str, Any] | None:
    """Percent reversal of the drug over the vehicle group; None where the plan names neither."""
    if not (plan.vehicle and plan.drug):
        return None
    units = per_unit(animals, ["baseline", "mean_score"])
    given = units[units["group"] == plan.vehicle]
    found = percent_reversal(
        given["baseline"].to_numpy(np.float64),
        given["mean_score"].to_numpy(np.float64),
        of_group(units, plan.drug, "mean_score"),
        plan.least_effect,
        1 - plan.alpha,
        plan.draws,
        plan.seed,
    )
    sentences = {
        "few": "No percent reversal: vehicle and drug group need at least two units each, and "
        "those of the vehicle group a baseline.",
        "no_effect": "No percent reversal: the effect of the vehicle group may be below "
        f"{plan.least_effect:g} grades, and a share of nearly nothing says nothing.",
    }
    return {
        "vehicle": plan.vehicle,
        "drug": plan.drug,
        "percent": found.percent,
        "interval": list(found.interval),
        "effect": found.effect,
        "effect_interval": list(found.effect_interval),
        "refused": sentences.get(found.refused, found.refused),
    }


def distributions(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Shares of the course by score, one row per group: after baseline, units with equal weight."""
    rows = []
    for group in groups_of(table):
        here = table[(table["group"] == group) & (table["time_h"] > 0)]
        finite = [bool(np.isfinite(one).all()) for one in here["distribution"]]
        known = here[np.array(finite, np.bool_)]
        by_unit = [
            np.mean([np.mean(np.stack(list(own["distribution"])), 0) for _, own in
                     mine.groupby("animal")], axis=0)
            for _, mine in known.groupby("unit")
        ]  # fmt: skip
        if by_unit:
            shares = np.mean(by_unit, axis=0)
            rows.append({"group": group, "units": len(by_unit), "shares": shares.tolist()})
    return rows


def high_grimace(table: pd.DataFrame, plan: StudyPlan) -> list[dict[str, Any]]:
    """Share of time and bouts at or above the cut-off, one row per group; none without one."""
    if plan.cut_off is None:
        return []
    rows = []
    chosen = table[at_primary(table, plan)]
    columns = ["high_share", "bouts_per_min", "bout_s"]
    for group in groups_of(table):
        here = chosen[chosen["group"] == group]
        if here.empty:
            continue
        means = here.groupby(["unit", "animal"])[columns].mean().groupby("unit").mean()
        row: dict[str, Any] = {"group": group, "units": int(means["high_share"].notna().sum())}
        for column in columns:
            mean, interval = mean_over_units(
                means[column], 1 - plan.alpha, plan.draws, plan.seed, WITHIN[column]
            )
            row[column], row[f"{column}_interval"] = mean, list(interval)
        longest = here["longest_bout_s"].max()
        rows.append(row | {"longest_bout_s": float(longest)})
    return rows


def mixed_model(table: pd.DataFrame, plan: StudyPlan) -> dict[str, Any] | None:
    """Mixed model of all observations after baseline; None where there is nothing to fit.

    Fixed: time (a mean of its own for each), the unit's baseline where every animal has one, group.
    Random: animal where animals were seen several times, cage where one holds several animals.
    """
    animals = per_animal(table, plan).set_index("animal")["baseline"]
    rows = table[(table["time_h"] > 0) & ~at_baseline(table, plan) & np.isfinite(table["value"])]
    groups = [one for one in groups_of(table) if (rows["group"] == one).any()]
    several = rows["animal"].duplicated().any()
    shared = rows.groupby("cage")["animal"].nunique()
    caged = bool((rows["cage"] != "").all() and (shared > 1).any())
    if len(groups) < 2 or rows["unit"].nunique() <= len(groups) + 1:
        return None
    whose, cages = list(rows["animal"]), list(rows["cage"]) if caged else None
    times = sorted(set(rows["time_h"]))
    by_time = np.stack([(rows["time_h"] == time).to_numpy(np.float64) for time in times], 1)
    covariate = bool(np.isfinite(animals).all()) and float(np.ptp(animals)) > 1e-9
    X = by_time
    if covariate:
        own = animals.loc[whose].to_numpy(np.float64)
        X = np.column_stack([X, own - own.mean()])
    member = np.stack([(rows["group"] == one).to_numpy(np.float64) for one in groups[1:]], 1)
    y = rows["value"].to_numpy(np.float64)
    freedom = rows["unit"].nunique() - len(groups) - covariate
    try:
        null = fit_mixed(y, X, whose, cages, animals_vary=several)
        full = fit_mixed(y, np.column_stack([X, member]), whose, cages, animals_vary=several)
    except ValueError:
        return None
    draws = min(plan.draws, MOST_MIXED_DRAWS)
    shuffled = (y, X, list(rows["unit"]), list(rows["group"]), null, whose, cages)
    joint = by_time if len(times) > 1 else None
    from scipy.stats import t

    edge = float(t.ppf(1 - plan.alpha / 2, freedom)) if freedom > 0 else math.nan
    estimates = []
    for place, group in enumerate(groups[1:], X.shape[1]):
        value, error = float(full.beta[place]), math.sqrt(float(full.covariance[place, place]))
        ends = [value - edge * error, value + edge * error]
        estimates.append(
            {"reference": groups[0], "group": group, "difference": value, "interval": ends}
        )
    return {
        "observations": len(rows),
        "animals": int(rows["animal"].nunique()),
        "cages": int(rows["cage"].nunique()) if caged else None,
        "times": len(times),
        "baseline_as_covariate": covariate,
        "variances": {"animal": full.animals if several else None,
                      "cage": full.cages if caged else None, "rest": full.rest},
        "estimates": estimates,
        "degrees_of_freedom": int(freedom),
        "p_group": permuted_units(*shuffled, None, draws, plan.seed),
        "p_any_time": (
            permuted_units(*shuffled, joint, draws, plan.seed) if joint is not None else None
        ),
        "draws": draws,
        "likelihood_ratio": (
            asdict(
                likelihood_ratio(
                    y, X, member, whose, cages, several, min(draws, MOST_SIMULATED), plan.seed
                )
            )
            if rows["unit"].nunique() <= FEW_UNITS
            else None
        ),
    }  # fmt: skip


def power_table(units: pd.DataFrame, plan: StudyPlan) -> dict[str, Any] | None:
    """What the next experiment needs, from the spread within groups of the primary outcome."""
    outcome = tested_outcome(plan)
    groups = [of_group(units, str(one), outcome) for one in units["group"].unique()]
    freedom = sum(max(one.size - 1, 0) for one in groups)
    if freedom < 2:
        return None
    squares = sum(float(((one - one.mean()) ** 2).sum()) for one in groups if one.size)
    spread = math.sqrt(squares / freedom)
    if spread <= 1e-9:
        return None
    cautious = cautious_spread(spread, freedom)
    effects = EFFECTS.get(outcome) or tuple(spread * one for one in (0.5, 0.8, 1.0, 1.5))
    smallest = min(one.size for one in groups)
    return {
        "outcome": outcome,
        "spread": spread,
        "cautious_spread": cautious,
        "degrees_of_freedom": freedom,
        "smallest_group": smallest,
        "rows": [
            {"difference": effect,
             "power_as_here": power_of_two_groups(smallest, effect / spread, plan.alpha),
             "needed_80": units_needed(effect / spread, 0.8, plan.alpha),
             "needed_90": units_needed(effect / spread, 0.9, plan.alpha),
             "needed_80_cautious": units_needed(effect / cautious, 0.8, plan.alpha)}
            for effect in effects
        ],
    }  # fmt: skip


def human_agreement(
    table: pd.DataFrame, plan: StudyPlan, scale: Scale
) -> tuple[dict[str, Any] | None, pd.DataFrame]:
    """Agreement with the lab's own scores, and the observations it rests on.

    Recordings that are not independent of the model's training are left out.
    """
    known = np.isfinite(table["human_score"]) & np.isfinite(table["value"])
    used = table[known & table["independent"]]
    if len(used) < FEWEST_FOR_AGREEMENT:
        return None, used
    found = agreement_of_methods(
        used["value"],
        used["human_score"],
        list(used["unit"]),
        max(unit.top_grade for unit in scale.units) + 1,
        1 - plan.alpha,
        min(plan.draws, 2000),
        plan.seed,
    )
    return {
        "observations": found.n,
        "units": found.clusters,
        "left_out_not_independent": int((known & ~table["independent"]).sum()),
        "bias": found.bias,
        "bias_interval": list(found.bias_interval),
        "sd": found.sd,
        "limits": list(found.limits),
        "lower_interval": list(found.lower_interval),
        "upper_interval": list(found.upper_interval),
        "icc": found.icc,
        "icc_interval": list(found.icc_interval),
        "kappa": found.kappa,
        "kappa_interval": list(found.kappa_interval),
    }, used
