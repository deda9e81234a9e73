"""Rules from another scale to grades or scores: named, shown in words, never assumed.

A rule is written `LOW-HIGH:HOW`. `HOW` is `nearest` (in proportion, to the nearest grade), `equal`
(the range in as many equal parts as there are grades), the cuts themselves (`0-9:3,7`: grade 1 from
3, grade 2 from 7), or `share` (in proportion, for scores of observations, which are no grades).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from curation.labels.rows import UnknownFormat

_NUMBER = r"([0-9]{1,4}(?:\.[0-9]{1,4})?)"
_RULE = re.compile(_NUMBER + "-" + _NUMBER + r":([a-z]{1,10}|[0-9.,]{1,60})")
USUAL_TOPS = (8.0, 9.0, 10.0, 100.0)
"""Tops of the other scales that labs use; percent is 100."""


@dataclass(frozen=True)
class Conversion:
    """A rule from `low`..`high` to grades: as many as there are `cuts` at or below the number.

    Without cuts it gives shares of the range.
    """

    rule: str
    low: float
    high: float
    cuts: tuple[float, ...]

    def grade(self, number: float) -> int | None:
        """Return the grade of a number, None outside the range."""
        if not self.low <= number <= self.high:
            return None
        return sum(cut <= number for cut in self.cuts)

    def share(self, number: float, top: float) -> float | None:
        """Return (number - low) / (high - low) · top, None outside the range."""
        if not self.low <= number <= self.high:
            return None
        return (number - self.low) / (self.high - self.low) * top

    @property
    def sentence(self) -> str:
        """The rule in words."""
        span = f"{self.low:g} to {self.high:g}"
        if not self.cuts:
            return f"Scores from {span} are read as shares of that range."
        steps = [f"below {self.cuts[0]:g} is 0"]
        for grade, cut in enumerate(self.cuts, start=1):
            end = f" and below {self.cuts[grade]:g}" if grade < len(self.cuts) else ""
            steps.append(f"from {cut:g}{end} is {grade}")
        return f"Of the scale {span}, {', '.join(steps)}."


def conversion(rule: str, top: int) -> Conversion:
    """Return the conversion that a rule names, to grades 0..`top`; raises `UnknownFormat`."""
    found = _RULE.fullmatch(rule)
    refused = UnknownFormat(
        f"“{rule[:60]}” is no rule for another scale; write for instance 0-9:nearest, 0-9:equal or "
        "0-9:3,7."
    )
    if not found:
        raise refused
    low, high, how = float(found[1]), float(found[2]), found[3]
    if not low < high:
        raise refused
    span = high - low
    if how == "nearest":
        cuts = tuple(low + span * (step - 0.5) / top for step in range(1, top + 1))
    elif how == "equal":
        cuts = tuple(low + span * step / (top + 1) for step in range(1, top + 1))
    elif how == "share":
        cuts = ()
    else:
        try:
            cuts = tuple(float(cut) for cut in how.split(","))
        except ValueError:
            raise refused from None
        rising = all(before < after for before, after in pairwise(cuts))
        if len(cuts) != top or not rising or not low < cuts[0] or not cuts[-1] <= high:
            raise UnknownFormat(
                f"The rule {rule} needs {top} rising cuts between {low:g} and {high:g}, one for "
                "each grade above 0."
            )
    return Conversion(rule, low, high, cuts)


def grade_choices(highest: float, top: int) -> tuple[tuple[str, str], ...]:
    """Return the usual rules that a sheet with this highest number can mean, with their words."""
    tops = (float(top),) if highest <= top else tuple(t for t in USUAL_TOPS if highest <= t)
    rules = [f"0-{end:g}:{how}" for end in tops for how in ("nearest", "equal")]
    return tuple((rule, conversion(rule, top).sentence) for rule in rules)


def score_choices(highest: float, top: int, units: int) -> tuple[tuple[str, str], ...]:
    """Return what a score of an observation can be: the mean, a sum of units, percent."""
    choices = [(f"0-{top}:share", f"The mean over units, 0 to {top}.")]
    for number in range(units, 1, -1):
        end = top * number
        choices.append((f"0-{end}:share", f"The sum of {number} units, 0 to {end}."))
    choices.append(("0-100:share", "Percent of the highest possible score."))
    return tuple(row for row in choices if highest <= conversion(row[0], top).high)
