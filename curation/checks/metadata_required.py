"""Required metadata that are missing."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.metadata import BY_KEY, is_empty, missing
from curation.sentences import listing


def required_fields_are_filled(facts: VersionFacts) -> Finding:
    """Blocks while a required field has no value, neither of its own nor inherited."""
    treatments = {one.name: one.treatment for one in facts.groups}
    faults: dict[str, list[str]] = {
        str(one.field): [] for one in missing("dataset", facts.metadata)
    }
    for animal in facts.animals:
        own = {
            "sex": animal.sex,
            "coat": animal.coat,
            "strain": animal.strain,
            "age_weeks": animal.age_weeks,
        }
        values = {**facts.metadata, **treatments.get(animal.group, {})}
        values |= {key: value for key, value in own.items() if not is_empty(value)}
        for one in missing("animal", values):
            faults.setdefault(str(one.field), []).append(animal.name)
    if not faults:
        return Finding(True, "Every required field is filled in.")
    parts = [
        BY_KEY[key].title + (f" (animal {listing(names)})" if names else "")
        for key, names in faults.items()
    ]
    return Finding(False, f"Fill in what is missing: {'; '.join(parts)}.", tuple(faults))


CHECK = Check("metadata_required", "Required fields", "blocks", required_fields_are_filled)
