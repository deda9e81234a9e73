"""Versions that come without grades."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts


def grades_came_along(facts: VersionFacts) -> Finding:
    """Informs when there are no grades: raters have to give all of them."""
    if facts.has_grades:
        return Finding(True, "Grades came with the recordings.")
    return Finding(
        False, "No grades came with the recordings; models learn from them once raters gave some."
    )


CHECK = Check("grades_present", "Grades", "informs", grades_came_along)
