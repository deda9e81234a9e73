"""Recordings that another dataset holds already."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.checks.near_duplicates import alike, of_this
from curation.facts import VersionFacts
from curation.sentences import count, listing


def no_other_dataset_holds_them(facts: VersionFacts) -> Finding:
    """Warns about recordings that other datasets hold too, as the same file or in another shape.

    Named are datasets that the lab may know of; earlier versions of its own hold the same films.
    """
    shared = [(one, twin) for one, twin in alike(facts) if twin.known and not of_this(facts, twin)]
    if not shared:
        return Finding(True, "No dataset that you can see holds these recordings.")
    files = tuple(dict.fromkeys(one.file for one, _ in shared))
    others = sorted({twin.version for _, twin in shared})
    hold = "holds" if len(others) == 1 else "hold"
    copies = "" if any(twin.same_bytes for _, twin in shared) else " in another shape"
    return Finding(
        False,
        f"{listing(others)} also {hold} {count(len(files), 'recording')} of this version{copies}, "
        f"first {files[0]}; no animal may count twice. Say which dataset is the right one.",
        files,
    )


CHECK = Check(
    "duplicates_elsewhere", "Not in another dataset", "warns", no_other_dataset_holds_them
)
