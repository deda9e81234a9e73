"""Recordings that cannot be opened."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import count


def every_recording_opens(facts: VersionFacts) -> Finding:
    """Blocks while a recording of the version is unreadable."""
    bad = [one for one in facts.recordings if one.status == "unreadable"]
    if not bad:
        ready = count(len(facts.recordings), "recording")
        return Finding(True, f"{ready} and none that cannot be opened.")
    return Finding(
        False,
        f"{count(len(bad), 'recording')} cannot be opened, first {bad[0].file}: "
        f"{bad[0].problem or 'the file is damaged'} Send the file again or take it out.",
        tuple(one.file for one in bad),
    )


CHECK = Check("media_readable", "Recordings can be opened", "blocks", every_recording_opens)
