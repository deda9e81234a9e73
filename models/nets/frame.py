"""The frame network: a face crop to unit, scorable and state logits and an embedding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.nets.blocks import Residual, convolution

OUTSIDE = 0.02
"""Weight of a place outside a unit's region before anything is learnt, where 1 is inside."""


class FrameOutputs(NamedTuple):
    """What the frame network says of n crops.

    `grades` (n, units, steps) conditional ordinal logits, padded to the unit with the most grades;
    `scorable` (n, units) logits; `states` (n, states) logits; `familiar` (n,) logit of the crop
    being a face like those it learns from; `embedding` (n, features).
    """

    grades: Tensor
    scorable: Tensor
    states: Tensor
    familiar: Tensor
    embedding: Tensor


class FrameNet(nn.Module, ABC):
    """What all frame networks share: even light, the gate for strangers, and the heads' shapes.

    `steps` is the number of grades of each unit minus one, `features` the size of the embedding.
    """

    def __init__(self, steps: Sequence[int], features: int) -> None:
        super().__init__()
        self.steps = tuple(steps)
        self.features = features
        # A network of its own: strangers in the batches of the backbone would shift what its batch
        # norms take for normal, and cost a third of the accuracy of the grades.
        self.gate = nn.Sequential(
            convolution(1, 16, stride=4, kernel=7),
            convolution(16, 24, stride=2),
            convolution(24, 32, stride=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, 1),
        )

    def forward(self, crops: Tensor) -> FrameOutputs:
        """Crops (n, 1, size, size), luma in 0..1, to `FrameOutputs`."""
        even = evened(crops)
        return self.grade(even, self.familiar(even))

    def familiar(self, even: Tensor) -> Tensor:
        """Logit (n,) that a crop of `evened` light is a face like those of training."""
        gate: Tensor = self.gate(even)
        return gate[:, 0]

    @abstractmethod
    def grade(self, even: Tensor, familiar: Tensor) -> FrameOutputs:
        """All heads on crops of `evened` light; `familiar` is handed through."""


