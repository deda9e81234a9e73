"""The temporal network: what the seconds round a frame add to what the frame shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.context import MOTION, REACH

DILATIONS = (1, 2, 4, 8, 16, 24)
"""One convolution of width 3 each: together they reach as many ticks to either side as allowed."""
assert sum(DILATIONS) == REACH  # noqa: S101 - a wrong figure here would make scores depend on segments


class TemporalOutputs(NamedTuple):
    """Logits of m frames; see `FrameOutputs`."""

    grades: Tensor
    scorable: Tensor
    states: Tensor


class TemporalNet(nn.Module):
    """Dilated convolutions over ticks, joined with the frame's own features (van den Oord 2016).

    The answer is the frame's own logits plus a correction that begins at zero, so that an untrained
    network says what the frame network says. `embedding` features come first, then the logits in
    the order of `models.context.features`.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        embedding: int,
        steps: Sequence[int],
        states: int,
        width: int,
        dropout: float,
        jitter: float = 0.0,
    ) -> None:
        super().__init__()
        self.steps = tuple(steps)
        self.embedding, self.states = embedding, states
        units, most = len(self.steps), max(self.steps)
        self.logits = units * most + units + states
        self.size = embedding + self.logits + len(MOTION)
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("deviation", torch.ones(self.size))
        self.enter = nn.Conv1d(self.size + 1, width, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
            for dilation in DILATIONS
        )
        self.own = nn.Linear(self.size, width)
        self.mix = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)
        self.jitter = jitter
        self.leave = nn.Linear(width, self.logits)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, ticks: Tensor, own: Tensor, row: Tensor, column: Tensor) -> TemporalOutputs:
        """Ticks (n, F + 1, T), frames (m, F) and their places (m,), (m,) to `TemporalOutputs`."""
        mask = ticks[:, -1:]
        level = (ticks[:, :-1] - self.mean[None, :, None]) / self.deviation[None, :, None]
        maps = torch.relu(self.enter(torch.cat([self._noisy(level) * mask, mask], dim=1)))
        for layer in self.layers:
            maps = maps + torch.relu(layer(self.dropout(maps)))
        around = maps.transpose(1, 2)[row, column]
        seen = self._noisy((own - self.mean) / self.deviation)
        mine = torch.relu(self.own(self.dropout(seen)))
        correction = self.leave(torch.relu(self.mix(torch.cat([mine, around], dim=1))))
        said = own[:, self.embedding : self.embedding + self.logits] + correction
        units, most = len(self.steps), max(self.steps)
        grades, scorable, states = said.split([units * most, units, self.states], dim=1)
        return TemporalOutputs(grades.reshape(-1, units, most), scorable, states)

    def _noisy(self, level: Tensor) -> Tensor:
        """Features while training: what the frame network says of frames it has learnt from is
        surer than it should be."""
        return level + self.jitter * torch.randn_like(level) if self.training else level
