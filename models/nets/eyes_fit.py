"""Fitting the eye reader on phantom and real eyes, judging it, and keeping it by its digest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models import config as configs
from models import zoo
from models.config import EyesConfig, RunConfig
from models.data.eye_crops import Patches, gather_patches
from models.data.eye_figures import real_figures
from models.data.eye_sheet import write_sheet
from models.data.eye_squares import Squares, deal
from models.data.real import STILLS, real_material, stills, used
from models.events import Emit, Progress, silent
from models.eyes import REVISION as CUTTING
from models.nets.export import eyes_graph, load_weights, save_weights
from models.nets.eyes import EyeOutputs, EyesNet
from models.scale import Scale, load_scale
from models.shipped import shipped_part

REVISION = 1
"""Raise when a change of code changes what a configuration yields, so that no cache is stale."""

EXPECTED = 4.0
"""Weight of eyes beside what is none: where a finder says that an eye is, there mostly is one."""


@dataclass(frozen=True)
class FittedEyes:
    """An eye reader: network, ONNX graph, digest, and facts: loss, material, figures on it."""

    net: EyesNet
    graph: bytes
    digest: str
    facts: dict[str, Any]


def eyes_digest(config: EyesConfig, scale: Scale, material: Path | None) -> str:
    """What a cached reader is called: configuration, scale, revisions and the real stills there."""
    learnt = stills(material, "train") if material else []
    marks = [[still.path.name, still.points] for still in learnt]
    key = [configs.to_dict(config), scale.name, scale.version, REVISION, CUTTING, marks]
    return configs.digest(_Wrapped(json.dumps(key)))


@dataclass(frozen=True)
class _Wrapped:
    text: str


def cached_eyes(
    config: EyesConfig,
    scale: Scale,
    cache: Path,
    threads: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> FittedEyes:
    """The reader of a configuration, from `CACHE/eyes/<digest>` or fitted and put there."""
    if config.shipped:
        return _shipped_eyes(config)
    digest = eyes_digest(config, scale, real_material())
    folder = cache / "eyes" / digest[:32]
    if not (folder / "eyes.onnx").is_file():
        fitted = fit_eyes(config, scale, threads, on_progress)
        unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
        save_eyes(fitted, unfinished)
        try:
            unfinished.replace(folder)
        except OSError:
            # Another run put the same reader there first; both are equal.
            for file in unfinished.iterdir():
                file.unlink()
            unfinished.rmdir()
        return fitted
    net = zoo.eyes(config)
    load_weights(folder / "weights.safetensors", "eyes", net)
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return FittedEyes(net.eval(), (folder / "eyes.onnx").read_bytes(), digest, facts)


def _shipped_eyes(config: EyesConfig) -> FittedEyes:
    """The reader that comes with the program."""
    folder, facts = shipped_part("eyes", config, ("size", "widths", "recipe"))
    net = zoo.eyes(config)
    load_weights(folder / "weights.safetensors", "eyes", net)
    return FittedEyes(net.eval(), (folder / "eyes.onnx").read_bytes(), facts["digest"], facts)


def save_eyes(fitted: FittedEyes, folder: Path) -> None:
    """Write `weights.safetensors`, `facts.json` and, last, `eyes.onnx` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / "weights.safetensors", eyes=fitted.net)
    facts = json.dumps({**fitted.facts, "digest": fitted.digest}, indent=1)
    (folder / "facts.json").write_text(facts, encoding="utf-8")
    (folder / "eyes.onnx").write_bytes(fitted.graph)


def write_eyes(config: RunConfig, out: Path, emit: Emit = silent) -> FittedEyes:
    """Fit a reader into the folder `out`, with a picture of what it reads; tells `emit` how far."""
    cv2.setNumThreads(1)
    torch.set_num_threads(config.threads)
    torch.use_deterministic_algorithms(True)
    progress = Progress(emit, {"eyes": 1.0})
    sentence = "Teaching the eye reader."
    progress.enter("eyes", sentence)
    fitted = fit_eyes(
        config.eyes, load_scale(), config.workers, lambda part: progress.tell(part, sentence)
    )
    save_eyes(fitted, out)
    sheet = out / "sheet.png"
    drawn = write_sheet(fitted.graph, sheet)
    emit({"event": "done", "path": str(out), "sheet": str(sheet) if drawn else None})
    return fitted


def fit_eyes(
    config: EyesConfig,
    scale: Scale,
    threads: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> FittedEyes:
    """Fit a reader from its seed and judge it on the real material that it has not seen."""
    told = on_progress or (lambda fraction: None)
    material = real_material()
    learnt = stills(material, "train") if material else []
    data = gather_patches(config, scale, learnt, threads, lambda part: told(0.3 * part))
    net, loss = train_eyes(config, data, lambda part: told(0.3 + 0.65 * part))
    graph = eyes_graph(net, config.size)
    facts: dict[str, Any] = {
        "config": configs.to_dict(config),
        "loss": loss,
        "phantom_eyes": int((data.eyes & ~data.real).sum()),
        "real_eyes": int(data.real.sum()),
        "material": "phantom and real stills" if learnt else "phantom alone",
        "trained_on": [
            {"name": "rendered faces", "phantom": True},
            *(source for source in used(material if learnt else None) if source["name"] == STILLS),
        ],
        "real": real_figures(graph, material) if material else {},
    }
    told(1.0)
    return FittedEyes(net, graph, eyes_digest(config, scale, material), facts)


def train_eyes(
    config: EyesConfig, data: Patches, on_progress: Callable[[float], None]
) -> tuple[EyesNet, float]:
    """Train the network of a configuration; returns it and the mean loss of the last tenth."""
    torch.manual_seed(config.seed)
    net = zoo.eyes(config)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.steps, pct_start=0.2
    )
    losses = []
    for step in range(config.steps):
        squares = deal(data, config, step)
        eyes = torch.from_numpy(squares.eyes).contiguous(memory_format=torch.channels_last)
        loss = eyes_loss(net(eyes), squares)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if step % 10 == 9:
            on_progress((step + 1) / config.steps)
    return net.eval(), float(np.mean(losses[-max(1, config.steps // 10) :]))


def eyes_loss(outputs: EyeOutputs, squares: Squares) -> Tensor:
    """Mean distance of points in eye widths, error of the opening, cross-entropy of `seen`."""
    points = torch.from_numpy(squares.points)
    eye = torch.isfinite(points).all(dim=2).all(dim=1)
    seen = functional.binary_cross_entropy_with_logits(
        outputs.seen, eye.float(), pos_weight=torch.tensor(EXPECTED)
    )
    if not bool(eye.any()):
        return seen
    wanted, found = points[eye], outputs.points[eye]
    wide = (wanted[:, 1] - wanted[:, 3]).norm(dim=1).clamp(min=0.05)
    away = ((found - wanted) / wide[:, None, None]).square().sum(dim=2)
    # Smooth where the distance is within what a hand that places points can do.
    points_loss = ((away + 0.02**2).sqrt() - 0.02).mean()
    high, true = ((p[:, 0] - p[:, 2]).norm(dim=1) for p in (found, wanted))
    opening = functional.smooth_l1_loss(high / wide, true / wide, beta=0.03)
    total: Tensor = 4.0 * points_loss + 2.0 * opening + 0.5 * seen
    return total
