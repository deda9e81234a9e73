"""Fitting the face finder on composed pictures, and keeping the result by its digest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models import config as configs
from models import zoo
from models.config import FinderConfig
from models.data.compositions import Compositions, compose
from models.nets.export import finder_graph, load_weights, save_weights
from models.nets.finder import STRIDE, FinderNet, FinderOutputs, heat_targets
from models.scale import Scale

REVISION = 1
"""Raise when a change of code changes what a configuration yields, so that no cache is stale."""


@dataclass(frozen=True)
class FittedFinder:
    """A finder: network, ONNX graph, digest of the configuration, and the last loss."""

    net: FinderNet
    graph: bytes
    digest: str
    loss: float


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
        return FittedFinder(net, graph, digest, float(facts["loss"]))
    net, loss = fit_finder(config, scale, threads, on_progress)
    graph = finder_graph(net, config.long_side)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True, exist_ok=True)
    save_weights(unfinished / "weights.safetensors", finder=net)
    (unfinished / "facts.json").write_text(json.dumps({"loss": loss}), encoding="utf-8")
    (unfinished / "finder.onnx").write_bytes(graph)
    try:
        unfinished.replace(folder)
    except OSError:
        # Another run put the same finder there first; both are equal.
        for file in unfinished.iterdir():
            file.unlink()
        unfinished.rmdir()
    return FittedFinder(net, graph, digest, loss)


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
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=0.01)
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
    """Penalty-reduced focal loss of the heat maps, plus size and view at the face's centre.

    Source: Zhou, Wang, Krähenbühl 2019, Objects as Points, eq. 1, with α = 2, β = 4.
    """
    centres = torch.from_numpy(data.centres[rows]) / STRIDE - 0.5
    points = torch.from_numpy(data.points[rows]) / STRIDE - 0.5
    sizes = torch.from_numpy(data.sizes[rows])
    views = torch.from_numpy(data.views[rows])
    high, wide = outputs.heat.shape[2:]
    face = torch.nan_to_num(sizes.max(dim=1).values, nan=32.0) / STRIDE
    sigma = (0.07 * face).clamp(min=0.8)
    places = torch.cat([centres[:, None], points], dim=1)
    target = heat_targets(places, sigma, high, wide)
    # The cell nearest to a point is the positive one, wherever between cells the point lies.
    peak = target.flatten(2).max(dim=2).values[:, :, None, None]
    positive = ((target == peak) & (peak > 0.1)).float()
    p = outputs.heat.sigmoid()
    hit = positive * (1 - p) ** 2 * functional.logsigmoid(outputs.heat)
    miss = (1 - positive) * (1 - target) ** 4 * p**2 * functional.logsigmoid(-outputs.heat)
    weight = torch.ones(target.shape[1]) * 0.5
    weight[0] = 1.0
    heat = -((hit + miss).sum(dim=(0, 2, 3)) * weight).sum() / positive.sum().clamp(min=1)
    near = (target[:, 0] > 0.5) & (peak[:, 0] > 0.1)
    if not bool(near.any()):
        return heat
    image = near.nonzero()[:, 0]
    predicted = outputs.size.permute(0, 2, 3, 1)[near]
    size = (predicted - sizes[image].log()).abs().mean()
    view = functional.cross_entropy(outputs.view.permute(0, 2, 3, 1)[near], views[image])
    return heat + 2.0 * size + 0.3 * view
