"""The eye network: four points as the centres of gravity of four maps, and whether it is an eye."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.nets.blocks import Residual, convolution

STRIDE = 4


class EyeOutputs(NamedTuple):
    """`points` (n, 4, 2) in 0..1 of the square: top, front, bottom, back; `seen` (n,) logits."""

    points: Tensor
    seen: Tensor


class EyesNet(nn.Module):
    """A small encoder with one step up; the input's side is a multiple of 8.

    A point is the mean place under the softmax of its map (Sun et al. 2018, Integral human pose
    regression), which finds it between the cells.
    """

    def __init__(self, widths: tuple[int, ...], size: int, points: int = 4) -> None:
        super().__init__()
        first, fine, coarse = widths
        self.stem = convolution(1, first, stride=2, kernel=5)
        self.fine = nn.Sequential(convolution(first, fine, stride=2), Residual(fine))
        self.coarse = nn.Sequential(convolution(fine, coarse, stride=2), Residual(coarse))
        self.narrow = nn.Conv2d(coarse, fine, 1)
        self.fuse = convolution(fine, fine)
        self.maps = nn.Conv2d(fine, points, 1)
        self.seen = nn.Linear(coarse, 1)
        side = size // STRIDE
        middles = (torch.arange(side) + 0.5) / side
        places = torch.stack([middles.repeat(side), middles.repeat_interleave(side)], dim=1)
        self.places: Tensor
        self.register_buffer("places", places, persistent=False)

    def forward(self, eyes: Tensor) -> EyeOutputs:
        """Luma (n, 1, size, size) in 0..1 to `EyeOutputs`."""
        centred = eyes - eyes.mean(dim=(2, 3), keepdim=True)
        deviation = centred.square().mean(dim=(2, 3), keepdim=True).sqrt()
        fine = self.fine(self.stem(centred / (deviation + 0.02)))
        coarse = self.coarse(fine)
        wide = nn.functional.interpolate(self.narrow(coarse), scale_factor=2.0)
        maps = self.maps(self.fuse(fine + wide))
        points = maps.flatten(2).softmax(dim=2) @ self.places
        return EyeOutputs(points, self.seen(coarse.mean(dim=(2, 3)))[:, 0])
