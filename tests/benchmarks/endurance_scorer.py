"""Memory of scoring a long recording."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent


def memory(state: Any) -> Iterator[dict[str, Any]]:
    """Peak of `python -m models score` for a minute and for twenty minutes of 720p."""
    bench = _quick()
    for minutes in (1, 20):
        if state.get(f"{minutes}_minutes") is None:
            film = bench._long_film("720p", 1, minutes)
            state[f"{minutes}_minutes"] = bench._peak_mib(film)
    short, long = state.get("1_minutes"), state.get("20_minutes")
    growth = {"name": "scorer.memory_growth_1_to_20_minutes_720p", "value": long - short}
    yield {**growth, "unit": "MiB", "target": "≤ 30"}
    peak = {"name": "scorer.memory_peak_20_minutes_720p", "value": long}
    yield {**peak, "unit": "MiB", "target": "≤ 450"}


def _quick() -> ModuleType:
    """The quick figures, whose films and processes are the same."""
    spec = importlib.util.spec_from_file_location("bench_scorer", HERE / "bench_scorer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
