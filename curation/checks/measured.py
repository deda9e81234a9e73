"""Recordings of which something was never measured."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import RecordingFacts, VersionFacts
from curation.sentences import count, listing


def everything_was_measured(facts: VersionFacts) -> Finding:
    """Informs about recordings read before something was measured: nothing is said of it there."""
    lacking: dict[str, int] = {}
    touched: dict[str, None] = {}
    for one in facts.recordings:
        if one.status != "ready" or one.media is None:
            continue
        for what in _unknown(one):
            lacking[what] = lacking.get(what, 0) + 1
            touched[one.file] = None
    if not lacking:
        return Finding(True, "Everything the checks look at was measured.")
    return Finding(
        False,
        f"Not known of {count(len(touched), 'recording')}: {listing(list(lacking), 5)}. The checks "
        "say nothing of it there, neither good nor bad.",
        tuple(touched),
    )


def _unknown(one: RecordingFacts) -> list[str]:
    media = one.media or {}
    told = []
    if media.get("finder") is None:
        told.append("where the face is")
    if media.get("edge_brightness") is None:
        told.append("the brightness of the background")
    if media.get("text_boxes") is None:
        told.append("whether text is burned in")
    if not one.compared:
        told.append("whether it looks like another recording")
    return told


CHECK = Check("measured", "Everything was measured", "informs", everything_was_measured)
