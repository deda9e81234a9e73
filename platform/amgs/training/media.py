"""Bring manifests and recordings to this machine: to a run only what it may read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from amgs.core.errors import Refused
from amgs.files.models import Blob


def bring_manifest(blob: Blob) -> Path:
    """Return a local copy of a manifest."""
    from amgs.files.services import local_copy

    return Path(local_copy(blob))


def bring_media(manifest: Path, folder: Path, tell: Callable[[float, int], None]) -> Path:
    """Link every file that a manifest names into ``folder``, and nothing else; return the folder.

    ``tell`` hears the share that is here and how many files there are. Raises ``Refused`` where one
    was removed since.
    """
    from amgs.files.services import local_copy
    from models.manifest import read_manifest

    wanted = sorted(set(read_manifest(manifest).frames["blob"]))
    blobs = Blob.objects.filter(sha256__in=wanted, deleted_at=None).in_bulk(field_name="sha256")
    folder.mkdir(parents=True, exist_ok=True)
    for number, sha256 in enumerate(wanted):
        tell(number / len(wanted), len(wanted))
        if sha256 not in blobs:
            raise Refused(
                "A recording of this snapshot was removed since it was frozen; start a run "
                "without naming a snapshot, so that a new one is frozen."
            )
        link = folder / sha256
        if not link.is_symlink():
            link.symlink_to(local_copy(blobs[sha256]))
    return folder
