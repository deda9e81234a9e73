"""Thirty training runs, each killed at random moments: they all end as if nothing had been."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RUNS, MOST_KILLS = 30, 3
SPLITS = ("train",) * 6 + ("validation", "calibration") + ("benchmark",) * 3 + ("test",)
TIMES = {"seconds", "stages"}


def killed_runs(state: Any) -> Iterator[dict[str, Any]]:
    """Runs of the smoke recipe, killed up to three times each, resumed and judged.

    A third is killed while a checkpoint is being written, the others at any moment of a run. The
    figures of all reports are compared with those of a run that nobody disturbed.
    """
    with tempfile.TemporaryDirectory(prefix="amgs-endurance-") as scratch:
        folder = Path(scratch)
        _study(folder)
        started = time.monotonic()
        wanted = _figures(_end(folder, folder / "undisturbed"))
        seconds = time.monotonic() - started
        done: dict[str, Any] = state.get("done", {})
        for number in range(RUNS):
            if str(number) not in done:
                chance = random.Random(number)
                out = folder / f"run-{number}"
                kills = [
                    _kill(folder, out, chance, seconds, at_checkpoint=number % 3 == 0)
                    for _ in range(chance.randint(1, MOST_KILLS))
                ]
                got = _figures(_end(folder, out))
                done[str(number)] = {"kills": sum(kills), "difference": _largest(wanted, got)}
                state["done"] = done
    rows = list(done.values())
    yield _row("killed_runs_finished", sum(row["difference"] <= 1e-6 for row in rows), f"= {RUNS}")
    worst = max(row["difference"] for row in rows)
    # In millionths: a table keeps four digits behind the point.
    yield _row("killed_runs_largest_difference", worst * 1e6, "≤ 1", "millionths")
    yield _row("killed_runs_kills", sum(row["kills"] for row in rows), None)


def _row(name: str, value: float, target: str | None, unit: str = "") -> dict[str, Any]:
    return {"name": f"retraining.{name}", "value": value, "unit": unit, "target": target}


def _study(folder: Path) -> None:
    """Twelve rendered animals of two labs, one short clip each, as manifests and media."""
    import hashlib

    from models.manifest import target_columns, write_apart
    from models.media import frame_times, open_media
    from models.scale import load_scale

    scale, rows = load_scale(), []
    media = folder / "media"
    media.mkdir()
    site = _module("retraining_site")
    for number, film in enumerate(site.render(folder, len(SPLITS), 8)):
        blob = hashlib.sha256(film.read_bytes()).hexdigest()
        times = frame_times(film)
        with open_media(film) as opened:
            base = opened.time_base
        film.rename(media / blob)
        for pts in times:
            rows.append(
                {
                    **{"frame": f"F{len(rows):04d}", "blob": blob, "stream": 0, "pts": pts},
                    **{"tb_num": base[0], "tb_den": base[1], "phantom": True},
                    **{"dataset": "AMGS-000001/1", "lab": f"lab{number % 2}", "votes": "[]"},
                    **{"animal": f"A{number:02d}", "coat": scale.coats[number % 2].key},
                    **{"random_share": True, "split": SPLITS[number]},
                    **dict.fromkeys(("observation", "assay", "sex", "strain", "time_point"), "x"),
                    **{
                        name: float(name.endswith((f"p{number % 3}", "scorable")))
                        for name in target_columns(scale)
                    },
                }
            )
    write_apart(folder / "manifest.parquet", rows, {})


def _start(folder: Path, out: Path) -> subprocess.Popen[str]:
    return _models(
        *("train", "--manifest", folder / "manifest.parquet", "--media", folder / "media"),
        *("--out", out, "--cache", folder / "cache", "--config", "tiny"),
    )


def _models(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "models", *map(str, arguments)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _kill(
    folder: Path, out: Path, chance: random.Random, seconds: float, *, at_checkpoint: bool
) -> bool:
    """Start or go on with a run and kill it; return whether it was still running."""
    process = _start(folder, out)
    drained = threading.Thread(target=process.communicate)
    drained.start()
    deadline = time.monotonic() + chance.uniform(0, seconds)
    skip = chance.randint(0, 3)
    while process.poll() is None and (at_checkpoint or time.monotonic() < deadline):
        # The draft of a checkpoint has a leading dot until it is complete.
        if at_checkpoint and any((out / "checkpoints").glob(".step*")):
            if skip == 0:
                break
            skip -= 1
        time.sleep(0.001)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    drained.join()
    return running


def _end(folder: Path, out: Path) -> Path:
    """Let a run end undisturbed, and judge it; return its report."""
    _wait(_start(folder, out))
    _wait(
        _models(
            *("evaluate", "--bundle", out / "trained", "--out", out / "evaluation"),
            *("--manifest", folder / "manifest.benchmark.parquet"),
            *("--training", folder / "manifest.parquet", "--media", folder / "media"),
            *("--cache", folder / "cache"),
        )
    )
    return out / "evaluation" / "report.json"


def _wait(process: subprocess.Popen[str]) -> None:
    said, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"ended as {process.returncode}: {said[-500:]} {errors[-2000:]}")


def _figures(report: Path) -> dict[str, Any]:
    """All figures of a report by their path, without how long it took."""
    found: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name not in TIMES:
                    walk(inner, f"{path}/{name}")
        elif isinstance(value, list):
            for place, inner in enumerate(value):
                walk(inner, f"{path}/{place}")
        else:
            found[path] = value

    walk(json.loads(report.read_text(encoding="utf-8")), "")
    return found


def _largest(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference of two reports; infinite where other things than numbers differ."""
    if one.keys() != other.keys():
        return float("inf")
    worst = 0.0
    for path, value in one.items():
        if isinstance(value, float) and isinstance(other[path], (int, float)):
            worst = max(worst, abs(value - other[path]))
        elif value != other[path]:
            return float("inf")
    return worst


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no {name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
