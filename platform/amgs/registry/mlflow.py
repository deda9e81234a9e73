"""The only place that speaks to MLflow: ``python -m amgs.registry.mlflow``, one order on stdin.

Everything is safe to repeat: a run is found by its tag, a metric by its step, a registered
version by its run, so an order that was cut off half way is simply given again.

What is registered is a pyfunc by loader module and data path: one file and the bundle, nothing
that was pickled, so that a stranger's client loads it without a line of ours on its path.
"""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MODEL = "model"
KEPT = "amgs.artifacts"
# Part of the mark, so that versions mirrored in an older layout are mirrored again.
LAYOUT = "pyfunc 1"
NEEDS = ("numpy", "onnxruntime", "opencv-python-headless")


def _prepare_embedded(order: Mapping[str, Any]) -> str | None:
    """Make the folders of the embedded store; return where its artifacts go, else ``None``."""
    parts = urlsplit(order["tracking_uri"])
    if parts.scheme != "sqlite":
        return None  # the server has its own artifact store
    database = Path(parts.path)
    database.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(database, timeout=20) as connection:
        # Kept in the file: a reader (the MLflow pages) then never stops the one writer.
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    root = Path(order["artifact_root"])
    root.mkdir(parents=True, exist_ok=True)
    return root.as_uri()


def _experiment(client: Any, name: str, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=artifacts))


def _run(client: Any, experiment: str, version: Mapping[str, Any]) -> Any:
    found = client.search_runs([experiment], f"tags.`amgs.id` = '{version['id']}'", max_results=1)
    if found:
        return found[0]
    return client.create_run(
        experiment,
        start_time=version["started_ms"],
        tags=dict(version["tags"]),
        run_name=version["identifier"],
    )


def _log_figures(client: Any, run: Any, version: Mapping[str, Any]) -> None:
    """Log every step of every metric that MLflow does not have yet."""
    from mlflow.entities import Metric, Param

    known = run.data.params
    params = [Param(key, value) for key, value in version["params"].items() if key not in known]
    steps: dict[str, dict[int, float]] = {}
    for point in version["curves"]:
        for name, value in point["metrics"].items():
            if isinstance(value, (int, float)) and math.isfinite(value):
                steps.setdefault(name, {})[int(point["step"])] = float(value)
    for name, value in version["figures"].items():
        steps.setdefault(name, {})[0] = value
    metrics = []
    for name, values in steps.items():
        there = (
            {entry.step for entry in client.get_metric_history(run.info.run_id, name)}
            if name in run.data.metrics
            else set()
        )
        metrics += [
            Metric(name, value, version["started_ms"] + step, step)
            for step, value in sorted(values.items())
            if step not in there
        ]
    for begin in range(0, max(len(metrics), 1), 500):
        client.log_batch(
            run.info.run_id,
            metrics=metrics[begin : begin + 500],
            params=params if begin == 0 else [],
        )


def _keep_artifacts(client: Any, run: Any, version: Mapping[str, Any]) -> None:
    mark = f"{version['tags']['amgs.digest']} {LAYOUT}"
    if run.data.tags.get(KEPT) == mark:
        return
    from models.bundle import load_bundle
    from models.served import write_plots

    run_id, bundle = run.info.run_id, load_bundle(version["bundle"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _save_model(bundle, version, folder)
        client.log_artifacts(run_id, str(folder / MODEL), MODEL)
        kept = folder / "kept"
        write_plots(version["report"], bundle.scale, version["curves"], kept / "plots")
        card = version["card"] or "No model card was written.\n"
        (kept / "model_card.md").write_text(card, encoding="utf-8")
        for part in ("report", "comparison", "verdicts"):
            text = json.dumps(version[part], indent=2)
            (kept / f"{part}.json").write_text(text, encoding="utf-8")
        shutil.copyfile(bundle.path / "report.html", kept / "report.html")
        client.log_artifacts(run_id, str(kept))
    client.set_tag(run_id, KEPT, mark)


def _save_model(bundle: Any, version: Mapping[str, Any], folder: Path) -> None:
    """Write the model as MLflow knows it: loader, bundle, signature, example, requirements."""
    from importlib.metadata import version as installed

    import numpy as np
    from mlflow import pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

    from models.served import LOADER, example_pictures, output_columns, write_served

    columns = output_columns(bundle.scale)
    pyfunc.save_model(
        folder / MODEL,
        loader_module=LOADER.stem,
        data_path=str(write_served(bundle, folder / "amgs")),
        code_paths=[str(LOADER)],
        pip_requirements=[f"{name}=={installed(name)}" for name in NEEDS],
        signature=ModelSignature(
            inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1, -1))]),
            outputs=Schema([ColSpec(kind, name) for name, kind in columns]),
            params=ParamSchema([ParamSpec("crops", DataType.boolean, False)]),
        ),
        input_example=example_pictures(),
        metadata=dict(version["tags"]),
    )


def _registered(client: Any, name: str, run: Any, version: Mapping[str, Any]) -> str:
    """Return the number of the registered version made from this run, made if there is none."""
    from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository

    run_id = run.info.run_id
    found = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    if found:
        number = str(found[0].version)
    else:
        source = RunsArtifactRepository.get_underlying_uri(
            f"runs:/{run_id}/{MODEL}", client.tracking_uri
        )
        made = client.create_model_version(
            name, source, run_id, tags=dict(version["tags"]), description=version["card"][:4000]
        )
        number = str(made.version)
    client.set_model_version_tag(name, number, "amgs.state", version["state"])
    return number


def _set_aliases(client: Any, name: str, wanted: Mapping[str, str | None]) -> None:
    """Point every alias at the version it belongs to; take it away where it belongs to none."""
    present = client.get_registered_model(name).aliases
    for alias, public_id in wanted.items():
        found = (
            client.search_model_versions(f"name = '{name}' and tags.`amgs.id` = '{public_id}'")
            if public_id
            else []
        )
        if found:
            if str(present.get(alias)) != str(found[0].version):
                client.set_registered_model_alias(name, alias, str(found[0].version))
        elif alias in present:
            client.delete_registered_model_alias(name, alias)


def carry_out(order: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Tell MLflow about the versions of an order; return run id and number by our public id."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    artifacts = _prepare_embedded(order)
    uri = order["tracking_uri"]
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    name = order["model_name"]
    experiment = _experiment(client, name, artifacts)
    try:
        client.create_registered_model(name, description="Graded by aMGS; one version serves.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    told = {}
    for version in order["versions"]:
        run = _run(client, experiment, version)
        _log_figures(client, run, version)
        _keep_artifacts(client, run, version)
        if run.info.status == "RUNNING":
            client.set_terminated(run.info.run_id, "FINISHED")
        number = _registered(client, name, run, version)
        told[version["id"]] = {"run_id": run.info.run_id, "version": number}
    _set_aliases(client, name, order["aliases"])
    return told


def main() -> None:
    """Read one order from standard input, carry it out, print the answer as the last line."""
    order = json.load(sys.stdin)
    print(json.dumps(carry_out(order)))


if __name__ == "__main__":
    main()
