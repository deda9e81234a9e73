"""MLflow is told what our rows say: on its SQLite store, and on a real server."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from amgs.core import jobs
from amgs.registry import mirror, services
from amgs.registry.jobs import mirror as mirror_job
from amgs.registry.models import ModelVersion
from models.bundle import SHIPPED

ASK = """
import json, sys
from mlflow.tracking import MlflowClient
uri, name, folder = sys.argv[1:]
client = MlflowClient(tracking_uri=uri, registry_uri=uri)
model = client.get_registered_model(name)
found = {"aliases": {k: int(v) for k, v in model.aliases.items()}, "versions": []}
for row in sorted(client.search_model_versions(f"name='{name}'"), key=lambda r: int(r.version)):
    run = client.get_run(row.run_id)
    history = client.get_metric_history(row.run_id, "loss")
    found["versions"].append({
        "version": int(row.version), "tags": row.tags, "source": row.source,
        "params": run.data.params, "status": run.info.status,
        "loss": sorted((m.step, m.value) for m in history),
        "metrics": run.data.metrics,
        "artifacts": sorted(f.path for f in client.list_artifacts(row.run_id)),
        "model": sorted(f.path for f in client.list_artifacts(row.run_id, "model")),
    })
import mlflow
mlflow.set_tracking_uri(uri)
path = mlflow.artifacts.download_artifacts(f"models:/{name}/1", dst_path=folder)
import os
found["downloaded"] = sorted(os.listdir(path))
print(json.dumps(found))
"""


@pytest.fixture(params=["sqlite", pytest.param("server", marks=pytest.mark.service("mlflow"))])
def store(request, settings, tmp_path) -> str:
    """Name a tracking address: MLflow's own SQLite store, or a server of its own process."""
    if request.param == "sqlite":
        settings.MLFLOW_TRACKING_URI = f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.sqlite3'}"
        settings.MLFLOW_ARTIFACT_ROOT = str(tmp_path / "mlflow" / "artifacts")
    else:
        settings.MLFLOW_TRACKING_URI = request.getfixturevalue("mlflow_url")
    settings.MLFLOW_MODEL_NAME = f"amgs-{request.param}"
    return settings.MLFLOW_TRACKING_URI


@pytest.fixture
def bundle(monkeypatch) -> Path:
    """Stand in for the unpacked bundle of every version: the shipped one."""
    folder = SHIPPED / "phantom"
    monkeypatch.setattr(mirror, "bundle_folder", lambda version: folder)
    return folder


def ask(uri: str, name: str, folder: Path) -> dict:
    """Ask MLflow in a process of its own, as a stranger's client would."""
    folder.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", ASK, uri, name, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_mlflow_has_run_metrics_bundle_card_version_and_aliases(
    store, bundle, settings, register, mia, run_jobs, tmp_path
):
    curves = [{"step": step, "metrics": {"loss": 1.0 / (step + 1)}} for step in range(3)]
    first = register("serving", curves=curves, card="# mouse-v1", run="r1", snapshot="s1")
    second = register("in_review", run="r2")
    ended = run_jobs()
    assert [job.result["waiting"] for job in ended if job.kind == "registry.mirror"] == [0]
    for row in (first, second):
        row.refresh_from_db()
    assert (first.mlflow_alias, second.mlflow_alias) == ("champion", "challenger")
    assert first.mlflow_run_id

    # Repeating the whole order doubles nothing.
    ModelVersion.objects.update(mirrored_state="")
    services.decide_model(by=mia, version=second, action="approve", why="better")
    services.decide_model(by=mia, version=second, action="promote", why="better")
    run_jobs()

    found = ask(store, settings.MLFLOW_MODEL_NAME, tmp_path / "download")
    assert found["aliases"] == {"champion": 2}
    one, two = found["versions"]
    assert one["loss"] == [[0, 1.0], [1, 0.5], [2, pytest.approx(1 / 3)]]
    assert one["tags"]["amgs.version"] == "mouse-v1"
    assert (one["tags"]["amgs.state"], two["tags"]["amgs.state"]) == ("retired", "serving")
    assert one["params"]["snapshot"] == "s1"
    assert one["status"] == "FINISHED"
    assert one["metrics"]["benchmark.image_score.rmse"] == 0.3
    assert one["artifacts"] == [
        "comparison.json",
        "model",
        "model_card.md",
        "plots",
        "report.html",
        "report.json",
        "verdicts.json",
    ]
    assert {"model/MLmodel", "model/code", "model/data"} <= set(one["model"])
    assert {"MLmodel", "code", "data"} <= set(found["downloaded"])
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.mlflow_alias, second.mlflow_alias) == ("", "champion")
    if store.startswith("sqlite"):
        with sqlite3.connect(store.removeprefix("sqlite:///")) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_mlflow_that_is_down_loses_nothing(bundle, settings, register, run_jobs, tmp_path):
    settings.MLFLOW_TRACKING_URI = "http://127.0.0.1:9"  # the discard port: nobody listens
    version = register("serving")
    (job,) = [job for job in run_jobs() if job.kind == "registry.mirror"]
    assert job.state == "done"
    assert job.result["waiting"] == 1
    assert job.result["problem"]
    version.refresh_from_db()
    assert version.state == "serving"
    assert mirror.waiting() == [version]

    settings.MLFLOW_TRACKING_URI = f"sqlite:///{tmp_path / 'later' / 'mlflow.sqlite3'}"
    settings.MLFLOW_ARTIFACT_ROOT = str(tmp_path / "later" / "artifacts")
    jobs.enqueue(mirror_job)
    run_jobs()
    assert mirror.waiting() == []
    version.refresh_from_db()
    assert version.mlflow_alias == "champion"


def test_a_version_whose_bundle_is_gone_is_left_out(register, monkeypatch, run_jobs):
    version = register("serving")
    monkeypatch.setattr(mirror, "_ask", lambda order: pytest.fail("MLflow was asked"))
    (job,) = run_jobs()
    assert (job.state, job.result["waiting"]) == ("done", 1)
    assert mirror.waiting() == [version]


def test_where_nothing_waits_mlflow_is_not_asked(db, monkeypatch, run_jobs):
    monkeypatch.setattr(mirror, "_ask", lambda order: pytest.fail("MLflow was asked"))
    jobs.enqueue(mirror_job)
    (job,) = run_jobs()
    assert job.result == {"mirrored": [], "waiting": 0}
