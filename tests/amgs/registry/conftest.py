"""Model versions at any point of their life, without bundles, and a bundle without a model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

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


@pytest.fixture
def make_bundle(tmp_path) -> Callable[..., Path]:
    """Seal a bundle whose graphs are no graphs: enough to be registered, not to grade."""
    from models import config
    from models.bundle import FILES, FORMAT, seal
    from models.scale import HERE, load_scale

    def make(*, phantom: bool = True, r: float = 0.8) -> Path:
        folder = tmp_path / "bundle"
        folder.mkdir()
        scale = load_scale()
        report = {
            "sentence": "Made for a test.",
            "n_frames": 100,
            "n_animals": 12,
            "n_labs": 2,
            "phantom": phantom,
            "units": {key: {"kappa": 0.6, "ece": 0.05} for key in scale.unit_keys},
            "image_score": {
                "rmse": 0.2,
                "constant_rmse": 0.45,
                "r": r,
                "coverage": 0.9,
                "interval": {"rmse": [0.15, 0.25]},
            },
            "observation": {"slope": 1.0, "bias": 0.0, "n": 24},
        }
        for name in FILES:
            (folder / name).write_text("nothing")
        info = {
            "format": FORMAT,
            "phantom": phantom,
            "scale": scale.name,
            "snapshot_digest": "5" * 64,
        }
        (folder / "bundle.json").write_text(json.dumps(info))
        (folder / "report.json").write_text(json.dumps(report))
        (folder / "calibration.json").write_text("{}")
        (folder / "config.yaml").write_text(config.to_yaml(config.load_config("tiny")))
        shutil.copyfile(HERE / f"{scale.name}.toml", folder / "scale.toml")
        seal(folder)
        return folder

    return make
