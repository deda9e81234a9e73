"""Prediction sets of grades: which thresholds a bundle keeps, and which one a frame gets.

Three kinds of threshold per unit: `pooled` over all calibration animals, one per lab × coat with
enough of them, and `elsewhere` for labs that calibration has not seen, from predictions on labs
that were left out of training: that of the hardest of them. Numpy only; the content lies in
`calibration.json` under `sets`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.stats.conformal import (
    clustered_threshold,
    conformal_threshold,
    covered,
    fewest_clusters,
    grade_sets,
    never_empty,
)

Array = NDArray[np.float64]

FEWEST_IN_GROUP = 50
"""Frames with a known grade that a group needs for a threshold of its own."""
FEWEST_IN_LAB = 20
"""Frames with a known grade that a left-out lab needs to count."""


@dataclass(frozen=True)
class LeftOut:
    """Predictions on labs left out of training, all folds one below the other.

    `probabilities[u]` and `targets[u]` (n, grades), NaN where unknown; `labs` (n,); `digest` of the
    file they come from.
    """

    probabilities: Sequence[Array]
    targets: Sequence[Array]
    labs: Sequence[str]
    digest: str = ""


def group_of(lab: str, coat: str) -> str:
    """The name of a lab × coat group, as in the report."""
    return f"{lab}|{coat}"


def fit_sets(
    units: Sequence[str],
    probabilities: Sequence[Array],
    targets: Sequence[Array],
    labs: Sequence[str],
    coats: Sequence[str],
    alpha: float,
    left_out: LeftOut | None = None,
    animals: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Thresholds of all units, the part `sets` of `calibration.json`.

    `probabilities[u]` and `targets[u]` are (n, grades) of the calibration frames, targets NaN where
    unknown; `labs` and `coats` (n,), empty where not known; `animals` (n,), so that sets keep their
    promise for animals that calibration has not seen (without, every frame counts as one). Groups
    are Mondrian categories (Vovk, Gammerman, Shafer 2005, Algorithmic Learning in a Random World,
    ch. 4).
    """
    groups = np.array([group_of(*pair) for pair in zip(labs, coats, strict=True)], object)
    seen = np.array(range(len(groups)) if animals is None else list(animals), str)
    result: dict[str, Any] = {}
    for index, unit in enumerate(units):
        p, target = never_empty(probabilities[index]), targets[index]
        known = np.isfinite(target).all(1) & np.isfinite(p).all(1)
        own = {}
        for name in sorted(set(groups[known]) - {group_of("", "")}):
            rows = known & (groups == name)
            enough = len(set(seen[rows])) >= fewest_clusters(alpha)
            if enough and int(rows.sum()) >= FEWEST_IN_GROUP:
                own[str(name)] = _threshold(p[rows], target[rows], alpha, seen[rows])
        result[unit] = {
            "pooled": _threshold(p[known], target[known], alpha, seen[known]),
            "groups": own,
            "elsewhere": _elsewhere(left_out, index, alpha) if left_out else None,
        }
    return {"alpha": alpha, "labs": sorted(set(map(str, labs)) - {""}), "units": result}


def threshold_for(sets: Mapping[str, Any], unit: str, group: str | None) -> float:
    """The threshold of a unit for a lab × coat group; None is a lab nobody knows.

    A group with a threshold of its own has that; another group of a lab that calibration has seen
    has the pooled one; everybody else the one from left-out labs, or the pooled one where there
    were no such labs.
    """
    facts = sets["units"][unit]
    if group is not None:
        if group in facts["groups"]:
            return float(facts["groups"][group]["threshold"])
        if group.rpartition("|")[0] in sets["labs"]:
            return float(facts["pooled"]["threshold"])
    return float((facts["elsewhere"] or facts["pooled"])["threshold"])


def prediction_set(
    sets: Mapping[str, Any], probabilities: Array, unit: str, group: str | None = None
) -> NDArray[np.bool_]:
    """Which grades (n, grades) can be meant, given their probabilities; never none."""
    table = np.atleast_2d(np.asarray(probabilities, np.float64))
    return grade_sets(table, threshold_for(sets, unit, group))


def possible_grades(probabilities: Sequence[float], threshold: float) -> tuple[int, ...]:
    """The grades in the set of one frame, as `prediction_set` gives them, without numpy.

    Asked once per unit and frame of a film, where an array of three numbers would cost more than
    the question.
    """
    top = max(range(len(probabilities)), key=probabilities.__getitem__)
    return tuple(k for k, p in enumerate(probabilities) if k == top or p >= threshold)


def _threshold(p: Array, target: Array, alpha: float, animals: NDArray[np.str_]) -> dict[str, Any]:
    threshold = clustered_threshold(p, target, alpha, animals.tolist())
    return {"threshold": threshold, "n": len(p), "animals": len(set(animals))}


def _elsewhere(left_out: LeftOut, index: int, alpha: float) -> dict[str, Any] | None:
    """The threshold of the hardest left-out lab, and how it did lab by lab.

    A threshold for the mean of the labs keeps its promise in the mean and breaks it in the harder
    half of them. Where labs are exchangeable, another lab is harder than K others in one of K + 1
    cases (a lab counts as one observation: Dunn, Wasserman, Ramdas 2023, JASA 118:2491). The
    figures of a lab are those of the threshold fitted on the other left-out labs.
    """
    p, target = never_empty(left_out.probabilities[index]), left_out.targets[index]
    labs = np.asarray(left_out.labs, object)
    known = np.isfinite(target).all(1) & np.isfinite(p).all(1)
    names = [
        name for name in sorted(set(labs[known])) if (known & (labs == name)).sum() >= FEWEST_IN_LAB
    ]
    if not names:
        return None
    own = {
        name: conformal_threshold(p[rows], target[rows], alpha)
        for name in names
        for rows in [known & (labs == name)]
    }
    tried: dict[str, Any] = {}
    for name in names if len(names) > 1 else ():
        rows = known & (labs == name)
        held = grade_sets(p[rows], min(own[other] for other in names if other != name))
        tried[str(name)] = {
            "n": int(rows.sum()),
            "coverage": float(covered(held, target[rows]).mean()),
            "size": float(held.sum(1).mean()),
        }
    return {"threshold": min(own.values()), "n": int(known.sum()), "labs": tried}
