"""Recordings in which people, their badges or readable cage cards are to be seen."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts


def nobody_is_to_be_seen(facts: VersionFacts) -> Finding:
    """Blocks while the lab says that people or cards are to be seen, and until it has looked.

    No program looks for them: whoever made the recordings is asked.
    """
    said = facts.metadata.get("people_and_cards")
    where = ("people_and_cards",)
    if said == "seen":
        return Finding(
            False,
            "People, badges or readable cage cards are to be seen in the recordings; cut those "
            "seconds out or cover them, and send the recordings again.",
            where,
        )
    if facts.phantom:
        return Finding(True, "Rendered recordings show no people.")
    if said or not facts.recordings:
        return Finding(True, "The lab has looked: no people, badges or readable cage cards.")
    return Finding(
        False,
        "Please look through the contact sheets of your recordings and say under “Describe” "
        "whether a person, a badge or a readable cage card is to be seen.",
        where,
    )


CHECK = Check("people_and_cards", "No people or cage cards", "blocks", nobody_is_to_be_seen)
