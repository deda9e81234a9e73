"""From the last approval to a verdict on a challenger, with 20,000 graded frames."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FRAMES = 20_000


def freeze_seconds() -> Iterator[dict[str, Any]]:
    """Last approval → frozen snapshot, with the five seconds in which the policy is asked."""
    yield _row("freeze_seconds", "freeze", "≤ 20")


def challenger_seconds() -> Iterator[dict[str, Any]]:
    """Frozen snapshot → challenger judged on the benchmark, smoke recipe, cold cache."""
    yield _row("challenger_seconds", "train_and_judge", "≤ 180")


def verdict_seconds() -> Iterator[dict[str, Any]]:
    """End of training → verdict: both models measured on the benchmark, compared, judged, kept."""
    yield _row("verdict_seconds", "verdict", "≤ 60")


def _row(name: str, key: str, target: str) -> dict[str, Any]:
    return {"name": f"retraining.{name}", "value": _told()[key], "unit": "s", "target": target}


@functools.cache
def _told() -> dict[str, Any]:
    """What one walk took; ``BENCH_SCALE=0.01`` makes a smaller site for a trial."""
    frames = int(float(os.environ.get("BENCH_SCALE", "1")) * FRAMES)
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as folder:
        done = subprocess.run(
            [sys.executable, str(HERE / "retraining_site.py"), f"{folder}/var", str(frames)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if told["frames"] != frames:
        raise RuntimeError(f"the snapshot holds {told['frames']} frames, not {frames}")
    return told
