"""Recordings that are too dark or burnt out."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing

MOSTLY_BLACK, MOSTLY_WHITE = 0.7, 0.4
"""Shares of pixels without detail, at the dark and at the bright end of the range."""


def light_is_enough(facts: VersionFacts) -> Finding:
    """Warns when most of a typical frame is black, or much of it white."""
    dark, burnt, shown = [], [], []
    for one in facts.recordings:
        media = one.media or {}
        if (media.get("black_share") or 0.0) > MOSTLY_BLACK:
            dark.append(one.file)
            shown.append((one.id, "dark"))
        if (media.get("white_share") or 0.0) > MOSTLY_WHITE:
            burnt.append(one.file)
            shown.append((one.id, "burnt"))
    if not dark and not burnt:
        return Finding(True, "No recording is too dark or burnt out.")
    told = []
    if dark:
        told.append(f"Mostly black: {listing(dark)}; more light, or infrared light, would help.")
    if burnt:
        told.append(f"Burnt out: {listing(burnt)}; less light or a shorter exposure would help.")
    return Finding(False, " ".join(told), (*dark, *burnt), tuple(shown))


CHECK = Check("light", "Light", "warns", light_is_enough)
