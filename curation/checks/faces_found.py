"""Recordings in which hardly a face is to be seen."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import count

FEW = 0.3
"""Share of looked-at frames with a face below which most of a recording cannot be graded; ours."""


def faces_are_found(facts: VersionFacts) -> Finding:
    """Warns when the face finder saw a face in few of the frames it looked at."""
    shares = {
        one.file: float(one.media["faces_share"])
        for one in facts.recordings
        if one.media and one.media.get("faces_share") is not None
    }
    few = {file: share for file, share in shares.items() if share < FEW}
    if not few:
        return Finding(True, "Faces are found in every recording that was looked at.")
    worst = min(few, key=lambda file: few[file])
    return Finding(
        False,
        f"A face is seen in fewer than {FEW:.0%} of the frames of {count(len(few), 'recording')}; "
        f"the fewest, {few[worst]:.0%}, in {worst}. Check that they show one mouse from the front, "
        "large in the picture; the finder may also be wrong.",
        tuple(few),
    )


CHECK = Check("faces_found", "Faces to be seen", "warns", faces_are_found, "faceless")
