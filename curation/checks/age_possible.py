"""Ages that are hardly those of a mouse whose face is graded."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing

YOUNGEST, OLDEST = 2.0, 156.0
"""Weeks: eyes open after about two; few laboratory mice become three years old."""


def ages_are_likely(facts: VersionFacts) -> Finding:
    """Warns about animals younger than two weeks or older than three years at the recording."""
    odd = [
        one
        for one in facts.animals
        if one.age_weeks is not None and not YOUNGEST <= one.age_weeks <= OLDEST
    ]
    if not odd:
        return Finding(True, "No age is unlikely for a mouse whose face is graded.")
    names = tuple(one.name for one in odd)
    return Finding(
        False,
        f"Animal {listing(names)}: {odd[0].age_weeks:g} weeks is "
        f"{'very young' if (odd[0].age_weeks or 0) < YOUNGEST else 'very old'} for a mouse. Ages "
        "are in weeks; correct it, or say why it is right.",
        names,
    )


CHECK = Check("age_possible", "Likely ages", "warns", ages_are_likely)
