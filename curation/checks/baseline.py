"""Animals without a baseline."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.checks.time_points import is_baseline
from curation.facts import VersionFacts
from curation.sentences import count, listing


def every_animal_has_a_baseline(facts: VersionFacts) -> Finding:
    """Warns when an animal was not observed before the procedure; its own baseline differs."""
    if facts.metadata.get("assay") == "no_procedure":
        return Finding(True, "There was no procedure, so no baseline is needed.")
    have = {
        one.animal for one in facts.observations if is_baseline(one.name, one.hours_after_procedure)
    }
    missing = [one.name for one in facts.animals if one.id not in have]
    if not missing:
        return Finding(True, "Every animal has a baseline.")
    return Finding(
        False,
        f"There is no baseline of {count(len(missing), 'animal')} ({listing(missing)}): without "
        "one only groups can be compared, not an animal with itself. Add it if you recorded it.",
        tuple(missing),
    )


CHECK = Check("baseline", "Baseline of every animal", "warns", every_animal_has_a_baseline)
