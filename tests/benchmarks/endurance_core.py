"""Workers killed again and again, and an hour's worth of contention in a minute.

The same stories as ``tests/amgs/core/test_kill.py`` and ``test_contention.py``, with more of
everything; the site of real processes is theirs.
"""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
KILLS = 40
CONTENTION_S = 60
ROLES = ("ingest", "rater", "renewer", "decider")


def kills(state: Any) -> Iterator[dict[str, Any]]:
    """Kill a worker at a random moment of a job, forty times: how soon the job runs again."""
    rounds = state.get("kills", [])
    with tempfile.TemporaryDirectory(prefix="amgs-endurance-") as folder:
        site = _site(Path(folder))
        try:
            site.beat()
            worker = site.worker("w0")
            while len(rounds) < KILLS:
                rounds = [*rounds, _one_kill(site, worker, len(rounds))]
                worker = site.processes[-1]
                state["kills"] = rounds
        finally:
            site.stop()
    slowest = max(entry["recovery_s"] for entry in rounds)
    wrong = sum(entry["ends"] != 1 for entry in rounds)
    yield {"name": "core.kills_recovery_s", "value": slowest, "unit": "s", "target": "≤ 60"}
    yield {"name": "core.kills_not_ended_once", "value": wrong, "unit": "jobs", "target": "= 0"}


def sqlite_contention(state: Any) -> Iterator[dict[str, Any]]:
    """Four processes write to one SQLite database for a minute, one ingests and one rates."""
    told = state.get("contention")
    if told is None:
        with tempfile.TemporaryDirectory(prefix="amgs-endurance-") as folder:
            site = _site(Path(folder))
            site.manage("contend", "prepare")
            told = state["contention"] = _contend(site, CONTENTION_S)
    errors = sum(len(facts["errors"]) for facts in told.values())
    p95 = told["rater"]["p95_ms"]
    yield {"name": "core.sqlite_lock_errors", "value": errors, "unit": "errors", "target": "= 0"}
    yield {"name": "core.sqlite_rater_p95_ms", "value": p95, "unit": "ms", "target": "≤ 200"}


def _one_kill(site: Any, worker: subprocess.Popen[bytes], number: int) -> dict[str, Any]:
    label = f"kill-{number}"
    (job,) = site.ask(label, steps=20)
    _until(lambda: site.job(job)[0] == "running", "the job runs")
    pause = random.Random(number).uniform(0, 1.8)
    _until(lambda: site.job(job)[2] >= pause / 2, "the work has come so far", or_after=pause)
    site.kill(worker)
    before = site.job(job)
    site.worker(f"w{number + 1}")
    back = time.monotonic()
    if before[0] == "running":
        _until(lambda: site.job(job)[1] > before[1], "the job runs again")
    recovery = time.monotonic() - back
    _until(lambda: site.job(job)[0] == "done", "the job is done")
    return {"recovery_s": recovery, "ends": site.ends(label), "attempts": site.job(job)[1]}


def _contend(site: Any, seconds: float) -> dict[str, dict[str, Any]]:
    processes = {
        role: subprocess.Popen(
            [sys.executable, site.manage_py, "contend", role, "--seconds", str(seconds)],
            env=site.environment,
            cwd=site.var,
            stdout=subprocess.PIPE,
            text=True,
        )
        for role in ROLES
    }
    return {role: json.loads(process.communicate()[0]) for role, process in processes.items()}


def _site(var: Path) -> Any:
    """A site of real processes on the embedded default, its database migrated."""
    tests = _load(HERE.parent / "amgs" / "core" / "conftest.py")
    site = tests.Site(var, tests._environment(var))
    site.manage("migrate", "-v", "0")
    return site


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("amgs_core_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def _until(
    fact: Callable[[], object], what: str, seconds: float = 120, or_after: float | None = None
) -> None:
    began = time.monotonic()
    while not fact():
        waited = time.monotonic() - began
        if or_after is not None and waited > or_after:
            return
        if waited > seconds:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)
