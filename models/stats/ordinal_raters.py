"""Grades of several raters as an ordinal mixed model, fitted by expectation propagation.

A rater sees the intensity of a unit on the scale of grades plus a bias of their own, plus what they
see in the whole face (a halo common to all units of one look), plus noise, and names the grade that
lies nearest:

    seen = θ_fu + b_ru + v_u·η_fr + ε,    grade g  ⇔  g - ½ < seen ≤ g + ½ (open at both ends)

with η ~ N(0, 1) per frame and rater, ε ~ N(0, ν_u·ρ_r), b normal round 0 and the intensities of a
frame from a mixture of normals over all units: units are correlated, but each keeps a spread of its
own. With edges fixed at half grades, mean and spread of every unit are free, which is the same as
free thresholds on a standard normal. This is the ordered probit model with random effects (Hedeker
and Gibbons 1994, Biometrics 50:933) in place of the free confusion matrices of Dawid and Skene 1979
(Applied Statistics 28:20), which need many more ratings per rater. Intensities are integrated out
by expectation propagation (Minka 2001, UAI), parameters are raised by EM steps with priors, so that
few ratings shrink to the crowd. Everything is deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

NOT_RATED, NOT_SCORABLE = -2, -1
"""Codes in tables of grades; only grades from 0 on say anything about an intensity."""
HALO_START = 0.4
BIAS_START = 0.15
CALM = 0.6
"""Shares to begin with: of noise that is halo, bias (grades), frames in the calmer part."""
PRIOR_FRAMES, PRIOR_VOTES, PRIOR_RATER_VOTES, PRIOR_BIASES = 12.0, 40.0, 40.0, 10.0
"""How many observations the starting values weigh as much as."""
DAMPING = 0.8
SETTLE = 6
"""Sweeps until intensities have settled for parameters that stay."""
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(11)
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()


@dataclass(frozen=True, eq=False)
class Sheets:
    """What raters said, one row per frame and rater.

    `grades` (sheets, units) holds grades or the two codes; `frame` and `rater` (sheets,) are
    numbers below `frames` and `raters`; `tops` (units,) is the highest grade of each unit.
    """

    grades: Whole
    frame: Whole
    rater: Whole
    frames: int
    raters: int
    tops: Whole

    @property
    def graded(self) -> NDArray[np.bool_]:
        """Which cells hold a grade (sheets, units)."""
        return self.grades >= 0


@dataclass(frozen=True, eq=False)
class Parameters:
    """The fitted model: mixture of intensities, noise and halo per unit, raters.

    `share` (parts,), `mean` (parts, units), `spread` (parts, units, units); `noise` and `halo`
    (units,) are ν and v; `bias` (raters, units) and `scale` (raters,) are b and ρ, `bias_error`
    the posterior standard deviation of b. A bias is the sum of a part common to all units and one
    of the unit's own, with the standard deviations `bias_common` and `bias_own` over raters.
    """

    share: Array
    mean: Array
    spread: Array
    noise: Array
    halo: Array
    bias: Array
    bias_error: Array
    scale: Array
    bias_common: float
    bias_own: float

    @property
    def bias_sd(self) -> float:
        """Standard deviation of a rater's bias on one unit, over raters."""
        return float(np.hypot(self.bias_common, self.bias_own))

    @property
    def reach(self) -> Array:
        """Standard deviation (units,) of what a new rater sees round an intensity."""
        return np.asarray(np.sqrt(self.noise + self.halo**2 + self.bias_sd**2))


@dataclass(frozen=True, eq=False)
class Posterior:
    """Intensities of frames given all grades: a mixture of normals per frame.

    `weight` (parts, frames), `mean` and `variance` (parts, frames, units).
    """

    weight: Array
    mean: Array
    variance: Array


def fit(sheets: Sheets, kappa: Array, start: Parameters | None = None, rounds: int = 40) -> Fit:
    """Fit the model; `kappa` (units,) is how well two raters agree, where the noise begins.

    `start` goes on from an earlier fit, whose raters must be the first of these.
    """
    first = _start(sheets, kappa)
    state = _Sites(sheets)
    parameters = first if start is None else _with_raters(start, sheets.raters)
    # Parameters must not learn from intensities that are still on their way.
    for _ in range(SETTLE):
        state.sweep(parameters)
    for _ in range(rounds):
        state.sweep(parameters)
        parameters = _raised(sheets, state, parameters, first)
    for _ in range(SETTLE):
        state.sweep(parameters)
    return Fit(parameters, state.posterior(parameters))


