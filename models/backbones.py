"""Backbones that a run begins with: a file of weights or a folder of a Hugging Face model.

Everything is read from this machine; nothing is fetched and no code of a folder runs. Needs no
torch.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from models.bundle import MOST_BYTES, file_digest
from models.config import ConfigError, NetConfig

RECIPE = "transformers"
ROOM = 32 << 20
"""Bytes of a bundle that are left to everything but the frame network."""
COPIES = 2
"""How often a bundle holds the frame network: as weights and as a graph."""
DROPPED = ("architectures", "auto_map", "id2label", "label2id", "quantization_config", "dtype",
           "torch_dtype", "transformers_version")  # fmt: skip


@dataclass(frozen=True)
class Backbone:
    """Where a backbone's weights lie, and what they are: a digest of all `files` together."""

    path: Path
    files: tuple[Path, ...]
    digest: str


def resolved(config: NetConfig) -> tuple[NetConfig, Backbone | None]:
    """The network as a bundle states it, without paths, and the weights it is to begin with.

    A folder's model becomes `architecture`. Raises ConfigError where a file or a folder is missing,
    holds something else than safetensors, asks for code of its own or is too large for a bundle.
    """
    if config.weights and config.folder:
        raise ConfigError("net: name “weights” or “folder”, not both.")
    if config.folder and config.recipe != RECIPE:
        raise ConfigError(f"net: “folder” belongs to the recipe {RECIPE}, not {config.recipe}.")
    if config.folder:
        folder = Path(config.folder)
        found = _found(folder, _weights_in(folder))
        architecture = config.architecture or json.dumps(_architecture(folder, config.image_size))
        return replace(config, folder=folder.name, architecture=architecture), found
    if config.recipe == RECIPE and not config.architecture:
        raise ConfigError(f"net: the recipe {RECIPE} needs “folder”, the folder of a model.")
    if config.weights:
        path = Path(config.weights)
        if path.suffix != ".safetensors" or not path.is_file():
            raise ConfigError(f"net: “weights” must be a .safetensors file; {path} is none.")
        return replace(config, weights=path.name), _found(path, [path])
    return config, None


def _found(path: Path, files: list[Path]) -> Backbone:
    numbers = sum(_numbers(file) for file in files)
    if path.is_dir() and COPIES * 4 * numbers > MOST_BYTES - ROOM:
        most = (MOST_BYTES - ROOM) // (COPIES * 4)
        raise ConfigError(
            f"net: the model of {path.name} has {numbers / 1e6:.0f} million parameters; a bundle "
            f"of at most {MOST_BYTES >> 20} MiB has room for {most / 1e6:.0f} million. Take a "
            "smaller one of its family."
        )
    joined = hashlib.sha256("".join(file_digest(file) for file in files).encode())
    return Backbone(path, tuple(files), joined.hexdigest())


def _numbers(file: Path) -> int:
    try:
        with safe_open(file, framework="numpy") as tensors:
            return sum(math.prod(tensors.get_slice(key).get_shape()) for key in tensors.keys())  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{file.name} is no readable safetensors file: {error}.") from error


def _weights_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f"net: there is no folder {folder}.")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ConfigError(
            f"net: {folder.name} holds no .safetensors file; save the model with "
            "`save_pretrained`, files of other formats can run code."
        )
    return files


def _architecture(folder: Path, image_size: int) -> dict[str, Any]:
    """The model's configuration, the side and the mean and deviation of the pictures it wants."""
    config = _json(folder / "config.json")
    if not config or "model_type" not in config:
        raise ConfigError(f"net: {folder.name} has no config.json that names a model_type.")
    if "auto_map" in config:
        raise ConfigError(
            f"net: the model of {folder.name} brings code of its own, which is not run; take one "
            "that the package transformers knows."
        )
    seen = _json(folder / "preprocessor_config.json")
    wanted = seen.get("crop_size") or seen.get("size") or config.get("image_size") or 224
    while isinstance(wanted, dict | list):
        some = list(wanted.values()) if isinstance(wanted, dict) else wanted
        wanted = min(some, default=224)
    return {
        "model": {
            key: value
            for key, value in config.items()
            if key not in DROPPED and not key.startswith("_")
        },
        "size": int(image_size or wanted),
        "mean": seen.get("image_mean") or [0.485, 0.456, 0.406],
        "deviation": seen.get("image_std") or [0.229, 0.224, 0.225],
        "package": _package_version(),
    }


def _package_version() -> str | None:
    """The installed version of transformers: names of weights differ from one to the other."""
    try:
        return version(RECIPE)
    except PackageNotFoundError:
        return None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"net: {path.name} of the model's folder is no JSON.") from error
    return data if isinstance(data, dict) else {}
