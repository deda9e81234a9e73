"""Recordings that tell where they were made."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing


def no_recording_tells_the_place(facts: VersionFacts) -> Finding:
    """Blocks while a recording carries a location: animal facilities are not to be found."""
    tagged = tuple(
        one.file for one in facts.recordings if one.media and one.media.get("has_location_tag")
    )
    if not tagged:
        return Finding(True, "No recording tells where it was made.")
    return Finding(
        False,
        f"The place where it was made is stored in {listing(tagged)}; remove the location with "
        "your video program and send it again.",
        tagged,
    )


CHECK = Check("location_tags", "No location in the files", "blocks", no_recording_tells_the_place)
