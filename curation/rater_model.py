"""Consensus by a model of the raters: what all raters there could be would say, and how surely.

The plain weighted mean is `curation.consensus.consensus`. This one also takes off what a rater is
known to add, trusts a noisy rater less, lets units of one face inform each other as far as they go
together, shrinks few votes to the crowd, and says how far off it may be. Models and sources are in
`models.stats.ordinal_raters` and `models.stats.scorable_raters`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from curation.adjudication import SOURCE as ADJUDICATED
from curation.consensus import Distribution, consensus
from models.records import Vote
from models.scale import Scale
from models.stats.ordinal_raters import (
    NOT_RATED,
    NOT_SCORABLE,
    Parameters,
    Posterior,
    Sheets,
    fit,
    population_grades,
    population_mean,
    posterior,
    scatter,
)
from models.stats.scorable_raters import ScorableModel, fit_scorable

ADJUDICATE_ERROR = 0.35
"""A consensus that may still be off by so many grades after its quorum is put before a curator."""
ADJUDICATE_SCORABLE = (0.2, 0.8)
"""So is a unit of which it stays open whether it can be scored."""
ADJUDICATE_ENDS = 2
"""So is one that this many raters each called absent and obvious (lowest and highest grade)."""
LEAST_WEIGHT = 0.1


@dataclass(frozen=True)
class Estimate:
    """The consensus on one unit of one frame.

    `p[g]` is the share of all raters there could be who would give grade g if they grade; `mean`
    its mean and `error` the standard error of that mean (posterior, in grades); `scorable` the
    chance that the unit can be scored; `scatter` the variance of one more rater's grade round the
    mean. `counts[g]` says how many gave each grade, `refused` how many found it not scorable.
    """

    p: tuple[float, ...]
    mean: float
    error: float
    scorable: float
    scatter: float
    counts: tuple[int, ...]
    refused: int

    @property
    def n(self) -> int:
        """Number of votes, not scorable among them."""
        return sum(self.counts) + self.refused


@dataclass(frozen=True)
class RaterTraits:
    """What the model found of a rater: for themselves and the weighing of votes, not for lists.

    `bias` per unit in grades (positive: higher than the crowd) with `bias_error`; `noise` the
    standard deviation of their own noise over the crowd's; `weight` (0.1 to 1) what a vote of
    theirs is worth beside an average rater's; `votes` how many grades that rests on.
    """

    bias: dict[str, float]
    bias_error: dict[str, float]
    noise: float
    weight: float
    votes: int


class RaterModel:
    """A fitted model: estimates of frames, rated before the fit or since, and of raters."""

    def __init__(
        self,
        scale: Scale,
        raters: Mapping[str, int],
        sheets: Sheets,
        parameters: Parameters,
        scorable: ScorableModel,
    ) -> None:
        self.scale = scale
        self.parameters = parameters
        self.scorable = scorable
        self._raters = dict(raters)
        self._votes = np.bincount(sheets.rater, sheets.graded.sum(1), minlength=len(raters)).astype(
            np.int64
        )

    def estimate(self, votes: Sequence[Vote]) -> dict[str, Estimate]:
        """The consensus on every unit of one frame that got a vote, the model staying as it is."""
        return self.estimates({"": votes}).get("", {})

    def estimates(self, frames: Mapping[str, Sequence[Vote]]) -> dict[str, dict[str, Estimate]]:
        """The same for many frames; raters unknown to the model count as average ones."""
        raters = dict(self._raters)
        sheets = sheets_of(frames, self.scale, raters)
        if not len(sheets.grades):
            return {frame: {} for frame in frames}
        table = tabulate(sheets, posterior(sheets, self.parameters), self.parameters, self.scorable)
        return table.rows(tuple(frames), self.scale)

    def traits(self) -> dict[str, RaterTraits]:
        """What was found of every rater, by name."""
        known, units = self.parameters, self.scale.unit_keys
        crowd = known.noise + known.halo**2
        found = {}
        for name, row in self._raters.items():
            own = known.noise * known.scale[row] + known.halo**2
            worth = crowd / (own + known.bias[row] ** 2)
            found[name] = RaterTraits(
                bias=dict(zip(units, known.bias[row].round(6).tolist(), strict=True)),
                bias_error=dict(zip(units, known.bias_error[row].round(6).tolist(), strict=True)),
                noise=float(np.sqrt(known.scale[row])),
                weight=float(np.clip(worth.mean(), LEAST_WEIGHT, 1.0)),
                votes=int(self._votes[row]),
            )
        return found


@dataclass(frozen=True, eq=False)
class Table:
    """Estimates as arrays over (frames, units); fields as in `Estimate`."""

    p: NDArray[np.float64]
    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    scorable: NDArray[np.float64]
    scatter: NDArray[np.float64]
    counts: NDArray[np.int64]
    refused: NDArray[np.int64]

    @property
    def n(self) -> NDArray[np.int64]:
        """Number of votes (frames, units)."""
        return np.asarray(self.counts.sum(-1) + self.refused)

    def rows(self, names: Sequence[str], scale: Scale) -> dict[str, dict[str, Estimate]]:
        """One `Estimate` per frame and unit that got a vote."""
        known = self.n > 0
        p, counts, refused = self.p.tolist(), self.counts.tolist(), self.refused.tolist()
        mean, error = self.mean.tolist(), self.error.tolist()
        scorable, scatter = self.scorable.tolist(), self.scatter.tolist()
        return {
            name: {
                unit.key: Estimate(
                    p=tuple(p[f][u][: len(unit.grades)]),
                    mean=mean[f][u],
                    error=error[f][u],
                    scorable=scorable[f][u],
                    scatter=scatter[f][u],
                    counts=tuple(counts[f][u][: len(unit.grades)]),
                    refused=refused[f][u],
                )
                for u, unit in enumerate(scale.units)
                if known[f, u]
            }
            for f, name in enumerate(names)
        }


def fit_rater_model(frames: Mapping[str, Sequence[Vote]], scale: Scale) -> RaterModel:
    """Fit the model to all votes at hand, by frame; the same votes give the same model.

    Votes without weight, or that say nothing, do not count. A vote for a unit or grade that the
    scale lacks raises ValueError. Where a rater voted twice on a frame, the last vote counts.
    """
    raters: dict[str, int] = {}
    sheets = sheets_of(frames, scale, raters)
    kappa = np.array([unit.pairwise_kappa for unit in scale.units])
    found = fit(sheets, kappa)
    return RaterModel(scale, raters, sheets, found.parameters, fit_scorable_of(sheets, scale))


def combine(
    model: RaterModel, frames: Mapping[str, Sequence[Vote]]
) -> dict[str, dict[str, Distribution]]:
    """The consensus on frames as training reads it: the model's, or what a curator decided.

    Where nobody graded a unit there is no distribution of grades (NaN), whatever the model makes
    of units like it; what a curator decided is certain (`error` 0).
    """
    found = {}
    for frame, said in model.estimates(frames).items():
        votes = frames[frame]
        decided = {vote.unit for vote in votes if vote.source == ADJUDICATED}
        plain = consensus((vote for vote in votes if vote.unit in decided), model.scale)
        found[frame] = {
            unit.key: replace(plain[unit.key], error=0.0)
            if unit.key in plain
            else _distribution(said[unit.key])
            for unit in model.scale.units
            if unit.key in said
        }
    return found


def _distribution(estimate: Estimate) -> Distribution:
    graded = any(estimate.counts)
    return Distribution(
        p=estimate.p if graded else (math.nan,) * len(estimate.p),
        scorable=estimate.scorable,
        n=estimate.n,
        error=estimate.error if graded else math.nan,
    )


def table_of(frames: Mapping[str, Sequence[Vote]], scale: Scale) -> Table:
    """Fit the model to all votes at hand and say everything of these frames, in their order."""
    sheets = sheets_of(frames, scale, {})
    kappa = np.array([unit.pairwise_kappa for unit in scale.units])
    found = fit(sheets, kappa)
    return tabulate(sheets, found.posterior, found.parameters, fit_scorable_of(sheets, scale))


def needs_adjudication(estimate: Estimate, unit: str, scale: Scale) -> str:
    """A sentence saying why raters did not settle a unit, for a curator; empty where they did.

    Asked once a unit has its quorum: before it, more raters are the answer.
    """
    title = scale.unit(unit).title
    low, high = ADJUDICATE_SCORABLE
    if estimate.n < scale.unit(unit).raters_needed:
        return ""
    if low < estimate.scorable < high:
        return (
            f"{title}: {estimate.refused} of {estimate.n} raters could not score it; it stays open "
            "whether it can be scored."
        )
    if estimate.scorable <= low:
        return ""
    if min(estimate.counts[0], estimate.counts[-1]) >= ADJUDICATE_ENDS:
        return (
            f"{title}: {estimate.counts[0]} raters gave 0 and {estimate.counts[-1]} gave "
            f"{len(estimate.counts) - 1}."
        )
    if estimate.error > ADJUDICATE_ERROR:
        return (
            f"{title}: {estimate.n} raters leave the grade open by ± {estimate.error:.2f}; "
            f"{ADJUDICATE_ERROR} is allowed."
        )
    return ""


def sheets_of(frames: Mapping[str, Sequence[Vote]], scale: Scale, raters: dict[str, int]) -> Sheets:
    """Votes as tables of the model; raters that are not in `raters` yet are added to it."""
    units = {unit.key: column for column, unit in enumerate(scale.units)}
    tops = np.array([unit.top_grade for unit in scale.units], np.int64)
    rows: dict[tuple[int, int], list[int]] = {}
    for number, votes in enumerate(frames.values()):
        for vote in votes:
            column = units.get(vote.unit)
            if column is None:
                raise ValueError(f"{vote.unit} is no unit of the scale {scale.name}")
            if vote.grade is not None and not 0 <= vote.grade <= tops[column]:
                raise ValueError(f"{vote.grade} is no grade of {vote.unit}")
            if vote.weight <= 0 or (vote.grade is None and vote.reason is None):
                continue
            rater = raters.setdefault(vote.rater, len(raters))
            row = rows.setdefault((number, rater), [NOT_RATED] * len(units))
            row[column] = NOT_SCORABLE if vote.grade is None else vote.grade
    at = np.array(list(rows), np.int64).reshape(-1, 2)
    grades = np.array(list(rows.values()), np.int64).reshape(-1, len(units))
    return Sheets(grades, at[:, 0], at[:, 1], len(frames), len(raters), tops)


def fit_scorable_of(sheets: Sheets, scale: Scale) -> ScorableModel:
    """Fit whether units can be scored; the scale's public rates are the prior."""
    rates = np.array([unit.not_scorable_rate for unit in scale.units])
    size = (sheets.frames, sheets.raters)
    return fit_scorable(_refused(sheets), sheets.frame, sheets.rater, size, rates)


def tabulate(
    sheets: Sheets, found: Posterior, parameters: Parameters, scorable: ScorableModel
) -> Table:
    """Everything that is said of every frame and unit, as arrays."""
    mean, error = population_mean(found, parameters, sheets.tops)
    units, top = len(sheets.tops), int(sheets.tops.max())
    counts = np.zeros((sheets.frames, units, top + 2), np.int64)
    sheet, unit = np.nonzero(sheets.grades != NOT_RATED)
    np.add.at(counts, (sheets.frame[sheet], unit, sheets.grades[sheet, unit]), 1)
    return Table(
        p=population_grades(found, parameters, sheets.tops),
        mean=mean,
        error=error,
        scorable=scorable.chance(_refused(sheets), sheets.frame, sheets.rater, sheets.frames),
        scatter=scatter(found, parameters, sheets.tops),
        counts=counts[..., :-1],
        refused=counts[..., -1],
    )


def _refused(sheets: Sheets) -> NDArray[np.float64]:
    said = np.where(sheets.grades == NOT_SCORABLE, 1.0, 0.0)
    return np.where(sheets.grades == NOT_RATED, np.nan, said)
