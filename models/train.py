"""A training run: from a manifest to a sealed, evaluated bundle, able to die and resume anywhere.

Everything lies in one folder: `run.json` says which run it is, `checkpoints/` where it stands, and
`bundle/` appears in one step when it is done. A rerun with the same folder goes on where it was.
"""

from __future__ import annotations

import os
import random
import shutil
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from models import config as configs
from models.bundle import Bundle, load_bundle, seal
from models.calibration import fit_calibration
from models.config import RunConfig
from models.data.crops import CropStore
from models.data.labels import shuffled, targets_of
from models.data.stream import CropModule, Labelled
from models.evaluate import benchmark_frames, save_evaluation
from models.events import Emit, Progress, Refused, silent
from models.faces import FaceFinder, cut, session
from models.figures import compute_report, judged
from models.grader import Grader, unknown_state
from models.manifest import digest_of, target_columns, targets
from models.module import FrameModule, state_rarity
from models.nets.export import frame_graph, load_matching, save_weights
from models.nets.finder_fit import FittedFinder, cached_finder
from models.nets.fitting import fit
from models.predictions import constants, grade_frames, with_truth
from models.report import model_card
from models.runs import Run, write_json
from models.scale import HERE as SCALES
from models.scale import Scale

STAGES = {"finder": 8.0, "crops": 6.0, "fit": 14.0, "calibration": 1.0, "evaluation": 4.0}
FEWEST_FRAMES = 16
MOST_REFERENCE = 600


def train(run: Run, emit: Emit = silent) -> Bundle:
    """Train, calibrate, evaluate and seal a bundle in `out/bundle`.

    Equal inputs on one number of threads give equal weights; a run that was killed goes on from its
    last checkpoint with the result of an undisturbed one. Raises Refused, ConfigError or
    Unreadable.
    """
    config, out = run.config, run.out
    if run.finished():
        return load_bundle(out / "bundle")
    _settle(config)
    progress = Progress(emit, STAGES)
    scale = run.manifest.scale
    parts = _parts(run)
    progress.enter("finder", "Preparing the face finder.")
    finder = cached_finder(
        config.finder,
        scale,
        run.cache,
        config.workers,
        lambda part: progress.tell(part, "Teaching the face finder on rendered faces."),
    )
    progress.enter("crops", "Finding the faces of the labelled frames.")
    records = _gather(run, finder, parts, progress)
    usable = {name: _usable(parts[name], records[name], config) for name in parts}
    labelled = {name: _labelled(*usable[name], scale) for name in ("train", "validation")}
    if len(labelled["train"]) < FEWEST_FRAMES:
        raise Refused(
            f"Faces were found in only {len(labelled['train'])} training frames; add recordings "
            "in which the face is large enough and seen from the front."
        )
    progress.enter("fit", f"Training on {len(labelled['train'])} frames.")
    module, epochs = _fit(run, labelled, _strangers(run, finder), progress, emit)
    progress.enter("calibration", "Calibrating on frames it has not seen.")
    graph = frame_graph(module.net, config.crop.size)
    calibration = _calibrate(config, scale, graph, usable)
    progress.enter("evaluation", "Evaluating on the benchmark.")
    training = {
        "config": config.name,
        "seed": config.seed,
        "epochs": epochs,
        "n_train": len(labelled["train"]),
        "shuffled_labels": run.shuffle_labels,
        "finder_loss": finder.loss,
    }
    unfinished = out / f".bundle.{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    info = _info(run, finder, calibration, labelled["train"])
    (unfinished / "finder.onnx").write_bytes(finder.graph)
    (unfinished / "frame.onnx").write_bytes(graph)
    save_weights(unfinished / "weights.safetensors", finder=finder.net, frame=module.net)
    (unfinished / "config.yaml").write_text(configs.to_yaml(config), encoding="utf-8")
    shutil.copyfile(SCALES / f"{scale.name}.toml", unfinished / "scale.toml")
    write_json(unfinished / "calibration.json", calibration)
    write_json(unfinished / "bundle.json", info)
    report = _evaluate(
        run, Grader(graph, calibration, scale, config.crop, info["states"], config.threads),
        records["benchmark"], training, progress, unfinished,
    )  # fmt: skip
    (unfinished / "card.md").write_text(
        model_card(info, report, scale, calibration), encoding="utf-8"
    )
    seal(unfinished)
    unfinished.replace(out / "bundle")
    progress.tell(1.0, "Done.")
    return load_bundle(out / "bundle")


