"""A version without fault and a challenger without fault; tests break one thing at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.facts import (
    AnimalFacts,
    GroupFacts,
    LabelFacts,
    ObservationFacts,
    RecordingFacts,
    VersionFacts,
)
from curation.gates import Evidence
from models.scale import load_scale


def _recording(number: int, observation: str) -> RecordingFacts:
    return RecordingFacts(
        id=f"R{number}",
        file=f"videos/r{number:04d}.mp4",
        observation=observation,
        sha256=f"{number:064x}",
        status="ready",
        problem="",
        media={
            "width": 640,
            "height": 480,
            "has_location_tag": False,
            "problems": [],
            "finder": "told",
            "head_side": 320.0,
            "edge_brightness": 90.0,
            "text_boxes": [],
        },
        frames=120,
        compared=True,
    )


@pytest.fixture
def sound_version() -> VersionFacts:
    """Two animals before and after, complete and consistent: no check has a word to say."""
    coat = load_scale().coat_keys[0]
    return VersionFacts(
        version="AMGS-000001/1",
        lab="lab-a",
        phantom=False,
        licence="CC0-1.0",
        permissions={
            "outside_raters": True,
            "train": True,
            "show_frames": True,
            "download": True,
        },
        ethics="Approved, number 12/2026",
        metadata={
            "assay": "post_surgical",
            "assigned_unit": "animal",
            "people_and_cards": "none_seen",
        },
        groups=(GroupFacts("alpha"), GroupFacts("gamma", {"drug": "carprofen"})),
        animals=(
            AnimalFacts("A1", "m1", "alpha", "c1", "female", coat, "CD-1", 9.0, ("lab-a",)),
            AnimalFacts("A2", "m2", "gamma", "c1", "male", coat, "CD-1", None, ("lab-a",)),
        ),
        observations=(
            ObservationFacts("O1", "A1", "baseline", -24.0),
            ObservationFacts("O2", "A1", "after", 4.0),
            ObservationFacts("O3", "A2", "baseline", None),
            ObservationFacts("O4", "A2", "after", 4.0),
        ),
        recordings=tuple(_recording(number, f"O{number}") for number in range(1, 5)),
        labels=(LabelFacts("scores.csv", 40, ("1", "2"), (), 20, 0),),
        has_grades=True,
    )


@pytest.fixture
def report() -> dict[str, Any]:
    """The report of a good model."""
    return {
        "format": 1,
        "phantom": False,
        "benchmark_digest": "b" * 64,
        "n_frames": 900,
        "n_animals": 40,
        "n_labs": 3,
        "image_score": {
            "rmse": 0.28,
            "r": 0.85,
            "coverage": 0.8,
            "constant_rmse": 0.46,
            "human_rmse": 0.36,
            "interval": {"rmse": [0.25, 0.31], "r": [0.8, 0.9]},
        },
        "units": {
            unit.key: {"kappa": unit.pairwise_kappa + 0.1, "ece": 0.05}
            for unit in load_scale().units
        },
        "observation": {
            "n": 80,
            "slope": 1.05,
            "bias": -0.02,
            "icc": 0.9,
            "loa": [-0.3, 0.26],
        },
        "sleep": {
            "asleep_graded_high": {"share": 0.01, "n": 90, "n_animals": 12},
            "pain_taken_for_asleep": {"share": 0.02, "n": 150, "n_animals": 18},
        },
        "explanation": {
            "units": {
                unit.key: {"above_centre": {"difference": 0.08, "interval": [0.04, 0.12]}}
                for unit in load_scale().units
            }
        },
        "training": {"config": "shipped"},
    }


@pytest.fixture
def comparison() -> dict[str, Any]:
    """A comparison in which the challenger is a little better everywhere."""
    row = {
        "n_animals": 12,
        "n_frames": 300,
        "rmse_challenger": 0.28,
        "rmse_champion": 0.30,
        "difference": -0.02,
        "interval": [-0.04, 0.0],
        "assessed": True,
        "n_rated_animals": 12,
        "coverage_challenger": 0.93,
        "coverage_champion": 0.92,
        "coverage_lost": -0.01,
        "coverage_lost_interval": [-0.03, 0.01],
    }
    white, black = load_scale().coat_keys[:2]
    return {
        **row,
        "n_animals": 40,
        "benchmark_digest": "b" * 64,
        "groups": {f"lab-a|{white}": dict(row), f"lab-b|{black}": dict(row)},
    }


@pytest.fixture
def challenger(report: dict[str, Any], comparison: dict[str, Any]) -> Evidence:
    """A good challenger of a serving champion, on real mice."""
    return Evidence(
        report=report,
        champion=report,
        comparison=comparison,
        bundle_info={"digest": "a" * 64, "scale": "mouse", "phantom": False},
        production=True,
        replacement={
            "rescored": {
                "n": 6,
                "mean_change": 0.05,
                "largest_change": 0.12,
                "grades_changed": 0.08,
            },
            "cost": {
                "slower": 1.1,
                "challenger_ms": 4.4,
                "champion_ms": 4.0,
                "larger": 1.0,
                "challenger_bytes": 7_000_000,
                "champion_bytes": 7_000_000,
            },
        },
        left_out={
            "recipe": "shipped",
            "snapshot": "5" * 64,
            "labs": {
                "Meadow": {"rmse": 0.33, "constant_rmse": 0.45},
                "Harbour": {"rmse": 0.28, "constant_rmse": 0.44},
            },
        },
    )


@pytest.fixture
def sheet(tmp_path: Path) -> Callable[..., Path]:
    """Write a score sheet: text as it is, bytes as they are."""

    def write(content: str | bytes, name: str = "scores.csv") -> Path:
        path = tmp_path / name
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        return path

    return write
