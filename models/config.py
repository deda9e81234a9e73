"""What a training run may choose, as dataclasses; YAML files in `configs/` name the shipped runs.

`load_config("demo")` or `load_config("my.yaml")`; a field that no dataclass knows is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

SHIPPED = Path(__file__).parent / "configs"
PRECISIONS = ("float32", "bf16")
ACCELERATORS = ("auto", "cpu", "gpu")
EVENED_BY = ("crop", "face")


class ConfigError(ValueError):
    """A configuration names an unknown field or an impossible value; `str()` says which."""


def _later(value: Any) -> Any:
    """A field that came later: with this value, its default, it changes no digest."""
    return field(default=value, metadata={"later": True})


@dataclass(frozen=True)
class FinderConfig:
    """The face finder, which learns from pictures it renders itself."""

    long_side: int = 112
    """Longer side in pixels of the downscaled luma plane the finder sees."""
    width: int = 24
    """Channels after the first layer; deeper layers have 4/3 and 8/3 times as many."""
    renderings: int = 280
    """Phantom faces to render."""
    pictures: int = 0
    """Pictures composed of them and of other material; 0 = four times the renderings."""
    cut_out_share: float = 0.0
    """Share of phantom faces rendered a second time, to be laid over other backgrounds."""
    variety: float = 0.0
    """How far compositions go beyond what the renderer shows, 0..1: size, proportions, occlusion,
    light, blur and compression. More of it needs more steps."""
    steps: int = 480
    """Optimiser steps."""
    batch: int = 20
    """Composed pictures per step."""
    negative_share: float = 0.25
    """Share of composed pictures without a face."""
    profile_share: float = 0.2
    """Share of composed pictures with a head seen from the side."""
    stranger_share: float = 0.05
    """Share of composed pictures with a head that is no mouse."""
    real: bool = False
    """Learn from real material too, where `models.data.real` finds some."""
    shipped: bool = False
    """Take the finder that comes with the program instead of fitting one; the size of its picture
    and its network must be those stated here."""
    learning_rate: float = 0.006
    """Highest learning rate."""
    seed: int = 11
    """Seed of the renderings, compositions and weights; apart from the run's own seed, so that
    several runs share one finder."""
    recipe: str = "heatmap"
    """Name of the network in `models.zoo`."""


@dataclass(frozen=True)
class CropConfig:
    """How a face becomes the picture that the frame network sees."""

    size: int = 80
    """Side of the square crop in pixels."""
    margin: float = 0.12
    """Border round the face box, as a share of its longer side."""
    minimum_face: int = 64
    """Faces whose shorter side has fewer pixels are too small to grade."""
    minimum_confidence: float = 0.4
    """Finder confidence under which there is no face."""
    sure_confidence: float = 0.0
    """Finder confidence under which a face is too uncertain to be graded, though there may be one.
    """
    minimum_sharpness: float = 12.0
    """Variance of the Laplacian of the crop under which a unit that cannot be scored is blurred."""


@dataclass(frozen=True)
class EyesConfig:
    """The eye reader, which learns from phantom eyes and, where there are any, from real ones."""

    size: int = 48
    """Side in pixels of the square round an eye; a multiple of 8."""
    widths: tuple[int, ...] = (8, 16, 24)
    """Channels at a half, a quarter and an eighth of the side."""
    renderings: int = 32
    """Phantom faces to render."""
    steps: int = 45
    """Optimiser steps."""
    batch: int = 40
    """Squares per step."""
    real_share: float = 0.6
    """Share of real eyes among the eyes of a step; without real material all are phantoms."""
    negative_share: float = 0.2
    """Share of squares that show no eye."""
    learning_rate: float = 0.006
    """Highest learning rate."""
    shipped: bool = False
    """Take the reader that comes with the program instead of fitting one; its network must be the
    one stated here."""
    seed: int = 13
    """Seed of renderings, squares and weights; apart from the run's own seed, so that several runs
    share one reader."""
    recipe: str = "gravity"
    """Name of the network in `models.zoo`."""


@dataclass(frozen=True)
class NetConfig:
    """The frame network."""

    recipe: str = "small"
    """Name of the network in `models.zoo`."""
    widths: tuple[int, ...] = (16, 32, 64)
    """Channels of the stages, each of which halves the size."""
    window_widths: tuple[int, ...] = (12, 24, 32)
    """Channels of the three stages that look at a unit's windows (recipe `windows`)."""
    window_margin: float = 0.03
    """How far windows reach beyond the unit's regions, as a share of the face box."""
    blot: tuple[float, float] = (0.13, 0.11)
    """Half the width and height of what is blotted out round the landmarks of other units, as
    shares of the face box (recipe `windows`)."""
    dropout: float = 0.2
    """Dropout before the heads."""
    evened_by: str = _later("crop")
    """What the light of a crop is evened by: the mean and deviation of the whole `crop`, or of its
    middle, the `face`, so that the wall behind an animal does not change how it looks."""
    pretrained: bool = False
    """Begin with the weights of the shipped bundle, learnt from rendered faces, where no other is
    named; the network must be the one stated here."""
    weights: str = _later("")
    """Path of a safetensors file whose tensors the backbone begins with, as far as names and shapes
    fit; a bundle states the file's name alone."""
    folder: str = _later("")
    """Path of a folder of a Hugging Face model (recipe `transformers`), as `save_pretrained` leaves
    it; a bundle states the folder's name alone."""
    image_size: int = _later(0)
    """Side in pixels to which crops are brought for the model of `folder`; 0 = the model's own."""
    architecture: str = _later("")
    """The model of `folder` without its weights, as JSON; a run fills it in and bundles need no
    folder."""
    frozen: bool = _later(False)
    """The backbone stays as it begins: only what stands on it learns."""

    def __post_init__(self) -> None:
        if self.image_size < 0:
            raise ConfigError("net: “image_size” must be 0 or a number of pixels.")
        if self.evened_by not in EVENED_BY:
            raise ConfigError(f"net: “evened_by” must be one of {', '.join(EVENED_BY)}.")


