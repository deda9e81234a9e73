"""A study of many recordings, as `python -m models tools study` analyses it."""

from __future__ import annotations

import csv
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
VIDEOS, TIMES, MADE = 500, (-24.0, 1.0, 4.0, 8.0, 24.0), 20
SECONDS, FPS = 60.0, 30.0
GROUPS = ("sham", "vehicle", "drug", "saline")


def study_500_videos() -> Iterator[Row]:
    """500 scored recordings of a minute at 30 frames per second: from the command to the zip.

    100 animals of 4 groups at 5 times, two to a cage, with predictions of every frame; 20 different
    recordings stand for all. A process of its own, the start of Python included.
    """
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as made:
        folder = Path(made)
        table = _table(folder)
        started = time.perf_counter()
        command = [sys.executable, "-m", "models", "tools", "study", str(table)]
        options = ["--plan", str(folder / "plan.json"), "--out", str(folder / "out")]
        subprocess.run(
            [*command, *options],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - started
        if not (folder / "out" / "study.zip").is_file():
            raise RuntimeError("the study wrote no zip")
    yield {
        "name": "public_scorer.study_500_videos_seconds",
        "value": seconds,
        "unit": "s",
        "target": "≤ 10",
    }


def _table(folder: Path) -> Path:
    import json

    import numpy as np

    from models.scale import load_scale
    from models.study import StudyPlan
    from models.study.example import ExampleSize, write_recording
    from models.study.table import COLUMNS

    scale, size = load_scale(), ExampleSize(seconds=SECONDS, fps=FPS)
    for number in range(MADE):
        rng = np.random.default_rng(number)
        write_recording(folder / f"made-{number}", 0.2 + 0.04 * number, size, scale, rng)
    rows = []
    for number in range(VIDEOS):
        animal, time_h = divmod(number, len(TIMES))
        group = GROUPS[animal // 2 % len(GROUPS)]
        own = folder / f"v{number:03d}"
        # A copy each: the same file again would be in memory already.
        shutil.copytree(folder / f"made-{(7 * animal + 3 * time_h) % MADE}", own)
        rows.append(
            dict.fromkeys(COLUMNS, "")
            | {"name": own.name, "animal": f"m{animal}", "cage": f"c{animal // 2}",
               "group": group, "time_h": TIMES[time_h], "result": f"{own.name}/result.json",
               "predictions": f"{own.name}/predictions.parquet", "human_score": 0.5 + animal / 100}
        )  # fmt: skip
    with (folder / "study.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    plan = dataclasses.replace(
        StudyPlan(control="sham", vehicle="vehicle", drug="drug", cut_off=0.8), draws=9999
    )
    (folder / "plan.json").write_text(json.dumps(plan.to_json()), encoding="utf-8")
    return folder / "study.csv"
