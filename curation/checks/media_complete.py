"""Recordings that open but are damaged somewhere inside."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing


def recordings_are_whole(facts: VersionFacts) -> Finding:
    """Warns when decoding met a problem or gave no frame."""
    bad = [
        (one.file, ((one.media or {}).get("problems") or ["It holds no frame."])[0])
        for one in facts.recordings
        if one.status == "ready"
        and (one.frames == 0 or (one.media is not None and one.media.get("problems")))
    ]
    if not bad:
        return Finding(True, "No recording breaks off or has damaged stretches.")
    names = [file for file, _ in bad]
    return Finding(
        False,
        f"Parts of {listing(names)} could not be decoded ({bad[0][1]}); the frames that could be "
        "read are kept. Send the original again if you have it.",
        tuple(names),
    )


CHECK = Check("media_complete", "Recordings are whole", "warns", recordings_are_whole)
