"""Warnings that stand above the figures of a study."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from models.scale import Scale
from models.study.observations import Read
from models.study.outcomes import at_baseline, groups_of
from models.study.plan import StudyPlan

UNEQUAL = 0.10
"""Shares of two groups that lie further apart are told."""
FEW_UNITS = 6
"""Groups of fewer experimental units are told."""
PHANTOM = (
    "The model was trained on rendered mouse faces (a phantom). These numbers show that the "
    "analysis works; they say nothing about mice."
)

Caution = dict[str, str]


def cautions(
    table: pd.DataFrame,
    read: Sequence[Read],
    found: dict[str, Any],
    plan: StudyPlan,
    scale: Scale,
) -> list[Caution]:
    """Warnings `{key, sentence}` in the order they are shown; `found` is the report so far."""
    said = [
        *(("changed", sentence) for sentence in plan.changes),
        *_origin(read, table),
        *_few(found, plan),
        *_baselines(table, plan),
        *_scorable(table, scale),
        *_missing(table),
        *_design(table, plan),
        *_gate(found),
        *_widths(table, plan),
    ]
    return [{"key": key, "sentence": sentence} for key, sentence in said]


def _origin(read: Sequence[Read], table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    readings = [one.reading for one in read if one.reading is not None]
    if any(one.phantom for one in readings):
        yield "phantom", PHANTOM
    number = sum(not one.independent for one in readings)
    if number:
        yield (
            "not_independent",
            f"Not independent: {number} of {len(readings)} recordings (or their animals) took part "
            "in training or calibrating this model version. Its scores of them may look better "
            "than they are; agreement with your own scores leaves them out.",
        )


def _few(found: dict[str, Any], plan: StudyPlan) -> Iterator[tuple[str, str]]:
    noun = {"animal": "animals", "cage": "cages"}[plan.unit]
    few = {group: size for group, size in found["primary"]["sizes"].items() if size < FEW_UNITS}
    if few:
        told = ", ".join(f"{group} has {size}" for group, size in few.items())
        yield (
            "few_units",
            f"Few experimental units ({noun}) with a primary value: {told}. Intervals are wide, "
            "and a difference that is not seen may well be there.",
        )
    blind = [row for row in found["primary"]["pairs"] if (row["least_p"] or 0) > plan.alpha]
    for row in blind:
        yield (
            "blind_test",
            f"{row['group']} against {row['reference']}: with {row['n_reference']} and "
            f"{row['n_group']} units the smallest p that can come out is {row['least_p']:.2g}, so "
            f"that the test can never fall below {plan.alpha:g}, and no interval has an end.",
        )


def _baselines(table: pd.DataFrame, plan: StudyPlan) -> Iterator[tuple[str, str]]:
    has = table[at_baseline(table, plan) & np.isfinite(table["value"])]
    animals = list(dict.fromkeys(table["animal"]))
    missing = [one for one in animals if one not in set(has["animal"])]
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        yield (
            "missing_baseline",
            f"{len(missing)} of {len(animals)} animals have no scored baseline ({shown}). "
            "Baselines differ by strain, sex and coat; these animals take no part in what rests on "
            "a change.",
        )
    groups = has.groupby("group", observed=True)["value"].mean()
    if len(groups) > 1 and float(np.ptp(groups)) > 2 * UNEQUAL:
        low, high = str(groups.idxmin()), str(groups.idxmax())
        yield (
            "unequal_baseline",
            f"Groups differ at baseline already: {groups[low]:.2f} in {low}, {groups[high]:.2f} in "
            f"{high}. Look at the change from baseline too.",
        )


def _scorable(table: pd.DataFrame, scale: Scale) -> Iterator[tuple[str, str]]:
    after = table[table["time_h"] > 0]
    groups = groups_of(after) if len(after) else []
    if len(groups) < 2:
        return

    def apart(shares: dict[str, float]) -> tuple[float, str, str]:
        low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
        return shares[high] - shares[low], low, high

    coverage = {one: float(after.loc[after["group"] == one, "coverage"].mean()) for one in groups}
    coverage = {one: share for one, share in coverage.items() if math.isfinite(share)}
    if len(coverage) > 1:
        far, low, high = apart(coverage)
        if far > UNEQUAL:
            yield (
                "unequal_coverage",
                f"Groups could not be scored equally often after the procedure: "
                f"{100 * coverage[low]:.0f} % of the frames in {low}, {100 * coverage[high]:.0f} % "
                f"in {high}. What is left out may differ from what is scored.",
            )
    for state in scale.states:
        shares = {
            one: float(np.mean([said.get(state.key, 0.0) for said in
                                after.loc[after["group"] == one, "states"]]))
            for one in groups
        }  # fmt: skip
        far, low, high = apart(shares)
        if far > UNEQUAL and not state.graded:
            yield (
                f"unequal_state_{state.key}",
                f"The state “{state.title.lower()}” takes {100 * shares[low]:.0f} % of the time in "
                f"{low} and {100 * shares[high]:.0f} % in {high}, and gives no grade: compare the "
                "scores with and without the gate of the states.",
            )


def _missing(table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    times = table["time_h"].nunique()
    counts = table[np.isfinite(table["value"])].groupby("animal")["time_h"].nunique()
    counts = counts.reindex(list(dict.fromkeys(table["animal"])), fill_value=0)
    short = [str(one) for one in counts.index[counts < times]]
    if short and times > 1:
        shown = ", ".join(short[:5]) + (", …" if len(short) > 5 else "")
        verb = "lacks" if len(short) == 1 else "lack"
        yield (
            "missing_times",
            f"{len(short)} of {len(counts)} animals {verb} a score at one time or more ({shown}); "
            "their means rest on the times they have.",
        )


def _design(table: pd.DataFrame, plan: StudyPlan) -> Iterator[tuple[str, str]]:
    groups = groups_of(table)
    if len(groups) == 1:
        yield "one_group", f"There is one group only ({groups[0]}): nothing is compared."
    caged = table[table["cage"] != ""]
    if plan.unit == "animal" and len(caged) and len(groups) > 1:
        animals = caged.groupby("cage")["animal"].nunique()
        kinds = caged.groupby("cage")["group"].nunique()
        if (animals > 1).any() and (kinds[animals > 1] == 1).all():
            yield (
                "cage_is_group",
                "Animals of one cage are all in the same group. If cages were assigned to treatment"
                ", the cage is the experimental unit, and tests that count animals are too sure.",
            )
    doses = table[table["dose"] != ""].groupby("group", observed=True)["dose"].nunique()
    mixed = [str(one) for one in doses.index[doses > 1]]
    if mixed:
        yield (
            "several_doses",
            f"The group {mixed[0]} holds several doses, which are taken together; give each a "
            "group of its own to compare them.",
        )


def _gate(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    gate = found.get("gate")
    if not gate:
        return
    far = [row for row in gate if row["apart"] is not None and abs(row["apart"]) > UNEQUAL]
    if far:
        row = max(far, key=lambda one: abs(one["apart"]))
        yield (
            "gate_matters",
            f"The gate of the states matters: {row['group']} against {row['reference']} differs by "
            f"{row['gated']:.2f} with it and by {row['ungated']:.2f} without. A sleep gate can "
            "remove animals that sit still with shut eyes in strong pain.",
        )


def _widths(table: pd.DataFrame, plan: StudyPlan) -> Iterator[tuple[str, str]]:
    widths = sorted(set(table["width_s"].dropna()))
    if len(widths) > 1 or table["width_s"].isna().any():
        yield (
            "unequal_stretches",
            "Courses have stretches of different length, because predictions are given for some "
            "recordings only or recordings differ in length: bouts and distributions are not quite "
            "comparable. Give the predictions of every recording.",
        )
