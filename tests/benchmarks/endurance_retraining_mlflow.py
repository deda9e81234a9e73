"""The MLflow server is gone for ten minutes while a site trains, promotes and scores."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import httpx

HERE = Path(__file__).resolve().parent
DOWN_S = float(os.environ.get("AMGS_MLFLOW_DOWN_S", "600"))
PAUSE_S = 10.0
PATIENCE_S = 300.0


def mlflow_down(state: Any) -> Iterator[dict[str, Any]]:
    """Kill the server; train, promote and score meanwhile; start it again and wait for it."""
    told = state.get("told")
    if told is None:
        told = state["told"] = _story()
    for name, unit, target in (
        ("lost", "versions", "= 0"),
        ("scores_failed", "scores", "= 0"),
        ("scores_given", "scores", None),
        ("catch_up_s", "s", "≤ 120"),
        ("minutes", "min", None),
    ):
        value = told[name]
        full = f"retraining.mlflow_down_{name}"
        yield {"name": full, "value": value, "unit": unit, "target": target}


def _story() -> dict[str, Any]:
    from deploy.local_stack import mlflow

    loop, promotion = _load("bench_loop"), _load("bench_retraining_promotion")
    var = loop._walked_folder()
    with tempfile.TemporaryDirectory(prefix="amgs-endurance-") as name:
        server = mlflow.start(Path(name))
        os.environ["MLFLOW_TRACKING_URI"] = server.url
        try:
            with loop._site(var) as site:
                prepared = promotion._prepared(var, "prepare")
                with _client(site.url, prepared["token"]) as client:
                    _until(lambda: _mirrored(client, prepared["model"]), "the mirror of a version")
                    server.stop(gracefully=False)
                    told = _meanwhile(client, site.url, prepared, loop, promotion)
                    server = mlflow.start(Path(name), port=urlsplit(server.url).port)
                    started = time.monotonic()
                    ours = [prepared["model"], told.pop("trained")]
                    _until(
                        lambda: (
                            all(_mirrored(client, one) for one in ours)
                            and _alias(client, prepared["model"]) == "champion"
                        ),
                        "the mirror catching up",
                    )
                    told["catch_up_s"] = time.monotonic() - started
                    told["lost"] = sum(not _mirrored(client, one) for one in ours)
                    return told
        finally:
            server.stop(gracefully=False)


def _meanwhile(
    client: httpx.Client, url: str, prepared: dict[str, Any], loop: Any, promotion: Any
) -> dict[str, Any]:
    """Begin a run, promote, and score one clip after the other until the time is over."""
    begun = time.monotonic()
    body = {"recipe": "demo", "profile": "demo", "seed": 11, "why": "for the figure"}
    run = _said(client.post("/api/training/runs", json=body))["id"]
    named = f"/api/models/{prepared['model']}/actions/promote"
    _said(client.post(named, json={"why": "for the figure"}))
    clip, given, failed = loop._clip(repeats=1), 0, 0
    while time.monotonic() - begun < DOWN_S or not _over(client, run):
        try:
            given += promotion._scored(url, clip) == prepared["identifier"]
        except Exception:
            failed += 1
        time.sleep(PAUSE_S)
        if time.monotonic() - begun > DOWN_S + 3 * PATIENCE_S:
            raise TimeoutError("the run did not end")
    row = _said(client.get(f"/api/training/runs/{run}"))
    if row["job"]["state"] != "done":
        raise RuntimeError(f"the run was {row['job']['state']}: {row['job']['error']}")
    return {
        "trained": row["model"],
        "scores_given": given,
        "scores_failed": failed,
        "minutes": (time.monotonic() - begun) / 60,
    }


def _over(client: httpx.Client, run: str) -> bool:
    state = _said(client.get(f"/api/training/runs/{run}"))["job"]["state"]
    return state in ("done", "failed", "cancelled")


def _mirrored(client: httpx.Client, model: str) -> bool:
    return bool(_said(client.get(f"/api/models/{model}"))["mlflow"]["version"])


def _alias(client: httpx.Client, model: str) -> str:
    return str(_said(client.get(f"/api/models/{model}"))["mlflow"]["alias"])


def _said(answer: httpx.Response) -> dict[str, Any]:
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _client(url: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE_S:.0f} s: {what}")
        time.sleep(1)


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_of_endurance", HERE / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{name}.py is not there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
