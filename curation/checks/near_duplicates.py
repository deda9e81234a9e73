"""Recordings of one version that look like copies of each other."""

from __future__ import annotations

from collections.abc import Iterator

from curation.checks import Check, Finding
from curation.facts import RecordingFacts, TwinFacts, VersionFacts
from curation.likeness import look_alike
from curation.sentences import count


def alike(facts: VersionFacts) -> Iterator[tuple[RecordingFacts, TwinFacts]]:
    """Yield every recording with each of its twins that counts as a copy, bytes or looks."""
    for one in facts.recordings:
        for twin in one.twins:
            if twin.same_bytes or look_alike(twin.distance, twin.motion):
                yield one, twin


def of_this(facts: VersionFacts, twin: TwinFacts) -> bool:
    """Whether a twin belongs to the same dataset; its earlier versions are the same films."""
    return twin.dataset == facts.version.partition("/")[0]


def no_recording_looks_like_another(facts: VersionFacts) -> Finding:
    """Warns when two recordings show the same moments, coded anew, cut, scaled or mirrored.

    Where hardly anything moves nothing is said: one camera makes all of its pictures alike.
    """
    held = {one.id: one for one in facts.recordings}
    pairs = []
    for one, twin in alike(facts):
        other = held.get(twin.recording)
        if other is not None and not twin.same_bytes and one.id < other.id:
            pairs.append((one, other, twin))
    if not pairs:
        return Finding(True, "No two recordings were found to show the same moments.")
    first, second, twin = pairs[0]
    how = ", mirrored" if twin.mirrored else ""
    more = f" There are {len(pairs) - 1} more such pairs." if len(pairs) > 1 else ""
    touched = {one.id: one.file for pair in pairs for one in pair[:2]}
    return Finding(
        False,
        f"{first.file} and {second.file} look like the same film{how}, though the files differ. "
        "Keep the one whose animal and time are right, or say why both are there."
        f"{more} Seen in {count(len(touched), 'recording')}.",
        tuple(touched.values()),
        tuple((key, "") for key in touched),
    )


CHECK = Check(
    "near_duplicates",
    "No recording twice in another shape",
    "warns",
    no_recording_looks_like_another,
)
