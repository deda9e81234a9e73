"""The Croissant metadata of a version: what programs need to load it."""

from __future__ import annotations

import mimetypes
from typing import Any

from amgs.core.base import PUBLIC
from amgs.repository import queries
from amgs.repository.archive import held
from amgs.repository.citing import cited
from amgs.repository.models import Version
from amgs.repository.ratings_table import COLUMNS
from curation.croissant import FileObject, croissant


def describe(version: Version, site: str) -> dict[str, Any]:
    """Return the metadata as the public may have the version; ``site`` is the API's address."""
    base = f"{site}/api/versions/{version.identifier.replace('/', '.')}"
    files = []
    if version.state == "published":
        for row in queries.recording_rows(version).order_by("pk").iterator(chunk_size=500):
            file = held(PUBLIC, version, row)
            if isinstance(file, str):
                continue
            kind = mimetypes.guess_type(row.name)[0] or "application/octet-stream"
            address = f"{base}/recordings/{row.public_id}/content"
            files.append(FileObject(row.name, address, kind, file.sha256, file.size))
    ratings = FileObject("ratings.csv", f"{base}/ratings.csv", "text/csv")
    return croissant(cited(version), files, ratings, COLUMNS)
