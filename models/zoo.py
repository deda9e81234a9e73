"""Named recipes of networks as plain functions: to add a network, add a function here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch

from models.bundle import Bundle
from models.config import (
    ConfigError,
    CropConfig,
    EyesConfig,
    FinderConfig,
    NetConfig,
    TemporalConfig,
)
from models.nets.export import load_weights
from models.nets.eyes import EyesNet
from models.nets.finder import FinderNet
from models.nets.frame import FrameNet, PooledNet, WindowNet, backbone
from models.nets.pretrained import hugging_face
from models.nets.temporal import TemporalNet
from models.regions import landmark_homes, region_cells, region_windows
from models.scale import Scale

Recipe = TypeVar("Recipe")


def small(config: NetConfig, crop: CropConfig, scale: Scale) -> FrameNet:
    """The baseline: a residual network of about 150,000 parameters, heads as the scale says."""
    places = crop.size
    for _ in config.widths:
        places = -(-places // 2)
    return PooledNet(
        backbone=lambda: backbone(config.widths),
        features=config.widths[-1],
        steps=[unit.top_grade for unit in scale.units],
        states=len(scale.states),
        dropout=config.dropout,
        regions=torch.from_numpy(region_cells(scale, crop, places)),
        landmarks=len(scale.landmarks),
    )


def windows(config: NetConfig, crop: CropConfig, scale: Scale) -> WindowNet:
    """One network per unit that sees the windows of that unit only, about 180,000 as shipped."""
    side = 1 + 2 * crop.margin
    return WindowNet(
        widths=config.widths,
        window_widths=config.window_widths,
        steps=[unit.top_grade for unit in scale.units],
        states=len(scale.states),
        dropout=config.dropout,
        windows=region_windows(scale, crop, config.window_margin),
        homes=torch.from_numpy(landmark_homes(scale, crop)).float(),
        blot=(config.blot[0] / side, config.blot[1] / side),
    )


def transformers(config: NetConfig, crop: CropConfig, scale: Scale) -> FrameNet:
    """The heads of the baseline on a Hugging Face model; its weights come from `net.folder`.

    Raises ConfigError where the package `transformers` is missing or does not know the model.
    """
    grown = hugging_face(config.architecture)
    return PooledNet(
        backbone=lambda: grown,
        features=grown.features,
        steps=[unit.top_grade for unit in scale.units],
        states=len(scale.states),
        dropout=config.dropout,
        regions=torch.from_numpy(region_cells(scale, crop, grown.cells)),
        landmarks=len(scale.landmarks),
    )


def heatmap(config: FinderConfig, scale: Scale) -> FinderNet:
    """The heat-map finder with one map per landmark of the scale."""
    return FinderNet(config.width, len(scale.landmarks))


def deep_heatmap(config: FinderConfig, scale: Scale) -> FinderNet:
    """The heat-map finder with a further level, which sees a head that fills the picture."""
    return FinderNet(config.width, len(scale.landmarks), deep=True)


def dilated(config: TemporalConfig, scale: Scale, embedding: int) -> TemporalNet:
    """Dilated convolutions over ticks, about 60,000 parameters."""
    return TemporalNet(
        embedding=embedding,
        steps=[unit.top_grade for unit in scale.units],
        states=len(scale.states),
        width=config.width,
        dropout=config.dropout,
        jitter=config.jitter,
    )


def gravity(config: EyesConfig) -> EyesNet:
    """The eye network whose points are centres of gravity of maps; raises ConfigError."""
    if config.size % 8 or len(config.widths) != 3:
        raise ConfigError("eyes: “size” must be a multiple of 8 and “widths” hold three numbers.")
    return EyesNet(config.widths, config.size)


FRAME_NETS: dict[str, Callable[[NetConfig, CropConfig, Scale], FrameNet]] = {
    "small": small,
    "windows": windows,
    "transformers": transformers,
}
FINDERS: dict[str, Callable[[FinderConfig, Scale], FinderNet]] = {
    "heatmap": heatmap,
    "deep_heatmap": deep_heatmap,
}
TEMPORAL_NETS: dict[str, Callable[[TemporalConfig, Scale, int], TemporalNet]] = {"dilated": dilated}
EYE_NETS: dict[str, Callable[[EyesConfig], EyesNet]] = {"gravity": gravity}


def frame_net(config: NetConfig, crop: CropConfig, scale: Scale) -> FrameNet:
    """The frame network a configuration names, for crops of a size; raises ConfigError."""
    net = _named(FRAME_NETS, config.recipe)(config, crop, scale)
    net.evened_by = config.evened_by
    return net


def trained_frame_net(bundle: Bundle) -> FrameNet:
    """The frame network of a bundle with its weights, in evaluation mode.

    Raises ConfigError where the network cannot be built here.
    """
    net = frame_net(bundle.config.net, bundle.crop, bundle.scale)
    try:
        load_weights(bundle.path / "weights.safetensors", "frame", net)
    except RuntimeError as error:
        if not bundle.config.net.architecture:
            raise
        made = json.loads(bundle.config.net.architecture).get("package")
        raise ConfigError(
            f"The weights of this bundle have the names that transformers {made} gives them; "
            "install that version."
        ) from error
    return net.eval()


def finder(config: FinderConfig, scale: Scale) -> FinderNet:
    """The face finder a configuration names; raises ConfigError."""
    return _named(FINDERS, config.recipe)(config, scale)


def temporal_net(config: TemporalConfig, scale: Scale, embedding: int) -> TemporalNet:
    """The temporal network a configuration names, for so many features; raises ConfigError."""
    return _named(TEMPORAL_NETS, config.recipe)(config, scale, embedding)


def eyes(config: EyesConfig) -> EyesNet:
    """The eye network a configuration names; raises ConfigError."""
    return _named(EYE_NETS, config.recipe)(config)


def _named(recipes: Mapping[str, Recipe], name: str) -> Recipe:
    if name not in recipes:
        raise ConfigError(f"There is no network “{name}”; use {', '.join(recipes)}.")
    return recipes[name]
