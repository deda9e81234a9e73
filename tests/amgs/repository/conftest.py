"""Published versions, made the whole way through the review."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def published(draft, take, cora) -> Callable[..., object]:
    """Make a version of Harbour that is published, without an audit."""

    def make(version=None, **options):
        version = version or draft(**options)
        owner = version.dataset.created_by
        take(version, ("submit", owner), ("start_review", cora))
        take(version, ("accept", cora), without_audit=True)
        return take(version, ("publish", cora))

    return make


@pytest.fixture
def sign() -> Callable[..., object]:
    """Sign all four permissions, or those named, in the name of Prof. Arber."""
    from amgs.repository import services

    def do(version, by, *kinds, **more):
        return services.sign_permissions(
            by=by,
            version=version,
            kinds=kinds or ("outside_raters", "train", "show_frames", "download"),
            signer_name="Prof. Arber",
            right_to_share=True,
            **more,
        )

    return do
