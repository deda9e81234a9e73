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
from models.stats.ordinal import expected_grade, nearest_grade

Array = NDArray[np.float64]

SCORABLE = 0.5
UNSURE = 0.35
"""Probability of the less likely one of sleep and waking above which the state is unclear."""


def unknown_state(scale: Scale) -> State:
    """The state of a frame of which nothing else can be said."""
    cause = scale.reason_because("unnamed").key
    return next(state for state in scale.states if state.reason == cause)


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
    """What is said of one frame: state, grades, image score, or the reason why there is none."""

    state: str
    grades: tuple[Grade, ...]
    image_score: float | None
    reason: str | None


@dataclass(frozen=True)
class Looked:
    """What the networks say of n crops, before it is decided what may be said.

    `probabilities[u]` (n, grades), `scorable` (n, units), `states` (n, states) and `distance` (n,)
    from the training crops, above 1 = too strange to be graded.
    """

    probabilities: list[Array]
    scorable: Array
    states: Array
    distance: Array

    @cached_property
    def expected(self) -> Array:
        """The expected grade of every unit in every crop, (n, units)."""
        return np.stack([expected_grade(p) for p in self.probabilities], axis=1)

    @cached_property
    def nearest(self) -> NDArray[np.int64]:
        """The whole grade nearest to it, (n, units)."""
        return nearest_grade(self.expected)


class Grader:
    """What may be said of a frame, given what the networks say of it: calibration and gates.

    `known_states` are the keys of the states the state head has learnt to tell; the others are
    never named.
    """

    def __init__(
        self,
        calibration: dict[str, Any],
        scale: Scale,
        crop: CropConfig,
        known_states: Sequence[str],
    ) -> None:
        self.calibrated = Calibrated(calibration, scale)
        self.scale, self.crop = scale, crop
        awake = scale.graded_state.key
        self.told = np.array([key in {awake, *known_states} for key in scale.state_keys])
        self.unknown = unknown_state(scale)
        sleep = scale.reason_because("sleep").key
        self.awake = scale.state_keys.index(awake)
        self.asleep = next(
            (n for n, state in enumerate(scale.states) if state.reason == sleep), self.awake
        )

    @classmethod
    def of(cls, bundle: Bundle) -> Grader:
        """The grader of a bundle."""
        return cls(bundle.calibration, bundle.scale, bundle.crop, bundle.info["states"])

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
        masked = np.where(self.told, np.asarray(states, np.float64), -np.inf)
        likely = np.exp(masked - masked.max(1, keepdims=True))
        return Looked(
            self.calibrated.probabilities(np.asarray(grades, np.float64)),
            self.calibrated.scorable(np.asarray(scorable, np.float64)),
            likely / likely.sum(1, keepdims=True),
            self.calibrated.distance(
                np.asarray(embedding, np.float64), np.asarray(familiar, np.float64)
            ),
        )

    def verdict(self, face: Face, looked: Looked, row: int, shape: tuple[int, int]) -> Verdict:
        """What may be said of one frame with a face candidate, in a picture (height, width).

        Nothing is graded without a face, with a small or turned face, with a face unlike those the
        network has learnt from, in a state that is not graded, or with too few scorable units.
        """
        refusal = self.refuse_face(face)
        if refusal is None and looked.distance[row] > 1:
            refusal = "unnamed"
        if refusal is not None:
            reason = self.scale.reason_because(refusal).key  # type: ignore[arg-type]
            return Verdict(self.unknown.key, (), None, reason)
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
        """The likeliest state; where sleep and waking are both likely, that it is unclear.

        A gate on sleep that guesses would remove animals that sit still in strong pain, or grade
        animals that sleep.
        """
        first, second = np.argsort(-likely, kind="stable")[:2]
        best = self.scale.states[int(first)]
        pair = {int(first), int(second)}
        if pair == {self.awake, self.asleep} and likely[second] > UNSURE:
            return self.unknown
        return best

    def _grades(
        self, face: Face, looked: Looked, row: int, shape: tuple[int, int]
    ) -> tuple[Grade, ...]:
        why = self._unit_reason(face, shape)
        grades = []
        for index, unit in enumerate(self.scale.units):
            scorable = float(looked.scorable[row, index])
            seen = scorable >= SCORABLE
            grades.append(
                Grade(
                    unit=unit.key,
                    grade=int(looked.nearest[row, index]) if seen else None,
                    reason=None if seen else why,
                    probabilities=tuple(looked.probabilities[index][row].tolist()),
                    scorable=scorable,
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
