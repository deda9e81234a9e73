"""What raters are asked: the kinds of task, the answers each takes, and what is hidden between."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.scale import Scale, Unit

UNITS = "units"
STATE = "state"
VIEW = "view"

VIEWS: dict[str, tuple[str, str]] = {
    "frontal": ("From the front", "Both eyes and both ears, much alike."),
    "three_quarter": ("Three-quarter", "Both eyes, one side of the face shorter."),
    "profile": ("From the side", "One eye."),
    "none": ("No face", "No face of a mouse is to be seen."),
}
"""The answers of a view task, as the finder names them: title and what raters read beside it."""

GOLD_EVERY = 12
"""One in so many frames is a hidden one whose grades are agreed: under a tenth."""
REPEAT_EVERY = 20
"""One in so many frames is one that the rater has graded before."""
REPEAT_AFTER_DAYS = 2
"""So long a rater has not seen a frame that is given again."""

Turn = Literal["gold", "repeat", "counted"]


@dataclass(frozen=True)
class Kind:
    """A kind of task: what the rater is shown and what is asked."""

    key: str
    title: str
    question: str
    shows: Literal["still", "clip"]


KINDS: dict[str, Kind] = {
    UNITS: Kind(UNITS, "Action units", "Which grade does each action unit have?", "still"),
    STATE: Kind(STATE, "State", "What does the animal do in these seconds?", "clip"),
    VIEW: Kind(VIEW, "View", "From where is the face seen?", "still"),
}
"""Key → kind. Units are graded on the still alone: what moves before and after would tell."""


class NoAnswer(ValueError):
    """An answer that the task does not take; `field` names what of it."""

    def __init__(self, sentence: str, field: str) -> None:
        super().__init__(sentence)
        self.sentence, self.field = sentence, field


def turn(rater: str, given: int) -> Turn:
    """What the frame after `given` others is for this rater: hidden gold, a repeat, or counted.

    Every block of `GOLD_EVERY` frames holds one gold frame and every block of `REPEAT_EVERY` one
    repeat, at a place that depends on the rater and the block and that nobody can count out. The
    first block holds neither.
    """
    if given < GOLD_EVERY:
        return "counted"
    if _place(rater, "gold", given, GOLD_EVERY):
        return "gold"
    return "repeat" if _place(rater, "repeat", given, REPEAT_EVERY) else "counted"


def _place(rater: str, use: str, given: int, every: int) -> bool:
    block, within = divmod(given, every)
    digest = hashlib.sha256(f"{use}:{rater}:{block}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % every == within


def read_units(
    grades: Mapping[str, Any], scale: Scale, asked: Collection[str] = ()
) -> dict[str, tuple[int | None, str]]:
    """Return (grade, reason) per unit of what a rater sent; raises `NoAnswer`.

    Every unit that is `asked` (all, where none is named) needs a grade or ``{"reason": key}``: not
    scorable is an answer, silence is none.
    """
    wanted = asked or scale.unit_keys
    for key in grades:
        if key not in scale.unit_keys:
            raise NoAnswer(f"The scale has no unit '{key}'.", f"grades.{key}")
        if key not in wanted:
            raise NoAnswer(f"{scale.unit(key).title} is not asked of this frame.", f"grades.{key}")
    found: dict[str, tuple[int | None, str]] = {}
    for unit in scale.units:
        if unit.key not in wanted:
            continue
        field = f"grades.{unit.key}"
        if unit.key not in grades:
            raise NoAnswer(f"{unit.title} is neither graded nor marked as not scorable.", field)
        found[unit.key] = read_unit(unit, grades[unit.key], scale, field)
    return found


def read_unit(unit: Unit, answer: Any, scale: Scale, field: str) -> tuple[int | None, str]:
    """Return (grade, reason) of the answer to one unit; raises `NoAnswer` about the `field`."""
    if isinstance(answer, Mapping):
        reason = answer.get("reason")
        if set(answer) != {"reason"} or reason not in scale.reason_keys:
            raise NoAnswer(
                f"{unit.title}: say why it is not scorable; choose one of "
                f"{', '.join(scale.reason_keys)}.",
                field,
            )
        return None, str(reason)
    if isinstance(answer, bool) or not isinstance(answer, int):
        raise NoAnswer(f"{unit.title} needs a grade from 0 to {unit.top_grade}.", field)
    if not 0 <= answer <= unit.top_grade:
        raise NoAnswer(f"{unit.title} is graded 0 to {unit.top_grade}, not {answer}.", field)
    return answer, ""


@dataclass(frozen=True)
class Choice:
    """An answer of a task that takes one word, with what raters read of it."""

    key: str
    title: str
    note: str


def choices(kind: str, scale: Scale) -> tuple[Choice, ...]:
    """Return the answers that a state or view task takes; none for action units."""
    if kind == STATE:
        return tuple(Choice(state.key, state.title, state.note) for state in scale.states)
    if kind == VIEW:
        return tuple(Choice(key, *told) for key, told in VIEWS.items())
    return ()


def read_choice(kind: str, answer: Any, scale: Scale) -> str:
    """Return the word that answers a state or view task; raises `NoAnswer`."""
    known = [choice.key for choice in choices(kind, scale)]
    if not isinstance(answer, str) or answer not in known:
        raise NoAnswer(f"Choose one of {', '.join(known)}.", "answer")
    return answer
