"""The same bytes twice in one version."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts


def no_recording_is_there_twice(facts: VersionFacts) -> Finding:
    """Blocks when two recordings are the same file: one of them carries a wrong animal or time."""
    by_content: dict[str, list[str]] = {}
    for one in facts.recordings:
        if one.sha256:
            by_content.setdefault(one.sha256, []).append(one.file)
    twice = [files for files in by_content.values() if len(files) > 1]
    if not twice:
        return Finding(True, "No recording is there twice.")
    first = twice[0]
    more = f" There are {len(twice) - 1} more such pairs." if len(twice) > 1 else ""
    return Finding(
        False,
        f"{first[0]} and {first[1]} are the same file under two names; keep the one whose animal "
        f"and time are right.{more}",
        tuple(file for files in twice for file in files),
    )


CHECK = Check("duplicates", "No recording twice", "blocks", no_recording_is_there_twice)
