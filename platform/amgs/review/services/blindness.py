"""Who is blind to what: datasets whose pages people opened, and grades declared to be blind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from amgs.repository.models import Dataset, Frame, Rating
from amgs.repository.services.labels import declares
from amgs.review.models import Assignment, Seen
from amgs.review.services.queue import OPEN, free


@transaction.atomic
def mark_seen(*, user: Any, dataset: Dataset) -> None:
    """Remember that a person opened a dataset's page: they no longer rate its frames blind.

    Frames of it that they hold go back into the queue.
    """
    if not user.is_authenticated:
        return
    # What was seen stays seen, so that this process need not ask the database for every page.
    known = f"seen:{user.public_id}:{dataset.public_id}"
    if cache.get(known):
        return
    if Seen.objects.filter(user=user, dataset=dataset).exists():
        transaction.on_commit(lambda: cache.set(known, True, 3600))  # not what is rolled back
        return
    Seen.objects.bulk_create([Seen(user=user, dataset=dataset)], ignore_conflicts=True)
    now = timezone.now()
    held = Assignment.objects.filter(rater=user, **OPEN)
    for pk in list(held.filter(task__dataset=dataset).values_list("pk", flat=True)) + list(
        held.filter(gold__dataset=dataset).values_list("pk", flat=True)
    ):
        free(pk, now)


def counts_as_blind(rating: Rating, metadata: Mapping[str, Any]) -> bool:
    """Return whether a rating counts: given here, or on a sheet declared to be blind."""
    if rating.source == Rating.Source.AUDIT:
        return True
    return (
        rating.label_import is not None
        and declares(rating.label_import, metadata, "raters_blind") == "yes"
    )


def picked_by_chance(frame: Frame) -> bool:
    """Return whether a frame was picked by chance: here, or by the lab that says so of its sheet.

    The audit draws at random, but from frames that may have been chosen by eye.
    """
    return (
        frame.drawn
        or Rating.objects.filter(
            frame=frame, source=Rating.Source.SHEET, random_share=True
        ).exists()
    )
