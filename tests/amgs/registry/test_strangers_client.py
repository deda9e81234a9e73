"""A plain MLflow client in an environment of its own grades as the site does."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from amgs.registry import mirror
from deploy.local_stack import mlflow as mlflow_server
from models.bundle import SHIPPED, load_bundle
from models.phantom.clip import frames
from models.phantom.look import Look
from models.phantom.motion import ClipPlan
from models.scale import load_scale
from models.scorer import Scorer

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PICKLES = {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".bin"}


@pytest.fixture(scope="module")
def database_and_s3(services, postgresql_url, s3_server):
    """A server process as in production: PostgreSQL for runs, the S3 server for artifacts."""
    import psycopg2

    connection = psycopg2.connect(postgresql_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE strangers")
    connection.close()
    database = postgresql_url.rsplit("/", 1)[0] + "/strangers"
    folder = services.folder / "strangers"
    folder.mkdir()
    server = mlflow_server.start(folder, database=database, s3=s3_server)
    yield server.url
    server.stop()


@pytest.fixture(
    params=["embedded", pytest.param("production", marks=pytest.mark.service("mlflow"))]
)
def store(request, settings, tmp_path) -> str:
    """Name a tracking address: MLflow's own SQLite store, or a server on PostgreSQL and S3."""
    if request.param == "embedded":
        settings.MLFLOW_TRACKING_URI = f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.sqlite3'}"
        settings.MLFLOW_ARTIFACT_ROOT = str(tmp_path / "mlflow" / "artifacts")
    else:
        settings.MLFLOW_TRACKING_URI = request.getfixturevalue("database_and_s3")
    settings.MLFLOW_MODEL_NAME = "amgs-mouse"
    return settings.MLFLOW_TRACKING_URI


@pytest.fixture
def pictures(tmp_path) -> np.ndarray:
    scale = load_scale()
    found = []
    for number, coat in enumerate(scale.coats):
        plan = ClipPlan(
            coat=coat, look=Look(wall=(70, 74, 80)), animal=number, pain=0.8, duration_s=1.0
        )
        found += [np.asarray(picture) for picture, _ in list(frames(plan, number, scale))[::4]]
    return np.stack(found)


def ask(uri: str, address: str, pictures: np.ndarray, folder: Path) -> dict:
    """Load and grade as a stranger, from a folder that holds nothing of ours."""
    folder.mkdir()
    np.savez(folder / "pictures.npz", pictures=pictures)
    script = folder / "client.py"
    script.write_text((HERE / "strangers_client.py").read_text())
    ready = {"PATH": os.environ["PATH"], "HOME": str(folder), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [mlflow_server.ENVIRONMENT / "bin" / "python", script, uri, address]
    run = subprocess.run(
        [*map(str, command), str(folder / "pictures.npz")],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=folder,
        env=ready,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


def artifacts(uri: str, run_id: str) -> list[str]:
    """All files of a run, by path."""
    from mlflow.tracking import MlflowClient

    client, found, waiting = MlflowClient(tracking_uri=uri, registry_uri=uri), [], [""]
    while waiting:
        for entry in client.list_artifacts(run_id, waiting.pop() or None):
            (waiting if entry.is_dir else found).append(entry.path)
    return sorted(found)


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore")
def test_a_plain_client_loads_the_champion_and_grades_as_the_site_does(
    store, register, run_jobs, monkeypatch, pictures, tmp_path, settings
):
    folder = SHIPPED / "phantom"
    bundle = load_bundle(folder)
    monkeypatch.setattr(mirror, "bundle_folder", lambda version: folder)
    curves = [{"step": step, "metrics": {"train_loss": 1 / (1 + step)}} for step in range(3)]
    version = register(
        "serving", digest=bundle.digest, report=bundle.report, card="# card", curves=curves
    )
    run_jobs()
    version.refresh_from_db()
    assert version.mlflow_alias == "champion"

    told = ask(store, "models:/amgs-mouse@champion", pictures, tmp_path / "stranger")
    assert told["ours"] == []
    assert not told["torch"]
    assert not [part for part in told["path"] if part.startswith(str(ROOT) + "/platform")]
    assert told["example"][0] >= 2
    assert told["cut"] == len(pictures)
    assert set(told["answer"]) == set(told["outputs"])

    scorer, compared = Scorer(bundle), 0
    for number, picture in enumerate(pictures):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), picture[:, :, ::-1])
        (site,) = scorer.score(path)
        said = {name: column[number] for name, column in told["answer"].items()}
        assert said["reason"] == (site.reason or "")
        for grade in site.grades:
            stated = [said[f"{grade.unit}__p{k}"] for k in range(len(grade.probabilities))]
            assert stated == pytest.approx(grade.probabilities, abs=1e-3)
            compared += len(stated)
    assert compared >= 15

    names = artifacts(store, version.mlflow_run_id)
    assert not [name for name in names if Path(name).suffix in PICKLES]
    assert not [name for name in names if "pickle" in name]
    for wanted in (
        "model/MLmodel",
        "model/code/amgs_pyfunc.py",
        "model/data/amgs/bundle/DIGEST",
        "model_card.md",
        "report.json",
        "report.html",
        "verdicts.json",
        "comparison.json",
        "plots/risk_coverage.svg",
        "plots/training_curves.svg",
        "plots/confusion_ear_position.json",
    ):
        assert wanted in names, names
