"""Score sheets of which nobody said how they came about."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.metadata import BY_KEY
from curation.sentences import listing

ASKED = ("raters_blind", "frames_chosen")
"""Fields without which grades cannot be weighed."""


def sheets_say_how_they_came_about(facts: VersionFacts) -> Finding:
    """Warns when a sheet says neither for itself nor for the dataset whether raters were blind."""
    bare: dict[str, list[str]] = {}
    for sheet in facts.labels:
        if sheet.declared is None:
            continue
        lacking = [key for key in ASKED if not (sheet.declared.get(key) or facts.metadata.get(key))]
        if lacking:
            bare[sheet.file] = lacking
    if not bare:
        return Finding(True, "No sheet leaves open how its grades came about.")
    keys = [key for key in ASKED if any(key in lacking for lacking in bare.values())]
    asked = listing([f"“{BY_KEY[key].title.lower()}”" for key in keys])
    return Finding(
        False,
        f"Not declared for {listing(tuple(bare))}: {asked}. Say it once for the dataset under "
        "Describe, or for the sheet; grades of which this is not known weigh less.",
        tuple(bare),
    )


CHECK = Check("sheets_declared", "How grades came about", "warns", sheets_say_how_they_came_about)
