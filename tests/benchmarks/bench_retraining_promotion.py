"""Promotion and rollback on a running site that 20 clients keep busy, and the decision log."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CLIENTS = 20
PATHS = ("/api/models/serving", "/api/models", "/score/", "/models/")
DECISIONS = 10_000


def promotion() -> Iterator[dict[str, Any]]:
    """From the decision until the first public score by the new version; and back by a rollback.

    Then both once more while 20 clients ask for pages and the API without a pause; every answer
    that is not a success, or that does not come, is a dropped request. How long the decisions take
    meanwhile is told.
    """
    loop = _loop()
    # All clients have one address here; the limit is for strangers who have one each.
    os.environ["API_RATE_PUBLIC"] = "0"
    folder = tempfile.TemporaryDirectory(prefix="amgs-bench-")
    with folder as var, loop._site(Path(var)) as site:
        told = _prepared(Path(var), "prepare")
        clip = _clip(Path(var))
        # Once before: what is measured is the change, not the first score of a cold site.
        _scored(site.url, clip)
        promoted = _decided(site.url, clip, told, "promote", told["identifier"])
        back = _decided(site.url, clip, told, "rollback", told["before"])
        with _busy(site.url) as answers:
            busy = _decided(site.url, clip, told, "promote", told["identifier"])
            _decided(site.url, clip, told, "rollback", told["before"])
        asked, dropped = answers["asked"], answers["dropped"]
    rows = (
        ("promotion_to_first_score", promoted, "s", "≤ 5"),
        ("rollback", back, "s", "≤ 5"),
        ("promotion_to_first_score_busy", busy, "s", None),
        ("promotion_requests_dropped", dropped, "requests", "= 0"),
        ("promotion_requests_asked", asked, "requests", None),
    )
    for name, value, unit, target in rows:
        yield {"name": f"retraining.{name}", "value": value, "unit": unit, "target": target}


def live() -> Iterator[dict[str, Any]]:
    """``live --at T`` with 10,000 decisions, median of 30 moments; and the check of them all."""
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as var:
        environment = _environment(Path(var))
        _run(["manage.py", "migrate", "-v", "0"], environment)
        told = json.loads(
            _run([str(HERE / "promote_site.py"), "ledger", str(DECISIONS)], environment)
        )
    rows = (
        ("live_at_10000_ms", told["live_ms"], "ms", "≤ 100"),
        ("check_ledger_10000_s", told["check_s"], "s", None),
    )
    for name, value, unit, target in rows:
        yield {"name": f"retraining.{name}", "value": value, "unit": unit, "target": target}


def _decided(url: str, clip: Path, told: dict[str, Any], action: str, wanted: str) -> float:
    """Decide over the API; seconds until a score asked for afterwards names the version."""
    named = told["identifier"] if action == "promote" else told["before"]
    started = time.monotonic()
    answer = httpx.post(
        f"{url}/api/models/{named}/actions/{action}",
        json={"why": "for the figure"},
        headers={"Authorization": f"Bearer {told['token']}"},
        timeout=60,
    )
    answer.raise_for_status()
    if (given := _scored(url, clip)) != wanted:
        raise RuntimeError(f"after {action} a score was given by {given}, not {wanted}")
    return time.monotonic() - started


def _scored(url: str, clip: Path) -> str:
    """The version that a new score of the clip names."""
    from amgs_client import Client

    with Client(url) as client:
        run = client.score(clip, timeout=120)
    if run.state != "done":
        raise RuntimeError(f"the score was {run.state}: {run.error}")
    return run.model


@contextmanager
def _busy(url: str) -> Iterator[dict[str, int]]:
    """Let 20 clients ask without a pause; counts what was asked and what was dropped."""
    counted = {"asked": 0, "dropped": 0}
    lock, over = threading.Lock(), threading.Event()

    def ask(number: int) -> None:
        turn = number
        with httpx.Client(base_url=url, timeout=30) as client:
            while not over.is_set():
                try:
                    dropped = client.get(PATHS[turn % len(PATHS)]).status_code != 200
                except httpx.HTTPError:
                    dropped = True
                turn += 1
                with lock:
                    counted["asked"] += 1
                    counted["dropped"] += dropped

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield counted
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _clip(folder: Path) -> Path:
    """Half a second of a rendered mouse."""
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    plan = ClipPlan(
        coat=load_scale().coats[0], look=Look(), animal=3, pain=0.5, duration_s=0.5, fps=12
    )
    write_clip(folder / "bench.mp4", plan, seed=3)
    return folder / "bench.mp4"


def _prepared(var: Path, *command: str) -> dict[str, Any]:
    said = _run([str(HERE / "promote_site.py"), *command], _environment(var))
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def _environment(var: Path) -> dict[str, str]:
    return os.environ | {
        "AMGS_VAR": str(var),
        "DJANGO_SETTINGS_MODULE": "amgs.settings.base",
        "LOG_LEVEL": "WARNING",
        "OMP_NUM_THREADS": "1",
    }


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return done.stdout


def _loop() -> ModuleType:
    """The figures of the loop, whose site is started here too."""
    spec = importlib.util.spec_from_file_location("bench_loop_site", HERE / "bench_loop.py")
    if spec is None or spec.loader is None:
        raise ImportError("bench_loop.py is not there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
