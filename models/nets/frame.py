"""The frame network: a face crop to unit, scorable and state logits and an embedding."""

from __future__ import annotations

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


class FrameNet(nn.Module):
    """A small residual network with one attention-pooled head per unit.

    Each unit looks at the feature map through a softmax over places of its own, because units live
    in different parts of the face. `regions` (units, rows, columns) is the share of each place that
    lies in the unit's face region: a place outside is looked at only where it tells much more, so
    that a grade rests on the part of the face it is about. `steps` is the number of grades of each
    unit minus one.
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
        super().__init__()
        self.steps = tuple(steps)
        first, *rest = widths
        stages: list[nn.Module] = [convolution(1, first, stride=2, kernel=5)]
        for inputs, outputs in zip(widths[:-1], rest, strict=True):
            stages += [convolution(inputs, outputs, stride=2), Residual(outputs)]
        self.backbone = nn.Sequential(*stages)
        units, features = len(self.steps), widths[-1]
        self.features = features
        self.register_buffer("prior", torch.log(regions.flatten(1) + OUTSIDE)[None])
        self.attention = nn.Conv2d(features, units, 1)
        self.dropout = nn.Dropout(dropout)
        self.grade_weight = nn.Parameter(torch.randn(units, features, max(self.steps)) * 0.02)
        self.grade_bias = nn.Parameter(torch.zeros(units, max(self.steps)))
        self.scorable_weight = nn.Parameter(torch.randn(units, 2 * features) * 0.02)
        self.scorable_bias = nn.Parameter(torch.zeros(units))
        self.state = nn.Linear(features, states)
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

    def grade(self, even: Tensor, familiar: Tensor) -> FrameOutputs:
        """All heads on crops of `evened` light; `familiar` is handed through."""
        features = self.backbone(even)
        embedding = features.mean(dim=(2, 3))
        places = (self.attention(features).flatten(2) + self.prior).softmax(dim=2)
        looked = self.dropout(torch.matmul(places, features.flatten(2).transpose(1, 2)))
        grades = torch.einsum("nuf,ufs->nus", looked, self.grade_weight) + self.grade_bias
        # Whether a unit can be scored shows in the whole face, too: its angle, a paw before it.
        around = torch.cat([looked, embedding[:, None, :].expand_as(looked)], dim=2)
        scorable = (around * self.scorable_weight).sum(dim=2) + self.scorable_bias
        states = self.state(self.dropout(embedding))
        return FrameOutputs(grades, scorable, states, familiar, embedding)


def evened(crops: Tensor) -> Tensor:
    """Crops less their mean, over their deviation: exposure and coat need not be learnt."""
    mean = crops.mean(dim=(2, 3), keepdim=True)
    deviation = (crops - mean).square().mean(dim=(2, 3), keepdim=True).sqrt()
    return (crops - mean) / (deviation + 0.02)
