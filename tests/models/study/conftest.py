"""Small studies on disk: results as the scorer writes them, made without a film."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from models.scale import load_scale
from models.study import StudyRow

DIGEST = "ab" * 32


def result(
    score: float | None,
    *,
    frames: int = 100,
    graded: int = 80,
    states: dict[str, int] | None = None,
    seldom: int | None = None,
    **origin: Any,
) -> dict[str, Any]:
    """The content of a result.json; `seldom` is the place of a unit that is scored in 2 frames."""
    scale = load_scale()
    counts = [2 if place == seldom else graded for place in range(len(scale.unit_keys))]
    state = scale.graded_state.key
    return {
        "result": {
            "outcome": "no_scorable_frames" if score is None else "scored",
            "sentence": "No score: nothing could be graded." if score is None else "A score.",
            "frames": frames,
            "graded": 0 if score is None else graded,
            "not_scorable": {},
            "states": states or {state: frames},
            "units": {
                key: {"mean": score, "n": 0 if score is None else n, "interval": None}
                for key, n in zip(scale.unit_keys, counts, strict=True)
            },
            "score": score,
            "score_ungated": score,
            "bin_s": 1.0,
            "bins": [
                {"t0": t, "t1": t + 1, "score": score, "units": dict.fromkeys(scale.unit_keys,
                                                                           score)}
                for t in range(4)
            ],
            "phantom": False,
        },
        "provenance": {"bundle": DIGEST, "snapshot": "snapshot-1", "model": "mouse-v3", **origin},
    }  # fmt: skip


Course = dict[float, float | None]


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., list[StudyRow]]:
    """Builds rows: `study({"sham": [{0: 0.2, 2: 0.3}, …]})`, one course of scores per animal."""

    def build(groups: dict[str, Sequence[Course]], **told: Any) -> list[StudyRow]:
        rows, number = [], 0
        for group, animals in groups.items():
            for course in animals:
                number += 1
                for time, score in course.items():
                    name = f"m{number}_{time:g}"
                    path = tmp_path / f"{name}.json"
                    path.write_text(json.dumps(result(score, **told)), encoding="utf-8")
                    rows.append(StudyRow(name, f"m{number}", "", group, time, "", path))
        return rows

    return build
