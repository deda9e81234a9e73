"""Run one tool on one upload."""

from __future__ import annotations

import tempfile
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings

from amgs.core.errors import Refused
from amgs.core.jobs import Context, Finish, job
from amgs.files.models import Blob, Upload
from amgs.files.services import local_copy, on_blob
from amgs.files.storage import get_storage
from amgs.registry.models import ModelVersion
from amgs.scoring import tools
from amgs.scoring.engine import scorer_of
from amgs.scoring.models import ToolRun
from amgs.scoring.services import grading_model

log = structlog.get_logger(__name__)
_lock = threading.Lock()
_shipped: Any = None


@on_blob(tools.PURPOSE, open_to_all=True)
def file_for_a_tool_arrived(upload: Upload, blob: Blob) -> None:
    """Begin the runs that were asked for while their upload was being checked."""
    for run in ToolRun.objects.filter(upload=upload, job=None).exclude(tool=tools.SCORE):
        run.blob = blob
        tools.begin(run)


@job(queue="score", limit=timedelta(minutes=5))
def run_tool(context: Context, run: str) -> Finish:
    """Run an installed tool on a file and store what it wrote."""
    from models.bundle import BundleError
    from models.events import Refused as NoResult
    from models.tools import ToolBroke, ToolContext
    from models.tools import run_tool as run_one

    row = ToolRun.objects.select_related("blob").get(public_id=run)
    if row.blob is None:
        raise Refused("The file of this run is not there any more; upload it again.")
    tool = tools.find(row.tool)
    version = grading_model() if tool.gives_grades else None
    context.progress(0.01, "fetching the file")
    path = local_copy(row.blob)
    scorer = partial(scorer_of, version) if version is not None else _shipped_scorer
    with tempfile.TemporaryDirectory() as folder:
        asked = ToolContext(
            Path(folder),
            load=lambda: scorer().bundle,
            scorer=scorer,
            on_progress=lambda share, note: context.progress(0.02 + 0.93 * share, note),
            name=row.name,
            sha256=row.blob.sha256,
            origin=_origin(version),
        )
        try:
            result = run_one(tool, path, row.parameters, asked)
        except ToolBroke as broke:
            log.exception("a tool broke", tool=row.tool, run=row.public_id)
            raise Refused(broke.sentence) from broke
        except (NoResult, BundleError) as refusal:
            raise Refused(str(refusal)) from refusal
        outputs = _store(context, Path(folder), result.files)
        whole = _provenance(Path(folder))

    def apply() -> None:
        ToolRun.objects.filter(pk=row.pk).update(
            model_version=version, result=result.to_json(), outputs=outputs, provenance=whole
        )

    return Finish(result={"outcome": result.outcome}, apply=apply)


def _shipped_scorer() -> Any:
    """Return finder and eye reader of the bundle that comes with the program, opened once."""
    global _shipped
    from models.bundle import default_bundle
    from models.scorer import Scorer

    with _lock:
        if _shipped is None:
            _shipped = Scorer(default_bundle(), threads=1)
        return _shipped


def _origin(version: ModelVersion | None) -> dict[str, Any]:
    """Return what a result names beside the tool: the site's kind and the version that graded."""
    told: dict[str, Any] = {"production": settings.PRODUCTION}
    if version is not None:
        told |= {"model": version.identifier, "model_id": version.public_id}
    return told


def _provenance(folder: Path) -> dict[str, Any]:
    """Return the provenance as the result's own file tells it, so that page and file agree."""
    import json

    from models.tools.running import RESULT

    told: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    return told["provenance"]


def _store(context: Context, folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Put the files under this attempt's keys; return the keys by name."""
    storage, outputs = get_storage(), {}
    for name in names:
        outputs[name] = context.key(name)
        path = folder / name
        with path.open("rb") as stream:
            storage.put(outputs[name], stream, path.stat().st_size)
    return outputs
