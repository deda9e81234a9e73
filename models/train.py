"""A training run: from a manifest to a bundle that waits to be judged, able to die and resume.

Everything lies in one folder: `run.json` says which run it is, `checkpoints/` where it stands, and
`trained/` appears in one step when it is done. A rerun with the same folder goes on where it was.
The benchmark is not in the manifest: `models.evaluate` judges what comes out and finishes it.
"""

from __future__ import annotations

import os
import random
import shutil
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from models import config as configs
from models import zoo
from models.bundle import FROM_TRAINING, Bundle, load_bundle, seal
from models.calibration import fit_calibration
from models.config import CropConfig, RunConfig
from models.context import Context
from models.data.crops import CropStore
from models.data.labels import shuffled, targets_of
from models.data.stream import CropModule, Labelled
from models.evaluate import LOOKING
from models.events import Emit, Progress, Refused, silent
from models.eyes import EyeReader
from models.faces import VIEWS, FaceFinder, cut, in_crop
from models.grader import state_probabilities, told_states
from models.looker import Looker
from models.manifest import target_columns, targets
from models.module import FrameModule, state_rarity
from models.nets.export import frame_graph, load_matching, save_weights, temporal_graph
from models.nets.eyes_fit import FittedEyes, cached_eyes
from models.nets.finder_fit import FittedFinder, cached_finder
from models.nets.fitting import fit
from models.nets.pretrained import take_weights
from models.nets.temporal import TemporalNet
from models.nets.temporal_fit import clips, fit_temporal
from models.provenance import bundle_info, made, states_told
from models.ranks import forget_gathered, tell_gathered, wait_until_gathered
from models.regions import region_masks
from models.runs import TRAINED, Run, write_json
from models.scale import HERE as SCALES
from models.scale import Scale
from models.sequences import Sequence, answered, look_round

STAGES = {
    "finder": 8.0,
    "crops": 6.0,
    "fit": 14.0,
    "looking": 8.0,
    "context": 3.0,
    "calibration": 0.5,
}
FEWEST_FRAMES = 16
MOST_REFERENCE = 600


def train(run: Run, emit: Emit = silent) -> Bundle | None:
    """Train, calibrate and seal what `out/trained` holds: a bundle but for its report.

    Equal inputs on one number of threads give equal weights; a run that was killed goes on from its
    last checkpoint with the result of an undisturbed one. None in a process that only shares the
    steps of the fit. Raises Refused, ConfigError or Unreadable.
    """
    config, out = run.config, run.out
    if run.finished():
        return load_bundle(out / TRAINED, judged=False)
    _settle(config)
    if run.rank:
        wait_until_gathered(out)
    else:
        forget_gathered(out)
    progress = Progress(emit, STAGES)
    emit({"event": "made", **made()})
    scale = run.manifest.scale
    parts = _parts(run)
    progress.enter("finder", "Preparing the face finder.")
    finder = cached_finder(
        config.finder,
        scale,
        run.cache,
        config.workers,
        lambda part: progress.tell(0.7 * part, "Teaching the face finder on rendered faces."),
    )
    eyes = cached_eyes(
        config.eyes,
        scale,
        run.cache,
        config.workers,
        lambda part: progress.tell(0.7 + 0.3 * part, "Teaching the eye reader."),
    )
    progress.enter("crops", "Finding the faces of the labelled frames.")
    records = _gather(run, finder, parts, progress)
    usable = {name: _usable(parts[name], records[name], config) for name in parts}
    labelled = {
        name: _labelled(*usable[name], scale, config.crop) for name in ("train", "validation")
    }
    if len(labelled["train"]) < FEWEST_FRAMES:
        raise Refused(
            f"Faces were found in only {len(labelled['train'])} training frames; add recordings "
            "in which the face is large enough and seen from the front."
        )
    if run.rank == 0:
        tell_gathered(out)
    progress.enter("fit", f"Training on {len(labelled['train'])} frames.")
    module, epochs = _fit(run, labelled, _strangers(run, finder), progress, emit)
    if run.rank:
        return None
    graph = frame_graph(module.net, config.crop.size)
    progress.enter("looking", LOOKING)
    sequences = _look(run, finder, eyes, graph, parts, progress)
    progress.enter("context", "Learning from the seconds round the frames.")
    temporal, learned = _fit_temporal(run, module, parts, sequences, progress)
    context_graph = temporal_graph(temporal)
    context = Context(context_graph, config.threads)
    progress.enter("calibration", "Calibrating on frames it has not seen.")
    told = states_told(labelled["train"].states, scale)
    calibration = _calibrate(run, parts, sequences, context, told_states(scale, told))
    progress.tell(1.0, "Trained; it waits to be judged.")
    progress.leave()
    training = {
        "config": config.name,
        "seed": config.seed,
        "epochs": epochs,
        "n_train": len(labelled["train"]),
        "shuffled_labels": run.shuffle_labels,
        "finder_loss": finder.loss,
        "context_losses": learned["losses"],
        "context_epoch": learned["epoch"],
        "seconds": round(sum(progress.seconds.values()), 1),
        "stages": dict(progress.seconds),
    }
    unfinished = out / f".{TRAINED}.{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    info = bundle_info(
        run,
        {"digest": finder.digest, "trained_on": finder.trained_on},
        {"digest": eyes.digest, "trained_on": eyes.facts["trained_on"]},
        calibration,
        labelled["train"].states,
        training,
    )
    (unfinished / "finder.onnx").write_bytes(finder.graph)
    (unfinished / "eyes.onnx").write_bytes(eyes.graph)
    (unfinished / "frame.onnx").write_bytes(graph)
    (unfinished / "temporal.onnx").write_bytes(context_graph)
    save_weights(
        unfinished / "weights.safetensors",
        finder=finder.net,
        eyes=eyes.net,
        frame=module.net,
        temporal=temporal,
    )
    (unfinished / "config.yaml").write_text(configs.to_yaml(config), encoding="utf-8")
    shutil.copyfile(SCALES / f"{scale.name}.toml", unfinished / "scale.toml")
    write_json(unfinished / "calibration.json", calibration)
    write_json(unfinished / "bundle.json", info)
    seal(unfinished, FROM_TRAINING)
    unfinished.replace(out / TRAINED)
    return load_bundle(out / TRAINED, judged=False)


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


