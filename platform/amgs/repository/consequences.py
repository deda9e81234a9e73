"""What an act would do to a version, in numbers, told beforehand and kept with the decision.

``curation.leaving`` says the sentences; here it is counted. The review, training and scoring lie
above the repository and register what they count themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from amgs.files.models import Blob
from amgs.repository.models import Frame, LabelImport, LandmarkSet, Rating, Recording, Version
from curation.dataset_version import REJECTED, WITHDRAWN
from curation.leaving import UNDO_FOR, Counts, consequences

Counter = Callable[[Version], Mapping[str, Any]]
_COUNTERS: list[Counter] = []
_KEYS = ("poster_key", "contact_sheet_key", "likeness_key", "proxy_key")


def counter(function: Counter) -> Counter:
    """Register a function that counts some fields of ``curation.leaving.Counts``."""
    _COUNTERS.append(function)
    return function


def counts(version: Version) -> Counts:
    """Count all that hangs on a version, as it is now; a constant number of queries."""
    found: dict[str, Any] = {}
    for function in _COUNTERS:
        found |= function(version)
    known = {field.name for field in fields(Counts)}
    if unknown := found.keys() - known:
        raise KeyError(f"nobody knows what these counts are for: {sorted(unknown)}")
    return Counts(**found)


def told(act: str, version: Version) -> list[dict[str, Any]]:
    """Return the consequences of an act as plain values: key, number, sentence, stays."""
    return [asdict(row) for row in consequences(act, counts(version))]


def living() -> QuerySet[Version]:
    """Return the versions whose files must stay (``curation.leaving.keeps_files``)."""
    now = timezone.now()
    brought_back = Q(deleted_at__gte=now - UNDO_FOR)
    held = Version.objects.filter(Q(deleted_at=None) | brought_back).exclude(state=WITHDRAWN)
    return held.exclude(state=REJECTED, files_kept_until__lt=now)


def recordings_to_clear(version: Version) -> QuerySet[Recording]:
    """Return the recordings of a version that no other living version holds."""
    others = living().exclude(pk=version.pk)
    return Recording.objects.filter(versions=version).exclude(versions__in=others)


def sheets_to_clear(version: Version) -> QuerySet[LabelImport]:
    """Return the score sheets of a version that no other living version holds."""
    others = living().exclude(pk=version.pk)
    return LabelImport.objects.filter(versions=version).exclude(versions__in=others)


def landmarks_to_clear(version: Version) -> QuerySet[LandmarkSet]:
    """Return the landmark files of a version that no other living version needs."""
    mine = Q(label_import__in=sheets_to_clear(version))
    rows = LandmarkSet.objects.filter(mine | Q(recording__in=recordings_to_clear(version)))
    return rows.exclude(key="")


def pictures_to_clear(version: Version) -> Iterator[tuple[LabelImport, set[str]]]:
    """Yield label files with the pictures of their looks that no other living version needs."""
    names = set(recordings_to_clear(version).values_list("name", flat=True))
    alone = set(sheets_to_clear(version).values_list("pk", flat=True))
    for row in LabelImport.objects.filter(versions=version).order_by("pk"):
        found = {
            line["picture"]
            for line in row.look.get("lines", [])
            if row.pk in alone or line["recording"] in names
        }
        # Posters and stills are their recordings'; only these were made for the look.
        if own := {key for key in found if "/row-" in key}:
            yield row, own


@counter
def _what_it_holds(version: Version) -> Mapping[str, Any]:
    mine = Recording.objects.filter(versions=version)
    alone = recordings_to_clear(version)
    sheets = sheets_to_clear(version)
    shared = mine.exclude(pk__in=alone).count()
    elsewhere = Recording.objects.filter(blob=OuterRef("pk"), versions__in=living()).exclude(
        pk__in=alone
    )
    originals = Blob.objects.filter(
        Q(recordings__in=alone) | Q(label_imports__in=sheets), ~Exists(elsewhere), deleted_at=None
    ).distinct()
    derived = alone.aggregate(
        **{key: Count("pk", filter=~Q(**{key: ""})) for key in _KEYS},
        public=Count("pk", filter=Q(public__has_key="key")),
    )
    frames = Frame.objects.filter(recording__versions=version)
    stills = Frame.objects.filter(recording__in=alone).exclude(still_key="").count()
    beside = landmarks_to_clear(version).count()
    beside += sum(
        len({shown["key"] for shown in evidence.values()})
        for evidence in alone.exclude(evidence={}).values_list("evidence", flat=True)
    )
    beside += sum(len(keys) for _, keys in pictures_to_clear(version))
    size = Blob.objects.filter(pk__in=originals.values("pk")).aggregate(bytes=Sum("size"))
    return {
        "recordings": mine.count(),
        "shared_recordings": shared,
        "files": originals.count() + sum(derived.values()) + stills + beside,
        "file_bytes": size["bytes"] or 0,
        "frames": frames.count(),
        "ratings": Rating.objects.of_version(version).count(),
    }
