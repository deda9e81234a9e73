"""What single cells mean: a grade, not scorable, not assigned, missing, a frame number, a time."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from curation.labels.conversion import Conversion, conversion, grade_choices
from curation.labels.mapping import Mapping, Question
from models.scale import Scale

MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "none", "null"})
"""Read as *not yet rated*, the one reading that claims nothing."""

OTHER_SCALE_SHARE = 0.05
"""Above this share of impossible grades the sheet uses another scale; below it they are slips."""
FEWEST_IMPOSSIBLE = 3
MOST_KNOWN = 10_000

_TRUE = frozenset({"1", "true", "yes", "y", "x"})
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_CLOCK = re.compile(r"(?:([0-9]{1,3}):)?([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]{1,9})?)")


@dataclass(frozen=True)
class Cell:
    """A cell that could be read."""

    grade: int | None = None
    reason: str | None = None
    assigned: bool = True


class BadCell(Exception):
    """A cell that means nothing on this scale; the text is the sentence."""


@dataclass(frozen=True)
class CellReader:
    """Reads the cells of one sheet."""

    scale: Scale
    mapping: Mapping
    decimal_comma: bool

    def grade(self, text: str, unit: str, reason: str | None = None) -> Cell:
        """Read a cell of a unit column; raises `BadCell`.

        `reason` is what the row gives as the reason for its cells that are not scorable.
        """
        found = self._graded.get((text, unit, reason))
        if found is None:
            found = self._grade(text, unit, reason)
            if len(self._graded) < MOST_KNOWN:
                self._graded[text, unit, reason] = found
        return found

    def _grade(self, text: str, unit: str, reason: str | None) -> Cell:
        meaning, word = self.coded(text)
        if word in self.scale.reason_keys:
            return Cell(reason=word)
        if meaning is not None:
            return self._coded(meaning, reason)
        number = self.number(word)
        top = self.scale.unit(unit).top_grade
        title = self.scale.unit(unit).title
        rule = self._conversion
        # A cell that the mapping explains is a grade of this scale already.
        if number is not None and rule and text not in self.mapping.cells:
            converted = rule.grade(number) if rule.cuts and len(rule.cuts) == top else None
            if converted is None:
                raise BadCell(
                    f"{number:g} is not possible; the rule {rule.rule} takes {rule.low:g} to "
                    f"{rule.high:g}. Correct the cell."
                )
            return Cell(grade=converted)
        if number is None:
            raise BadCell(f"“{text[:40]}” is no grade; {title} takes 0 to {top}.")
        if not number.is_integer() or not 0 <= number <= top:
            raise BadCell(
                f"{number:g} is not possible; {title} takes 0 to {top}. Correct the cell."
            )
        return Cell(grade=int(number))

    def number(self, text: str) -> float | None:
        """Return the number a cell spells; percent only where a rule up to 100 is confirmed."""
        rule = self._conversion
        if rule and rule.high == 100:
            text = text.removesuffix("%")
        return to_number(text, self.decimal_comma)

    def coded(self, text: str) -> tuple[str | None, str]:
        """Return (`not_scorable`, `not_assigned`, `missing` or None, the word that was meant)."""
        found = self._known.get(text)
        if found is None:
            found = self._understood(text)
            if len(self._known) < MOST_KNOWN:
                self._known[text] = found
        return found

    def _understood(self, text: str) -> tuple[str | None, str]:
        word = text.strip().casefold()
        explained = text in self.mapping.cells
        if explained:
            word = self.mapping.cells[text].strip().casefold()
        if word in _MEANINGS:
            return word, word
        number = self.number(word)
        rule = self._conversion
        if rule and number is not None and rule.low <= number <= rule.high and not explained:
            # On the other scale 9 may be a grade; only the investigator can say that it is none.
            return None, word
        meaning = self.scale.file_codes.get(word)
        if meaning is None and number is not None:
            meaning = self.scale.file_codes.get(f"{number:g}")
        if meaning is None and word in MISSING_WORDS:
            meaning = "missing"
        return meaning, word

    def other_scale(self, name: str, cells: Iterable[str]) -> Question | None:
        """Return the question for a rule when so many cells are impossible that it must be one.

        Cells that the investigator's mapping explains do not count. A rule that was confirmed and
        does not fit the cells is asked for again.
        """
        top = max(unit.top_grade for unit in self.scale.units)
        rule = self._conversion
        graded = impossible = 0
        highest = 0.0
        for text, count in Counter(cells).items():
            percent = text.endswith("%")
            number = to_number(text.removesuffix("%"), self.decimal_comma)
            if number is None or text in self.mapping.cells:
                continue
            graded += count
            highest = max(highest, number)
            if not percent and self.coded(text)[0] is not None:
                continue
            if rule:
                fits = rule.low <= number <= rule.high and not (percent and rule.high != 100)
            else:
                fits = not percent and number.is_integer() and 0 <= number <= top
            impossible += count * (not fits)
        if impossible < FEWEST_IMPOSSIBLE or impossible <= OTHER_SCALE_SHARE * graded:
            return None
        span = f"{rule.low:g} to {rule.high:g}" if rule else f"0 to {top}"
        return Question(
            "conversion",
            f"{name} uses another scale: {impossible} of its {graded} grades are not {span}"
            f" (the highest is {highest:g}). State which of its grades mean 0 to {top}.",
            grade_choices(highest, top),
        )

    @cached_property
    def _known(self) -> dict[str, tuple[str | None, str]]:
        """Cells repeat: a sheet of a million holds a handful of different ones."""
        return {}

    @cached_property
    def _graded(self) -> dict[tuple[str, str, str | None], Cell]:
        return {}

    @cached_property
    def _conversion(self) -> Conversion | None:
        if not self.mapping.conversion:
            return None
        return conversion(self.mapping.conversion, max(unit.top_grade for unit in self.scale.units))

    def _coded(self, meaning: str, reason: str | None) -> Cell:
        if meaning == "not_scorable":
            return Cell(reason=reason or self.scale.reason_because("unnamed").key)
        return Cell(assigned=meaning != "not_assigned")


_MEANINGS = frozenset({"not_scorable", "not_assigned", "missing"})


def to_number(text: str, decimal_comma: bool = False) -> float | None:
    """Return the finite number a text spells in plain digits, else None."""
    text = text.strip()
    if decimal_comma:
        text = text.replace(",", ".")
    if len(text) > 30 or not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    # A number too small for the machine would turn into a zero that nobody wrote.
    vanished = number == 0 and any(digit in text.casefold().split("e")[0] for digit in "123456789")
    return None if vanished or not math.isfinite(number) else number


def to_frame(text: str, frames_from: int = 0) -> int:
    """Read a frame number and return it counted from 0; raises `BadCell`."""
    number = to_number(text)
    if number is None or not number.is_integer() or not frames_from <= number < 2**31:
        first = ", ".join(str(frames_from + step) for step in range(2))
        raise BadCell(
            f"“{text[:40]}” is no frame number; frames count {first}, {frames_from + 2} and so on."
        )
    return int(number) - frames_from


def to_seconds(text: str, decimal_comma: bool = False) -> float:
    """Read a time as seconds or as h:mm:ss.s; raises `BadCell`."""
    if clock := _CLOCK.fullmatch(text.replace(",", ".")):
        hours, minutes, seconds = clock.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
    number = to_number(text, decimal_comma)
    if number is None or number < 0:
        raise BadCell(f"“{text[:40]}” is no time; write seconds, or minutes and seconds as 1:05.")
    return number


def is_true(text: str) -> bool:
    """Whether a flag is set."""
    return text.strip().casefold() in _TRUE
