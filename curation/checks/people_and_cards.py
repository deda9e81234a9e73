"""Recordings in which people, their badges or readable cage cards are to be seen."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts


def nobody_is_to_be_seen(facts: VersionFacts) -> Finding:
    """Blocks while the lab says that people or cards are to be seen.

    No program looks for them: whoever made the recordings has to, and is asked by a field that is
    needed to submit.
    """
    if facts.metadata.get("people_and_cards") != "seen":
        return Finding(True, "Nobody says that people or cage cards are to be seen.")
    return Finding(
        False,
        "People, badges or readable cage cards are to be seen in the recordings; cut those "
        "seconds out or cover them, and send the recordings again.",
        ("people_and_cards",),
    )


CHECK = Check("people_and_cards", "No people or cage cards", "blocks", nobody_is_to_be_seen)
