"""How often the prediction sets hold a rater's grade, by kind of threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.figures.table import Array, Rows, shares, texts
from models.scale import Scale
from models.sets import group_of, threshold_for
from models.stats.bootstrap import cluster_mean_interval
from models.stats.conformal import covered, grade_sets


def set_figures(
    graded: pd.DataFrame, sets: Mapping[str, Any] | None, scale: Scale
) -> dict[str, Any] | None:
    """Coverage and size of the sets of `calibration.json`; None where there are none.

    Per unit: `served`, with the threshold that each frame gets in use; `pooled` on the labs that
    calibration has seen (all, where it has seen none of them); `groups`, lab × coat of these labs
    one by one with the threshold each gets; `elsewhere`, unseen labs one by one with the threshold
    for them; `left_out`, what the calibration itself found on left-out labs. Intervals are over
    animals, and those of groups and unseen labs corrected after Bonferroni for all `cells` of their
    kind, units included.
    """
    if sets is None:
        return None
    labs, coats, animals = (texts(graded, name) for name in ("lab", "coat", "animal"))
    groups = np.array([group_of(*pair) for pair in zip(labs, coats, strict=True)], object)
    seen = np.isin(labs, sets["labs"])
    own = sorted(set(groups[seen]))
    unseen = sorted(set(labs[~seen]))
    cells = {"groups": len(own) * len(scale.units), "elsewhere": len(unseen) * len(scale.units)}
    level = {name: 1 - 0.05 / max(1, count) for name, count in cells.items()}
    units: dict[str, Any] = {}
    for unit in scale.units:
        p, target = shares(graded, unit, "p"), shares(graded, unit, "truth_p")
        known: Rows = np.asarray(np.isfinite(p).all(1) & np.isfinite(target).all(1))
        facts = sets["units"][unit.key]
        used = np.array([threshold_for(sets, unit.key, group) for group in groups])
        pooled = float(facts["pooled"]["threshold"])
        away = threshold_for(sets, unit.key, None)

        def row(
            rows: Rows,
            threshold: Any,
            sure: float = 0.95,
            table: tuple[Array, Array, Rows] = (p, target, known),
        ) -> dict[str, Any]:
            stated, votes, usable = table
            return _coverage(stated, votes, rows & usable, threshold, animals, sure)

        units[unit.key] = {
            "served": row(np.ones_like(known), used[:, None]),
            "pooled": row(seen if seen.any() else np.ones_like(known), pooled),
            "groups": {
                name: row(groups == name, threshold_for(sets, unit.key, name), level["groups"])
                for name in own
            },
            "elsewhere": {name: row(labs == name, away, level["elsewhere"]) for name in unseen},
            "left_out": (facts["elsewhere"] or {}).get("labs"),
        }
    return {"alpha": sets["alpha"], "cells": cells, "units": units}


def _coverage(
    p: Array, target: Array, rows: Rows, threshold: Any, animals: NDArray[Any], level: float
) -> dict[str, Any]:
    limit = threshold[rows] if isinstance(threshold, np.ndarray) else threshold
    held = grade_sets(p[rows], limit)
    hit = covered(held, target[rows])
    nan = float("nan")
    return {
        "coverage": float(hit.mean()) if hit.size else nan,
        "size": float(held.sum(1).mean()) if hit.size else nan,
        "n": int(hit.size),
        "n_animals": len(set(animals[rows])),
        "interval": list(cluster_mean_interval(hit, animals[rows].tolist(), level)),
    }
