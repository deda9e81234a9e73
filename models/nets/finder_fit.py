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
from models.bundle import Bundle
from models.config import FinderConfig, parse_config
from models.data.compositions import Compositions, Material, compose, strangers
from models.data.real import material_digest, real_material, used
from models.nets.export import finder_graph, load_weights, save_weights
from models.nets.finder import STRIDE, FinderNet, FinderOutputs, heat_targets
from models.scale import Scale
from models.shipped import shipped_part

REVISION = 9
"""Raise when a change of code changes what a configuration yields, so that no cache is stale."""


EMPTY_WEIGHT = 0.01
MOST_STRANGERS = 240
"""Pictures of what is no gradable face, for a run that takes a shipped finder."""


@dataclass(frozen=True)
class FittedFinder:
    """A finder: network, ONNX graph, digest of what it was made of, the last loss.

    `strangers` (n, height, width) are pictures in which nothing may be graded; they are made here
    because they come from the same renderer and seed and can be kept with the finder. `trained_on`
    lists the phantom and every real source with its licence, as a bundle states them.
    """

    net: FinderNet
    graph: bytes
    digest: str
    loss: float
    strangers: NDArray[np.uint8]
    trained_on: list[dict[str, object]]


def finder_digest(config: FinderConfig, scale: Scale) -> str:
    """What a cached finder is called: configuration, scale, revision, real material if any."""
    folder = real_material() if config.real else None
    key = [configs.to_dict(config), scale.name, scale.version, REVISION, material_digest(folder)]
    return configs.digest(_Wrapped(json.dumps(key)))


def trained_on(folder: Path | None) -> list[dict[str, object]]:
    """What a finder with this real material learns from, phantom first."""
    return [{"name": "rendered faces", "phantom": True}, *used(folder)]


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
    if config.shipped:
        return _shipped_finder(config, scale, cache)
    digest = finder_digest(config, scale)
    folder = cache / "finders" / digest[:32]
    if not (folder / "finder.onnx").is_file():
        material = real_material() if config.real else None
        keep_finder(fitted_finder(config, scale, material, digest, threads, on_progress), folder)
    return kept_finder(config, scale, folder, digest)


def _shipped_finder(config: FinderConfig, scale: Scale, cache: Path) -> FittedFinder:
    """The finder that comes with the program; its strangers are drawn once per cache."""
    part, facts = shipped_part("finder", config, ("long_side", "width", "recipe"))
    folder = cache / "finders" / f"shipped-{facts['digest'][:24]}"
    if not (folder / "finder.onnx").is_file():
        net = zoo.finder(config, scale)
        load_weights(part / "weights.safetensors", "finder", net)
        own = parse_config({"finder": facts["config"]}).finder
        finder = FittedFinder(
            net.eval(),
            (part / "finder.onnx").read_bytes(),
            facts["digest"],
            float(facts["loss"]),
            strangers(own, scale, MOST_STRANGERS),
            facts["trained_on"],
        )
        keep_finder(finder, folder)
    return kept_finder(config, scale, folder, facts["digest"])


def borrowed_finder(bundle: Bundle) -> FittedFinder:
    """The finder of a bundle for a run that shares it: nothing is fitted, strangers are drawn anew.

    The run must use the finder configuration of that bundle. Raises RuntimeError where the weights
    are those of another network.
    """
    config, scale = bundle.config.finder, bundle.scale
    net = zoo.finder(config, scale)
    load_weights(bundle.path / "weights.safetensors", "finder", net)
    return FittedFinder(
        net.eval(),
        (bundle.path / "finder.onnx").read_bytes(),
        bundle.info["finder_digest"],
        float(bundle.report["training"].get("finder_loss", 0.0)),
        strangers(config, scale, min(400, max(8, config.renderings))),
        bundle.info["parts"]["finder"]["trained_on"],
    )


def kept_finder(config: FinderConfig, scale: Scale, folder: Path, digest: str) -> FittedFinder:
    """The finder that `keep_finder` has put in a folder."""
    net = zoo.finder(config, scale)
    load_weights(folder / "weights.safetensors", "finder", net)
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    return FittedFinder(
        net.eval(),
        (folder / "finder.onnx").read_bytes(),
        digest,
        float(facts["loss"]),
        np.load(folder / "strangers.npy", allow_pickle=False),
        facts["trained_on"],
    )


def keep_finder(finder: FittedFinder, folder: Path) -> None:
    """Put a finder in a folder in one step; an equal one that is there already stays."""
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True, exist_ok=True)
    save_weights(unfinished / "weights.safetensors", finder=finder.net)
    facts = {"loss": finder.loss, "digest": finder.digest, "trained_on": finder.trained_on}
    (unfinished / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    np.save(unfinished / "strangers.npy", finder.strangers, allow_pickle=False)
    (unfinished / "finder.onnx").write_bytes(finder.graph)
    try:
        unfinished.replace(folder)
    except OSError:
        # Another run put the same finder there first; both are equal.
        for file in unfinished.iterdir():
            file.unlink()
        unfinished.rmdir()


def fitted_finder(
    config: FinderConfig,
    scale: Scale,
    folder: Path | None,
    digest: str,
    threads: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> FittedFinder:
    """Fit a finder on the phantom and on the real material of a folder, if one is given."""
    material = Material.of(folder)
    net, loss = fit_finder(config, scale, threads, on_progress, material)
    pictures = strangers(config, scale, min(400, max(8, config.renderings)), material)
    return FittedFinder(net, finder_graph(net), digest, loss, pictures, trained_on(folder))


def fit_finder(
    config: FinderConfig,
    scale: Scale,
    threads: int = 1,
    on_progress: Callable[[float], None] | None = None,
    material: Material | None = None,
) -> tuple[FinderNet, float]:
    """Fit a finder from its seed; returns it and the mean loss of the last tenth of the steps."""
    told = on_progress or (lambda fraction: None)
    data = compose(config, scale, threads, lambda fraction: told(0.4 * fraction), material)
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
    # A picture without a face is wrong by its highest place alone, however calm the rest is.
    empty = views < 0
    if bool(empty.any()):
        highest = outputs.heat[empty].flatten(1).max(dim=1).values
        heat = heat + EMPTY_WEIGHT * functional.softplus(highest).mean()
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
    return 10.0 * heat + 4.0 * offset + 2.0 * size + 6.0 * mark + view
