"""What single cells mean: a grade, not scorable, not assigned, missing, a frame number, a time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from curation.labels.rows import Mapping, UnknownFormat
from models.scale import Scale

MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "none", "null"})
"""Read as *not yet rated*, the one reading that claims nothing."""

OTHER_SCALE_SHARE = 0.05
"""Above this share of impossible grades the sheet uses another scale; below it they are slips."""

_TRUE = frozenset({"1", "true", "yes", "y", "x"})
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)")


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
    mapping: Mapping | None
    decimal_comma: bool

    def grade(self, text: str, unit: str, reason: str | None = None) -> Cell:
        """Read a cell of a unit column; raises `BadCell`.

        `reason` is what the row gives as the reason for its cells that are not scorable.
        """
        word = text.strip().casefold()
        if self.mapping and text in self.mapping.cells:
            word = self.mapping.cells[text].casefold()
        meaning = word if word in _MEANINGS else self.scale.file_codes.get(word)
        if word in self.scale.reason_keys:
            return Cell(reason=word)
        if meaning is None and word in MISSING_WORDS:
            meaning = "missing"
        if meaning is not None:
            return self._coded(meaning, reason)
        number = to_number(word, self.decimal_comma)
        top = self.scale.unit(unit).top_grade
        title = self.scale.unit(unit).title
        if number is None:
            raise BadCell(f"“{text[:40]}” is no grade; {title} takes 0 to {top}.")
        code = f"{number:g}"
        if code in self.scale.file_codes:
            return self._coded(self.scale.file_codes[code], reason)
        if not number.is_integer() or not 0 <= number <= top:
            raise BadCell(
                f"{number:g} is not possible; {title} takes 0 to {top}. Correct the cell."
            )
        return Cell(grade=int(number))

    def refuse_other_scale(self, name: str, cells: Iterable[str]) -> None:
        """Raise `UnknownFormat` when so many cells are impossible that the scale must be another.

        Cells that the investigator's mapping explains do not count.
        """
        top = max(unit.top_grade for unit in self.scale.units)
        graded = impossible = 0
        highest = 0.0
        known = self.mapping.cells if self.mapping else {}
        for text in cells:
            number = None if text in known else to_number(text, self.decimal_comma)
            if number is None:
                continue
            graded += 1
            if f"{number:g}" in self.scale.file_codes:
                continue
            if not number.is_integer() or not 0 <= number <= top:
                impossible += 1
                highest = max(highest, number)
        if impossible >= 3 and impossible > OTHER_SCALE_SHARE * graded:
            raise UnknownFormat(
                f"{name} uses another scale: {impossible} of its {graded} grades are not 0 to {top}"
                f" (the highest is {highest:g}). State which of its grades mean 0 to {top}."
            )

    def _coded(self, meaning: str, reason: str | None) -> Cell:
        if meaning == "not_scorable":
            return Cell(reason=reason or self.scale.reason_because("unnamed").key)
        return Cell(assigned=meaning != "not_assigned")


_MEANINGS = frozenset({"not_scorable", "not_assigned", "missing"})


def to_number(text: str, decimal_comma: bool = False) -> float | None:
    """Return the finite number a text spells, else None."""
    if len(text) > 30 or "_" in text:
        return None
    try:
        number = float(text.replace(",", ".") if decimal_comma else text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def to_frame(text: str) -> int:
    """Read a frame number, counted from 0; raises `BadCell`."""
    number = to_number(text)
    if number is None or not number.is_integer() or not 0 <= number < 2**31:
        raise BadCell(f"“{text[:40]}” is no frame number; frames count 0, 1, 2 and so on.")
    return int(number)


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
