"""The ethics approval."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts


def ethics_is_stated(facts: VersionFacts) -> Finding:
    """Blocks while no ethics approval, or why none was needed, is stated."""
    if facts.ethics.strip():
        return Finding(True, "The ethics approval is stated.")
    return Finding(
        False,
        "The ethics approval is missing; give its number and authority, or why none was needed.",
        ("ethics",),
    )


CHECK = Check("ethics", "Ethics approval", "blocks", ethics_is_stated)
