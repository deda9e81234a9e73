"""Measure a new bundle against the incumbent on the same benchmark, and let the gates judge."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from amgs.core.jobs import Context
from amgs.registry.bundles import bundle_folder
from amgs.registry.models import ModelVersion
from amgs.training.child import Child, ChildFailed, run_child
from amgs.training.diary import Diary

SHOWN = 6
"""Published recordings that both models score, to say what would change for users."""
BESIDE = ("benchmark_digest", "image_score", "units", "observation", "risk_coverage", "sleep")
"""Parts of the champion's report on this benchmark that are kept, to be put beside."""


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

    def evaluation_of(which: Path, out: Path, name: str, *more: str) -> Child:
        arguments = ["evaluate", "--bundle", str(which), "--manifest", str(manifest)]
        arguments += ["--training", str(training), "--media", str(media), "--out", str(out)]
        arguments += ["--split", "benchmark", "--cache", str(cache()), *more]
        return Child(arguments, folder / f"{name}.log", watch=True)

    incumbent: dict[str, Any] | None = None
    comparison: dict[str, Any] = {}
    incumbent_out = folder / "incumbent"
    with contextlib.ExitStack() as stack:
        diary.stage(0.65, 0.80, "judging it on the benchmark")
        beside = None
        if champion is not None:
            # Beside the challenger, for they need nothing of each other. How faithful its
            # explanations are was measured when it was a challenger.
            which = bundle_folder(champion)
            beside = evaluation_of(which, incumbent_out, "incumbent", "--without-explanation")
            stack.enter_context(beside)
        finish = ("--finish", str(bundle))
        with evaluation_of(trained, evaluation, "evaluate", *finish) as child:
            child.finish(context, diary.hear)
        report = _read(evaluation / "report.json")
        if beside is not None and champion is not None:
            diary.stage(0.80, 0.94, f"measuring {champion.identifier} on the same benchmark")
            beside.finish(context, diary.hear)
            incumbent = _read(incumbent_out / "report.json")
    if champion is not None:
        named = champion.identifier
        diary.stage(0.94, 0.97, f"comparing with {named}, animal by animal")
        compared = folder / "compare.json"
        arguments = ["compare", "--challenger", str(evaluation)]
        arguments += ["--champion", str(incumbent_out), "--out", str(compared)]
        run_child(context, arguments, log, diary.hear)
        comparison = _read(compared)
        diary.stage(0.97, 0.98, f"scoring published recordings with it and with {named}")
        changed = folder / "replace.json"
        arguments = ["replace", "--challenger", str(bundle), "--out", str(changed)]
        arguments += ["--champion", str(bundle_folder(champion)), "--recordings"]
        arguments += [str(path) for path in shown_recordings()]
        run_child(context, arguments, log, diary.hear, watch=False)
        comparison["replacement"] = _read(changed)
        comparison["champion"] = {key: incumbent.get(key) for key in BESIDE}

    diary.stage(0.98, 0.98, "the gates judge")
    loaded = load_bundle(bundle)
    evidence = Evidence(
        report=report,
        champion=incumbent,
        comparison=comparison or None,
        bundle_info={**loaded.info, "digest": loaded.digest},
        production=settings.PRODUCTION,
        replacement=comparison.get("replacement"),
        left_out=loaded.report.get("left_out"),
    )
    verdicts = judge(evidence, _profile(thresholds))
    return Measurement(
        report=report,
        comparison=comparison,
        verdicts=tuple(verdict.to_json() for verdict in verdicts),
        refused_by=tuple(refused_by(verdicts)),
    )


def _profile(thresholds: Mapping[str, Any]) -> Any:
    """Return the gate profile as it was kept in the run's row (JSON knows no tuples).

    A threshold that did not exist when the run was asked for has the value of today.
    """
    from curation.gates import PROFILES, Profile

    today = PROFILES.get(str(thresholds.get("name")), PROFILES["standard"]).to_json()
    return Profile.from_json(today | dict(thresholds))


def shown_recordings(most: int = SHOWN) -> list[Path]:
    """Return local copies of published recordings whose owners allow display.

    The same ones for every challenger, as long as the same data are published: those whose
    SHA-256 come first.
    """
    from amgs.files.models import Blob
    from amgs.files.services import local_copy
    from amgs.repository.models import Permission, Version
    from curation.dataset_version import PUBLISHED

    allowed = Version.objects.filter(state=PUBLISHED, permissions__kind=Permission.Kind.SHOW_FRAMES)
    blobs = Blob.objects.filter(
        recordings__versions__in=allowed, recordings__status="ready", deleted_at=None
    )
    return [Path(local_copy(blob)) for blob in blobs.distinct().order_by("sha256")[:most]]


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
