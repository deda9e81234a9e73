"""Recordings that are out of focus."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import count

SOFT = 12.0
"""Variance of the Laplacian of whole pictures (`MediaFacts.sharpness_median`), a limit of our own.

Of eight recordings in focus, two real and six rendered, none lay below 22; a frame of each of nine,
blurred by 0.4 % of its width, lay at 7 at most.
"""


def pictures_are_sharp(facts: VersionFacts) -> Finding:
    """Warns about recordings whose typical frame has little fine detail."""
    soft = {
        one.file: float(one.media["sharpness_median"])
        for one in facts.recordings
        if one.media and float(one.media.get("sharpness_median", SOFT)) < SOFT
    }
    if not soft:
        return Finding(True, "No recording is out of focus as a whole.")
    worst = min(soft, key=lambda file: soft[file])
    return Finding(
        False,
        f"{count(len(soft), 'recording looks', 'recordings look')} out of focus, first of all "
        f"{worst}: whiskers and the bridge of the nose will hardly be seen. Look at the frames; "
        "film with the focus on the face if you can.",
        tuple(sorted(soft, key=lambda file: soft[file])),
    )


CHECK = Check("sharp_pictures", "Sharp pictures", "warns", pictures_are_sharp, "soft")
