"""Two hundred browsers killed and two hundred connections cut while somebody rates.

The story is that of ``tests/browser/test_rating_kills.py``, with more of everything.
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
TIMES = 200


def rating(state: Any) -> Iterator[dict[str, Any]]:
    """Ratings lost or stored twice over 200 kills of the browser and 200 cuts of its connection."""
    told = state.get("rating")
    if told is None:
        with tempfile.TemporaryDirectory(prefix="amgs-endurance-") as folder:
            result = Path(folder) / "told.json"
            environment = os.environ | {
                "AMGS_RATING_KILLS": str(TIMES),
                "AMGS_RATING_CUTS": str(TIMES),
                "AMGS_RATING_TOLD": str(result),
            }
            story = "tests/browser/test_rating_kills.py"
            long = ("-o", "timeout=7200", "-o", "faulthandler_timeout=7300")
            command = [sys.executable, "-m", "pytest", "-q", *long, story]
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
            )
            if not result.exists():
                raise RuntimeError(done.stdout[-3000:])
            told = state["rating"] = json.loads(result.read_text())
    yield _row("ratings_committed", told["committed"], None)
    yield _row("ratings_lost", told["lost"], "= 0")
    yield _row("ratings_doubled", told["doubled"] + told["wrong"], "= 0")


def _row(name: str, value: int, target: str | None) -> dict[str, Any]:
    return {"name": f"curation.{name}", "value": value, "unit": "ratings", "target": target}
