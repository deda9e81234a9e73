"""Was what is scored here among what the model learned from? Said with every result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from amgs.files.models import Blob
from amgs.registry.models import ModelVersion
from amgs.repository.comparing import LIKELY, likeness_at, signature_from
from amgs.repository.models import Recording
from amgs.training.leaving import began_with
from amgs.training.models import Placement, Snapshot
from curation.likeness import look_alike

LEARNED = ("train", "validation", "calibration")
"""Splits from which a model, its choice or its calibration comes."""
YES, NO, UNKNOWN = "yes", "no", "unknown"
MOST_COMPARED = 50

SAME = "Not independent: this very recording was among what {model} learned or was calibrated from."
ALIKE = (
    "Not independent: a recording that looks like this one was among what {model} learned or was "
    "calibrated from."
)
ANIMAL = (
    "Not independent: {model} learned or was calibrated from other recordings of the animal in "
    "this one."
)
NOWHERE = (
    "As far as this site knows, neither this recording nor one that looks like it was among what "
    "{model} learned or was calibrated from."
)
NOT_KNOWN = (
    "What {model} learned from is not kept on this site, so it cannot be said whether this "
    "recording was among it."
)
PARTLY_KNOWN = (
    "Neither this recording nor one that looks like it was among what {model} learned or was "
    "calibrated from on this site; but it began with the weights of {start}, and what that learned "
    "from is not kept here, so it cannot be said whether this recording was among it."
)


def independence_of(version: ModelVersion, blob: Blob | None, path: Path) -> dict[str, Any]:
    """Return ``independent`` (yes, no, unknown) with sentences; nothing tells whose data it is.

    A near-duplicate is looked for by the same hashes as between recordings of the site, which
    takes one pass over the film; it is left out where nothing could be found.
    """
    name = version.identifier
    snapshots, elsewhere = behind(version)
    if not snapshots:
        return _told(UNKNOWN, [NOT_KNOWN], name)
    learned = _learned(snapshots)
    same = Recording.objects.filter(blob=blob) if blob is not None else Recording.objects.none()
    found = set(same.values_list("pk", flat=True))
    sentences = [SAME] if learned.filter(pk__in=found).exists() else []
    if not sentences:
        alike = _alike(path, found)
        if learned.filter(pk__in=alike).exists():
            sentences.append(ALIKE)
        elif _animal_known(found | alike, learned):
            sentences.append(ANIMAL)
    if sentences:  # whatever else it learned from
        return _told(NO, sentences, name)
    if version in elsewhere:
        return _told(UNKNOWN, [NOT_KNOWN], name)
    if elsewhere:
        return _told(UNKNOWN, [PARTLY_KNOWN], name, elsewhere[0].identifier)
    return _told(YES, [NOWHERE], name)


def behind(version: ModelVersion) -> tuple[QuerySet[Snapshot], list[ModelVersion]]:
    """Return the snapshots on this site that a version, and what it began with, learned from.

    Beside them those of these versions whose snapshot is not here, the latest first.
    """
    starts, chain = began_with(), [version.public_id]
    while (start := starts.get(chain[-1])) and start not in chain:
        chain.append(start)
    rows = {one.public_id: one for one in ModelVersion.objects.filter(public_id__in=chain)}
    versions = [rows[one] for one in chain if one in rows]
    snapshots = Snapshot.objects.filter(public_id__in={one.snapshot for one in versions})
    here = set(snapshots.values_list("public_id", flat=True))
    return snapshots, [one for one in versions if one.snapshot not in here]


def _learned(snapshots: QuerySet[Snapshot]) -> QuerySet[Recording]:
    """Return the recordings of these snapshots whose animals were placed to be learned from."""
    placed = Placement.objects.filter(split__in=LEARNED)
    return Recording.objects.filter(
        versions__snapshots__in=snapshots.values("pk"),
        observation__animal__in=placed.values("animal"),
    )


def _animal_known(recordings: set[int], learned: QuerySet[Recording]) -> bool:
    animals = Recording.objects.filter(pk__in=recordings).values("observation__animal")
    return learned.filter(observation__animal__in=animals).exists()


def _alike(path: Path, but: set[int]) -> set[int]:
    """Return the recordings of the site that look like a film (primary keys)."""
    from models.media import open_media
    from models.media.likeness import likeness, match, nearness, signature

    rows = Recording.objects.exclude(likeness_key="").exclude(signature={}).exclude(pk__in=but)
    known = list(rows.order_by("pk").values_list("pk", "likeness_key", "signature"))
    if not known:
        return set()
    with open_media(path) as media:
        mine = likeness(media)
    own = signature(mine)
    near = sorted(
        (apart, pk, key)
        for pk, key, held in known
        if (apart := nearness(own, signature_from(held))) <= LIKELY
    )
    found = set()
    for _, pk, key in near[:MOST_COMPARED]:
        other = likeness_at(key)
        if not other.pictures or other.step_s != mine.step_s:
            continue
        best = match(mine, other)
        if look_alike(best.distance, best.motion):
            found.add(pk)
    return found


def _told(independent: str, sentences: list[str], model: str, start: str = "") -> dict[str, Any]:
    return {
        "independent": independent,
        "sentences": [one.format(model=model, start=start) for one in sentences],
    }
