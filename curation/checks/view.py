"""Recordings from a side from which faces cannot be graded."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing


def faces_are_turned_to_the_camera(facts: VersionFacts) -> Finding:
    """Warns when most faces of a recording are seen in profile."""
    aside = [one.file for one in facts.recordings if (one.media or {}).get("view") == "profile"]
    if not aside:
        return Finding(True, "No recording shows its animal mostly in profile.")
    return Finding(
        False,
        f"Mostly in profile: {listing(aside)}. Only some units can be graded from the side, and "
        "the scorer grades none there; film from the front if you can.",
        tuple(aside),
    )


CHECK = Check(
    "view", "Faces turned to the camera", "warns", faces_are_turned_to_the_camera, "profile"
)
