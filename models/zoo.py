"""Named recipes of networks as plain functions: to add a network, add a function here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from models.config import ConfigError, FinderConfig, NetConfig
from models.nets.finder import FinderNet
from models.nets.frame import FrameNet
from models.scale import Scale

Recipe = TypeVar("Recipe")


def small(config: NetConfig, scale: Scale) -> FrameNet:
    """The baseline: a residual network of about 200,000 parameters, heads as the scale says."""
    return FrameNet(
        widths=config.widths,
        steps=[unit.top_grade for unit in scale.units],
        states=len(scale.states),
        dropout=config.dropout,
    )


def heatmap(config: FinderConfig, scale: Scale) -> FinderNet:
    """The heat-map finder with one map per landmark of the scale."""
    return FinderNet(config.width, len(scale.landmarks))


def deep_heatmap(config: FinderConfig, scale: Scale) -> FinderNet:
    """The heat-map finder with a further level, which sees a head that fills the picture."""
    return FinderNet(config.width, len(scale.landmarks), deep=True)


FRAME_NETS: dict[str, Callable[[NetConfig, Scale], FrameNet]] = {"small": small}
FINDERS: dict[str, Callable[[FinderConfig, Scale], FinderNet]] = {
    "heatmap": heatmap,
    "deep_heatmap": deep_heatmap,
}


def frame_net(config: NetConfig, scale: Scale) -> FrameNet:
    """The frame network a configuration names; raises ConfigError."""
    return _named(FRAME_NETS, config.recipe)(config, scale)


def finder(config: FinderConfig, scale: Scale) -> FinderNet:
    """The face finder a configuration names; raises ConfigError."""
    return _named(FINDERS, config.recipe)(config, scale)


def _named(recipes: Mapping[str, Recipe], name: str) -> Recipe:
    if name not in recipes:
        raise ConfigError(f"There is no network “{name}”; use {', '.join(recipes)}.")
    return recipes[name]
