"""Networks as ONNX graphs and safetensors, one file each, with a dynamic batch."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.context import REACH
from models.nets.eyes import EyesNet
from models.nets.finder import FinderNet
from models.nets.frame import FrameNet, FrameOutputs
from models.nets.temporal import TemporalNet

OPSET = 17


def finder_graph(net: FinderNet) -> bytes:
    """ONNX graph: `luma` (n, 1, height, width) to `heat`, `box`, `marks`, `view`, of any size."""
    free = {0: "batch", 2: "height", 3: "width"}
    names = ("heat", "box", "marks", "view")
    axes = {"luma": free, **{name: {0: "batch", 2: "rows", 3: "columns"} for name in names}}
    return _graph(net, (torch.rand(2, 1, 64, 96),), ("luma",), names, axes)


def frame_graph(net: FrameNet, size: int) -> bytes:
    """ONNX graph: `crops` (n, 1, size, size) to `grades`, `scorable`, `states`, `familiar`, …"""
    names = FrameOutputs._fields
    axes = {name: {0: "batch"} for name in ("crops", *names)}
    return _graph(net, (torch.rand(2, 1, size, size),), ("crops",), names, axes)


def temporal_graph(net: TemporalNet) -> bytes:
    """ONNX graph: `ticks`, `own`, `row`, `column` to the logits `grades`, `scorable`, `states`."""
    given = ("ticks", "own", "row", "column")
    names = ("grades", "scorable", "states")
    axes = {
        "ticks": {0: "recordings", 2: "length"},
        **{name: {0: "frames"} for name in (*given[1:], *names)},
    }
    length = 2 * REACH + 3
    example = (
        torch.rand(2, net.size + 1, length),
        torch.rand(3, net.size),
        torch.tensor([0, 1, 1]),
        torch.tensor([REACH, REACH, REACH + 1]),
    )
    return _graph(net, example, given, names, axes)


def eyes_graph(net: EyesNet, size: int) -> bytes:
    """ONNX graph: `eyes` (n, 1, size, size) in 0..1 to `points` (n, 4, 2) and `seen` (n,)."""
    axes = {name: {0: "batch"} for name in ("eyes", "points", "seen")}
    return _graph(net, (torch.rand(2, 1, size, size),), ("eyes",), ("points", "seen"), axes)


def _graph(
    net: nn.Module,
    example: tuple[Tensor, ...],
    given: tuple[str, ...],
    names: tuple[str, ...],
    axes: dict[str, dict[int, str]],
) -> bytes:
    buffer = io.BytesIO()
    net.eval()
    # Weights laid out channels last for training would be exported as transposed copies.
    net.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with warnings.catch_warnings():
        # The newer exporter writes weights to a second file, which a bundle has no place for.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            example,
            buffer,  # type: ignore[arg-type]
            input_names=list(given),
            output_names=list(names),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    return buffer.getvalue()


def save_weights(path: Path, **nets: nn.Module) -> None:
    """Weights of several networks in one safetensors file, each name led by its network's."""
    tensors = {
        f"{part}.{name}": tensor.detach().contiguous().clone()
        for part, net in nets.items()
        for name, tensor in net.state_dict().items()
    }
    save_file(tensors, path)


def load_weights(path: Path, part: str, net: nn.Module) -> None:
    """Fill one network from a file of `save_weights`; raises RuntimeError where shapes differ."""
    lead = f"{part}."
    tensors = {
        name.removeprefix(lead): value
        for name, value in load_file(path).items()
        if name.startswith(lead)
    }
    net.load_state_dict(tensors)


def load_matching(path: Path, part: str, net: nn.Module) -> list[str]:
    """Fill what fits (same name and shape) of one network for a warm start; returns the rest."""
    lead, own = f"{part}.", net.state_dict()
    found = {
        name.removeprefix(lead): value
        for name, value in load_file(path).items()
        if name.startswith(lead)
    }
    fitting = {k: v for k, v in found.items() if k in own and own[k].shape == v.shape}
    net.load_state_dict({**own, **fitting})
    return sorted(set(own) - set(fitting))
