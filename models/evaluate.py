"""Judging a bundle, or the constant baseline, on a split of a manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.bundle import Bundle, load_bundle
from models.context import Context
from models.data.crops import CropStore
from models.events import Emit, Progress, Refused, silent
from models.faces import VIEWS, FaceFinder, in_crop
from models.figures import ablation_figures, compute_report, judged, judged_rows
from models.finishing import finish_bundle
from models.grader import Grader
from models.looker import Looker
from models.manifest import Manifest, digest_of
from models.predictions import constants, grade_by_constant, grade_frames, with_truth
from models.report import write_report
from models.sequences import Sequence, look_round

CONSTANT = "constant"
FRONTAL = "frontal"
LOOKING = "Looking at the recordings."


def evaluate(
    bundle: str | Path,
    manifest: Manifest,
    media: Path,
    out: Path,
    *,
    split: str = "benchmark",
    threads: int = 2,
    emit: Emit = silent,
    without_context: bool = False,
    without_explanation: bool = False,
    training: Manifest | None = None,
    cache: Path | None = None,
    finish: Path | None = None,
) -> dict[str, Any]:
    """Judge a bundle (or `constant`) on a split and write report.json, report.html, predictions.

    `training` is the manifest from whose training frames the constant answer is drawn, where
    `manifest` has none. `cache` keeps crops. `without_context` judges the answers of the frame
    network alone; the report then also holds what context changes (`ablation`, see
    `models.figures.ablation`). `without_explanation` leaves out what its explanations are worth,
    which takes longer than the rest. `finish` is a folder for the finished bundle: what training
    left, with this report.

    Returns the report. Raises Refused, BundleError or Unreadable.
    """
    progress = Progress(emit, {"looking": 6, "grading": 2, "report": 2})
    frames = benchmark_frames(manifest, split)
    learnt = (training or manifest).part("train")
    if learnt.empty:
        raise Refused(
            "The manifest has no training frames to draw the constant answer from; name the one "
            "that the model learned from (--training)."
        )
    loaded = None if str(bundle) == CONSTANT else load_bundle(bundle, judged=False)
    told: dict[str, Any] = {"config": CONSTANT, "shuffled_labels": False}
    ablation = None
    progress.enter("looking", f"Looking at {len(frames)} frames.")
    if loaded is None:
        graded = grade_by_constant(frames, learnt, manifest.scale)
        title, draws, sets, explanation = "The constant baseline", 400, None, None
    else:
        _same_scale(loaded, manifest)
        told = loaded.training
        sequences = look_round(
            frames, media, Looker.of(loaded), threads, lambda part: progress.tell(part, LOOKING)
        )
        progress.enter("grading", "Grading the faces.")
        graded, framewise = _graded(loaded, frames, sequences, threads, without_context)
        frontal = _frontal(sequences, len(frames))
        title = f"Run {loaded.config.name}" if finish else f"Bundle {loaded.digest[:12]}"
        if framewise is not None:
            ablation = ablation_figures(judged(graded), judged(framewise), loaded.scale)
            graded, title = framewise, f"{title} without context"
        draws, sets = loaded.config.evaluation.draws, loaded.calibration.get("sets")
        explanation = None
        if not without_explanation:
            crops = cache or out / "cache"
            explanation = _explanation(loaded, frames, graded, frontal, media, crops)
    progress.enter("report", "Computing the figures.")
    report = compute_report(
        judged(graded),
        constants(with_truth(learnt, manifest.scale), manifest.scale),
        manifest.scale,
        split=split,
        benchmark_digest=digest_of(frames),
        training=told,
        draws=draws,
        sets=sets,
        explanation=explanation,
    )
    if without_context:
        report |= {"context": False, "ablation": ablation}
    save_evaluation(out, graded, report, title, manifest)
    if finish is not None and loaded is not None:
        finish_bundle(loaded, frames, report, out / "report.html", finish)
    progress.tell(1.0, "Report written.")
    progress.leave()
    return report


def benchmark_frames(manifest: Manifest, split: str) -> pd.DataFrame:
    """The frames of a split; raises Refused where there are none."""
    frames = manifest.part(split)
    if frames.empty:
        raise Refused(
            f"The manifest has no frames in the split {split}; freeze a snapshot that has some."
        )
    return frames


def save_evaluation(
    out: Path, graded: pd.DataFrame, report: dict[str, Any], title: str, manifest: Manifest
) -> None:
    """Write predictions.parquet, report.json and report.html into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    rows = judged(graded)
    rows.to_parquet(out / "predictions.parquet", index=False)
    text = json.dumps(report, indent=1, ensure_ascii=False)
    (out / "report.json").write_text(text, encoding="utf-8")
    write_report(out / "report.html", report, rows, manifest.scale, title)


def _same_scale(bundle: Bundle, manifest: Manifest) -> None:
    ours = (bundle.scale.name, bundle.scale.unit_keys)
    theirs = (manifest.scale.name, manifest.scale.unit_keys)
    if ours != theirs:
        raise Refused("The bundle and the manifest use different scales and cannot be compared.")


def _graded(
    bundle: Bundle,
    frames: pd.DataFrame,
    sequences: list[Sequence],
    threads: int,
    without_context: bool,
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The frames graded with context and, where that is asked for, without."""
    context = Context(bundle.path / "temporal.onnx", threads)
    grader = Grader.of(bundle)
    graded = grade_frames(frames, sequences, grader, context)
    return graded, grade_frames(frames, sequences, grader, None) if without_context else None


def _frontal(sequences: list[Sequence], n: int) -> NDArray[np.bool_]:
    """Which of n frames show a face from the front (n,)."""
    found = np.zeros(n, np.bool_)
    for sequence in sequences:
        if not sequence.empty:
            seen, rows = sequence.labelled()
            found[rows] = [face.view == FRONTAL for face in seen.faces]
    return found


def _explanation(
    bundle: Bundle,
    frames: pd.DataFrame,
    graded: pd.DataFrame,
    frontal: NDArray[np.bool_],
    media: Path,
    cache: Path,
) -> dict[str, Any] | None:
    """The faithfulness of explanations on a few frames; the crops of these alone are cut."""
    most = bundle.config.evaluation.explained
    if most == 0:
        return None
    # Only now: torch takes seconds to import, and nothing else here needs it.
    from models.explain import explain_evaluation, spread_over_animals
    from models.zoo import trained_frame_net

    finder = FaceFinder(
        bundle.path / "finder.onnx", bundle.config.finder.long_side, bundle.scale.landmarks
    )
    store = CropStore(cache, finder, bundle.info["finder_digest"], bundle.crop)
    share = judged_rows(graded)
    share = share[
        spread_over_animals(graded.iloc[share].reset_index(drop=True), most, frontal[share])
    ]
    if not len(share):
        return None
    records = store.gather(frames.iloc[share], media)
    return explain_evaluation(
        trained_frame_net(bundle),
        graded.iloc[share].reset_index(drop=True),
        records["crop"],
        bundle.scale,
        bundle.crop,
        most,
        records["view"] == VIEWS.index(FRONTAL),
        in_crop(records["landmarks"], records["box"], bundle.crop),
    )
