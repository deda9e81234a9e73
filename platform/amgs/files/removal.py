"""Remove the bytes of blobs that nobody holds any more, in storage and in this machine's caches.

Who holds a blob is known above: each app registers the blobs that its rows need
(``holder``). Bytes go only where none of them says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from amgs.files.models import Blob
from amgs.files.storage import get_storage

Holder = Callable[[set[int]], Iterable[int]]
_HOLDERS: list[Holder] = []
_NAME = re.compile(r"\.?([0-9a-f]{64})(?:\.|$)")
CACHES = ("blobs", "crops")
"""Folders below ``var/cache`` whose files are named by the digest of the recording."""


def holder(function: Holder) -> Holder:
    """Register a function that returns which of some blobs (primary keys) its rows need."""
    _HOLDERS.append(function)
    return function


def held(keys: set[int]) -> set[int]:
    """Return those of some blobs that are needed."""
    found: set[int] = set()
    for function in _HOLDERS:
        found.update(function(keys - found))
    return found


def release(blob: Blob) -> bool:
    """Delete the bytes of a blob that nobody holds; return whether they are gone now.

    The row stays with its digest. It is locked while the one object is deleted: bytes that come
    again at this moment either are seen, or find no object and are stored anew
    (``files.jobs``). That is why this one transaction waits for the storage.
    """
    with transaction.atomic():
        row = Blob.objects.select_for_update().get(pk=blob.pk)
        if held({row.pk}):
            return False
        get_storage().delete(row.key)
        if row.deleted_at is None:
            Blob.objects.filter(pk=row.pk).update(deleted_at=timezone.now())
    forget_here([row.sha256])
    return True


def forget_here(digests: Iterable[str]) -> int:
    """Remove what this machine's caches hold of recordings with these digests; count the files."""
    wanted, count = set(digests), 0
    for path, digest in _cached():
        if digest in wanted:
            path.unlink(missing_ok=True)
            count += 1
    return count


def forget_released() -> int:
    """Remove from this machine's caches what was deleted in storage; count the files."""
    digests = {digest for _, digest in _cached()}
    gone: set[str] = set()
    for some in _portions(sorted(digests)):
        rows = Blob.objects.filter(sha256__in=some, deleted_at__isnull=False)
        gone.update(rows.values_list("sha256", flat=True))
    return forget_here(gone)


def _portions(values: list[str], size: int = 500) -> Iterable[list[str]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _cached() -> Iterable[tuple[Path, str]]:
    for name in CACHES:
        for path in (Path(settings.VAR) / "cache" / name).rglob("*"):
            if (found := _NAME.match(path.name)) and (path.is_file() or path.is_symlink()):
                yield path, found[1]
