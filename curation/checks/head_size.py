"""Heads too small to be graded at all."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import RecordingFacts, VersionFacts
from curation.sentences import count

LEAST_PIXELS = 64
"""Shorter side of a head, in pixels, below which no unit can be told."""


def side_of(recording: RecordingFacts) -> tuple[float, bool] | None:
    """Return the shorter side of the head in pixels and True, of the picture and False without one.

    None where the recording was not measured. A head is never larger than its picture.
    """
    media = recording.media or {}
    picture = min(int(media.get("width") or 0), int(media.get("height") or 0))
    head = media.get("head_side")
    if head is not None:
        return float(head), True
    return (float(picture), False) if picture else None


def heads_can_be_graded(facts: VersionFacts) -> Finding:
    """Blocks while the typical head of a recording is smaller than 64 pixels."""
    sides = {one.file: found for one in facts.recordings if (found := side_of(one)) is not None}
    small = {file: found for file, found in sides.items() if found[0] < LEAST_PIXELS}
    if not small:
        return Finding(True, f"No head is known to be smaller than {LEAST_PIXELS} pixels.")
    worst = min(small, key=lambda file: small[file][0])
    side, is_head = small[worst]
    what = "the typical head" if is_head else "the whole picture"
    return Finding(
        False,
        f"Too small to be graded: {count(len(small), 'recording')}; in {worst} {what} has "
        f"{side:.0f} pixels on its shorter side, and {LEAST_PIXELS} are needed. Send the original "
        "of the camera, or take the recording out.",
        tuple(sorted(small, key=lambda file: small[file][0])),
    )


CHECK = Check("head_size", "Heads can be graded", "blocks", heads_can_be_graded, "small")
