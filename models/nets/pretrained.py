"""Backbones from elsewhere: models of the package `transformers`, and tensors from a file.

The package is imported only where a network of this recipe is built, and never asked to fetch
anything or to run code that a folder brings.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from models.backbones import Backbone
from models.config import ConfigError

EXTRA = "requirements/backbones.txt"


class HuggingFace(nn.Module):
    """A model of `transformers` as a backbone: crops of even light to a map of features.

    `architecture` holds the `model`'s configuration, the side (`size`) of its pictures and the
    `mean` and `deviation` of each of their channels. Answers that are maps stay so; of answers that
    are tokens those of the patches are laid out as their patches lie. `features` and `cells` are
    channels and rows (as many columns) of the map.
    """

    gain: Tensor
    offset: Tensor

    def __init__(self, architecture: dict[str, Any]) -> None:
        super().__init__()
        self.size = int(architecture["size"])
        self.model = _built({**architecture["model"], "image_size": self.size})
        own = self.model.config
        channels = int(getattr(own, "num_channels", None) or 3)
        mean = torch.tensor(architecture["mean"], dtype=torch.float32).expand(channels)
        deviation = torch.tensor(architecture["deviation"], dtype=torch.float32).expand(channels)
        # Even light gets the mean and the deviation of the pictures that the model learnt from,
        # and then what is done to those.
        self.register_buffer("gain", (deviation.mean() / deviation)[:, None, None], False)
        self.register_buffer("offset", ((mean.mean() - mean) / deviation)[:, None, None], False)
        for part in self.model.modules():
            if isinstance(getattr(part, "position_embeddings", None), nn.Parameter) and hasattr(
                part, "interpolate_pos_encoding"
            ):
                # Pictures have one size here, and graphs cannot hold every kind of interpolation.
                part.interpolate_pos_encoding = MethodType(_positions, part)  # type: ignore[assignment]
        self.skipped, self.cells, self.features = 0, 0, 0
        self._measure()

    def forward(self, even: Tensor) -> Tensor:
        """Crops of even light (n, 1, size, size) to features (n, features, cells, cells)."""
        side = (self.size, self.size)
        if even.shape[2:] != side:
            even = functional.interpolate(even, side, mode="bilinear", align_corners=False)
        said: Tensor = self.model(pixel_values=even * self.gain + self.offset).last_hidden_state
        if said.dim() == 3:
            said = said[:, self.skipped :].transpose(1, 2)
            said = said.reshape(-1, self.features, self.cells, self.cells)
        return said

    def _measure(self) -> None:
        """Find out how answers are laid out; raises ConfigError where they are no map."""
        self.model.eval()
        try:
            with torch.no_grad():
                nothing = torch.zeros(1, len(self.gain), self.size, self.size)
                said = self.model(pixel_values=nothing).last_hidden_state
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ConfigError(
                f"net: the model does not take pictures of {self.size} × {self.size} pixels "
                f"({error}); try another “image_size”."
            ) from error
        if said.dim() == 4 and said.shape[2] == said.shape[3]:
            self.features, self.cells = int(said.shape[1]), int(said.shape[2])
            return
        if said.dim() == 3:
            tokens, patch = int(said.shape[1]), _side(getattr(self.model.config, "patch_size", 1))
            cells = self.size // (patch or 1)
            # Before the patches come a token for the class and registers; nets whose patches grow
            # have fewer in the end and none before them.
            if cells * cells > tokens:
                cells = math.isqrt(tokens)
            first = tokens - cells * cells
            if cells and (first == 0 or cells == self.size // (patch or 1)):
                self.skipped, self.cells, self.features = first, cells, int(said.shape[2])
                return
        raise ConfigError("net: the answers of the model are no square map of the picture.")


def hugging_face(architecture: str) -> HuggingFace:
    """The backbone that the JSON of a configuration states, without trained weights."""
    try:
        stated = json.loads(architecture)
    except ValueError as error:
        raise ConfigError("net: “architecture” is no JSON.") from error
    return HuggingFace(stated)


def take_weights(backbone: Backbone, net: nn.Module) -> int:
    """Fill the backbone `net` with the tensors of a file or a folder; returns how many fitted.

    Tensors fit by name and shape, whatever stands before all of their names. Raises ConfigError
    where none of a file, or not all that a folder's model needs, is there.
    """
    if backbone.path.is_dir() and isinstance(net, HuggingFace):
        state = _loaded(backbone.path, net)
        net.model.load_state_dict(state)
        return len(state)
    found: dict[str, Tensor] = {}
    for file in backbone.files:
        try:
            found |= load_file(file)
        except (OSError, SafetensorError) as error:
            raise ConfigError(f"{file.name} is no readable safetensors file: {error}.") from error
    own = net.state_dict()
    lead = _lead(found, own)
    fitting = {
        name: found[lead + name]
        for name, tensor in own.items()
        if lead + name in found and found[lead + name].shape == tensor.shape
    }
    if not fitting:
        names = ", ".join(sorted(own)[:3])
        raise ConfigError(
            f"net: no tensor of {backbone.path.name} fits the backbone in name and shape; it has "
            f"{names}, …"
        )
    net.load_state_dict({**own, **fitting})
    return len(fitting)


def _lead(found: dict[str, Tensor], own: dict[str, Tensor]) -> str:
    """What stands before the names of most of the tensors that fit."""
    counted: Counter[str] = Counter()
    for name, tensor in found.items():
        parts = name.split(".")
        for first in range(len(parts)):
            rest = ".".join(parts[first:])
            if rest in own and own[rest].shape == tensor.shape:
                counted[name.removesuffix(rest)] += 1
    return max(counted, key=lambda lead: (counted[lead], -len(lead)), default="")


def _built(stated: dict[str, Any]) -> nn.Module:
    """A model of `transformers` from its configuration, with weights drawn at random."""
    transformers = _package()
    kind = stated.get("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise ConfigError(f"net: this version of transformers knows no model “{kind}”.")
    try:
        config = transformers.CONFIG_MAPPING[kind].from_dict(dict(stated))
        model: nn.Module = transformers.AutoModel.from_config(
            config, trust_remote_code=False, attn_implementation="eager"
        )
    except Exception as error:
        # Each model refuses in its own way what its configuration cannot mean.
        raise ConfigError(f"net: the model “{kind}” cannot be built: {error}") from error
    if getattr(model, "main_input_name", "") != "pixel_values":
        raise ConfigError(f"net: the model “{kind}” does not look at pictures.")
    return model.float()


def _loaded(folder: Path, net: HuggingFace) -> dict[str, Tensor]:
    """The weights of a folder's model under the names of the network that is to have them."""
    transformers = _package()
    model, facts = transformers.AutoModel.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
        attn_implementation="eager",
        dtype=torch.float32,
    )
    own = dict(net.model.named_parameters())
    # A head over the whole picture is not asked, so that it may be missing.
    missing = sorted(
        name for name in facts["missing_keys"] if name in own and not name.startswith("pooler")
    )
    if missing:
        raise ConfigError(f"net: the weights in {folder.name} lack {', '.join(missing[:3])}.")
    known = net.model.state_dict()
    state: dict[str, Tensor] = {
        name: _resampled(table, known[name])
        if "position_embedding" in name and name in known
        else table
        for name, table in model.state_dict().items()
    }
    if {name: t.shape for name, t in state.items()} != {n: t.shape for n, t in known.items()}:
        raise ConfigError(f"net: the weights in {folder.name} are those of another network.")
    return state


