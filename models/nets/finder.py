"""The face finder: a heat map of face centres on a downscaled luma plane, and what lies there.

After CenterNet (Zhou, Wang, Krähenbühl 2019, Objects as Points): a peak of the heat map is a face,
and the other maps at that place give its box, landmarks and view.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.faces import STRIDE, VIEWS
from models.nets.blocks import Residual, convolution

__all__ = ["STRIDE", "VIEWS", "FinderNet", "FinderOutputs", "heat_targets"]


class FinderOutputs(NamedTuple):
    """Maps at an eighth of the input's size, lengths in cells of the map.

    `heat` (n, 1, h, w) logits; `box` (n, 4, h, w): offset of the centre from the cell in x and y,
    logarithm of width and height; `marks` (n, 2 · landmarks, h, w): offset of each landmark in x
    and y; `view` (n, views, h, w) logits.
    """

    heat: Tensor
    box: Tensor
    marks: Tensor
    view: Tensor


class FinderNet(nn.Module):
    """A small encoder with steps up again; input height and width are multiples of 16.

    `deep` adds a level at a 32nd of the size, which sees the whole head at once; the sides must be
    multiples of 32 then.
    """

    def __init__(self, width: int, landmarks: int, deep: bool = False) -> None:
        super().__init__()
        self.landmarks = landmarks
        fine, coarse = 4 * width // 3, 8 * width // 3
        # One wide step down: two narrow ones cost as much as all the rest together.
        self.stem = convolution(1, width, stride=4, kernel=7)
        self.fine = nn.Sequential(convolution(width, fine, stride=2), Residual(fine))
        self.coarse = nn.Sequential(convolution(fine, coarse, stride=2), Residual(coarse))
        self.deep: nn.Module | None = None
        if deep:
            self.deep = nn.Sequential(
                convolution(coarse, 2 * coarse, stride=2),
                Residual(2 * coarse),
                nn.Conv2d(2 * coarse, coarse, 1),
            )
        self.narrow = nn.Conv2d(coarse, fine, 1)
        self.fuse = convolution(fine, fine)
        self.heat = nn.Conv2d(fine, 1, 1)
        # Where landmarks lie follows from box and view together: one more layer in the deep net.
        self.shape = convolution(fine, coarse) if deep else nn.Identity()
        known = coarse if deep else fine
        self.box = nn.Conv2d(known, 4, 1)
        self.marks = nn.Conv2d(known, 2 * landmarks, 1)
        self.view = nn.Conv2d(known, len(VIEWS), 1)
        nn.init.constant_(self.heat.bias, -3.0)  # type: ignore[arg-type]

    def forward(self, luma: Tensor) -> FinderOutputs:
        """Luma (n, 1, height, width) in 0..1 to `FinderOutputs`."""
        mean = luma.mean(dim=(2, 3), keepdim=True)
        deviation = (luma - mean).square().mean(dim=(2, 3), keepdim=True).sqrt()
        fine = self.fine(self.stem((luma - mean) / (deviation + 0.02)))
        coarse = self.coarse(fine)
        if self.deep is not None:
            deep = nn.functional.interpolate(self.deep(coarse), scale_factor=2.0)
            coarse = torch.relu(coarse + deep)
        coarse = self.narrow(coarse)
        maps = self.fuse(fine + nn.functional.interpolate(coarse, scale_factor=2.0))
        heat, maps = self.heat(maps), self.shape(maps)
        box = self.box(maps)
        # Landmarks in sizes of the face, so that their usual places are learnt once for all sizes.
        size = box[:, 2:].detach().clamp(max=5.0).exp()
        marks = self.marks(maps) * size.repeat(1, self.landmarks, 1, 1)
        return FinderOutputs(heat, box, marks, self.view(maps))


def heat_targets(centres: Tensor, sigma: Tensor, height: int, width: int) -> Tensor:
    """Gaussian bumps (n, height, width) round centres (n, 2) in map cells; none round a NaN.

    `sigma` (n,) in cells.
    """
    y = torch.arange(height, dtype=centres.dtype)[None, :, None]
    x = torch.arange(width, dtype=centres.dtype)[None, None, :]
    distance = (x - centres[:, 0, None, None]) ** 2 + (y - centres[:, 1, None, None]) ** 2
    bump = torch.exp(-distance / (2 * sigma[:, None, None] ** 2))
    return torch.nan_to_num(bump, nan=0.0)
