"""Recordings too small to grade a face in."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import count

COMFORTABLE_PIXELS = 300
"""Shorter side of the picture below which most heads are too small to grade well."""
LEAST_PIXELS = 64
"""A head below this is not graded at all, so neither is a picture."""


def pictures_are_large_enough(facts: VersionFacts) -> Finding:
    """Warns about pictures whose shorter side is small."""
    sides = {
        one.file: min(int(one.media.get("width") or 0), int(one.media.get("height") or 0))
        for one in facts.recordings
        if one.media
    }
    small = {file: side for file, side in sides.items() if side < COMFORTABLE_PIXELS}
    if not small:
        return Finding(
            True, f"Every picture is at least {COMFORTABLE_PIXELS} pixels high and wide."
        )
    worst = min(small, key=lambda file: small[file])
    verdict = "cannot be graded" if small[worst] < LEAST_PIXELS else "may be hard to grade"
    return Finding(
        False,
        f"Fewer than {COMFORTABLE_PIXELS} pixels on the shorter side: "
        f"{count(len(small), 'recording')}; the smallest, {worst} with {small[worst]}, {verdict}. "
        "Film closer or at a higher resolution if you can.",
        tuple(small),
    )


CHECK = Check("resolution", "Size of the picture", "warns", pictures_are_large_enough)
