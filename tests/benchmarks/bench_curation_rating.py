"""How long a rater waits: from the key that commits a frame to the next one painted.

The names of the rows begin with ``curation.``, beside the figures of the rules themselves. The
story is that of ``tests/browser/test_rating_speed.py``, with a queue of 2,000 frames.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FRAMES, PRESSES = 2000, 200


def key_press() -> Iterator[dict[str, Any]]:
    """Key press to next frame painted, 95th percentile, in a real browser on this machine."""
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as folder:
        result = Path(folder) / "told.json"
        environment = os.environ | {
            "AMGS_RATING_FRAMES": str(FRAMES),
            "AMGS_RATING_PRESSES": str(PRESSES),
            "AMGS_RATING_TOLD": str(result),
        }
        story = "tests/browser/test_rating_speed.py"
        command = [sys.executable, "-m", "pytest", "-q", "-o", "timeout=600", story]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if not result.exists():
            raise RuntimeError(done.stdout[-3000:])
        told = json.loads(result.read_text())
    took = sorted(told["milliseconds"])
    for name, share, target in (("p50", 0.5, None), ("p95", 0.95, "≤ 100")):
        value = took[min(len(took) - 1, int(share * len(took)))]
        yield {
            "name": f"curation.key_press_{name}_ms",
            "value": value,
            "unit": "ms",
            "target": target,
        }
