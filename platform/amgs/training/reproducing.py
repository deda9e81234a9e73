"""Fetch all that a model version was made from, so that anybody can train it again and compare."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amgs.core.errors import Refused
from amgs.core.models import Decision
from amgs.registry.bundles import bundle_folder
from amgs.registry.models import ModelVersion
from amgs.repository.models import Version
from amgs.training.freeze import allows_training
from amgs.training.leaving import GONE
from amgs.training.media import bring_manifest, bring_media
from amgs.training.models import Run, Snapshot


@dataclass(frozen=True)
class Fetched:
    """A folder with bundle, manifests and media, and the arguments of ``python -m models``."""

    folder: Path
    arguments: tuple[str, ...]


def fetch(
    version: ModelVersion, folder: Path, tell: Callable[[str], None] = lambda _: None
) -> Fetched:
    """Fetch bundle, manifests and media of a version into a folder.

    Raises ``Refused``: "Not possible since …" where data were taken back or removed since.
    """
    run = Run.objects.filter(model_version=version).select_related("snapshot__benchmark").first()
    if run is None or run.snapshot is None:
        raise Refused(
            f"{version.identifier} was not trained on this site, so its snapshot is not here."
        )
    _refuse_gone(version, run.snapshot)
    folder.mkdir(parents=True, exist_ok=True)
    tell(f"fetching the bundle of {version.identifier}")
    arguments = [
        "reproduce",
        str(_copy(bundle_folder(version), folder / "bundle")),
        str(_copy(bring_manifest(run.snapshot.manifest), folder / "manifest.parquet")),
    ]
    tell("fetching the recordings")
    bring_media(folder / "manifest.parquet", folder / "media", lambda share, count: None)
    arguments += ["--media", str(folder / "media"), "--out", str(folder / "again")]
    if run.snapshot.benchmark is not None:
        judged_on = bring_manifest(run.snapshot.benchmark.manifest)
        bring_media(judged_on, folder / "media", lambda share, count: None)
        arguments += ["--benchmark", str(_copy(judged_on, folder / "benchmark.parquet"))]
    if began := run.options.get("began_with"):
        before = ModelVersion.objects.get(public_id=began)
        start = _copy(bundle_folder(before), folder / "began-with")
        arguments += ["--warm-start", str(start)]
    return Fetched(folder, tuple(arguments))


def _copy(source: Path, target: Path) -> Path:
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    return target


def _refuse_gone(version: ModelVersion, snapshot: Snapshot) -> None:
    held = snapshot.versions.select_related("dataset").order_by("pk")
    for row in held:
        if row.state in GONE or not allows_training(row):
            raise Refused(
                f"Not possible since {_how(row)}; {version.identifier} learned from it, or was "
                "judged on it, and it may not be used again."
            )


def _how(row: Version) -> str:
    """Say when and why a version left."""
    last = (
        Decision.objects.filter(subject=row.public_id, to_state__in=GONE)
        .order_by("-number")
        .first()
    )
    if last is None:
        return f"the permission to train on {row.identifier} was taken back"
    left = "was withdrawn" if last.action == "withdraw" else "was retracted"
    why = f": {last.why.rstrip('.')}" if last.why else ""
    return f"{row.identifier} {left} on {last.at:%d %B %Y}{why}"
