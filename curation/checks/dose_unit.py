"""Doses without a unit."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.metadata import is_empty
from curation.sentences import listing


def doses_have_units(facts: VersionFacts) -> Finding:
    """Warns when a group, or the whole dataset, has a dose but no unit of it."""
    whole = facts.metadata
    if not is_empty(whole.get("dose")) and is_empty(whole.get("dose_unit")):
        return Finding(False, "The dose of the dataset has no unit; add it.", ("dose_unit",))
    bare = tuple(
        one.name
        for one in facts.groups
        if not is_empty(one.treatment.get("dose"))
        and is_empty(one.treatment.get("dose_unit", facts.metadata.get("dose_unit")))
    )
    if not bare:
        return Finding(True, "Every dose has a unit.")
    return Finding(False, f"The dose of group {listing(bare)} has no unit; add it.", bare)


CHECK = Check("dose_unit", "Doses have units", "warns", doses_have_units)