def posterior(sheets: Sheets, parameters: Parameters, sweeps: int = 14) -> Posterior:
    """Intensities of frames by a model that was fitted before, e.g. of a frame just rated."""
    state = _Sites(sheets)
    known = _with_raters(parameters, sheets.raters)
    for _ in range(sweeps):
        state.sweep(known)
    return state.posterior(known)


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model and what it says of the frames it was fitted on."""

    parameters: Parameters
    posterior: Posterior


def population_grades(found: Posterior, parameters: Parameters, tops: Whole) -> Array:
    """Chance of every grade by a rater drawn anew (frames, units, grades); 0 above the top."""
    reach = parameters.reach
    p = np.zeros((*found.mean.shape[1:], int(tops.max()) + 1))
    for weight, mean, variance in zip(found.weight, found.mean, found.variance, strict=True):
        above = _above(mean[..., None], np.sqrt(variance + reach**2)[..., None], tops)
        ends = np.concatenate([np.ones_like(above[..., :1]), above, 0 * above[..., :1]], -1)
        p += weight[:, None, None] * -np.diff(ends, axis=-1)
    return p


def population_mean(found: Posterior, parameters: Parameters, tops: Whole) -> tuple[Array, Array]:
    """Mean grade of all raters there could be, and its standard error, both (frames, units).

    The error is the posterior standard deviation of M(θ) = Σ_g Φ((θ - g + ½)/reach), by
    Gauss–Hermite quadrature; it does not hold how far single raters scatter round that mean.
    """
    first = np.zeros(found.mean.shape[1:])
    second = np.zeros_like(first)
    reach = parameters.reach
    for weight, mean, variance in zip(found.weight, found.mean, found.variance, strict=True):
        at = mean[..., None] + np.sqrt(variance)[..., None] * NODES
        value = _above(at[..., None], reach[:, None, None], tops).sum(-1)
        first += weight[:, None] * (value @ NODE_WEIGHTS)
        second += weight[:, None] * (value**2 @ NODE_WEIGHTS)
    return first, np.sqrt(np.maximum(second - first**2, 0.0))


def scatter(found: Posterior, parameters: Parameters, tops: Whole) -> Array:
    """Variance (frames, units) of one rater's grade round the mean of all, as is to be expected."""
    result = np.zeros(found.mean.shape[1:])
    odd = 2 * np.arange(int(tops.max())) + 1.0
    for weight, mean, variance in zip(found.weight, found.mean, found.variance, strict=True):
        at = mean[..., None] + np.sqrt(variance)[..., None] * NODES
        above = _above(at[..., None], parameters.reach[:, None, None], tops)
        value = (above * odd).sum(-1) - above.sum(-1) ** 2
        result += weight[:, None] * (value @ NODE_WEIGHTS)
    return result


def _above(at: Array, spread: Array, tops: Whole) -> Array:
    """Chance that what is seen lies above each edge, units being the second axis."""
    grade = np.arange(int(tops.max()))
    exists = (grade[None, :] < tops[:, None]).astype(np.float64)
    shape = (1, len(tops)) + (1,) * (np.ndim(at) - 3) + (len(grade),)
    return np.asarray(ndtr((at - (grade + 0.5)) / spread) * exists.reshape(shape))


