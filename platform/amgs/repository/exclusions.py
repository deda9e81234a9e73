"""What is left out of a version: conditions for queries, and the list with the reasons."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from amgs.repository.models import Exclusion, Frame, Recording, Version
from curation.exclusions import title

Json = dict[str, Any]


def without_left_out(
    rows: QuerySet[Any], version: Any, *, frame: str = "pk", recording: str = "recording_id"
) -> QuerySet[Any]:
    """Return rows but for those whose frame, or its whole recording, is left out of a version.

    ``frame`` and ``recording`` name the columns with their primary keys. Two conditions, not one
    with *or*: of each a database makes one join.
    """
    held = Exclusion.objects.filter(version=version)
    return rows.filter(
        ~Exists(held.filter(frame=OuterRef(frame))),
        ~Exists(held.filter(recording=OuterRef(recording))),
    )


def frames_left_out(versions: Any) -> set[int]:
    """Return the frames (primary keys) that any of some versions leaves out."""
    rows = Exclusion.objects.filter(version__in=versions)
    alone = rows.filter(frame__isnull=False).values_list("frame_id", flat=True)
    recordings = rows.filter(recording__isnull=False).values("recording_id")
    whole = Frame.objects.filter(recording__in=recordings).values_list("pk", flat=True)
    return {*alone, *whole}


def kept_recordings(version: Version) -> QuerySet[Recording]:
    """Return the recordings of a version; once it is published, without those left out of it."""
    rows = Recording.objects.filter(versions=version)
    if version.published_at is None:
        return rows
    left = Exclusion.objects.filter(version=version, recording=OuterRef("pk"))
    return rows.filter(~Exists(left))


def left_out(version: Version) -> list[Json]:
    """Return what is left out of a version, for its lab and the curators; one query."""
    rows = (
        Exclusion.objects.filter(version=version)
        .select_related("recording", "frame__recording")
        .order_by("pk")
    )
    return [_row(row) for row in rows]


def _row(row: Exclusion) -> Json:
    recording = row.recording or (row.frame.recording if row.frame else None)
    return {
        "id": (row.frame or row.recording).public_id if row.frame or row.recording else "",
        "recording": recording.public_id if recording else "",
        "name": recording.name if recording else "",
        "frame": row.frame.public_id if row.frame else None,
        "time_s": row.frame.time_s if row.frame else None,
        "still_key": row.frame.still_key if row.frame else "",
        "poster_key": recording.poster_key if recording and not row.frame else "",
        "reason": row.reason,
        "title": title(row.reason),
        "why": row.why,
        "by": row.by_name,
        "at": row.at,
    }
