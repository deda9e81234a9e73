"""Measure a new bundle against the incumbent on the same benchmark, and let the gates judge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from amgs.core.jobs import Context
from amgs.registry.bundles import bundle_folder
from amgs.registry.models import ModelVersion
from amgs.training.child import ChildFailed, run_child
from amgs.training.diary import Diary


@dataclass(frozen=True)
class Measurement:
    """What the gates were shown and what they said."""

    report: dict[str, Any]
    comparison: dict[str, Any]
    verdicts: tuple[dict[str, Any], ...]
    refused_by: tuple[str, ...]


def measure(
    context: Context,
    diary: Diary,
    *,
    trained: Path,
    bundle: Path,
    evaluation: Path,
    champion: ModelVersion | None,
    manifest: Path,
    training: Path,
    media: Path,
    folder: Path,
    thresholds: Mapping[str, Any],
) -> Measurement:
    """Evaluate challenger and incumbent on the same benchmark, and judge.

    ``trained`` is what training left; with its report it becomes the bundle in ``bundle``.
    ``evaluation`` is a folder for report and predictions of the challenger, ``manifest`` the
    benchmark with its ``media``, ``training`` what the challenger learned from.
    Where nothing serves (``champion`` is ``None``) the incumbent is the constant baseline, whose
    errors are in every report. The thresholds are those the run was started with.
    """
    from curation.gates import Evidence, judge, refused_by
    from models.bundle import load_bundle

    log = folder / "measure.log"

    def evaluate(which: Path, out: Path, *more: str) -> dict[str, Any]:
        arguments = ["evaluate", "--bundle", str(which), "--manifest", str(manifest)]
        arguments += ["--training", str(training), "--media", str(media), "--out", str(out)]
        arguments += ["--split", "benchmark", "--cache", str(cache()), *more]
        run_child(context, arguments, log, diary.hear, watch=True)
        return _read(out / "report.json")

    diary.stage(0.65, 0.80, "judging it on the benchmark")
    report = evaluate(trained, evaluation, "--finish", str(bundle))
    incumbent: dict[str, Any] | None = None
    comparison: dict[str, Any] = {}
    if champion is not None:
        named = champion.identifier
        diary.stage(0.80, 0.94, f"measuring {named} on the same benchmark")
        incumbent_out = folder / "incumbent"
        # How faithful its explanations are was measured when it was a challenger.
        incumbent = evaluate(bundle_folder(champion), incumbent_out, "--without-explanation")
        diary.stage(0.94, 0.97, f"comparing with {named}, animal by animal")
        compared = folder / "compare.json"
        arguments = ["compare", "--challenger", str(evaluation)]
        arguments += ["--champion", str(incumbent_out), "--out", str(compared)]
        run_child(context, arguments, log, diary.hear)
        comparison = _read(compared)

    diary.stage(0.97, 0.98, "the gates judge")
    loaded = load_bundle(bundle)
    evidence = Evidence(
        report=report,
        champion=incumbent,
        comparison=comparison or None,
        bundle_info={**loaded.info, "digest": loaded.digest},
        production=settings.PRODUCTION,
    )
    verdicts = judge(evidence, _profile(thresholds))
    return Measurement(
        report=report,
        comparison=comparison,
        verdicts=tuple(verdict.to_json() for verdict in verdicts),
        refused_by=tuple(refused_by(verdicts)),
    )


def _profile(thresholds: Mapping[str, Any]) -> Any:
    """Return the gate profile as it was kept in the run's row (JSON knows no tuples)."""
    from curation.gates import Profile

    return Profile(**{key: tuple(v) if isinstance(v, list) else v for key, v in thresholds.items()})


def cache() -> Path:
    """Return the folder of crops, kept by content across runs."""
    folder = Path(settings.VAR) / "cache" / "crops"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ChildFailed(f"the evaluation wrote no {path.name}")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
