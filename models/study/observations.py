"""From recordings to observations: one row per animal and time, with its score."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.events import Refused
from models.result import MINIMUM_COVERAGE, MINIMUM_FRAMES
from models.scale import Scale
from models.stats.courses import bouts, distribution
from models.study.plan import StudyPlan
from models.study.reading import Means, Reading, read_recording
from models.study.rows import StudyRow

Array = NDArray[np.float64]
Told = Callable[[float, str], None]

OFTEN = 0.9
"""By default a unit takes part that is scored in at least this share of the observations."""
EDGES = np.linspace(0.0, 2.0, 9)
"""Edges of the distribution of scores: steps of a quarter grade."""
BASELINE, AFTER = "baseline", "after"
READERS = 3


@dataclass(frozen=True)
class Read:
    """A row of the table with what was read of its recording; None where the row is left out."""

    row: StudyRow
    reading: Reading | None


def read_rows(rows: Sequence[StudyRow], scale: Scale, told: Told) -> list[Read]:
    """Read every recording that takes part; Refused where a file is not one of a score."""

    def read(row: StudyRow) -> Read:
        if row.excluded:
            return Read(row, None)
        return Read(row, read_recording(row.result, row.predictions, scale, row.name))

    found = []
    # Decompressing needs no Python: while one file is decompressed, another is added up.
    readers = ThreadPoolExecutor(READERS)
    try:
        for number, one in enumerate(readers.map(read, rows)):
            if number % 25 == 0:
                told(number / len(rows), f"Reading {number} of {len(rows)} recordings")
            found.append(one)
    finally:
        readers.shutdown(cancel_futures=True)
    return found


def check_design(rows: Sequence[StudyRow], plan: StudyPlan) -> None:
    """Raises Refused where rows do not make a design that can be analysed."""
    if not rows:
        raise Refused("The table has no rows; give one row per scored recording.")
    used = [row for row in rows if not row.excluded]
    if not used:
        raise Refused(
            "Every row of the table is excluded, so that nothing is left to analyse; leave the "
            "column excluded empty for the recordings that take part."
        )
    without = [row.name for row in used if not row.group]
    if len(without) == len(used):
        raise Refused("The table says of no row which group it is of; fill in the column group.")
    if without:
        raise Refused(
            f"{_some(without)} {'has' if len(without) == 1 else 'have'} no group; fill in the "
            "column group, or say in the column excluded why the row is left out."
        )
    for row in used:
        if not math.isfinite(row.time_h):
            raise Refused(f"{row.name} has no time; fill in the column time_h.")
    groups = list(dict.fromkeys(row.group for row in used))
    for role in ("control", "vehicle", "drug"):
        name = getattr(plan, role)
        if name and name not in groups:
            raise Refused(
                f"The plan's {role} group “{name}” is not in the table; its groups are "
                f"{', '.join(groups)}."
            )
    if plan.vehicle and plan.vehicle == plan.drug:
        raise Refused("The vehicle group and the drug group are the same; name two groups.")
    _one_each(used, "animal", "group", "A design in which animals change groups is not analysed.")
    _one_each(used, "animal", "cage", "Write the cage it was in at the procedure.")
    if plan.unit == "cage":
        homeless = [row.name for row in used if not row.cage]
        if homeless:
            raise Refused(
                f"The experimental unit is the cage, but {_some(homeless)} names none; fill in the "
                "column cage or take the animal as the unit."
            )
        _one_each(
            used, "cage", "group", "Then animals were assigned, not cages: take the animal as unit."
        )


def _one_each(rows: Sequence[StudyRow], holder: str, held: str, advice: str) -> None:
    seen: dict[str, str] = {}
    for row in rows:
        key, value = getattr(row, holder), getattr(row, held)
        if seen.setdefault(key, value) != value:
            first, second = (f"“{name}”" if name else "none" for name in (seen[key], value))
            raise Refused(f"{holder.capitalize()} {key} has two {held}s: {first} and {second}. "
                          f"{advice}")  # fmt: skip


def check_versions(read: Sequence[Read]) -> None:
    """Raises Refused where recordings were scored by several model versions."""
    counts: Counter[tuple[str, str]] = Counter(
        (one.reading.digest, one.reading.model) for one in read if one.reading is not None
    )
    digests = {digest for digest, _ in counts}
    if len(digests) < 2:
        return
    named = []
    for digest in sorted(digests):
        number = sum(count for (other, _), count in counts.items() if other == digest)
        model = next((name for other, name in counts if other == digest and name), "")
        short = digest[:12] or "an unnamed version"
        told = f"{model} (bundle {short})" if model else f"bundle {short}" if digest else short
        named.append(f"{told} scored {number}")
    raise Refused(
        f"The recordings were scored by several model versions: {'; '.join(named)}. Scores of "
        "different versions are not comparable: score all of them with one version."
    )


def fixed_units(read: Sequence[Read], plan: StudyPlan, scale: Scale) -> tuple[str, ...]:
    """The keys of the action units that every score of the study rests on.

    Those of the plan; otherwise all that are scored in at least MINIMUM_FRAMES frames of OFTEN of
    the recordings with a score. How often a unit is scored is asked, never which grade it has.
    """
    if plan.units:
        return tuple(key for key in scale.unit_keys if key in plan.units)
    readings = [one.reading for one in read if one.reading is not None]
    scored = [one for one in readings if one.outcome == "scored"] or readings
    often = np.array([[n >= MINIMUM_FRAMES for n in one.gated.n] for one in scored]).mean(0)
    units = tuple(key for key, share in zip(scale.unit_keys, often, strict=True) if share >= OFTEN)
    if len(units) < scale.minimum_units:
        shares = ", ".join(
            f"{unit.title} {100 * share:.0f} %"
            for unit, share in zip(scale.units, often, strict=True)
        )
        raise Refused(
            f"Only {len(units)} action units are scored in nine of ten recordings, and a score "
            f"rests on at least {scale.minimum_units} ({shares}). Name the units in the plan; "
            "recordings that lack one of them get no score."
        )
    return units


def observations(
    read: Sequence[Read], plan: StudyPlan, units: Sequence[str], scale: Scale
) -> pd.DataFrame:
    """One row per animal and time, in the order of group, animal and time.

    Recordings of one animal at one time are pooled: means per unit over all their frames, then over
    `units`. `score` and `score_ungated` are with and without the gate of the states, `value` is the
    one the plan asks for; NaN where `reason` says why. `high_share`, `bouts_per_min`, `bout_s` and
    `longest_bout_s` rest on stretches of `width_s`; `distribution` is an array over EDGES.
    """
    kept: dict[tuple[str, float], list[Read]] = {}
    for one in read:
        if one.reading is not None:
            kept.setdefault((one.row.animal, one.row.time_h), []).append(one)
    groups = list(dict.fromkeys(one.row.group for one in read if one.reading is not None))
    lead = [plan.control, plan.vehicle]
    order = [g for g in dict.fromkeys(lead) if g in groups] + [g for g in groups if g not in lead]
    table = pd.DataFrame([_observation(several, plan, units, scale) for several in kept.values()])
    table["group"] = pd.Categorical(table["group"], order, ordered=True)
    return table.sort_values(["group", "animal", "time_h"], kind="stable").reset_index(drop=True)


def _observation(
    several: list[Read], plan: StudyPlan, units: Sequence[str], scale: Scale
) -> dict[str, Any]:
    row = several[0].row
    readings = [one.reading for one in several if one.reading is not None]
    place = [scale.unit_keys.index(key) for key in units]
    frames = sum(one.frames for one in readings)
    graded = sum(one.graded for one in readings)
    means, n = _pooled([one.gated for one in readings])
    reason = _why_not(readings, frames, graded, n[place], units, scale)
    score = math.nan if reason else float(means[place].mean())
    free = [one.free for one in readings if one.free is not None]
    if len(free) == len(readings):
        free_means, free_n = _pooled(free)
        enough = bool((free_n[place] >= MINIMUM_FRAMES).all())
        ungated = float(free_means[place].mean()) if enough else math.nan
    else:
        # A result alone tells its ungated score over all units it could use, not over ours.
        own = [one.score_free for one in readings if one.score_free is not None]
        whole = len(units) == len(scale.unit_keys)
        ungated = float(np.mean(own)) if whole and len(own) == len(readings) else math.nan
    if not plan.gated:
        reason = "" if math.isfinite(ungated) else "too few scorable frames of the chosen units"
    parts = [_course(one.gated if plan.gated or one.free is None else one.free, place, scale)
             for one in readings]  # fmt: skip
    course = np.concatenate([np.append(part, np.nan) for part in parts])
    widths = {one.width_s for one in readings}
    width = widths.pop() if len(widths) == 1 else math.nan
    human = [one.row.human_score for one in several if one.row.human_score is not None]
    found: dict[str, Any] = {
        "animal": row.animal,
        "cage": row.cage,
        "unit": row.cage if plan.unit == "cage" else row.animal,
        "group": row.group,
        "dose": row.dose,
        "time_h": row.time_h,
        "phase": BASELINE if row.time_h <= 0 else AFTER,
        "recordings": " + ".join(one.row.name for one in several),
        "frames": frames,
        "graded": graded,
        "coverage": graded / frames if frames else math.nan,
        "score": score,
        "score_ungated": ungated,
        "value": score if plan.gated else ungated,
        "reason": reason,
        "width_s": width,
        "independent": all(one.independent for one in readings),
        "human_score": float(np.mean(human)) if human else math.nan,
        "states": _shares([one.states for one in readings], frames),
        "distribution": distribution(course, EDGES),
    }
    for key, mean, count in zip(scale.unit_keys, means, n, strict=True):
        found[key], found[f"{key}__n"] = float(mean), int(count)
    if plan.cut_off is not None:
        high = bouts(course, plan.cut_off, width)
        found |= {
            "high_share": high.share,
            "bouts_per_min": high.per_minute,
            "bout_s": high.mean_s,
            "longest_bout_s": high.longest_s,
        }
        if reason:
            found |= dict.fromkeys(("high_share", "bouts_per_min", "bout_s", "longest_bout_s"),
                                   math.nan)  # fmt: skip
    if reason:
        found["distribution"] = np.full(len(EDGES) - 1, np.nan)
    return found


def _pooled(several: Sequence[Means]) -> tuple[Array, NDArray[np.int64]]:
    """Means per unit over the frames of all, and their number, each (units,)."""
    n = np.array([one.n for one in several], np.int64)
    mean = np.array([one.mean for one in several], np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.where(n > 0, np.nan_to_num(mean) * n, 0.0).sum(0)
        return total / n.sum(0), n.sum(0)


def _why_not(
    readings: Sequence[Reading],
    frames: int,
    graded: int,
    n: NDArray[np.int64],
    units: Sequence[str],
    scale: Scale,
) -> str:
    if all(one.outcome not in {"scored", "no_scorable_frames"} for one in readings):
        return readings[0].sentence
    if graded < MINIMUM_FRAMES or graded < MINIMUM_COVERAGE * frames:
        return f"only {graded} of {frames} frames could be graded"
    few = [scale.unit(key).title.lower() for key, count in zip(units, n, strict=True)
           if count < MINIMUM_FRAMES]  # fmt: skip
    return f"too few frames in which {' and '.join(few)} can be scored" if few else ""


def _course(means: Means, place: Sequence[int], scale: Scale) -> Array:
    """Score of every stretch over the study's units, NaN where too few of them are known."""
    if not means.course:
        return np.empty(0)
    table = np.array(means.course, np.float64)[:, place]
    known = np.isfinite(table)
    number = known.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(known, table, 0.0).sum(1) / number
    return np.where(number >= min(scale.minimum_units, len(place)), score, np.nan)


def _shares(counts: Sequence[dict[str, int]], frames: int) -> dict[str, float]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return {key: number / frames for key, number in total.items()} if frames else {}


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
