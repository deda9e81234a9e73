"""Animals and observations that nothing was recorded of."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing


def every_animal_was_recorded(facts: VersionFacts) -> Finding:
    """Warns when an animal or an observation has no recording: a file may have been forgotten."""
    recorded = {one.observation for one in facts.recordings}
    names = {one.id: one.name for one in facts.animals}
    seen = {one.animal for one in facts.observations if one.id in recorded}
    missing = [name for key, name in names.items() if key not in seen]
    missing += [
        f"{names.get(one.animal, one.animal)} {one.name}"
        for one in facts.observations
        if one.id not in recorded and one.animal in seen
    ]
    if not missing:
        return Finding(True, "Every animal and observation has a recording.")
    return Finding(
        False,
        f"Nothing was recorded of {listing(missing)}; upload what is missing or take them out.",
        tuple(missing),
    )


CHECK = Check("unused_animals", "Every animal was recorded", "warns", every_animal_was_recorded)