def _settle(config: RunConfig) -> None:
    """Fix what results depend on: threads, deterministic algorithms, seeds."""
    cv2.setNumThreads(1)
    torch.set_num_threads(config.threads)
    torch.use_deterministic_algorithms(True)
    random.seed(config.seed)
    np.random.seed(config.seed)
    torch.manual_seed(config.seed)


def _parts(run: Run) -> dict[str, pd.DataFrame]:
    """The frames of each split a run reads; labels dealt anew where that was asked for."""
    learnt = run.manifest.part("train", "validation", "calibration")
    if run.shuffle_labels:
        columns = ["votes", *target_columns(run.manifest.scale)]
        learnt = shuffled(learnt, columns, run.config.seed)
    parts = {
        name: learnt[learnt["split"] == name].reset_index(drop=True)
        for name in ("train", "validation", "calibration")
    }
    parts["benchmark"] = benchmark_frames(run.manifest, "benchmark")
    if len(parts["train"]) < FEWEST_FRAMES:
        raise Refused(
            f"The manifest has only {len(parts['train'])} training frames; at least "
            f"{FEWEST_FRAMES} are needed."
        )
    return parts


def _gather(
    run: Run, finder: FittedFinder, parts: dict[str, pd.DataFrame], progress: Progress
) -> dict[str, NDArray[Any]]:
    faces = FaceFinder(
        finder.graph, run.config.finder.long_side, run.manifest.scale.landmarks, threads=1
    )
    store = CropStore(run.cache, faces, finder.digest, run.config.crop)
    everything = pd.concat(list(parts.values()), ignore_index=True)
    records = store.gather(
        everything,
        run.media,
        run.config.workers,
        lambda part: progress.tell(part, "Finding the faces of the labelled frames."),
    )
    ends = np.cumsum([len(rows) for rows in parts.values()])[:-1]
    return dict(zip(parts, np.split(records, ends), strict=True))


def _strangers(run: Run, finder: FittedFinder) -> NDArray[np.uint8]:
    """Crops of what is no gradable face: where the finder would look, and somewhere else."""
    crop, rng = run.config.crop, np.random.default_rng(run.config.finder.seed)
    faces = FaceFinder(
        finder.graph, run.config.finder.long_side, run.manifest.scale.landmarks, threads=1
    )
    crops = []
    for picture in finder.strangers:
        height, width = picture.shape
        side = rng.uniform(0.25, 0.9) * height
        x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
        crops.append(cut(picture, faces.find([picture])[0].box, crop))
        crops.append(cut(picture, (x, y, x + side, y + side), crop))
    return np.stack(crops)


