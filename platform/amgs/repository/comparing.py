"""Long work on likeness: compare a recording that was read with all others of the site.

Likely twins are looked up by signatures, and the likest of them compared moment by moment. A pair
is measured when the later one comes in; both are visible by then to one of two jobs at least.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils import timezone

from amgs.core.jobs import Context, Finish, job
from amgs.files.storage import Missing, get_storage
from amgs.repository.inputs import changed_recordings
from amgs.repository.models import Recording, Resemblance
from curation.likeness import worth_keeping

if TYPE_CHECKING:
    from models.media.likeness import Likeness, Signature

MOST_COMPARED = 200
"""Recordings compared moment by moment, the likest by signature first."""
LIKELY = 0.3
"""Signatures further apart than this are of no twins (copies lay below 0.2)."""
AT_ONCE = 500


@job("ingest", limit=timedelta(minutes=5))
def compare_recording(context: Context, recording: str) -> Finish:
    """Find the recordings of the whole site that look like this one; keep the pairs."""
    from models.media.likeness import match

    row = Recording.objects.filter(public_id=recording, status=Recording.Status.READY).first()
    if row is None or not row.likeness_key:
        return Finish({"gone": True})
    mine = likeness_at(row.likeness_key)
    likely = _likely(context, row) if row.signature else []
    found = []
    for number, (pk, key) in enumerate(likely):
        context.progress(0.2 + 0.8 * number / len(likely), "comparing with others")
        other = likeness_at(key)
        if not mine.pictures or not other.pictures or mine.step_s != other.step_s:
            continue
        first, second = (mine, other) if row.pk < pk else (other, mine)
        best = match(first, second)
        if worth_keeping(best.distance, best.motion):
            found.append(
                Resemblance(
                    first_id=min(row.pk, pk),
                    second_id=max(row.pk, pk),
                    distance=best.distance,
                    motion=best.motion,
                    shift_s=best.shift_s,
                    mirrored=best.mirrored,
                    compared=best.compared,
                )
            )

    def apply() -> None:
        alive = set(
            Recording.objects.filter(
                pk__in=[key for pair in found for key in (pair.first_id, pair.second_id)]
            ).values_list("pk", flat=True)
        )
        kept = [pair for pair in found if {pair.first_id, pair.second_id} <= alive]
        Resemblance.objects.filter(Q(first=row) | Q(second=row)).delete()
        Resemblance.objects.bulk_create(kept)
        Recording.objects.filter(pk=row.pk).update(compared_at=timezone.now())
        changed_recordings([row.pk, *(pair.first_id for pair in kept)])

    # How many there are is not told: labs read of their jobs, but not of others' recordings.
    return Finish({"compared": True}, apply)


def _likely(context: Context, row: Recording) -> list[tuple[int, str]]:
    """Return (primary key, key of the likeness) of the likest others; the same bytes left out."""
    from models.media.likeness import Signature, nearness
    from models.records import from_json

    mine = from_json(Signature, row.signature)
    near: list[tuple[float, int, str]] = []
    for number, (pk, key, signature) in enumerate(_others(row)):
        if number % AT_ONCE == 0:
            context.check()
        apart = nearness(mine, signature_from(signature))
        if apart <= LIKELY:
            near.append((apart, pk, key))
    return [(pk, key) for _, pk, key in sorted(near)[:MOST_COMPARED]]


def _others(row: Recording) -> Iterator[tuple[int, str, dict[str, list[str]]]]:
    rows = Recording.objects.filter(status=Recording.Status.READY).exclude(
        Q(pk=row.pk) | Q(blob=row.blob_id) | Q(likeness_key="") | Q(signature={})
    )
    return (
        rows.order_by("pk")
        .values_list("pk", "likeness_key", "signature")
        .iterator(chunk_size=AT_ONCE)
    )


def signature_from(data: dict[str, list[str]]) -> Signature:
    """Return a signature as a recording keeps it."""
    from models.media.likeness import Signature

    return Signature(tuple(data["pictures"]), tuple(data["mirrored"]))


def likeness_at(key: str) -> Likeness:
    """Read hashes from the storage; of a recording cleared away meanwhile there are none."""
    from models.media.likeness import Likeness
    from models.records import from_json

    try:
        with get_storage().open(key) as stream:
            return from_json(Likeness, json.loads(stream.read()))
    except Missing:
        return Likeness(0.0, (), (), (), ())