def _labelled(
    frames: pd.DataFrame, records: NDArray[Any], scale: Scale, crop: CropConfig
) -> Labelled:
    known = targets_of(frames, scale)
    crops = np.ascontiguousarray(records["crop"])
    # Boxes of regions fit faces seen from the front; light and fur should be the same.
    frontal = records["view"] == VIEWS.index("frontal")
    kinds = np.where(frontal, frames["lab"].astype(str) + "|" + frames["coat"].astype(str), "")
    places = in_crop(records["landmarks"], records["box"], crop)
    return Labelled(crops, known.above, known.scorable, known.states, kinds, places)


def _fit(
    run: Run,
    labelled: dict[str, Labelled],
    strange: NDArray[np.uint8],
    progress: Progress,
    emit: Emit,
) -> tuple[FrameModule, int]:
    config, scale = run.config, run.manifest.scale
    data = CropModule(
        labelled["train"],
        labelled["validation"],
        strange,
        config.fit,
        config.seed,
        region_masks(scale, config.crop),
        scale.mirror,
        config.workers,
    )
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
    if run.backbone is not None:
        take_weights(run.backbone, module.net.backbone)
    fit(module, data, run.out / "checkpoints", run.resume, progress, emit)
    return module, config.fit.epochs


def _look(
    run: Run,
    finder: FittedFinder,
    eyes: FittedEyes,
    graph: bytes,
    parts: dict[str, pd.DataFrame],
    progress: Progress,
) -> dict[str, list[Sequence]]:
    """What the frame graph says of the labelled frames and of the seconds round them."""
    faces = FaceFinder(
        finder.graph, run.config.finder.long_side, run.manifest.scale.landmarks, threads=1
    )
    looker = Looker(faces, EyeReader(eyes.graph), graph, run.config.crop)
    done, every = 0, sum(len(rows) for rows in parts.values())
    result = {}
    for name, rows in parts.items():
        share = len(rows) / max(every, 1)
        before = done / max(every, 1)
        result[name] = look_round(
            rows,
            run.media,
            looker,
            run.config.workers,
            lambda part, before=before, share=share: progress.tell(  # type: ignore[misc]
                before + part * share, LOOKING
            ),
        )
        done += len(rows)
    return result


def _fit_temporal(
    run: Run,
    module: FrameModule,
    parts: dict[str, pd.DataFrame],
    sequences: dict[str, list[Sequence]],
    progress: Progress,
) -> tuple[TemporalNet, dict[str, Any]]:
    config, scale = run.config, run.manifest.scale
    learnt, judged_on = (
        clips(sequences[name], targets_of(parts[name], scale)) for name in ("train", "validation")
    )
    embedding = module.net.features
    start = None
    if run.warm_start is not None:
        start = zoo.temporal_net(config.temporal, scale, embedding)
        if load_matching(run.warm_start.path / "weights.safetensors", "temporal", start):
            # Half of another network would be worse than beginning with none.
            start = None
    share: torch.Tensor = module.share  # type: ignore[assignment]
    rarity: torch.Tensor = module.rarity  # type: ignore[assignment]
    return fit_temporal(
        config.temporal,
        scale,
        embedding,
        learnt,
        judged_on,
        share,
        rarity,
        config.seed,
        start,
        lambda part: progress.tell(part, "Learning from the seconds round the frames."),
    )


def _calibrate(
    run: Run,
    parts: dict[str, pd.DataFrame],
    sequences: dict[str, list[Sequence]],
    context: Context,
    told: NDArray[np.bool_],
) -> dict[str, Any]:
    """Calibration on the answers of the graphs that will be shipped."""
    scale, frames = run.manifest.scale, parts["calibration"]
    said = answered(sequences["calibration"], context)
    if not len(said.rows):
        raise Refused(
            "No face that can be graded was found in the frames set aside for calibration; add "
            "recordings of more animals."
        )
    reference = answered(sequences["train"], None).embedding
    some = np.linspace(0, len(reference) - 1, min(len(reference), MOST_REFERENCE)).astype(np.int64)
    known = frames.iloc[said.rows]
    labels = targets_of(known, scale)
    graded = labels.states[:, [state.graded for state in scale.states]].any(1)
    likely = state_probabilities(said.states, told)
    return fit_calibration(
        scale,
        said.grades,
        [targets(known, unit.key, len(unit.grades))[0] for unit in scale.units],
        said.scorable,
        labels.scorable,
        said.embedding,
        said.familiar,
        reference[some],
        run.config.evaluation.alpha,
        known["lab"].tolist(),
        known["coat"].tolist(),
        run.left_out,
        likely[graded][:, scale.state_keys.index(scale.graded_state.key)],
        known["animal"].tolist(),
        run.warm_start.calibration if run.warm_start is not None else None,
    )
