"""Recordings that a dataset holds of which the lab may not know."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.checks.near_duplicates import alike
from curation.facts import VersionFacts
from curation.sentences import count, listing


def no_unseen_dataset_holds_them(facts: VersionFacts) -> Finding:
    """Warns curators alone about copies in datasets of others that are not public.

    The lab is not told: that another lab has a film is nobody's to know before it is published.
    """
    hidden = [(one, twin) for one, twin in alike(facts) if not twin.known]
    if not hidden:
        return Finding(True, "No dataset that the lab cannot see holds these recordings.")
    files = tuple(dict.fromkeys(one.file for one, _ in hidden))
    where = sorted({f"{twin.version} ({twin.lab})" for _, twin in hidden})
    same = sum(twin.same_bytes for _, twin in hidden)
    how = "the same bytes" if same == len(hidden) else "the same moments"
    one, twin = hidden[0]
    return Finding(
        False,
        f"{listing(where)}, which the lab cannot see, {'holds' if len(where) == 1 else 'hold'} "
        f"{how} as {count(len(files), 'recording')} of this version, first {one.file} (there "
        f"{twin.file}). The lab is not told. Ask both labs whose animals they are before you "
        "decide.",
        files,
    )


CHECK = Check(
    "hidden_twins",
    "Not in a dataset the lab cannot see",
    "warns",
    no_unseen_dataset_holds_them,
    audience="office",
)
