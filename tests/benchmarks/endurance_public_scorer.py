"""A film of four hours through the site: memory that stays flat, a result equal to its parts'."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

HERE = Path(__file__).resolve().parent
SHORT_MINUTES, LONG_MINUTES = 20, 240
MOST_S = 5 * 3600


def four_hours(state: Any) -> Iterator[dict[str, Any]]:
    """Peak memory of the workers for twenty minutes and four hours, and the join's equality."""
    for minutes in (SHORT_MINUTES, LONG_MINUTES):
        if state.get(f"{minutes}_peak_mib") is None:
            peak, differences = _scored(minutes)
            state[f"{minutes}_differences"] = differences
            state[f"{minutes}_peak_mib"] = peak
    growth = state.get(f"{LONG_MINUTES}_peak_mib") - state.get(f"{SHORT_MINUTES}_peak_mib")
    yield _row("memory_growth_mib", growth, "MiB", "≤ 150")
    yield _row("frames_unlike_their_part", state.get(f"{LONG_MINUTES}_differences"), "", "= 0")


def _row(name: str, value: float, unit: str, target: str) -> dict[str, Any]:
    return {
        "name": f"public_scorer.four_hours_{name}",
        "value": value,
        "unit": unit,
        "target": target,
    }


def _scored(minutes: int) -> tuple[float, int]:
    """Peak of a worker in MiB, and how many frames of a stretch the join tells otherwise."""
    bench = _pipeline()
    film = bench._films()._long_film("720p", 1, minutes)
    folder = tempfile.TemporaryDirectory(prefix="amgs-endurance-")
    more = {"SCORE_PUBLIC_MINUTES": "100000"}
    with folder as var, bench._site(Path(var), **more) as site:
        watch = _Watch(site.pool())
        watch.start()
        upload = bench._sent(site, film.read_bytes())
        site.http.post(f"/api/uploads/{upload}/complete", json={}).raise_for_status()
        asked = site.http.post("/api/scores", json={"upload": upload, "name": film.name})
        token = asked.raise_for_status().json()["token"]
        if not bench._over(site, token, MOST_S):
            raise RuntimeError("the score did not end well")
        watch.stop()
        told = site.http.get(f"/api/scores/{token}").json()
        kept = Path(var) / "predictions.parquet"
        answer = site.http.get(told["files"]["predictions.parquet"], follow_redirects=True)
        kept.write_bytes(answer.raise_for_status().content)
        return watch.peak_mib, _unlike(film, kept)


def _unlike(film: Path, kept: Path) -> int:
    """Frames of a stretch across the middle that are told otherwise than by reading it alone."""
    from models.bundle import default_bundle
    from models.context import CHUNK, TICK_S
    from models.exports import read_predictions_parquet
    from models.looker import edge_of
    from models.scorer import Scorer

    whole = list(read_predictions_parquet(kept))
    chunk = int(whole[-1].time_s / 2 / (CHUNK * TICK_S))
    span = (edge_of(chunk - 5), edge_of(chunk + 5))
    alone = Scorer(default_bundle()).score(film, span=span)
    joined = [one for one in whole if span[0] <= one.time_s < span[1]]
    return sum(
        (one.key, one.grades, one.state, one.reason)
        != (other.key, other.grades, other.state, other.reason)
        for one, other in zip(joined, alone, strict=True)
    )


class _Watch(threading.Thread):
    """Notes the largest resident size of some processes, some times a second."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        super().__init__(daemon=True)
        self._processes, self._over = processes, threading.Event()
        self.peak_mib = 0.0

    def run(self) -> None:
        while not self._over.is_set():
            for process in self._processes:
                if process.is_running():
                    size = process.memory_info().rss / 2**20
                    self.peak_mib = max(self.peak_mib, size)
            time.sleep(0.2)

    def stop(self) -> None:
        self._over.set()
        self.join()


def _pipeline() -> ModuleType:
    """The quick figures, whose site and films are the same."""
    name = "bench_public_scorer_pipeline"
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
