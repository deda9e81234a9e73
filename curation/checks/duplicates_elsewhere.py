"""Recordings that another dataset holds already."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import count, listing


def no_other_dataset_holds_them(facts: VersionFacts) -> Finding:
    """Warns about recordings shared with other datasets; earlier versions of this one may."""
    own = facts.version.partition("/")[0]
    shared = {
        one.file: [name for name in one.elsewhere if name.partition("/")[0] != own]
        for one in facts.recordings
    }
    files = tuple(file for file, others in shared.items() if others)
    if not files:
        return Finding(True, "No other dataset holds these recordings.")
    others = sorted({name for names in shared.values() for name in names})
    hold = "holds" if len(others) == 1 else "hold"
    return Finding(
        False,
        f"{listing(others)} also {hold} {count(len(files), 'recording')} of this version, first "
        f"{files[0]}; no animal may count twice. Say which dataset is the right one.",
        files,
    )


CHECK = Check(
    "duplicates_elsewhere", "Not in another dataset", "warns", no_other_dataset_holds_them
)
