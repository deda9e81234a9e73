"""Score sheets that may be on another scale, and how they came about."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import LabelFacts, VersionFacts
from curation.sentences import listing
from models.scale import load_scale

ENOUGH = 100
"""Grades of a sheet from which on it is odd that the top grade never occurs."""
MANY = 0.05
"""Share of cells left out from which on a sheet may be on another scale."""


def grades_are_on_the_scale(facts: VersionFacts) -> Finding:
    """Warns when the grades of a sheet look like those of another scale that was not declared.

    That is where the top grade never occurs in 100 grades or more, or many cells were no grade.
    """
    tops = {unit.key: len(unit.grades) - 1 for unit in load_scale().units}
    top = max(tops.values())
    odd: dict[str, str] = {}
    for sheet in facts.labels:
        if sheet.conversion:
            continue
        if sentence := _outside(sheet, tops) or _without_top(sheet, top) or _refused(sheet):
            odd[sheet.file] = sentence
    if not odd:
        converted = [f"{one.file} by {one.conversion}" for one in facts.labels if one.conversion]
        read = f" Read from another scale: {listing(converted)}." if converted else ""
        return Finding(True, f"All grades lie on the scale of 0 to {top}.{read}")
    file = next(iter(odd))
    more = f" The same holds for {len(odd) - 1} more." if len(odd) > 1 else ""
    return Finding(
        False,
        f"{file} {odd[file]}. If it uses another scale, choose the scale under Score sheets; "
        f"otherwise say that 0 to {top} is right.{more}",
        tuple(odd),
    )


def _outside(sheet: LabelFacts, tops: dict[str, int]) -> str:
    for row in sheet.spread or ():
        over = sum(row.counts[tops.get(row.unit, 0) + 1 :]) if row.unit in tops else 0
        if over:
            return f"holds {over} grades above {tops[row.unit]}"
    return ""


def _without_top(sheet: LabelFacts, top: int) -> str:
    rows = sheet.spread or ()
    total = sum(sum(row.counts) for row in rows)
    if total < ENOUGH or any(sum(row.counts[top:]) for row in rows):
        return ""
    return f"holds {total} grades and not one of them is {top}"


def _refused(sheet: LabelFacts) -> str:
    units = len(load_scale().units)
    cells = sum(one.column is not None for one in sheet.problems)
    whole = sheet.rows * units * max(1, len(sheet.raters))
    if not sheet.rows or cells < ENOUGH // 10 or cells < MANY * whole:
        return ""
    return f"holds {cells} cells that are no grade of this scale"


CHECK = Check("scale_declared", "Grades on the scale", "warns", grades_are_on_the_scale)
