"""A request that is sent twice is done once: what its idempotency key led to is kept for a day.

The row of a key is written in the transaction that does the work. Of two requests that come at
once the second waits for the first at the unique scope and then finds what it made; a request that
is refused leaves no row, so that it may be mended and sent again with its key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction

from amgs.core.errors import KeyUsed
from amgs.core.jobs import Context, job, later
from amgs.core.models import KeptAnswer

KEPT = timedelta(hours=24)
"""How long a key stands for what it led to; afterwards it is as good as new."""
Made = TypeVar("Made", bound=models.Model)


def _digest(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def once(
    *,
    who: str,
    act: str,
    key: str,
    body: Mapping[str, Any],
    make: Callable[[], Made],
    find: Callable[[str], Made | None],
    same: Callable[[Made], bool] = lambda made: True,
) -> tuple[Made, bool]:
    """Return what ``make`` makes, and whether it is new: once per key, for ``KEPT``.

    ``who`` asks for ``act``; nobody meets the keys of others. ``find(public_id)`` reads what was
    made before; where it is gone, or where there is no ``key``, it is made anew. ``same(made)``
    compares what cannot be told from ``body``. Raises ``KeyUsed`` where the key came with another
    body before.
    """
    if not key:
        return make(), True
    scope, digest = _digest([who, act, key]), _digest(body)
    with transaction.atomic():
        mine = KeptAnswer.objects.filter(scope=scope)
        mine.filter(created_at__lte=later(-KEPT)).delete()
        try:
            with transaction.atomic():
                row = KeptAnswer.objects.create(scope=scope, digest=digest)
        except IntegrityError:
            # Locked, so that of two who find it gone one makes it anew.
            row = mine.select_for_update().get()
            made = find(row.made)
            if made is not None:
                if row.digest != digest or not same(made):
                    raise KeyUsed(
                        "This idempotency key came with another request before; send a new key "
                        "with a new request, and the old key only with the very same one."
                    ) from None
                return made, False
            row.digest = digest
        made = make()
        row.made = made.public_id
        row.save(update_fields=["digest", "made"])
        return made, True


@job("quick", limit=timedelta(minutes=5), every=timedelta(hours=1))
def forget_keys(context: Context) -> dict[str, int]:
    """Forget the idempotency keys that are older than a day, a thousand at a time."""
    old = KeptAnswer.objects.filter(created_at__lte=later(-KEPT)).order_by("pk")
    count = 0
    while batch := list(old.values_list("pk", flat=True)[:1000]):
        count += KeptAnswer.objects.filter(pk__in=batch).delete()[0]
        context.progress(0.5, f"{count} keys forgotten")
    return {"forgotten": count}
