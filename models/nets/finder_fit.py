"""Fitting the face finder on composed pictures, and keeping the result by its digest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models import config as configs
from models import zoo
from models.config import FinderConfig
from models.data.compositions import Compositions, compose, strangers
from models.nets.export import finder_graph, load_weights, save_weights
from models.nets.finder import STRIDE, FinderNet, FinderOutputs, heat_targets
from models.scale import Scale

REVISION = 4
"""Raise when a change of code changes what a configuration yields, so that no cache is stale."""


@dataclass(frozen=True)
class FittedFinder:
    """A finder: network, ONNX graph, digest of the configuration, the last loss.

    `strangers` (n, height, width) are pictures in which nothing may be graded; they are made here
    because they come from the same renderer and seed and can be kept with the finder.
    """

    net: FinderNet
    graph: bytes
    digest: str
    loss: float
    strangers: NDArray[np.uint8]


def finder_digest(config: FinderConfig, scale: Scale) -> str:
    """What a cached finder is called: configuration, scale and revision."""
    key = [configs.to_dict(config), scale.name, scale.version, REVISION]
    return configs.digest(_Wrapped(json.dumps(key)))


@dataclass(frozen=True)
class _Wrapped:
    text: str


def cached_finder(
    config: FinderConfig,
    scale: Scale,
    cache: Path,
    threads: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> FittedFinder:
    """The finder of a configuration, from `CACHE/finders/<digest>` or fitted and put there."""
    digest = finder_digest(config, scale)
    folder = cache / "finders" / digest[:32]
    net = zoo.finder(config, scale)
    if (folder / "finder.onnx").is_file():
        load_weights(folder / "weights.safetensors", "finder", net)
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        graph = (folder / "finder.onnx").read_bytes()
        pictures = np.load(folder / "strangers.npy", allow_pickle=False)
        return FittedFinder(net, graph, digest, float(facts["loss"]), pictures)
    net, loss = fit_finder(config, scale, threads, on_progress)
    graph = finder_graph(net)
    pictures = strangers(config, scale, max(8, config.renderings))
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True, exist_ok=True)
    save_weights(unfinished / "weights.safetensors", finder=net)
    (unfinished / "facts.json").write_text(json.dumps({"loss": loss}), encoding="utf-8")
    np.save(unfinished / "strangers.npy", pictures, allow_pickle=False)
    (unfinished / "finder.onnx").write_bytes(graph)
    try:
        unfinished.replace(folder)
    except OSError:
        # Another run put the same finder there first; both are equal.
        for file in unfinished.iterdir():
            file.unlink()
        unfinished.rmdir()
    return FittedFinder(net, graph, digest, loss, pictures)


def fit_finder(
    config: FinderConfig,
    scale: Scale,
    threads: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[FinderNet, float]:
    """Fit a finder from its seed; returns it and the mean loss of the last tenth of the steps."""
    told = on_progress or (lambda fraction: None)
    data = compose(config, scale, threads, lambda fraction: told(0.4 * fraction))
    torch.manual_seed(config.seed)
    net = zoo.finder(config, scale).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(
        net.parameters(), lr=config.learning_rate, weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=config.learning_rate, total_steps=config.steps, pct_start=0.2
    )
    rng = np.random.default_rng([config.seed, 3])
    losses: list[float] = []
    net.train()
    for step in range(config.steps):
        rows = rng.choice(len(data), config.batch, replace=False)
        loss = finder_loss(net(_pictures(data, rows)), data, rows)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if step % 10 == 9:
            told(0.4 + 0.6 * (step + 1) / config.steps)
    return net.eval(), float(np.mean(losses[-max(1, config.steps // 10) :]))


def _pictures(data: Compositions, rows: np.ndarray) -> Tensor:
    pictures = torch.from_numpy(data.pictures[rows].astype(np.float32) / np.float32(255))
    return pictures[:, None].contiguous(memory_format=torch.channels_last)


def finder_loss(outputs: FinderOutputs, data: Compositions, rows: np.ndarray) -> Tensor:
    """Weighted cross-entropy with the heat map, plus box, landmarks and view near the centre.

    The bumps are targets of a regression, as wide as the eye would point: the focal loss of Zhou,
    Wang and Krähenbühl 2019, which wants the one right cell, never becomes sure of a face in the
    few steps there are.
    """
    centres = torch.from_numpy(data.centres[rows]) / STRIDE - 0.5
    points = torch.from_numpy(data.points[rows]) / STRIDE - 0.5
    sizes = torch.from_numpy(data.sizes[rows]) / STRIDE
    views = torch.from_numpy(data.views[rows])
    high, wide = outputs.heat.shape[2:]
    face = torch.nan_to_num(sizes.max(dim=1).values, nan=4.0)
    target = heat_targets(centres, (0.15 * face).clamp(min=0.6), high, wide)
    entropy = functional.binary_cross_entropy_with_logits(
        outputs.heat[:, 0], target, reduction="none"
    )
    # Bumps fill a hundredth of the map; without weight the answer “nowhere” would be good enough.
    heat = (entropy * (1 + 5 * target)).mean()
    near = target > 0.5
    if not bool(near.any()):
        return 10.0 * heat
    image, row, column = near.nonzero(as_tuple=True)
    cell = torch.stack([column, row], dim=1).float()
    scale = face[image, None]
    box = outputs.box.permute(0, 2, 3, 1)[near]
    offset = ((box[:, :2] - (centres[image] - cell)) / scale).abs().mean()
    size = (box[:, 2:] - sizes[image].log()).abs().mean()
    marks = outputs.marks.permute(0, 2, 3, 1)[near]
    marks = marks.reshape(len(marks), -1, 2)
    wanted = points[image] - cell[:, None]
    seen = torch.isfinite(wanted)
    away = ((marks - torch.nan_to_num(wanted)) / scale[:, None]).abs()
    # A head seen from the side has no known landmark, and a batch may hold only such heads.
    mark: Tensor = (away * seen).sum() / seen.sum().clamp(min=1)
    view = functional.cross_entropy(outputs.view.permute(0, 2, 3, 1)[near], views[image])
    return 10.0 * heat + 4.0 * offset + 2.0 * size + 4.0 * mark + view