@dataclass(frozen=True)
class FitConfig:
    """Optimisation."""

    epochs: int = 30
    """Passes over the training frames."""
    batch: int = 16
    """Frames per step."""
    learning_rate: float = 0.0015
    """Highest learning rate of the one-cycle schedule."""
    weight_decay: float = 0.1
    """Decoupled weight decay."""
    scorable_weight: float = 0.3
    """Weight of the scorable heads in the loss."""
    state_weight: float = 0.3
    """Weight of the state head in the loss."""
    familiar_weight: float = 1.0
    """Weight of the gate that tells faces from what is none."""
    landmark_weight: float = 3.0
    """Weight of the distance between landmarks and where they are taken to be, in crop sides."""
    checkpoint_every: int = 100
    """Steps between checkpoints."""
    augment: float = 1.3
    """Strength of augmentation; 0 switches it off."""
    glare: float = 0.0
    """Share of training faces with the glare of a pane before them."""
    region_mix: float = 0.0
    """Share of training faces that get the region of one unit from another face."""
    blur: float = _later(0.125)
    """Share of training crops that are blurred, as another lens would."""
    sharpen: float = _later(0.0)
    """Share of training crops that are sharpened, as another camera would."""
    contrast: float = _later(0.0)
    """How far the contrast of a crop of even light is changed at random, up or down (logarithm),
    and its level (deviations): walls and bedding differ from lab to lab."""
    precision: str = _later("float32")
    """`float32`, or `bf16` for the layers that bear it (losses and places stay float32)."""
    accelerator: str = _later("auto")
    """`auto` takes the GPU where there is one; `cpu` or `gpu` insists."""
    devices: int = _later(1)
    """Devices per machine that share the frames of every step; `batch` must be a multiple of all of
    them together."""
    nodes: int = _later(1)
    """Machines with so many devices each; more than one are started by torchrun or SLURM."""

    def __post_init__(self) -> None:
        for name, known in (("precision", PRECISIONS), ("accelerator", ACCELERATORS)):
            if getattr(self, name) not in known:
                raise ConfigError(f"fit: “{name}” must be one of {', '.join(known)}.")
        if self.devices < 1 or self.nodes < 1:
            raise ConfigError("fit: “devices” and “nodes” must be 1 or more.")
        if self.batch % self.processes:
            raise ConfigError(
                f"fit: “batch” ({self.batch}) must be a multiple of the {self.processes} devices "
                "that share it."
            )

    @property
    def processes(self) -> int:
        """Devices of all machines together; each has a process of its own."""
        return self.devices * self.nodes


