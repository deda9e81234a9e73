"""Model versions at any point of their life, without bundles."""

from __future__ import annotations

from collections.abc import Callable

import pytest

STEPS = {
    "in_review": (),
    "approved": ("approve",),
    "serving": ("approve", "promote"),
    "retired": ("approve", "promote", "retire"),
}


@pytest.fixture
def register(mia) -> Callable[..., object]:
    """Register a version that the gates passed and bring it to a state."""
    from amgs.registry import services

    def make(state: str = "in_review", **given):
        fields = {
            "bundle_key": "bundles/test.tar",
            "bundle_sha256": "b" * 64,
            "digest": "d" * 64,
            "info": {"phantom": True},
            "report": {"image_score": {"rmse": 0.3, "r": 0.8, "constant_rmse": 0.44}},
            "profile": "demo",
        }
        version = services.register_version(**{**fields, **given})
        services.record_verdicts(version=version, verdicts=[], refused_by=[], comparison={})
        for action in STEPS[state]:
            services.decide_model(by=mia, version=version, action=action, why="for the test")
        return version

    return make
