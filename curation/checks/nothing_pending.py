"""Files that are still being read."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import count


def nothing_is_pending(facts: VersionFacts) -> Finding:
    """Blocks while a recording is still being read: what is in it is not known yet."""
    waiting = tuple(one.file for one in facts.recordings if one.status == "pending")
    if not waiting:
        return Finding(True, "Every recording has been read.")
    return Finding(
        False,
        f"Still being read: {count(len(waiting), 'recording')}, first {waiting[0]}. Wait until "
        "that is done and submit again.",
        waiting,
    )


CHECK = Check("nothing_pending", "Everything has been read", "blocks", nothing_is_pending)
