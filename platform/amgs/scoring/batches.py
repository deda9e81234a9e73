"""Scores that are asked for together, listed on a page with a private link."""

from __future__ import annotations

from typing import Any

from amgs.core.errors import NotFound, Refused
from amgs.registry.models import ModelVersion
from amgs.scoring.keeping import digest_of, owns
from amgs.scoring.models import Batch, ToolRun

MOST = 500
"""Scores of one batch."""


def open_batch(*, user: Any, key: str) -> Batch:
    """Return a new batch of a person or of a browser without an account."""
    return Batch.objects.create(user=user, owner="" if user else digest_of(key))


def batch_of(token: str) -> Batch:
    """Return the batch with this token; raises ``NotFound``."""
    found = Batch.objects.filter(token=token).first()
    if found is None:
        raise NotFound("There is no list of scores at this address; the link may be cut off.")
    return found


def joinable(token: str, *, user: Any, key: str) -> Batch:
    """Return a batch to which its owner adds; raises ``NotFound`` or ``Refused``."""
    batch = batch_of(token)
    if not owns(batch, user=user, key=key):
        raise NotFound("There is no list of scores of yours at this address.")
    if batch.runs.count() >= MOST:
        raise Refused(f"A list holds up to {MOST} files; begin another one for the rest.")
    return batch


def runs_of(batch: Batch) -> list[ToolRun]:
    """Return the scores of a batch in the order they were asked for."""
    return list(
        batch.runs.select_related("job", "upload", "model_version")
        .defer(*ModelVersion.heavy())
        .prefetch_related("segments")
        .order_by("pk")[:MOST]
    )
