"""How good the grades are: every figure of report.json, computed from graded frames.

Next to each error stand two baselines: the constant answer, and one rater against the mean of the
others. Intervals resample animals, which are the unit that was drawn, not frames.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.manifest import votes_of
from models.scale import Scale, Unit
from models.stats.agreement import confusion, quadratic_weighted_kappa, variance_components
from models.stats.bootstrap import error_draws, percentile_interval
from models.stats.calibration import area_under_roc, expected_calibration_error
from models.stats.errors import bland_altman, calibration_line, mae, pearson, rmse
from models.stats.ordinal import nearest_grade

FORMAT = 1
PHANTOM_SENTENCE = (
    "These figures rest on phantom data, rendered mouse faces with simulated raters: they show "
    "that the machinery works and say nothing about real mice."
)
REAL_SENTENCE = (
    "These figures rest on the grades of human raters. A score is a research measure, not a "
    "welfare or veterinary decision, and a low score does not mean that there is no pain."
)
GROUPINGS: dict[str, tuple[str, ...]] = {
    "coat": ("coat",),
    "lab": ("lab",),
    "assay": ("assay",),
    "sex": ("sex",),
    "lab_coat": ("lab", "coat"),
}

Array = NDArray[np.float64]


def judged(frames: pd.DataFrame) -> pd.DataFrame:
    """The frames statistics may rest on: the random share, or all where nothing was chosen."""
    share = frames[frames["random_share"]]
    return (share if len(share) else frames).reset_index(drop=True)


def compute_report(
    graded: pd.DataFrame,
    constant: dict[str, float],
    scale: Scale,
    *,
    split: str,
    benchmark_digest: str,
    training: dict[str, Any],
    draws: int = 400,
    seed: int = 0,
) -> dict[str, Any]:
    """The content of report.json from `models.predictions.grade_frames`; NaN becomes null.

    `constant` are the baselines of `models.predictions.constants`. RMSE and the like are over
    frames that both the raters and the model graded; `coverage` is the share of frames graded by
    the raters that the model graded too.
    """
    phantom = bool(graded["phantom"].any())
    truth, score = _pair(graded)
    clusters = graded["animal"].tolist()
    both = np.isfinite(truth) & np.isfinite(score)
    humans = human_image_scores(graded, scale)
    errors, correlations = error_draws(
        score[both], truth[both], np.array(clusters)[both].tolist(), draws, seed
    )
    enough = len(set(np.array(clusters)[both])) >= 2
    image = {
        **_figures(score[both], truth[both], constant[""]),
        "n": int(both.sum()),
        "coverage": _share(both, np.isfinite(truth)),
        "human_rmse": rmse(humans[:, 0], humans[:, 1]),
        "human_r": pearson(humans[:, 0], humans[:, 1]),
        "interval": {
            "rmse": list(percentile_interval(errors)) if enough else [math.nan, math.nan],
            "r": list(percentile_interval(correlations)) if enough else [math.nan, math.nan],
        },
    }
    reasons = graded["reason"][graded["reason"] != ""].value_counts()
    report = {
        "format": FORMAT,
        "phantom": phantom,
        "split": split,
        "benchmark_digest": benchmark_digest,
        "n_frames": len(graded),
        "n_animals": int(graded["animal"].nunique()),
        "n_labs": int(graded["lab"].nunique()),
        "random_share": bool(graded["random_share"].all()),
        "image_score": image,
        "units": {
            unit.key: _unit_figures(graded, unit, constant[unit.key]) for unit in scale.units
        },
        "by": {name: _slices(graded, columns, constant[""]) for name, columns in GROUPINGS.items()},
        "observation": _observations(graded, scale),
        "reasons": {str(key): int(count) for key, count in reasons.items()},
        "states": {str(k): int(n) for k, n in graded["state"].value_counts().items()},
        "training": training,
        "sentence": PHANTOM_SENTENCE if phantom else REAL_SENTENCE,
    }
    plain: dict[str, Any] = without_nan(report)
    return plain


def _pair(graded: pd.DataFrame) -> tuple[Array, Array]:
    return graded["truth"].to_numpy(np.float64), graded["score"].to_numpy(np.float64)


def _figures(score: Array, truth: Array, constant: float) -> dict[str, float]:
    return {
        "rmse": rmse(score, truth),
        "r": pearson(score, truth),
        "mae": mae(score, truth),
        "constant_rmse": rmse(np.full_like(truth, constant), truth),
    }


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else math.nan


def _unit_figures(graded: pd.DataFrame, unit: Unit, constant: float) -> dict[str, Any]:
    truth = graded[f"{unit.key}__truth"].to_numpy(np.float64)
    expected = graded[f"{unit.key}__expected"].to_numpy(np.float64)
    grade = graded[f"{unit.key}__grade"].to_numpy(np.float64)
    grades = len(unit.grades)
    both = np.isfinite(truth) & np.isfinite(grade)
    whole = nearest_grade(truth[both])
    said = grade[both].astype(np.int64)
    p = graded[[f"{unit.key}__p{index}" for index in range(grades)]].to_numpy(np.float64)[both]
    shares = graded[[f"{unit.key}__truth_p{index}" for index in range(grades)]].to_numpy(
        np.float64
    )[both]
    rows = np.arange(len(said))
    scorable = graded[f"{unit.key}__scorable"].to_numpy(np.float64)
    seen = graded[f"{unit.key}__truth_scorable"].to_numpy(np.float64)
    rated = np.isfinite(scorable) & np.isfinite(seen)
    human = human_unit_grades(graded, unit)
    return {
        "kappa": quadratic_weighted_kappa(whole, said, grades),
        **_figures(expected[both], truth[both], constant),
        "n": int(both.sum()),
        "coverage": _share(both, np.isfinite(truth)),
        "human_kappa": quadratic_weighted_kappa(human[:, 0], human[:, 1], grades),
        "human_rmse": rmse(human[:, 0], human[:, 2]),
        "ece": expected_calibration_error(p[rows, said], shares[rows, said]),
        "scorable_auc": area_under_roc(scorable[rated], seen[rated] >= 0.5),
        "confusion": confusion(whole, said, grades).tolist(),
    }


def human_unit_grades(graded: pd.DataFrame, unit: Unit) -> Array:
    """Every rater against the others: columns own grade, nearest grade and mean of the others."""
    rows: list[tuple[float, float, float]] = []
    for cell in graded["votes"]:
        values = [v.grade for v in votes_of(cell) if v.unit == unit.key and v.grade is not None]
        total = sum(values)
        for value in values if len(values) > 1 else ():
            others = (total - value) / (len(values) - 1)
            rows.append((float(value), float(nearest_grade(others)), others))
    return np.array(rows, np.float64).reshape(-1, 3)


def human_image_scores(graded: pd.DataFrame, scale: Scale) -> Array:
    """Every rater's image score against the mean of the others': columns own, others."""
    rows: list[tuple[float, float]] = []
    for cell in graded["votes"]:
        by_rater: dict[str, list[int]] = {}
        for vote in votes_of(cell):
            if vote.grade is not None:
                by_rater.setdefault(vote.rater, []).append(vote.grade)
        scores = [
            sum(grades) / len(grades)
            for grades in by_rater.values()
            if len(grades) >= scale.minimum_units
        ]
        for score in scores if len(scores) > 1 else ():
            rows.append((score, (sum(scores) - score) / (len(scores) - 1)))
    return np.array(rows, np.float64).reshape(-1, 2)


def _slices(graded: pd.DataFrame, columns: tuple[str, ...], constant: float) -> dict[str, Any]:
    result = {}
    for key, rows in graded.groupby(list(columns), sort=True):
        truth, score = _pair(rows)
        both = np.isfinite(truth) & np.isfinite(score)
        name = "|".join(str(part) for part in key)
        result[name or "unknown"] = {
            "n": int(both.sum()),
            "n_animals": int(rows["animal"][both].nunique()),
            **_figures(score[both], truth[both], constant),
        }
    return result


def observation_scores(graded: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """One row per animal × observation: `score` and `truth`, means per unit first, then over units.

    Both sides use the same frames and units, those that raters and model both graded.
    """
    rows = []
    for (animal, observation), frames in graded.groupby(["animal", "observation"], sort=True):
        frames = frames[np.isfinite(frames["score"]) & np.isfinite(frames["truth"])]
        pairs = []
        for unit in scale.units:
            expected = frames[f"{unit.key}__expected"].to_numpy(np.float64)
            truth = frames[f"{unit.key}__truth"].to_numpy(np.float64)
            both = np.isfinite(expected) & np.isfinite(truth)
            if both.any():
                pairs.append((expected[both].mean(), truth[both].mean()))
        if len(pairs) >= scale.minimum_units:
            score, truth_mean = np.mean(pairs, axis=0)
            rows.append((animal, observation, float(score), float(truth_mean)))
    return pd.DataFrame(rows, columns=["animal", "observation", "score", "truth"])


def _observations(graded: pd.DataFrame, scale: Scale) -> dict[str, Any]:
    table = observation_scores(graded, scale)
    score, truth = table["score"].to_numpy(np.float64), table["truth"].to_numpy(np.float64)
    agreement = bland_altman(score, truth)
    slope, intercept = calibration_line(score, truth)
    return {
        "n": agreement.n,
        "bias": agreement.bias,
        "slope": slope,
        "intercept": intercept,
        "loa": list(agreement.limits),
        "icc": variance_components(np.stack([score, truth], axis=1)).icc_single
        if len(table) > 2
        else math.nan,
        "rmse": rmse(score, truth),
        "r": pearson(score, truth),
    }


def without_nan(value: Any) -> Any:
    """The same structure with NaN and infinities as None and numpy numbers as plain ones."""
    if isinstance(value, dict):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
