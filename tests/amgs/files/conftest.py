"""Purposes and announcements that the tests of uploads share."""

from __future__ import annotations

import pytest

from amgs.files import services
from amgs.files.models import Upload


@pytest.fixture
def arrived(monkeypatch):
    """What arrived for the purposes "test" (needs a lab) and "anyone" (needs nothing)."""
    monkeypatch.setattr(services, "_PURPOSES", dict(services._PURPOSES))
    found = []

    def keep(upload, blob):
        found.append((upload.public_id, upload.state, blob.sha256))

    services.on_blob("test")(keep)
    services.on_blob("anyone", open_to_all=True)(keep)
    return found


@pytest.fixture
def opened(alice, harbour):
    """Announce a file of Alice's."""

    def make(data: bytes, **facts) -> Upload:
        facts = {"name": "r1.mp4", "size": len(data), "purpose": "test"} | facts
        return services.open_upload(user=alice, lab=harbour, **facts)

    return make