class _Sites:
    """Normal approximations of what every grade says of x = θ + v·η (precision, linear term)."""

    def __init__(self, sheets: Sheets) -> None:
        self.sheets = sheets
        shape = sheets.grades.shape
        self.precision = np.zeros(shape)
        self.linear = np.zeros(shape)
        grades = sheets.grades
        self.low = np.where(grades > 0, grades - 0.5, -np.inf)
        self.high = np.where(grades < sheets.tops, grades + 0.5, np.inf)
        # Derivatives of log Z of each grade by the place of its cavity, for the EM steps.
        self.slope = np.zeros(shape)
        self.bend = np.zeros(shape)
        self.halo_square = np.ones(len(grades))

    def _halo(self, v: Array) -> tuple[Array, Array, Array]:
        """η of a sheet given θ: constant - pull·θ with variance 1 / weight."""
        weight = 1 + (self.precision * v**2).sum(1)
        return weight, (self.linear * v).sum(1) / weight, self.precision * v / weight[:, None]

    def posterior_full(self, parameters: Parameters) -> tuple[Array, Array, Array]:
        """Weights (parts, frames), means (…, units) and covariances (…, units, units)."""
        frame, frames = self.sheets.frame, self.sheets.frames
        units = len(parameters.noise)
        v = parameters.halo
        _, constant, pull = self._halo(v)
        inner = self.precision[:, :, None] * np.eye(units)
        inner -= pull[:, :, None] * (self.precision * v)[:, None, :]
        own = self.linear - self.precision * v * constant[:, None]
        lam = _by_frame(inner.reshape(len(frame), units**2), frame, frames).reshape(
            frames, units, units
        )
        lin = _by_frame(own, frame, frames)
        logs, means, covariances = [], [], []
        for share, mu, spread in zip(
            parameters.share, parameters.mean, parameters.spread, strict=True
        ):
            prior = np.linalg.inv(spread)
            whole = lam + prior
            covariance = np.linalg.inv(whole)
            right = lin + prior @ mu
            mean = np.einsum("fij,fj->fi", covariance, right)
            logs.append(
                np.log(share)
                + 0.5 * np.linalg.slogdet(prior)[1]
                - 0.5 * np.linalg.slogdet(whole)[1]
                + 0.5 * (right * mean).sum(1)
                - 0.5 * mu @ prior @ mu
            )
            means.append(mean)
            covariances.append(covariance)
        log = np.stack(logs)
        chance = np.exp(log - log.max(0))
        return chance / chance.sum(0), np.stack(means), np.stack(covariances)

    def posterior(self, parameters: Parameters) -> Posterior:
        weight, mean, covariance = self.posterior_full(parameters)
        return Posterior(weight, mean, np.diagonal(covariance, axis1=2, axis2=3).copy())

    def sweep(self, parameters: Parameters) -> None:
        """One parallel pass: cavity, moments of the grade's interval, new site."""
        sheets, v = self.sheets, parameters.halo
        self.parts = self.posterior_full(parameters)
        chance, means, covariances = self.parts
        mean = np.einsum("pf,pfu->fu", chance, means)
        away = means - mean
        covariance = np.einsum("pf,pfij->fij", chance, covariances)
        covariance += np.einsum("pf,pfi,pfj->fij", chance, away, away)
        m, c = mean[sheets.frame], covariance[sheets.frame]
        weight, constant, pull = self._halo(v)
        pulled = np.einsum("sij,sj->si", c, pull)
        eta = constant - (pull * m).sum(1)
        eta_variance = (pull * pulled).sum(1) + 1 / weight
        self.halo_square = eta**2 + eta_variance
        at = m + v * eta[:, None]
        variance = np.diagonal(c, axis1=1, axis2=2) - 2 * v * pulled + v**2 * eta_variance[:, None]
        cavity = 1 / np.maximum(1 / variance - self.precision, 1e-6)
        place = cavity * (at / variance - self.linear)
        noise = parameters.noise * parameters.scale[sheets.rater][:, None]
        self.slope, self.bend = _interval_derivatives(
            self.low, self.high, place + parameters.bias[sheets.rater], np.sqrt(cavity + noise)
        )
        graded = sheets.graded
        left = np.maximum(1 - cavity * self.bend, 1e-6)
        new, lin = self.bend / left, (self.slope + place * self.bend) / left
        self.precision += DAMPING * (np.where(graded, new, 0) - self.precision)
        self.linear += DAMPING * (np.where(graded, lin, 0) - self.linear)


def _interval_derivatives(
    low: Array, high: Array, place: Array, spread: Array
) -> tuple[Array, Array]:
    """d log Z and -d² log Z by the place of a normal, Z being its mass between low and high."""
    a = np.clip((low - place) / spread, -9, 9)
    b = np.clip((high - place) / spread, -9, 9)
    # Both ends on one side of the mean: the smaller tails keep their digits.
    flip = a > 0
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    mass = np.maximum(ndtr(b) - ndtr(a), 1e-18)
    fa, fb = (np.exp(-0.5 * end**2) / np.sqrt(2 * np.pi) for end in (a, b))
    slope = (fa - fb) / (mass * spread)
    bend = slope**2 + (b * fb - a * fa) / (mass * spread**2)
    return np.where(flip, -slope, slope), np.clip(bend, 0.0, 1 / spread**2)


