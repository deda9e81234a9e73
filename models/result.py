"""From the predictions of every frame to the result of a recording.

How numbers are formed:

- The value of a unit in a frame is its expected grade Σ k·p_k where the unit is scored.
- A frame is graded where its animal is in a graded state and enough units are scored (`image_score`
  of its prediction).
- The score of a recording is the mean over graded frames *per unit first*, then over units, because
  units differ in how often they can be scored. Only units scored in at least MINIMUM_FRAMES frames
  take part, and at least the scale's `minimum_units` of them are needed.
- The ungated score is formed in the same way from all frames whose units look scorable, whatever
  the state, because a gate on sleep may also remove animals that sit still in strong pain.
- There is no score under MINIMUM_FRAMES graded frames or under MINIMUM_COVERAGE of all frames.
- The sum (0 to 8 for mice, the scale of PainFace 2024) is that of the same means, over the units
  that the scale counts in it. It exists only where each of them is scored; see `sum_of_units`.
- Intervals are *measurement* intervals (95 %) from a block bootstrap in time, because neighbouring
  frames say nearly the same: how well the mean of this recording is known, not how animals differ.
  There are none where a stretch holds too few blocks of BLOCK_S seconds to tell its own spread.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.records import MediaFacts, Prediction
from models.scale import Scale
from models.shown import Best, certainty, least_sure, surest
from models.stats.bootstrap import bin_intervals, block_interval

Array = NDArray[np.float64]
Outcome = Literal["scored", "no_scorable_frames", "several_animals", "unreadable"]

UNCLEAR = "it is unclear whether the animal is awake"
DISCLAIMER = (
    "A research measure, not a welfare, veterinary or humane-endpoint decision; "
    "a low score does not mean no pain."
)
MEASUREMENT = (
    "95 % measurement intervals, from blocks of 10 seconds drawn anew: how well the mean over this "
    "stretch of this recording is known, not how much animals differ."
)
SEVERAL = (
    "No score: more than one mouse is in view, and one score cannot stand for several animals. "
    "Film each animal alone, or score the recording once for each of them with its region: a name, "
    "and the left, top, right and bottom edge in pixels of a part of the picture that shows this "
    "animal only."
)
SEVERAL_IN_REGION = (
    "No score: more than one mouse is in view in the region of {name}; make the region smaller, so "
    "that it shows this animal only."
)
MINIMUM_FRAMES = 5
MINIMUM_COVERAGE = 0.10
SCORABLE = 0.5
BIN_WIDTHS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)
MOST_BINS = 120
BLOCK_S = 10.0
DRAWS = 500
SEED = 0

Interval = tuple[float, float]


@dataclass(frozen=True)
class UnitMean:
    """Mean grade of a unit (0..2, None where it was never scored) over n graded frames.

    `interval` is its measurement interval, None where there is too little to tell.
    """

    mean: float | None
    n: int
    interval: Interval | None = None


@dataclass(frozen=True)
class Bin:
    """A stretch [t0, t1) in seconds: score, graded frames, all frames, mean grade per unit.

    `interval` is the measurement interval of the score, None where there is too little to tell;
    `unit_intervals` hold those of the units. `ungated` is the score with the states left in that
    are not graded.
    """

    t0: float
    t1: float
    score: float | None
    n_graded: int
    n: int
    units: dict[str, float | None]
    interval: Interval | None = None
    ungated: float | None = None
    unit_intervals: dict[str, Interval | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Segment:
    """Neighbouring frames in the same state with the same reason (None = graded), in seconds."""

    t0: float
    t1: float
    state: str
    reason: str | None


@dataclass(frozen=True)
class Result:
    """What is said of one recording.

    coverage       graded frames as a share of all, 0..1
    score          0..2, None where too little could be graded
    score_ungated  the same with states left in that are not graded
    best           the frames the model is surest of, in order of time
    worst          the graded frames it is least sure of, in order of time
    bin_s          width of the bins in seconds
    unfamiliar     frames whose face is unlike all that the model has learnt from
    score_interval, score_ungated_interval
                   measurement intervals, None where there is too little to tell
    interval_note  what the intervals say and what not
    """

    outcome: Outcome
    frames: int
    graded: int
    not_scorable: dict[str, int]
    states: dict[str, int]
    coverage: float
    score: float | None
    units: dict[str, UnitMean]
    score_ungated: float | None
    bin_s: float
    bins: tuple[Bin, ...]
    segments: tuple[Segment, ...]
    best: tuple[Best, ...]
    sentence: str
    phantom: bool
    unfamiliar: int = 0
    score_interval: Interval | None = None
    score_ungated_interval: Interval | None = None
    interval_note: str = MEASUREMENT
    worst: tuple[Best, ...] = ()
    disclaimer: str = DISCLAIMER

    def to_json(self) -> dict[str, Any]:
        """The result as plain dictionaries, lists, strings, numbers and null."""
        return asdict(self)


@dataclass(frozen=True)
class Course:
    """The predictions as arrays over n frames; values (n, units), NaN where not scored.

    `ungated` are the values with the states left in that are not graded; `what` pairs the state of
    a frame with the reason why it is not graded, None where it is.
    """

    index: NDArray[np.int64]
    pts: NDArray[np.int64]
    time_s: Array
    graded: NDArray[np.bool_]
    values: Array
    ungated: Array
    certainty: Array
    unfamiliar: int
    what: list[tuple[str, str | None]]


def summarise(
    predictions: Iterable[Prediction],
    scale: Scale,
    facts: MediaFacts | None = None,
    *,
    phantom: bool = False,
    bin_s: float | None = None,
) -> Result:
    """The result of a recording from the predictions of its frames in order of time.

    `facts` tell how long the recording is; `phantom` says that the model rests on rendered faces;
    `bin_s` is the width of a bin in seconds, by default the shortest that gives at most MOST_BINS.
    """
    course = read_course(predictions, scale)
    n, graded = len(course.time_s), int(course.graded.sum())
    gap = float(np.median(np.diff(course.time_s))) if n > 1 else 0.0
    end = float(course.time_s[-1]) + gap if n else 0.0
    if facts is not None and facts.kind == "video" and n:
        end = max(end, facts.first_pts * facts.time_base[0] / facts.time_base[1] + facts.duration_s)
    reasons = Counter(reason for _, reason in course.what if reason)
    coverage = graded / n if n else 0.0
    means = _with_intervals(_unit_means(course.values, scale), course, scale)
    score = _score(course.values, scale)
    if graded < MINIMUM_FRAMES or coverage < MINIMUM_COVERAGE:
        score = None
    ungated = _score(course.ungated, scale)
    start = float(course.time_s[0]) if n else 0.0
    width = bin_s or _bin_width(end - start)
    return Result(
        outcome="no_scorable_frames" if score is None else "scored",
        frames=n,
        graded=graded,
        not_scorable=dict(reasons.most_common()),
        states=dict(Counter(state for state, _ in course.what).most_common()),
        coverage=coverage,
        score=score,
        units=means,
        score_ungated=ungated,
        bin_s=width,
        bins=tuple(_bins(course, scale, start, end, width)),
        segments=tuple(_segments(course, end)),
        best=surest(course),
        worst=least_sure(course),
        sentence=_sentence(n, graded, score, _why(course.what, scale), scale),
        phantom=phantom,
        unfamiliar=course.unfamiliar,
        score_interval=_interval(course.time_s, course.values, scale, score),
        score_ungated_interval=_interval(course.time_s, course.ungated, scale, ungated),
    )


def nothing_scored(
    outcome: Outcome, sentence: str, scale: Scale, *, phantom: bool = False
) -> Result:
    """The result of a recording none of whose frames was given a grade, for this reason."""
    return replace(summarise([], scale, phantom=phantom), outcome=outcome, sentence=sentence)


def read_course(predictions: Iterable[Prediction], scale: Scale) -> Course:
    """What a result needs of the predictions of a recording, as arrays."""
    place = {key: column for column, key in enumerate(scale.unit_keys)}
    index, pts, times = array("q"), array("q"), array("d")
    graded: list[bool] = []
    what: list[tuple[str, str | None]] = []
    same: dict[tuple[str, str | None], tuple[str, str | None]] = {}
    # Flat arrays: a film of hours has half a million frames, whose lists of floats would take
    # ten times as much.
    values, ungated, sure = array("d"), array("d"), array("d")
    nothing = [math.nan] * len(place)
    unfamiliar = 0
    for one in predictions:
        # Lists: arrays of five numbers would take longer than all else for a film of many frames.
        seen, anyway = nothing.copy(), nothing.copy()
        for grade in one.grades:
            expected = sum(k * p for k, p in enumerate(grade.probabilities))
            if grade.grade is not None:
                seen[place[grade.unit]] = expected
            if grade.scorable >= SCORABLE:
                anyway[place[grade.unit]] = expected
        is_graded = one.image_score is not None
        if sum(value == value for value in anyway) < scale.minimum_units:
            anyway = nothing
        index.append(one.index)
        pts.append(one.key.pts)
        unfamiliar += one.unfamiliar
        times.append(one.time_s)
        graded.append(is_graded)
        values.extend(seen if is_graded else nothing)
        ungated.extend(anyway)
        sure.append(certainty(one) if is_graded else -1.0)
        said = (one.state, one.reason)
        what.append(same.setdefault(said, said))
    shape = (len(times), len(place))
    return Course(
        np.array(index, np.int64),
        np.array(pts, np.int64),
        np.array(times, np.float64),
        np.array(graded, np.bool_),
        np.array(values, np.float64).reshape(shape),
        np.array(ungated, np.float64).reshape(shape),
        np.array(sure, np.float64),
        unfamiliar,
        what,
    )


def _unit_means(values: Array, scale: Scale) -> dict[str, UnitMean]:
    means = {}
    for column, key in enumerate(scale.unit_keys):
        scored = values[:, column][~np.isnan(values[:, column])]
        means[key] = UnitMean(float(scored.mean()) if len(scored) else None, len(scored))
    return means


def _score(values: Array, scale: Scale, at_least: int = MINIMUM_FRAMES) -> float | None:
    """Mean over units of the means over frames, over units scored often enough."""
    means = [
        mean.mean
        for mean in _unit_means(values, scale).values()
        if mean.mean is not None and mean.n >= at_least
    ]
    return float(np.mean(means)) if len(means) >= scale.minimum_units else None


def _often(values: Array) -> Array:
    """The values without those of units that are scored too seldom to take part in a score."""
    enough = np.isfinite(values).sum(0) >= MINIMUM_FRAMES
    return np.where(enough, values, np.nan)


def _interval(times: Array, values: Array, scale: Scale, score: float | None) -> Interval | None:
    """The measurement interval of a score that `_score` gave for these frames."""
    if score is None:
        return None
    ends = block_interval(times, _often(values), BLOCK_S, DRAWS, SEED)
    return _on_scale(ends, max(unit.top_grade for unit in scale.units))


def _with_intervals(
    means: dict[str, UnitMean], course: Course, scale: Scale
) -> dict[str, UnitMean]:
    result = {}
    for column, unit in enumerate(scale.units):
        ends = block_interval(course.time_s, course.values[:, column], BLOCK_S, DRAWS, SEED)
        found = _on_scale(ends, unit.top_grade)
        result[unit.key] = replace(means[unit.key], interval=found)
    return result


def _on_scale(ends: Sequence[float], top: int) -> Interval | None:
    low, high = (float(end) for end in ends)
    if not (np.isfinite(low) and np.isfinite(high)):
        return None
    return max(low, 0.0), min(high, float(top))


def _bin_width(length_s: float) -> float:
    fitting = (width for width in BIN_WIDTHS_S if length_s <= width * MOST_BINS)
    return next(fitting, BIN_WIDTHS_S[-1])


def _bins(course: Course, scale: Scale, start: float, end: float, width: float) -> Iterator[Bin]:
    if not len(course.time_s):
        return
    # The small term keeps a time that binary fractions put just under an edge in its own bin.
    number = np.floor((course.time_s - start) / width + 1e-9).astype(np.int64)
    edges = start + width * np.arange(int(number[-1]) + 2)
    spans = bin_intervals(course.time_s, course.values, edges, BLOCK_S, DRAWS, SEED)
    of_units = [
        bin_intervals(course.time_s, course.values[:, column], edges, BLOCK_S, DRAWS, SEED)
        for column in range(len(scale.units))
    ]
    top = max(unit.top_grade for unit in scale.units)
    for n in range(int(number[-1]) + 1):
        here = number == n
        values = course.values[here]
        t0 = start + n * width
        score = _score(values, scale, at_least=1)
        yield Bin(
            t0=t0,
            t1=min(t0 + width, max(end, t0)),
            score=score,
            n_graded=int(course.graded[here].sum()),
            n=int(here.sum()),
            units={key: mean.mean for key, mean in _unit_means(values, scale).items()},
            interval=None if score is None else _on_scale(spans[n], top),
            ungated=_score(course.ungated[here], scale, at_least=1),
            unit_intervals={
                unit.key: _on_scale(of_units[column][n], unit.top_grade)
                for column, unit in enumerate(scale.units)
            },
        )


def _segments(course: Course, end: float) -> Iterator[Segment]:
    times: Sequence[float] = [float(time) for time in course.time_s]
    start = 0
    for i in range(1, len(times) + 1):
        if i == len(times) or course.what[i] != course.what[start]:
            state, reason = course.what[start]
            yield Segment(times[start], end if i == len(times) else times[i], state, reason)
            start = i


def sum_of_units(units: Mapping[str, float | None], scale: Scale) -> float | None:
    """The sum of the units that the scale counts in it: Σ m_u, 0 to 8 for mice.

    None unless every one of them is scored. Of a frame, `units` are its grades; of a recording the
    means over its frames. It is derived where it is shown and kept nowhere.
    """
    counted = [units.get(unit.key) for unit in scale.units if unit.in_sum]
    known = [value for value in counted if value is not None]
    return float(sum(known)) if known and len(known) == len(counted) else None


def sum_of_result(result: Mapping[str, Any], scale: Scale) -> float | None:
    """The sum of a result as JSON, None where it gives no score or a unit was scored too seldom."""
    if result.get("score") is None:
        return None
    means = {
        key: found["mean"] for key, found in result["units"].items() if found["n"] >= MINIMUM_FRAMES
    }
    return sum_of_units(means, scale)


def top_of_sum(scale: Scale) -> int:
    """The highest sum there can be."""
    return sum(unit.top_grade for unit in scale.units if unit.in_sum)


def _why(what: list[tuple[str, str | None]], scale: Scale) -> str:
    """Why frames are not graded, most often; empty where all are.

    “Another reason” says nothing: where it is that of frames whose state is unclear, that is said.
    """
    reasons = Counter(reason for _, reason in what if reason)
    if not reasons:
        return ""
    (key, number), *_ = reasons.most_common(1)
    unknown = scale.unknown_state
    if key == unknown.reason and 2 * what.count((unknown.key, key)) > number:
        return UNCLEAR
    return scale.reason(key).title.lower()


def _sentence(frames: int, graded: int, score: float | None, why: str, scale: Scale) -> str:
    why = f", most often because: {why}" if why else ""
    if score is not None:
        top = max(unit.top_grade for unit in scale.units)
        left = frames - graded
        were = "1 frame was" if left == 1 else f"{left} frames were"
        rest = f"; {were} not graded{why}" if left else ""
        return (
            f"The mean score is {score:.2f} on a scale from 0 to {top}, from {graded} of {frames} "
            f"frames{rest}."
        )
    if frames == 0:
        return "No score: the recording holds no frame that could be read."
    if graded == 0:
        count = "the one frame could not" if frames == 1 else f"none of {frames} frames could"
    else:
        count = f"only {graded} of {frames} frames could"
    return (
        f"No score: {count} be graded{why}. Film one awake mouse from the front in even light, "
        "with its face large in the picture, and try again."
    )
