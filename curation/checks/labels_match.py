"""Score sheets that belong to other recordings."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing


def sheets_match_recordings(facts: VersionFacts) -> Finding:
    """Blocks when not a single row of a sheet belongs to a frame or an animal of this version."""
    strangers = tuple(
        one.file for one in facts.labels if not one.frames_matched + one.observations_matched
    )
    if not strangers:
        return Finding(True, "Every score sheet belongs to recordings of this version.")
    return Finding(
        False,
        f"No row of {listing(strangers)} belongs to a frame of these recordings; check the file "
        "names and frame numbers (frames count from 0).",
        strangers,
    )


CHECK = Check("labels_match", "Score sheets fit the recordings", "blocks", sheets_match_recordings)
