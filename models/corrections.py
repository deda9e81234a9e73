"""Grades corrected by hand beside those of the model: a second column, never in place of the first.

A correction says something of one unit in one frame. Who wants their figures to rest on corrections
asks for it; the sentence for the methods then says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from models.records import Grade, Prediction
from models.scale import Scale


@dataclass(frozen=True)
class ByHand:
    """What a person says of one unit in one frame: a grade, or the reason why there is none."""

    grade: int | None
    reason: str | None = None


Corrections = Mapping[int, Mapping[str, ByHand]]
"""Timestamp of a frame → key of a unit → what was said by hand."""


def corrected(
    predictions: Iterable[Prediction], corrections: Corrections, scale: Scale
) -> Iterator[Prediction]:
    """The predictions with what was said by hand in place of what the model said.

    A grade by hand counts as certain. The image score of a corrected frame is the mean of expected
    grades over its scored units, where there are enough of them; a frame that the model did not
    grade is graded then.
    """
    for one in predictions:
        by_hand = corrections.get(one.key.pts)
        yield _one(one, by_hand, scale) if by_hand else one


def _one(said: Prediction, by_hand: Mapping[str, ByHand], scale: Scale) -> Prediction:
    graded = said.image_score is not None
    known = {grade.unit: grade for grade in said.grades}
    grades, values = [], []
    for unit in scale.units:
        grade = known.get(unit.key)
        if unit.key in by_hand:
            grade = _grade(unit.key, unit.top_grade, by_hand[unit.key])
        elif grade is not None and not graded:
            # What a gate took from the model is not given back because a person graded another.
            grade = replace(grade, grade=None, reason=grade.reason or said.reason)
        if grade is None:
            continue
        grades.append(grade)
        if grade.grade is not None:
            values.append(sum(k * p for k, p in enumerate(grade.probabilities)))
    enough = len(values) >= scale.minimum_units
    reason = None if enough else said.reason or next(iter(_reasons(grades)), None)
    score = sum(values) / len(values) if enough else None
    return replace(said, grades=tuple(grades), image_score=score, reason=reason)


def _grade(key: str, top: int, said: ByHand) -> Grade:
    certain = tuple(float(said.grade == grade) for grade in range(top + 1))
    if said.grade is None:
        return Grade(key, None, said.reason, tuple([1 / (top + 1)] * (top + 1)), 0.0)
    return Grade(key, said.grade, None, certain, 1.0, (said.grade,))


def _reasons(grades: Iterable[Grade]) -> Iterator[str]:
    return (grade.reason for grade in grades if grade.reason)