def _raised(sheets: Sheets, state: _Sites, old: Parameters, first: Parameters) -> Parameters:
    """One EM step from the moments of the last sweep."""
    graded = sheets.graded
    rater = sheets.rater
    chance, means, covariances = state.parts
    seen = np.zeros(sheets.frames, bool)
    seen[sheets.frame[graded.any(1)]] = True
    weight = chance * seen
    total = weight.sum(1)
    count = total + PRIOR_FRAMES * first.share
    pull = PRIOR_FRAMES * first.share
    mean = np.einsum("pf,pfu->pu", weight, means) + pull[:, None] * first.mean
    mean /= count[:, None]
    away = means - mean[:, None]
    spread = np.einsum("pf,pfij->pij", weight, covariances)
    spread += np.einsum("pf,pfi,pfj->pij", weight, away, away)
    spread = (spread + pull[:, None, None] * first.spread) / count[:, None, None]

    variance = old.noise * old.scale[rater][:, None]
    # E ε² of a grade is s² + s⁴ (slope² - bend); E ε is s² · slope.
    square = np.where(graded, variance + variance**2 * (state.slope**2 - state.bend), 0.0)
    by_unit = (square / old.scale[rater][:, None]).sum(0)
    noise = (by_unit + PRIOR_VOTES * first.noise) / (graded.sum(0) + PRIOR_VOTES)
    relative = np.bincount(rater, (square / old.noise).sum(1), minlength=sheets.raters)
    votes = np.bincount(rater, graded.sum(1), minlength=sheets.raters)
    scale = (relative + PRIOR_RATER_VOTES) / (votes + PRIOR_RATER_VOTES)

    precision = _by_frame(np.where(graded, 1 / variance, 0.0), rater, sheets.raters)
    push = _by_frame(np.where(graded, state.slope, 0.0), rater, sheets.raters)
    units = len(noise)
    # A rater who is high on one unit is likely high on all: b has a part common to all units.
    prior = np.eye(units) * old.bias_own**2 + old.bias_common**2
    held = np.linalg.inv(precision[:, :, None] * np.eye(units) + np.linalg.inv(prior))
    bias = np.einsum("rij,rj->ri", held, precision * old.bias + push)
    # Of b = c + d with b known: E c = gain · Σ b, and the variances that go with it.
    gain = old.bias_common**2 / (units * old.bias_common**2 + old.bias_own**2)
    common = gain * bias.sum(1)
    left = old.bias_common**2 * (1 - gain * units) + gain**2 * held.sum((1, 2))
    away = bias - common[:, None]
    keep = np.eye(units) - gain
    loose = np.einsum("ij,rjk,ik->ri", keep, held, keep)
    loose += old.bias_common**2 * (1 - gain * units)
    half = PRIOR_BIASES * BIAS_START**2 / 2
    bias_common = np.sqrt(((common**2 + left).sum() + half) / (len(bias) + PRIOR_BIASES))
    bias_own = np.sqrt(
        ((away**2 + loose).sum() + half * units) / (bias.size + PRIOR_BIASES * units)
    )

    several = graded.sum(1) >= 2
    stretch = (state.halo_square[several].sum() + PRIOR_VOTES) / (several.sum() + PRIOR_VOTES)
    return Parameters(
        share=count / count.sum(),
        mean=mean,
        spread=spread,
        noise=noise,
        halo=old.halo * np.sqrt(stretch),
        bias=bias,
        bias_error=np.sqrt(np.diagonal(held, axis1=1, axis2=2)),
        scale=scale,
        bias_common=float(bias_common),
        bias_own=float(bias_own),
    )


def _start(sheets: Sheets, kappa: Array) -> Parameters:
    """Normal quantiles of the grades' shares give mean and spread, `kappa` the share of noise."""
    units = len(sheets.tops)
    middle, total = np.zeros(units), np.ones(units)
    for unit, top in enumerate(sheets.tops):
        given = sheets.grades[:, unit]
        counts = np.bincount(given[given >= 0], minlength=top + 1) + 1.0
        ends = ndtri(np.cumsum(counts / counts.sum())[:-1])
        total[unit] = np.clip((top - 1) / max(ends[-1] - ends[0], 0.2), 0.4, 2.0) if top > 1 else 1
        middle[unit] = 0.5 - ends[0] * total[unit]
    intensity = np.clip(kappa, 0.1, 0.9) * total**2
    noise = np.clip(1 - kappa, 0.1, 0.9) * total**2
    deviation = np.sqrt(intensity)
    common = 0.5 * np.outer(deviation, deviation) + 0.5 * np.diag(intensity)
    raters = sheets.raters
    return Parameters(
        share=np.array([CALM, 1 - CALM]),
        mean=np.stack([middle - 0.5 * deviation, middle + 0.75 * deviation]),
        spread=np.stack([0.5 * common, 0.7 * common]),
        noise=(1 - HALO_START) * noise,
        halo=np.sqrt(HALO_START * noise),
        bias=np.zeros((raters, units)),
        bias_error=np.full((raters, units), BIAS_START),
        scale=np.ones(raters),
        bias_common=BIAS_START / np.sqrt(2),
        bias_own=BIAS_START / np.sqrt(2),
    )


def _with_raters(parameters: Parameters, raters: int) -> Parameters:
    """Room for raters that the fit did not know: no bias, the crowd's noise."""
    more = raters - len(parameters.scale)
    if more <= 0:
        return parameters
    units = parameters.bias.shape[1]
    return replace(
        parameters,
        bias=np.vstack([parameters.bias, np.zeros((more, units))]),
        bias_error=np.vstack([parameters.bias_error, np.full((more, units), parameters.bias_sd)]),
        scale=np.concatenate([parameters.scale, np.ones(more)]),
    )


def _by_frame(values: Array, index: Whole, number: int) -> Array:
    """Sums (number, columns) of the rows (n, columns) that share an index."""
    return np.stack(
        [np.bincount(index, column, minlength=number) for column in values.T], 1
    ).astype(np.float64)