def _resampled(table: Tensor, like: Tensor) -> Tensor:
    """Positions (…, places, features) of one grid of patches as those of the grid of another.

    Bicubic, as the models themselves do it; what stands before the patches is kept. As it is where
    the places are no square grids.
    """
    (old, features), new = table.shape[-2:], like.shape[-2]
    grids = (
        (first, math.isqrt(old - first), math.isqrt(new - first))
        for first in range(min(old, new, 9))
    )
    for first, before, after in grids:
        if first + before**2 == old and first + after**2 == new and before != after:
            flat = table.reshape(old, features)
            grid = flat[first:].T.reshape(1, features, before, before)
            grid = functional.interpolate(grid, (after, after), mode="bicubic", align_corners=False)
            return torch.cat([flat[:first], grid.flatten(2)[0].T]).reshape(like.shape)
    return table


def _positions(self: Any, *_: object) -> Tensor:
    """Stands for the interpolation of positions where there is one for each patch."""
    own: Tensor = self.position_embeddings
    return own


def _package() -> Any:
    """The package `transformers`, told to stay offline; raises ConfigError where it is missing."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import transformers
    except ImportError as error:
        raise ConfigError(
            "net: the recipe transformers needs the package of that name; install it with "
            f"“pip install -r {EXTRA}”."
        ) from error
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return transformers


def _side(value: Any) -> int | None:
    """One side of a square stated as a number or as a pair."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return None if value is None else int(value)
