"""What MLflow shall know of our model versions, and the child process that tells it.

MLflow is loaded in a process of its own that ends when it has told: a worker that kept it would
hold some 200 MiB for a few seconds of work a day.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db.models import F, Q

from amgs.files.storage import Missing
from amgs.registry import queries
from amgs.registry.bundles import bundle_folder
from amgs.registry.models import ModelVersion

log = structlog.get_logger(__name__)

SECONDS = 540.0


class Unreachable(Exception):
    """MLflow could not be told; the message is its own last line."""


def waiting(species: str = "mouse") -> list[ModelVersion]:
    """Return the versions whose present state MLflow was not told, oldest first."""
    behind = ~Q(mirrored_state=F("state")) | Q(mlflow_version="")
    return list(ModelVersion.objects.filter(behind, species=species).order_by("pk"))


def tell(versions: Sequence[ModelVersion], species: str = "mouse") -> list[str]:
    """Tell MLflow about these versions and who is champion and challenger.

    Returns the identifiers of those it was told about: all whose bundle is to be had.

    What was told is kept in the rows, by the state they had when asked: a state that changed
    meanwhile is told again. Raises ``Unreachable``.
    """
    from models.bundle import BundleError

    orders, ready = [], []
    for row in versions:
        try:
            orders.append(_version(row))
        except (Missing, BundleError) as problem:
            # One bundle that is gone must not keep the others, and the aliases, from MLflow.
            log.error("no bundle to mirror", version=row.identifier, error=str(problem))
        else:
            ready.append(row)
    if not ready:
        return []
    champion, challenger = queries.serving(species), queries.challenger(species)
    order = {
        "tracking_uri": settings.MLFLOW_TRACKING_URI,
        "artifact_root": settings.MLFLOW_ARTIFACT_ROOT,
        "model_name": settings.MLFLOW_MODEL_NAME,
        "versions": orders,
        "aliases": {
            "champion": champion.public_id if champion else None,
            "challenger": challenger.public_id if challenger else None,
        },
    }
    told: dict[str, dict[str, str]] = _ask(order)
    for row in ready:
        said = told[row.public_id]
        ModelVersion.objects.filter(pk=row.pk).update(
            mlflow_run_id=said["run_id"],
            mlflow_version=said["version"],
            mirrored_state=row.state,
        )
    for alias, holder in (("champion", champion), ("challenger", challenger)):
        held = ModelVersion.objects.filter(species=species, mlflow_alias=alias)
        held.exclude(pk=holder.pk if holder else None).update(mlflow_alias="")
        if holder is not None:
            ModelVersion.objects.filter(pk=holder.pk).update(mlflow_alias=alias)
    return [row.identifier for row in ready]


def _version(row: ModelVersion) -> dict[str, Any]:
    training = row.report.get("training") or {}
    return {
        "id": row.public_id,
        "identifier": row.identifier,
        "state": row.state,
        "bundle": str(bundle_folder(row)),
        "card": row.card,
        "report": row.report,
        "comparison": row.comparison,
        "verdicts": row.verdicts,
        "started_ms": int(row.created_at.timestamp() * 1000),
        "params": {
            name: str(value)[:500]
            for name, value in {
                "snapshot": row.snapshot,
                "profile": row.profile,
                "negative_control": row.negative_control,
                "config": training.get("config"),
                "seed": training.get("seed"),
                "epochs": training.get("epochs"),
                "n_train": training.get("n_train"),
            }.items()
        },
        "tags": {
            "amgs.version": row.identifier,
            "amgs.id": row.public_id,
            "amgs.digest": row.digest,
            "amgs.run": row.run,
            "amgs.snapshot": row.snapshot,
            "amgs.phantom": str(row.phantom).lower(),
        },
        "curves": list(row.curves),
        "figures": dict(_figures(row.report)),
    }


def _figures(report: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the figures of a report that MLflow lists beside other runs."""
    for name, value in (report.get("image_score") or {}).items():
        if isinstance(value, (int, float)):
            yield f"benchmark.image_score.{name}", float(value)
    for unit, row in (report.get("units") or {}).items():
        for name in ("kappa", "rmse", "ece", "coverage"):
            if isinstance(row.get(name), (int, float)):
                yield f"benchmark.{unit}.{name}", float(row[name])


def _ask(order: dict[str, Any]) -> dict[str, dict[str, str]]:
    root = Path(settings.ROOT)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(root / "platform"), str(root)]),
        # A server that is down is asked again by the next beat, not for minutes by this process.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    try:
        child = subprocess.run(
            [sys.executable, "-m", "amgs.registry.mlflow"],
            input=json.dumps(order, default=str),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=environment,
            cwd=root,
        )
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"MLflow did not answer within {SECONDS:.0f} s") from error
    if child.returncode:
        lines = [line for line in child.stderr.splitlines() if line.strip()]
        raise Unreachable(lines[-1] if lines else f"exit code {child.returncode}")
    answer: dict[str, dict[str, str]] = json.loads(child.stdout.splitlines()[-1])
    return answer
