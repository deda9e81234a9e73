"""The face finder: heat maps of the face's centre and landmarks on a downscaled luma plane.

After CenterNet (Zhou, Wang, Krähenbühl 2019, Objects as Points): a peak of the first map is a face,
and the other maps at that place give its size and view.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.nets.blocks import Residual, convolution

STRIDE = 4
VIEWS = ("frontal", "three_quarter", "profile")


class FinderOutputs(NamedTuple):
    """Maps at a quarter of the input's size.

    `heat` (n, 1 + landmarks, h, w) logits; `size` (n, 2, h, w) logarithm of width and height in
    input pixels; `view` (n, views, h, w) logits.
    """

    heat: Tensor
    size: Tensor
    view: Tensor


class FinderNet(nn.Module):
    """A small encoder with one step up; input height and width are multiples of 16."""

    def __init__(self, width: int, landmarks: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            convolution(1, width, stride=2, kernel=5), convolution(width, 2 * width, stride=2)
        )
        self.middle = nn.Sequential(
            convolution(2 * width, 2 * width, stride=2), Residual(2 * width)
        )
        self.deep = nn.Sequential(
            convolution(2 * width, 3 * width, stride=2),
            Residual(3 * width),
            Residual(3 * width),
        )
        self.narrow = nn.Conv2d(3 * width, 2 * width, 1)
        self.fuse = convolution(2 * width, 2 * width)
        self.last = convolution(2 * width, 2 * width)
        self.heat = nn.Conv2d(2 * width, 1 + landmarks, 1)
        self.size = nn.Conv2d(2 * width, 2, 1)
        self.view = nn.Conv2d(2 * width, len(VIEWS), 1)
        nn.init.constant_(self.heat.bias, -4.0)  # type: ignore[arg-type]
        nn.init.constant_(self.size.bias, 3.5)  # type: ignore[arg-type]

    def forward(self, luma: Tensor) -> FinderOutputs:
        """Luma (n, 1, height, width) in 0..1 to `FinderOutputs`."""
        mean = luma.mean(dim=(2, 3), keepdim=True)
        deviation = (luma - mean).square().mean(dim=(2, 3), keepdim=True).sqrt()
        shallow = self.stem((luma - mean) / (deviation + 0.02))
        middle = self.middle(shallow)
        deep = self.narrow(self.deep(middle))
        middle = self.fuse(middle + nn.functional.interpolate(deep, scale_factor=2.0))
        maps = self.last(shallow + nn.functional.interpolate(middle, scale_factor=2.0))
        return FinderOutputs(self.heat(maps), self.size(maps), self.view(maps))


def heat_targets(points: Tensor, sigma: Tensor, height: int, width: int) -> Tensor:
    """Gaussian bumps (n, points, height, width) round points (n, points, 2) in map cells.

    `sigma` (n,) in cells; a point with a NaN has no bump.
    """
    y = torch.arange(height, dtype=points.dtype)[None, None, :, None]
    x = torch.arange(width, dtype=points.dtype)[None, None, None, :]
    px, py = points[:, :, 0, None, None], points[:, :, 1, None, None]
    distance = (x - px) ** 2 + (y - py) ** 2
    bump = torch.exp(-distance / (2 * sigma[:, None, None, None] ** 2))
    return torch.nan_to_num(bump, nan=0.0)
