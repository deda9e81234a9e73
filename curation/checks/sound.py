"""Recordings with sound."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import count


def recordings_are_silent(facts: VersionFacts) -> Finding:
    """Informs about recordings that hold sound: voices may be heard in the originals."""
    heard = tuple(one.file for one in facts.recordings if (one.media or {}).get("has_audio"))
    if not heard:
        return Finding(True, "No recording is known to hold sound.")
    return Finding(
        False,
        f"{count(len(heard), 'recording holds', 'recordings hold')} sound, first {heard[0]}: "
        "voices may be heard. The copies that others get have none; the originals stay with you.",
        heard,
    )


CHECK = Check("sound", "Sound", "informs", recordings_are_silent)
