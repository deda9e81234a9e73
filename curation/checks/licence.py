"""The licence."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts


def licence_is_chosen(facts: VersionFacts) -> Finding:
    """Blocks while no licence is chosen, unless nobody is allowed to download anyway."""
    if facts.licence.strip():
        return Finding(True, f"The licence is {facts.licence.strip()}.")
    if facts.permissions.get("download") is False:
        return Finding(True, "Nobody may download the recordings, so no licence is needed.")
    return Finding(
        False, "No licence is chosen; choose CC0, CC-BY or CC-BY-NC under Rights.", ("licence",)
    )


CHECK = Check("licence", "Licence", "blocks", licence_is_chosen)