def _usable(
    frames: pd.DataFrame, records: NDArray[Any], config: RunConfig
) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Frames and records in which a face that may be graded was found."""
    box = records["box"]
    side = np.minimum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
    keep = records["found"] & (records["confidence"] >= config.crop.minimum_confidence)
    keep &= side >= config.crop.minimum_face
    return frames[keep].reset_index(drop=True), records[keep]


def _labelled(frames: pd.DataFrame, records: NDArray[Any], scale: Scale) -> Labelled:
    known = targets_of(frames, scale)
    crops = np.ascontiguousarray(records["crop"])
    return Labelled(crops, known.above, known.scorable, known.states)


def _fit(
    run: Run,
    labelled: dict[str, Labelled],
    strange: NDArray[np.uint8],
    progress: Progress,
    emit: Emit,
) -> tuple[FrameModule, int]:
    config, scale = run.config, run.manifest.scale
    data = CropModule(labelled["train"], labelled["validation"], strange, config.fit, config.seed)
    upper = np.nan_to_num(labelled["train"].above)
    reached = np.concatenate([np.ones_like(upper[..., :1]), upper[..., :-1]], axis=2)
    rated = np.isfinite(labelled["train"].above)
    share = (reached * rated).sum(0) / np.maximum(rated.sum(0), 1)
    torch.manual_seed(config.seed)
    module = FrameModule(
        config,
        scale,
        torch.from_numpy(share.astype(np.float32)),
        state_rarity(torch.from_numpy(labelled["train"].states)).float(),
        data.total_steps,
    )
    if run.warm_start is not None:
        load_matching(run.warm_start.path / "weights.safetensors", "frame", module.net)
    fit(module, data, run.out / "checkpoints", run.resume, progress, emit)
    return module, config.fit.epochs


def _calibrate(
    config: RunConfig,
    scale: Scale,
    graph: bytes,
    usable: dict[str, tuple[pd.DataFrame, NDArray[Any]]],
) -> dict[str, Any]:
    """Calibration on the graph that will be shipped."""
    frame = session(graph, config.threads)

    def outputs(records: NDArray[Any]) -> list[NDArray[np.float64]]:
        crops = np.ascontiguousarray(records["crop"]).astype(np.float32)[:, None] / np.float32(255)
        parts = [
            frame.run(None, {"crops": crops[start : start + 64]})
            for start in range(0, max(len(crops), 1), 64)
        ]
        return [np.concatenate(columns).astype(np.float64) for columns in zip(*parts, strict=True)]

    frames, records = usable["calibration"]
    logits, scorable_logits, _, familiar, embedding = outputs(records)
    learnt = usable["train"][1]
    some = np.linspace(0, len(learnt) - 1, min(len(learnt), MOST_REFERENCE)).astype(np.int64)
    *_, reference = outputs(learnt[some])
    known = targets_of(frames, scale)
    return fit_calibration(
        scale,
        logits,
        [targets(frames, unit.key, len(unit.grades))[0] for unit in scale.units],
        scorable_logits,
        known.scorable,
        embedding if len(embedding) else reference,
        familiar,
        reference,
        config.evaluation.alpha,
    )


def _info(
    run: Run, finder: FittedFinder, calibration: dict[str, Any], learnt: Labelled
) -> dict[str, Any]:
    """The content of bundle.json."""
    config, scale, manifest = run.config, run.manifest.scale, run.manifest
    ours = [
        {"name": name, "phantom": bool(rows["phantom"].any())}
        for name, rows in manifest.part("train").groupby("dataset")
    ]
    held = [
        {"name": name, "phantom": bool(rows["phantom"].any())}
        for name, rows in manifest.part("benchmark").groupby("dataset")
    ]
    fitted = [
        {"name": name, "phantom": bool(rows["phantom"].any())}
        for name, rows in manifest.part("calibration").groupby("dataset")
    ]
    heads = {"trained_on": ours, "judged_on": held}
    return {
        "format": 1,
        "version": _version(),
        "scale": scale.name,
        "scale_version": scale.version,
        "config": config.name,
        "parts": {
            "finder": {"trained_on": finder.trained_on, "judged_on": []},
            "units": heads,
            "scorable": heads,
            "states": heads,
            "calibration": {"trained_on": fitted, "judged_on": held},
        },
        "phantom": any(part["phantom"] for part in [*ours, *held, *fitted]) or not ours,
        "labs": sorted(set(manifest.part("train")["lab"])),
        "states": _states_told(learnt, scale),
        "inputs": {
            "crop_size": config.crop.size,
            "minimum_face": config.crop.minimum_face,
            "finder_long_side": config.finder.long_side,
            "channels": "luma",
            "normalisation": "0..1, then mean and deviation of each picture inside the graph",
        },
        "finder_digest": finder.digest,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "snapshot_digest": manifest.digest,
        "manifest": {key: manifest.header.get(key) for key in ("versions", "counts", "seed")},
        "config_digest": configs.digest(config),
        "warm_start": run.warm_start.digest if run.warm_start else None,
        "shuffled_labels": run.shuffle_labels,
        "calibrated_frames": calibration["out_of_distribution"]["n"],
    }


def _states_told(learnt: Labelled, scale: Scale) -> list[str]:
    """States that enough training frames show for the head to tell them; the unknown one always."""
    weight = learnt.states / np.maximum(learnt.states.sum(1, keepdims=True), 1)
    seen = weight.sum(0) >= min(5, max(1, len(learnt) // 50))
    told = {key for key, enough in zip(scale.state_keys, seen, strict=True) if enough}
    return [key for key in scale.state_keys if key in told | {unknown_state(scale).key}]


def _evaluate(
    run: Run,
    grader: Grader,
    records: NDArray[Any],
    training: dict[str, Any],
    progress: Progress,
    folder: Path,
) -> dict[str, Any]:
    manifest, scale = run.manifest, run.manifest.scale
    frames = benchmark_frames(manifest, "benchmark")
    graded = grade_frames(frames, records, grader, scale.landmarks)
    progress.tell(0.3, "Computing the figures.")
    spent = {**progress.seconds}
    report = compute_report(
        judged(graded),
        constants(with_truth(manifest.part("train"), scale), scale),
        scale,
        split="benchmark",
        benchmark_digest=digest_of(frames),
        training={**training, "seconds": round(sum(spent.values()), 1), "stages": spent},
        draws=run.config.evaluation.draws,
    )
    save_evaluation(run.out / "evaluation", graded, report, f"Run {run.config.name}", manifest)
    for name in ("report.json", "report.html"):
        shutil.copyfile(run.out / "evaluation" / name, folder / name)
    return report


def _version() -> str:
    try:
        return version("amgs")
    except PackageNotFoundError:
        return "2.0.0.dev0"
