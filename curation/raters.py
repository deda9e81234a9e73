"""Raters as the statistics see them: training, qualification, hidden gold, repeats, drift, bias.

Figures of a rater are for that rater and for the weighing of votes; no list ranks people. What a
rater is told about hidden gold is coarse and late, so that nobody can learn the key from it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from curation.qualifying import GoldAnswer, share
from curation.rater_model import RaterTraits
from models.scale import Scale
from models.stats.agreement import quadratic_weighted_kappa

GOLD_TOLD_EVERY = 10
"""A rater hears how they do on gold after every so many gold frames, never in between."""
GOLD_BANDS = ((0.75, "close to"), (0.55, "mostly close to"), (0.0, "often different from"))
"""From which share of exact answers on, and what is said: three words, no number."""
DRIFT_WEEKS = 4
"""The last so many weeks with ratings are compared with the weeks before."""
DRIFT_GRADES = 0.15
"""A rater has moved if the difference is at least this much and its interval leaves out zero."""
BIAS_GRADES = 0.15
"""A bias under this is not worth a sentence."""


@dataclass(frozen=True)
class RepeatedAnswer:
    """A rater's two answers on the same frame, seen twice without being told."""

    unit: str
    first: int | None
    second: int | None


def gold_feedback(answers: Sequence[GoldAnswer], scale: Scale) -> str:
    """Say in three words how a rater does on hidden gold; empty while too little is known.

    The sentence changes only after every `GOLD_TOLD_EVERY` gold frames and names neither frames nor
    units nor shares: single answers cannot be read off two sentences in a row.
    """
    frames = len(answers) // len(scale.units)
    told = frames // GOLD_TOLD_EVERY * GOLD_TOLD_EVERY
    if not told:
        return ""
    rows = answers[: told * len(scale.units)]
    exact = share(row.expected == row.given for row in rows)
    words = next(words for least, words in GOLD_BANDS if exact >= least)
    advice = "" if words == GOLD_BANDS[0][1] else " The reference card shows what each grade means."
    return f"Your grades are {words} what was agreed for frames checked unnoticed.{advice}"


@dataclass(frozen=True)
class Repeats:
    """How a rater agrees with themselves: frames seen twice without being told.

    `kappa` per unit (quadratic weights, over answers graded both times; NaN where it cannot be
    computed), `exact` the share of answers that are the same, not scorable being an answer.
    """

    n: int
    exact: float
    kappa: dict[str, float]
    sentence: str


def repeats(answers: Iterable[RepeatedAnswer], scale: Scale) -> Repeats:
    """Compare the answers of a rater to frames they saw twice."""
    rows = list(answers)
    kappa = {}
    for unit in scale.units:
        pairs = [
            (row.first, row.second)
            for row in rows
            if row.unit == unit.key and row.first is not None and row.second is not None
        ]
        first, second = [one for one, _ in pairs], [other for _, other in pairs]
        kappa[unit.key] = quadratic_weighted_kappa(first, second, len(unit.grades))
    exact = repeatability(rows)
    known = [value for value in kappa.values() if math.isfinite(value)]
    if not rows:
        sentence = "No frame has been shown to you twice yet."
    else:
        sentence = f"{exact:.0%} of {len(rows)} grades were the same when you saw a frame again"
        sentence += f" (kappa {np.mean(known):.2f})." if known else "."
    return Repeats(len(rows), exact, kappa, sentence)


@dataclass(frozen=True)
class Deviation:
    """In a week (counted from any day on), how far a grade was from the others' on one frame."""

    week: int
    frame: str
    difference: float


@dataclass(frozen=True)
class WeekBias:
    """Mean difference from the others in one week, with its 95 % interval; NaN under two frames."""

    week: int
    frames: int
    bias: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Drift:
    """The course of a rater's bias; `change` is that of the last weeks, NaN where unknown."""

    weeks: tuple[WeekBias, ...]
    change: float
    interval: tuple[float, float]
    moved: bool
    sentence: str


def drift(deviations: Iterable[Deviation]) -> Drift:
    """Follow the bias of a rater week by week and say whether it moved.

    Units of one frame are averaged first: they are one look. Intervals are those of a mean of
    frames (Student's t); the change is the difference of the last `DRIFT_WEEKS` weeks with ratings
    from all before, with Welch's interval (Welch 1947, Biometrika 34:28).
    """
    looks: dict[tuple[int, str], list[float]] = defaultdict(list)
    for one in deviations:
        looks[(one.week, one.frame)].append(one.difference)
    by_week: dict[int, list[float]] = defaultdict(list)
    for (week, _), differences in sorted(looks.items()):
        by_week[week].append(float(np.mean(differences)))
    order = sorted(by_week)
    weeks = tuple(
        WeekBias(week, len(by_week[week]), float(np.mean(by_week[week])), _interval(by_week[week]))
        for week in order
    )
    late = [value for week in order[-DRIFT_WEEKS:] for value in by_week[week]]
    early = [value for week in order[:-DRIFT_WEEKS] for value in by_week[week]]
    change, interval = _welch(early, late)
    moved = abs(change) >= DRIFT_GRADES and (interval[0] > 0 or interval[1] < 0)
    sentence = ""
    if moved:
        sentence = (
            f"For {min(DRIFT_WEEKS, len(order))} weeks you have graded "
            f"{'higher' if change > 0 else 'lower'} than before, by {abs(change):.2f} of a grade "
            f"({min(map(abs, interval)):.2f} to {max(map(abs, interval)):.2f}) beside the other "
            "raters. A look at the reference card helps."
        )
    return Drift(weeks, change, interval, moved, sentence)


def bias_sentences(traits: RaterTraits, scale: Scale) -> list[str]:
    """Tell a rater, and nobody else, on which units they grade higher or lower than the others.

    A bias is named where its 95 % interval leaves out zero and it is at least `BIAS_GRADES`.
    """
    told = []
    for unit in scale.units:
        bias, error = traits.bias[unit.key], traits.bias_error[unit.key]
        if abs(bias) >= BIAS_GRADES and abs(bias) > 1.96 * error:
            told.append(
                f"{unit.title}: you grade {'higher' if bias > 0 else 'lower'} than other raters, "
                f"by {abs(bias):.2f} of a grade (± {1.96 * error:.2f})."
            )
    return told or ["Your grades are in line with those of the other raters."]


def repeatability(answers: Iterable[RepeatedAnswer]) -> float:
    """Return the share of repeated answers that are the same; NaN where nothing was repeated."""
    return share(row.first == row.second for row in answers)


def _interval(values: Sequence[float]) -> tuple[float, float]:
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    reach = float(t.ppf(0.975, n - 1) * np.std(values, ddof=1) / math.sqrt(n))
    mean = float(np.mean(values))
    return mean - reach, mean + reach


def _welch(early: Sequence[float], late: Sequence[float]) -> tuple[float, tuple[float, float]]:
    if len(early) < 2 or len(late) < 2:
        return math.nan, (math.nan, math.nan)
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (early, late)]
    change = float(np.mean(late) - np.mean(early))
    whole = sum(parts)
    if whole == 0:
        return change, (change, change)
    freedom = whole**2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (early, late), strict=True)
    )
    reach = float(t.ppf(0.975, freedom)) * math.sqrt(whole)
    return change, (change - reach, change + reach)
