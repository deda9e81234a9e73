"""What agreement of a large table costs, and what ratings the adaptive quorum saves."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FRAMES, RATERS, DRAWS = 3500, 11, 1000


def agreement_seconds() -> Iterator[dict[str, Any]]:
    """`python -m curation agreement` of 3,500 frames × 5 units × 11 raters with 1,000 draws.

    Judged are the seconds of one core that the command takes from its start to its end, reading the
    sheet included; the clock, which also counts what else the machine does, is told beside.
    """
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as folder:
        table, out = Path(folder) / "wide.csv", Path(folder) / "agreement.json"
        _write_sheet(table)
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        asked = ["agreement", table, "--json", out, "--draws", str(DRAWS)]
        subprocess.run(
            [sys.executable, "-m", "curation", *asked],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        clock = time.monotonic() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = json.loads(out.read_text(encoding="utf-8"))
    if len(found["units"]) != 5 or found["n_raters"] != RATERS or found["problems"]:
        raise RuntimeError("the report is not that of the sheet")
    core = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    yield {"name": "curation.agreement_seconds", "value": core, "unit": "s", "target": "≤ 20"}
    yield {
        "name": "curation.agreement_clock_seconds",
        "value": clock,
        "unit": "s",
        "target": None,
    }


def _write_sheet(path: Path) -> None:
    rng = np.random.default_rng(11)
    truth = rng.normal(0.5, 0.7, (FRAMES, 1, 5))
    grades = np.clip(np.rint(truth + rng.normal(0, 0.6, (FRAMES, RATERS, 5))), 0, 2).astype(int)
    grades[rng.random(grades.shape) < 0.1] = 9
    shorts = ("ot", "nb", "cb", "ep", "wc")
    header = [f"{short}{rater}" for rater in range(1, RATERS + 1) for short in shorts]
    lines = ["filename," + ",".join(header)]
    lines += [
        f"f{frame:05d}.png," + ",".join(map(str, row.ravel())) for frame, row in enumerate(grades)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
