"""From a face crop to grades, state, and the reason where there is no grade.

The one place where it is decided that a frame is not graded: scoring, evaluation and the report all
ask here. Needs numpy only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.calibration import Calibrated
from models.config import CropConfig
from models.records import Face, Grade
from models.scale import Scale, State
from models.sets import possible_grades, threshold_for
from models.stats.ordinal import expected_grade, grade_by_cuts

Array = NDArray[np.float64]

SCORABLE = 0.5
UNSURE = 0.35
"""Probability of the less likely one of sleep and waking above which the state is unclear."""


def state_probabilities(logits: NDArray[Any], told: NDArray[np.bool_]) -> Array:
    """Probabilities (n, states) of the states that are `told` (states,), the others 0."""
    masked = np.where(told, np.asarray(logits, np.float64), -np.inf)
    likely = np.exp(masked - masked.max(1, keepdims=True))
    return np.asarray(likely / likely.sum(1, keepdims=True))


def told_states(scale: Scale, known: Sequence[str]) -> NDArray[np.bool_]:
    """Which states (states,) may be named: the graded one and those the head has learnt."""
    return np.array([key in {scale.graded_state.key, *known} for key in scale.state_keys])


def refuse_face(face: Face, crop: CropConfig) -> str | None:
    """The cause for which a face candidate is not looked at any further, if there is one.

    No face, a head that is no mouse, a face too small to grade, a face seen from the side, one that
    may be something else.
    """
    if face.confidence < crop.minimum_confidence:
        return "absence"
    if face.view == "none":
        return "species"
    if min(face.box[2] - face.box[0], face.box[3] - face.box[1]) < crop.minimum_face:
        return "size"
    if face.view == "profile":
        return "angle"
    if face.confidence < crop.sure_confidence:
        return "unnamed"
    return None


@dataclass(frozen=True)
class Verdict:
    """What is said of one frame: state, grades, image score, or the reason why there is none.

    `unfamiliar` says that the face is unlike those the network has learnt from.
    """

    state: str
    grades: tuple[Grade, ...]
    image_score: float | None
    reason: str | None
    unfamiliar: bool = False


@dataclass(frozen=True)
class Looked:
    """What the networks say of n crops, before it is decided what may be said.

    `probabilities[u]` (n, grades), `scorable` (n, units), `states` (n, states) and `distance` (n,)
    from the training crops, above 1 = too strange to be graded; `cuts[u]` (grades - 1,) are the
    expected grades at which a whole grade begins.
    """

    probabilities: list[Array]
    scorable: Array
    states: Array
    distance: Array
    cuts: Sequence[Array]

    @cached_property
    def expected(self) -> Array:
        """The expected grade of every unit in every crop, (n, units)."""
        return np.stack([expected_grade(p) for p in self.probabilities], axis=1)

    @cached_property
    def whole(self) -> NDArray[np.int64]:
        """The whole grade of every unit in every crop, (n, units)."""
        said = [grade_by_cuts(self.expected[:, u], cuts) for u, cuts in enumerate(self.cuts)]
        return np.stack(said, axis=1)


class Grader:
    """What may be said of a frame, given what the networks say of it: calibration and gates.

    `known_states` are the keys of the states the state head has learnt to tell; the others are
    never named. `group` is the lab × coat of `models.sets.group_of` whose prediction sets are
    wanted, None for a lab nobody knows.
    """

    def __init__(
        self,
        calibration: dict[str, Any],
        scale: Scale,
        crop: CropConfig,
        known_states: Sequence[str],
        group: str | None = None,
    ) -> None:
        self.calibrated = Calibrated(calibration, scale)
        self.scale, self.crop = scale, crop
        awake = scale.graded_state.key
        self.told = told_states(scale, known_states)
        self.unknown = scale.unknown_state
        sleep = scale.reason_because("sleep").key
        self.awake = scale.state_keys.index(awake)
        self.asleep = next(
            (n for n, state in enumerate(scale.states) if state.reason == sleep), self.awake
        )

        sets = self.calibrated.sets
        self.thresholds = (
            None if sets is None else [threshold_for(sets, key, group) for key in scale.unit_keys]
        )

    @classmethod
    def of(cls, bundle: Bundle, group: str | None = None) -> Grader:
        """The grader of a bundle, with the prediction sets of a lab × coat `group`."""
        return cls(bundle.calibration, bundle.scale, bundle.crop, bundle.info["states"], group)

    def weigh(
        self,
        grades: NDArray[Any],
        scorable: NDArray[Any],
        states: NDArray[Any],
        familiar: NDArray[Any],
        embedding: NDArray[Any],
    ) -> Looked:
        """The logits of n frames as calibrated probabilities.

        `grades` (n, units, steps), `scorable` (n, units), `states` (n, states) and `familiar` (n,)
        are logits, `embedding` (n, features) is the frame graph's.
        """
        return Looked(
            self.calibrated.probabilities(np.asarray(grades, np.float64)),
            self.calibrated.scorable(np.asarray(scorable, np.float64)),
            state_probabilities(states, self.told),
            self.calibrated.distance(
                np.asarray(embedding, np.float64), np.asarray(familiar, np.float64)
            ),
            self.calibrated.cuts,
        )

    def verdict(self, face: Face, looked: Looked, row: int, shape: tuple[int, int]) -> Verdict:
        """What may be said of one frame with a face candidate, in a picture (height, width).

        Nothing is graded without a face, with a small or turned face, with a face unlike those the
        network has learnt from, in a state that is not graded, or with too few scorable units.
        """
        refusal = self.refuse_face(face)
        unfamiliar = refusal is None and bool(looked.distance[row] > 1)
        if unfamiliar:
            refusal = "unnamed"
        if refusal is not None:
            reason = self.scale.reason_because(refusal).key  # type: ignore[arg-type]
            return Verdict(self.unknown.key, (), None, reason, unfamiliar)
        state = self._state(looked.states[row])
        grades = self._grades(face, looked, row, shape)
        if not state.graded:
            withheld = tuple(
                Grade(grade.unit, None, state.reason, grade.probabilities, grade.scorable)
                for grade in grades
            )
            return Verdict(state.key, withheld, None, state.reason)
        scored = [index for index, grade in enumerate(grades) if grade.grade is not None]
        if len(scored) < self.scale.minimum_units:
            why = Counter(grade.reason for grade in grades if grade.reason).most_common(1)[0][0]
            return Verdict(state.key, grades, None, why)
        score = float(looked.expected[row, scored].mean())
        return Verdict(state.key, grades, score, None)

    def refuse_face(self, face: Face) -> str | None:
        """The cause for which a face candidate is not looked at any further, if there is one."""
        return refuse_face(face, self.crop)

    def faceless(self) -> Verdict:
        """The verdict on a frame without a face."""
        return Verdict(self.unknown.key, (), None, self.scale.reason_because("absence").key)

    def _state(self, likely: Array) -> State:
        """The likeliest state; that it is unclear where sleep and waking are both likely, or where
        the graded state is too unlikely to be relied on.

        A gate on sleep that guesses would remove animals that sit still in strong pain, or grade
        animals that sleep.
        """
        first, second = np.argsort(-likely, kind="stable")[:2]
        best = self.scale.states[int(first)]
        pair = {int(first), int(second)}
        if pair == {self.awake, self.asleep} and likely[second] > UNSURE:
            return self.unknown
        if best.graded and likely[first] < self.calibrated.least_awake:
            return self.unknown
        return best

    def _grades(
        self, face: Face, looked: Looked, row: int, shape: tuple[int, int]
    ) -> tuple[Grade, ...]:
        why = self._unit_reason(face, shape)
        grades = []
        for index, unit in enumerate(self.scale.units):
            stated = tuple(looked.probabilities[index][row].tolist())
            scorable = float(looked.scorable[row, index])
            seen = scorable >= SCORABLE
            grades.append(
                Grade(
                    unit=unit.key,
                    grade=int(looked.whole[row, index]) if seen else None,
                    reason=None if seen else why,
                    probabilities=stated,
                    scorable=scorable,
                    possible=possible_grades(stated, self.thresholds[index])
                    if seen and self.thresholds is not None
                    else None,
                )
            )
        return tuple(grades)

    def _unit_reason(self, face: Face, shape: tuple[int, int]) -> str:
        """The likeliest reason why a unit cannot be scored, from what the face looks like."""
        height, width = shape
        x0, y0, x1, y1 = face.box
        if min(x0, y0, width - x1, height - y1) < 1:
            return self.scale.reason_because("border").key
        if face.sharpness < self.crop.minimum_sharpness:
            return self.scale.reason_because("blur").key
        if face.view != "frontal":
            return self.scale.reason_because("angle").key
        return self.scale.reason_because("unnamed").key
