"""Tiny shared material: one rendered clip with its truth, and predictions made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.phantom.clip import FrameTruth, write_clip
from models.phantom.look import Look
from models.phantom.motion import ClipPlan, Stretch
from models.records import FrameKey, Grade, Prediction
from models.scale import Scale, load_scale


@dataclass(frozen=True)
class RenderedClip:
    """A clip on disk and what is true of its frames."""

    path: Path
    truth: list[FrameTruth]
    plan: ClipPlan


@pytest.fixture(scope="session")
def scale() -> Scale:
    return load_scale()


@pytest.fixture(scope="session")
def phantom_clip(tmp_path_factory: pytest.TempPathFactory, scale: Scale) -> RenderedClip:
    """Two seconds at 12 frames per second, white coat; asleep from 1.25 s on."""
    plan = ClipPlan(
        coat=scale.coat("white"),
        look=Look(wall=(70, 74, 80)),
        animal=4,
        pain=0.6,
        duration_s=2.0,
        stretches=(Stretch(scale.state("asleep"), 1.25, 2.0),),
    )
    path = tmp_path_factory.mktemp("phantom") / "clip.mp4"
    return RenderedClip(path, write_clip(path, plan, 7, scale), plan)


@pytest.fixture(scope="session")
def predict(scale: Scale) -> Callable[..., Prediction]:
    """Builds the prediction of one frame: `predict(3, [2, 1, 0, None, 1])`, grades by unit."""

    def build(
        index: int,
        grades: list[int | None] | None = None,
        state: str = "awake",
        reason: str | None = None,
        fps: float = 10.0,
        sure: float = 1.0,
    ) -> Prediction:
        made = []
        for unit, grade in zip(scale.units, grades or [], strict=bool(grades)):
            spread = [(1 - sure) / 2] * len(unit.grades)
            spread[grade or 0] = sure
            withheld = reason is not None
            made.append(
                Grade(
                    unit.key,
                    None if withheld else grade,
                    reason if withheld else ("blurred" if grade is None else None),
                    tuple(spread),
                    0.05 if grade is None else 0.95,
                )
            )
        scored = [g for g in made if g.grade is not None]
        enough = reason is None and len(scored) >= scale.minimum_units
        score = sum(g.grade or 0 for g in scored) / len(scored) if enough else None
        if score is None and reason is None:
            reason = "blurred"
        key = FrameKey("ab" * 32, 0, index * 100, (1, round(100 * fps)))
        return Prediction(key, index, key.time_s, state, None, tuple(made), score, reason)

    return build
