"""Metadata that cannot be true or that no form would take."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.metadata import validate
from curation.problems import Problem


def values_are_possible(facts: VersionFacts) -> Finding:
    """Blocks when a value has the wrong kind, lies outside its range or is no known term."""
    faults: list[tuple[str, Problem]] = [
        ("the dataset", problem) for problem in validate("dataset", facts.metadata)
    ]
    for group in facts.groups:
        faults += [(f"group {group.name}", one) for one in validate("group", group.treatment)]
    for animal in facts.animals:
        values = {
            "sex": animal.sex,
            "coat": animal.coat,
            "strain": animal.strain,
            "age_weeks": animal.age_weeks,
        }
        faults += [(f"animal {animal.name}", one) for one in validate("animal", values)]
    for seen in facts.observations:
        hours = {"hours_after_procedure": seen.hours_after_procedure}
        faults += [(f"observation {seen.name}", one) for one in validate("observation", hours)]
    if not faults:
        return Finding(True, "Every value is possible.")
    place, first = faults[0]
    more = f" There are {len(faults) - 1} more values like this." if len(faults) > 1 else ""
    return Finding(
        False,
        f"Of {place}: {first.sentence}{more}",
        tuple(f"{place}: {one.field}" for place, one in faults),
    )


CHECK = Check("metadata_valid", "Possible values", "blocks", values_are_possible)
