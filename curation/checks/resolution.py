"""Heads that are small for grading."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.checks.head_size import LEAST_PIXELS, side_of
from curation.facts import VersionFacts
from curation.sentences import count

COMFORTABLE_PIXELS = 300
"""Shorter side of a head below which whiskers and the bridge of the nose are hard to grade."""


def heads_are_large(facts: VersionFacts) -> Finding:
    """Warns about recordings whose typical head is smaller than 300 pixels.

    Where no face was found or looked for, the picture stands for the head.
    """
    sides = {one.file: found for one in facts.recordings if (found := side_of(one)) is not None}
    small = {
        file: found
        for file, found in sides.items()
        if LEAST_PIXELS <= found[0] < COMFORTABLE_PIXELS
    }
    if not small:
        return Finding(True, f"No head is known to be smaller than {COMFORTABLE_PIXELS} pixels.")
    worst = min(small, key=lambda file: small[file][0])
    what = "the typical head" if small[worst][1] else "the whole picture"
    return Finding(
        False,
        f"Hard to grade: in {count(len(small), 'recording')} heads have fewer than "
        f"{COMFORTABLE_PIXELS} pixels on the shorter side; the fewest in {worst}, where {what} has "
        f"{small[worst][0]:.0f}. Film closer or at a higher resolution if you can.",
        tuple(sorted(small, key=lambda file: small[file][0])),
    )


CHECK = Check("resolution", "Size of the heads", "warns", heads_are_large, "small")
