"""A version that serves, without a bundle."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def serve(mia) -> Callable[..., object]:
    """Let a registered version serve."""
    from amgs.registry import services

    def make(phantom: bool = True, **given):
        fields = {
            "bundle_key": "bundles/test.tar",
            "bundle_sha256": "b" * 64,
            "digest": "d" * 64,
            "info": {"phantom": phantom},
            "report": {},
            "profile": "demo",
        }
        version = services.register_version(**{**fields, **given})
        services.record_verdicts(version=version, verdicts=[], refused_by=[], comparison={})
        for action in ("approve", "promote"):
            services.decide_model(by=mia, version=version, action=action, why="for the test")
        return version

    return make


@pytest.fixture
def uploaded(db) -> Callable[..., object]:
    """Upload bytes for the purpose ``score`` up to the check."""
    from amgs.core.base import PUBLIC
    from amgs.files.services import complete_upload, open_upload, part_key
    from amgs.files.storage import get_storage

    def make(data: bytes, name: str = "clip.mp4", user=None, complete: bool = True):
        upload = open_upload(user=user, lab=None, name=name, size=len(data), purpose="score")
        get_storage().put(part_key(upload, 1), data)
        if complete:
            complete_upload(upload=upload, by=user or PUBLIC)
            upload.refresh_from_db()
        return upload

    return make
