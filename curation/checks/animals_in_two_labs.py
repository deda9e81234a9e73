"""Animals that two labs claim."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing


def animals_are_of_one_lab(facts: VersionFacts) -> Finding:
    """Warns when an animal is known in more than one lab: it would sit on both sides of a split."""
    shared = {one.name: one.labs for one in facts.animals if len(set(one.labs)) > 1}
    if not shared:
        return Finding(True, "No animal is known to be in two labs.")
    others = sorted({lab for labs in shared.values() for lab in labs} - {facts.lab})
    return Finding(
        False,
        f"Animal {listing(tuple(shared))} is filmed in datasets of {listing(others)} too. Confirm "
        "whether it is the same animal, and which lab gives it.",
        tuple(shared),
    )


CHECK = Check("animals_in_two_labs", "Animals of one lab", "warns", animals_are_of_one_lab)