@dataclass(frozen=True)
class TemporalConfig:
    """The temporal network and its optimisation."""

    recipe: str = "dilated"
    """Name of the network in `models.zoo`."""
    width: int = 48
    """Channels of its convolutions."""
    dropout: float = 0.2
    """Dropout of the features."""
    epochs: int = 20
    """Passes over the training recordings; 0 leaves the frame network's answers as they are."""
    batch: int = 16
    """Recordings per step."""
    learning_rate: float = 0.003
    """Highest learning rate of the one-cycle schedule."""
    weight_decay: float = 0.05
    """Decoupled weight decay."""
    jitter: float = 0.2
    """Noise on the features, in their standard deviations."""
    scorable_weight: float = 0.3
    """Weight of the scorable heads in the loss."""
    state_weight: float = 0.5
    """Weight of the state head in the loss."""


@dataclass(frozen=True)
class EvaluationConfig:
    """Evaluation at the end of a run."""

    draws: int = 400
    """Bootstrap draws over animals."""
    explained: int = 24
    """Most graded frames on which the saliency of the units is measured; 0 leaves it out."""
    alpha: float = 0.1
    """Conformal prediction sets aim to miss the raters' grade with at most this probability."""


@dataclass(frozen=True)
class RunConfig:
    """A whole training run."""

    name: str = "demo"
    """Name shown on reports."""
    seed: int = 1
    """Seed of sample order, augmentation and weights."""
    threads: int = 1
    """CPU threads inside a step; results are equal bit by bit only for one number of them. The
    networks are so small that a second one costs nearly as much as it brings."""
    workers: int = 2
    """Threads that decode, render and augment beside it; they change no result."""
    finder: FinderConfig = field(default_factory=FinderConfig)
    """Face finder."""
    eyes: EyesConfig = field(default_factory=EyesConfig)
    """Eye reader."""
    crop: CropConfig = field(default_factory=CropConfig)
    """Face crop."""
    net: NetConfig = field(default_factory=NetConfig)
    """Frame network."""
    fit: FitConfig = field(default_factory=FitConfig)
    """Optimisation."""
    temporal: TemporalConfig = field(default_factory=TemporalConfig)
    """Temporal network."""
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    """Evaluation."""


Section = TypeVar("Section")


def load_config(name: str | Path) -> RunConfig:
    """The shipped configuration of that name, or the one in that YAML file; raises ConfigError."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        # Runs lie beside each other; `parts/` holds what fits a finder or an eye reader alone.
        path = next(
            (file for folder in (SHIPPED, SHIPPED / "parts")
             if (file := folder / f"{name}.yaml").is_file()),
            SHIPPED / "none",
        )  # fmt: skip
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
            raise ConfigError(f"There is no configuration “{name}”; use {known} or a YAML file.")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path.name} cannot be read: {error}.") from error
    return parse_config(data, path.name)


def parse_config(data: dict[str, Any], source: str = "configuration") -> RunConfig:
    """The configuration that plain dictionaries stand for; raises ConfigError."""
    if not isinstance(data, dict):
        raise ConfigError(f"{source} must be a mapping of fields to values.")
    return _section(RunConfig, data, source)


def _section(kind: type[Section], data: dict[str, Any], where: str) -> Section:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in hints:
            raise ConfigError(f"{where}: there is no field “{key}”; known are {', '.join(hints)}.")
        hint = hints[key]
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            if not isinstance(value, dict):
                raise ConfigError(f"{where}: “{key}” must hold fields, not {value!r}.")
            values[key] = _section(hint, value, f"{where}, {key}")
        elif isinstance(value, list):
            values[key] = tuple(value)
        else:
            wanted = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}
            known = isinstance(value, wanted.get(hint, (object,)))
            if not known or (isinstance(value, bool) and hint is not bool):
                raise ConfigError(f"{where}: “{key}” must be of kind {hint.__name__}.")
            values[key] = hint(value) if hint in (int, float, str) else value
    return kind(**values)


def to_dict(config: Any) -> dict[str, Any]:
    """A configuration as plain dictionaries, lists and numbers."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def to_yaml(config: RunConfig) -> str:
    """A configuration as the YAML that `load_config` reads."""
    return yaml.safe_dump(to_dict(config), sort_keys=False)


def digest(config: Any) -> str:
    """SHA-256 of a configuration's values.

    Fields that came later count only where they differ from their defaults, so that a run of an
    earlier version can be finished.
    """
    plain = _told(config)
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _told(config: Any) -> dict[str, Any]:
    plain = to_dict(config)
    for entry in dataclasses.fields(config):
        value = getattr(config, entry.name)
        if dataclasses.is_dataclass(value):
            plain[entry.name] = _told(value)
        elif entry.metadata.get("later") and value == entry.default:
            del plain[entry.name]
    return plain