class UnitHeads(nn.Module):
    """From what was seen of every unit to ordinal and scorable logits."""

    def __init__(self, steps: Sequence[int], features: int, around: int) -> None:
        super().__init__()
        units = len(steps)
        self.grade_weight = nn.Parameter(torch.randn(units, features, max(steps)) * 0.02)
        self.grade_bias = nn.Parameter(torch.zeros(units, max(steps)))
        self.scorable_weight = nn.Parameter(torch.randn(units, features + around) * 0.02)
        self.scorable_bias = nn.Parameter(torch.zeros(units))

    def forward(self, looked: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, units, f) and embedding (n, e) to logits (n, units, steps), (n, units)."""
        grades = torch.einsum("nuf,ufs->nus", looked, self.grade_weight) + self.grade_bias
        # Whether a unit can be scored shows in the whole face, too: its angle, a paw before it.
        whole = embedding[:, None, :].expand(-1, looked.shape[1], -1)
        around = torch.cat([looked, whole], dim=2)
        return grades, (around * self.scorable_weight).sum(dim=2) + self.scorable_bias


class PooledNet(FrameNet):
    """A small residual network over the whole crop with one attention-pooled head per unit.

    Each unit looks at the feature map through a softmax over places of its own, because units live
    in different parts of the face. `regions` (units, rows, columns) is the share of each place that
    lies in the unit's face region: a place outside is looked at only where it tells much more.
    """

    prior: Tensor

    def __init__(
        self,
        widths: Sequence[int],
        steps: Sequence[int],
        states: int,
        dropout: float,
        regions: Tensor,
    ) -> None:
        super().__init__(steps, widths[-1])
        self.backbone = backbone(widths)
        self.register_buffer("prior", torch.log(regions.flatten(1) + OUTSIDE)[None])
        self.attention = nn.Conv2d(self.features, len(self.steps), 1)
        self.dropout = nn.Dropout(dropout)
        self.heads = UnitHeads(self.steps, self.features, self.features)
        self.state = nn.Linear(self.features, states)

    def grade(self, even: Tensor, familiar: Tensor) -> FrameOutputs:
        """All heads on crops of `evened` light; `familiar` is handed through."""
        features = self.backbone(even)
        embedding = features.mean(dim=(2, 3))
        places = (self.attention(features).flatten(2) + self.prior).softmax(dim=2)
        looked = self.dropout(torch.matmul(places, features.flatten(2).transpose(1, 2)))
        grades, scorable = self.heads(looked, embedding)
        states = self.state(self.dropout(embedding))
        return FrameOutputs(grades, scorable, states, familiar, embedding)


class Window(NamedTuple):
    """A part of the crop in pixels; a `mirrored` one is turned over before it is looked at."""

    left: int
    top: int
    width: int
    height: int
    mirrored: bool


class WindowNet(FrameNet):
    """One small network per unit that is shown the windows of that unit and nothing else.

    Units rise and fall together in an animal in pain, so that a network shown the whole face reads
    most units off the eyes; here a grade can rest on its own part of the face only. `windows[u]`
    are of one size; those of the right half are mirrored, so that both sides share weights. Places
    of all windows of a unit compete in one softmax: a side that is hidden need not be looked at.
    A network of `widths` over the whole crop helps to tell states and whether units can be scored.
    """

    def __init__(
        self,
        widths: Sequence[int],
        window_widths: Sequence[int],
        steps: Sequence[int],
        states: int,
        dropout: float,
        windows: Sequence[Sequence[Window]],
    ) -> None:
        super().__init__(steps, widths[-1])
        self.windows = [tuple(some) for some in windows]
        self.backbone = backbone(widths)
        first, second, seen = window_widths
        self.looks = nn.ModuleList(
            nn.Sequential(
                convolution(1, first, stride=2, kernel=5),
                convolution(first, second, stride=2),
                Residual(second),
                convolution(second, seen),
            )
            for _ in self.windows
        )
        self.attention = nn.ModuleList(nn.Conv2d(seen, 1, 1) for _ in self.windows)
        self.dropout = nn.Dropout(dropout)
        self.heads = UnitHeads(self.steps, seen, self.features)
        self.state = nn.Linear(self.features + seen * len(self.windows), states)

    def grade(self, even: Tensor, familiar: Tensor) -> FrameOutputs:
        """All heads on crops of `evened` light; `familiar` is handed through."""
        embedding = self.backbone(even).mean(dim=(2, 3))
        looked = self.dropout(torch.stack([self._look(even, u) for u in range(len(self.looks))], 1))
        grades, scorable = self.heads(looked, embedding)
        # Sleep shows in eyes and ears, eating and grooming in the whole picture.
        states = self.state(torch.cat([self.dropout(embedding), looked.flatten(1)], dim=1))
        return FrameOutputs(grades, scorable, states, familiar, embedding)

    def _look(self, even: Tensor, unit: int) -> Tensor:
        """Features (n, f) of one unit."""
        parts = []
        for left, top, width, height, mirrored in self.windows[unit]:
            part = even[:, :, top : top + height, left : left + width]
            parts.append(part.flip(3) if mirrored else part)
        seen = self.looks[unit](torch.cat(parts))
        places = torch.cat([self.attention[unit](seen), seen], dim=1).flatten(2)
        # (windows · n, 1 + f, places) to (n, 1 + f, windows · places).
        together = places.reshape(len(parts), -1, *places.shape[1:]).permute(1, 2, 0, 3).flatten(2)
        weight = together[:, :1].softmax(dim=2)
        return (together[:, 1:] * weight).sum(dim=2)


def backbone(widths: Sequence[int]) -> nn.Sequential:
    """A residual network whose stages have so many channels and halve the size each."""
    first, *rest = widths
    stages: list[nn.Module] = [convolution(1, first, stride=2, kernel=5)]
    for inputs, outputs in zip(widths[:-1], rest, strict=True):
        stages += [convolution(inputs, outputs, stride=2), Residual(outputs)]
    return nn.Sequential(*stages)


def evened(crops: Tensor) -> Tensor:
    """Crops less their mean, over their deviation: exposure and coat need not be learnt."""
    mean = crops.mean(dim=(2, 3), keepdim=True)
    deviation = (crops - mean).square().mean(dim=(2, 3), keepdim=True).sqrt()
    return (crops - mean) / (deviation + 0.02)
