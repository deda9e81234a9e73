"""The frame network: a face crop to unit, scorable and state logits and an embedding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from models.nets.blocks import Residual, convolution
from models.regions import Window

OUTSIDE = 0.02
"""Weight of a place outside a unit's region before anything is learnt, where 1 is inside."""
FACE_ROWS, FACE_COLUMNS = (0.3, 0.85), (0.25, 0.75)
"""The middle of the face in a crop, from under the ears to the chin, in shares of its sides."""
FURTHEST = 4.0
"""Deviations of the face's middle from which brightness is cut off."""


class FrameOutputs(NamedTuple):
    """What the frame network says of n crops.

    `grades` (n, units, steps) conditional ordinal logits, padded to the unit with the most grades;
    `scorable` (n, units) logits; `states` (n, states) logits; `familiar` (n,) logit of the crop
    being a face like those it learns from; `embedding` (n, features); `places` (n, landmarks, 2)
    where it takes the landmarks to be, x and y in shares of the crop's side.
    """

    grades: Tensor
    scorable: Tensor
    states: Tensor
    familiar: Tensor
    embedding: Tensor
    places: Tensor


class FrameNet(nn.Module, ABC):
    """What all frame networks share: even light, the gate for strangers, landmarks, heads' shapes.

    `steps` is the number of grades of each unit minus one, `features` the size of the embedding.
    """

    backbone: nn.Module
    """What the heads stand on."""
    evened_by: str = "crop"
    """What the light is evened by: the whole crop or the `face` in its middle."""

    def __init__(self, steps: Sequence[int], features: int, landmarks: int) -> None:
        super().__init__()
        self.steps = tuple(steps)
        self.features = features
        self.frozen = False
        self.locator = nn.Conv2d(features, landmarks, 1)
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

    def freeze(self) -> None:
        """Let the backbone stay as it is: no gradients, and no new means in its batch norms."""
        self.frozen = True
        self.backbone.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set training mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def forward(self, crops: Tensor, places: Tensor | None = None) -> FrameOutputs:
        """Crops (n, 1, size, size), luma in 0..1, to `FrameOutputs`.

        Given `places` are believed instead of its own: of a crop of which parts are taken away,
        say, the parts that are left are looked at where they lay.
        """
        even = self.evened(crops)
        return self.grade(even, self.familiar(even), places)

    def evened(self, crops: Tensor) -> Tensor:
        """Crops (n, 1, size, size) whose exposure and coat need not be learnt.

        Less the mean and over the deviation of the whole crop, or of the middle of the face. A dark
        wall makes the face before it bright, where the whole crop counts, and its whiskers strong;
        where the face alone counts, what is far brighter or darker than it is cut off.
        """
        part = crops
        if self.evened_by == "face":
            (top, bottom), (left, right) = (
                [round(share * int(crops.shape[axis])) for share in shares]
                for axis, shares in ((2, FACE_ROWS), (3, FACE_COLUMNS))
            )
            part = crops[:, :, top:bottom, left:right]
        mean = part.mean(dim=(2, 3), keepdim=True)
        deviation = (part - mean).square().mean(dim=(2, 3), keepdim=True).sqrt()
        even = (crops - mean) / (deviation + 0.02)
        return even.clamp(-FURTHEST, FURTHEST) if self.evened_by == "face" else even

    def familiar(self, even: Tensor) -> Tensor:
        """Logit (n,) that a crop of `evened` light is a face like those of training."""
        gate: Tensor = self.gate(even)
        return gate[:, 0]

    @abstractmethod
    def grade(self, even: Tensor, familiar: Tensor, places: Tensor | None = None) -> FrameOutputs:
        """All heads on crops of `evened` light; `familiar` is handed through."""

    def located(self, features: Tensor) -> Tensor:
        """Landmarks (n, landmarks, 2) as the centres of gravity of one softmax map each.

        Integral regression (Sun et al. 2018, ECCV) on the cells of a map (n, features, rows,
        columns). In float32 whatever the precision: windows follow the landmarks, and the steps of
        bfloat16 are a quarter of a pixel and more.
        """
        with torch.autocast(features.device.type, enabled=False):
            if features.dtype != torch.float32:
                features = features.float()
            rows, columns = features.shape[2:]
            maps = self.locator(features).flatten(2).softmax(2).unflatten(2, (rows, columns))
            down = (torch.arange(rows, device=maps.device) + 0.5) / rows
            along = (torch.arange(columns, device=maps.device) + 0.5) / columns
            return torch.stack([maps.sum(2) @ along, maps.sum(3) @ down], dim=2)


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
    """A backbone over the whole crop with one attention-pooled head per unit.

    Each unit looks at the feature map through a softmax over places of its own, because units live
    in different parts of the face. `regions` (units, rows, columns) is the share of each place that
    lies in the unit's face region: a place outside is looked at only where it tells much more.
    `backbone` makes the network from crops of even light to so many `features` in rows and columns.
    """

    prior: Tensor

    def __init__(
        self,
        backbone: Callable[[], nn.Module],
        features: int,
        steps: Sequence[int],
        states: int,
        dropout: float,
        regions: Tensor,
        landmarks: int,
    ) -> None:
        super().__init__(steps, features, landmarks)
        self.backbone = backbone()
        self.register_buffer("prior", torch.log(regions.flatten(1) + OUTSIDE)[None])
        self.attention = nn.Conv2d(self.features, len(self.steps), 1)
        self.dropout = nn.Dropout(dropout)
        self.heads = UnitHeads(self.steps, self.features, self.features)
        self.state = nn.Linear(self.features, states)

    def grade(self, even: Tensor, familiar: Tensor, places: Tensor | None = None) -> FrameOutputs:
        """All heads on crops of `evened` light; `familiar` is handed through."""
        features = self.backbone(even)
        found = self.located(features) if places is None else places
        embedding = features.mean(dim=(2, 3))
        attended = (self.attention(features).flatten(2) + self.prior).softmax(dim=2)
        looked = self.dropout(torch.matmul(attended, features.flatten(2).transpose(1, 2)))
        grades, scorable = self.heads(looked, embedding)
        states = self.state(self.dropout(embedding))
        return FrameOutputs(grades, scorable, states, familiar, embedding, found)


class WindowNet(FrameNet):
    """One small network per unit that is shown the windows of that unit and nothing else.

    Units rise and fall together in an animal in pain, so that a network shown the whole face reads
    most units off the eyes; here a grade can rest on its own part of the face only. Windows follow
    the landmarks, and what lies round the landmarks of other units is blotted out, because in a
    turned head an eye comes to lie where the cheek was. `windows[u]` are of one size; those of the
    right half are mirrored, so that both sides share weights. Places of all windows of a unit
    compete in one softmax: a side that is hidden need not be looked at. A network of `widths` over
    the whole crop finds the landmarks and helps to tell states and whether units can be scored.

    `homes` (landmarks, 2) is where landmarks of a frontal face lie, `blot` half the width and
    height of what is blotted out round one, all in shares of the crop's side.
    """

    homes: Tensor

    def __init__(
        self,
        widths: Sequence[int],
        window_widths: Sequence[int],
        steps: Sequence[int],
        states: int,
        dropout: float,
        windows: Sequence[Sequence[Window]],
        homes: Tensor,
        blot: tuple[float, float],
    ) -> None:
        super().__init__(steps, widths[-1], len(homes))
        self.windows = [tuple(some) for some in windows]
        self.blot = blot
        self.register_buffer("homes", homes, persistent=False)
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

    def grade(self, even: Tensor, familiar: Tensor, places: Tensor | None = None) -> FrameOutputs:
        """All heads on crops of `evened` light; `familiar` is handed through."""
        features = self.backbone(even)
        found = self.located(features) if places is None else places
        embedding = features.mean(dim=(2, 3))
        # Windows move by whole pixels: no grade changes where a landmark is put.
        at = found.detach()
        shown = {
            hides: even[:, 0] * self._shown(at, even.shape[2], hides)
            for hides in sorted({some[0].hides for some in self.windows})
        }
        looked = torch.stack(
            [self._look(shown[some[0].hides], at, u) for u, some in enumerate(self.windows)], 1
        )
        looked = self.dropout(looked)
        grades, scorable = self.heads(looked, embedding)
        # Sleep shows in eyes and ears, eating and grooming in the whole picture.
        states = self.state(torch.cat([self.dropout(embedding), looked.flatten(1)], dim=1))
        return FrameOutputs(grades, scorable, states, familiar, embedding, found)

    def _look(self, shown: Tensor, places: Tensor, unit: int) -> Tensor:
        """Features (n, f) of one unit, of pictures (n, size, size)."""
        parts = [self._cut(shown, places, window) for window in self.windows[unit]]
        seen = self.looks[unit](torch.cat(parts)[:, None])
        scores = torch.cat([self.attention[unit](seen), seen], dim=1).flatten(2)
        # (windows · n, 1 + f, places) to (n, 1 + f, windows · places).
        together = scores.reshape(len(parts), -1, *scores.shape[1:]).permute(1, 2, 0, 3).flatten(2)
        weight = together[:, :1].softmax(dim=2)
        return (together[:, 1:] * weight).sum(dim=2)

    def _shown(self, places: Tensor, size: int, hides: tuple[int, ...]) -> Tensor:
        """0 round these landmarks and 1 elsewhere (n, size, size)."""
        along = (torch.arange(size, device=places.device) + 0.5) / size
        near = (along - places[:, list(hides), :, None]).abs()
        columns, rows = ((near[:, :, k] < self.blot[k]).to(places.dtype) for k in (0, 1))
        # How many of the landmarks hide each pixel, as one product of matrices.
        hidden = rows.transpose(1, 2) @ columns
        return 1 - hidden.clamp(max=1)

    def _cut(self, pictures: Tensor, places: Tensor, window: Window) -> Tensor:
        """The window (n, height, width) of pictures (n, size, size), borders repeated."""
        size = pictures.shape[2]
        pull = torch.tensor(window.pull, device=places.device)
        moved = ((places - self.homes) * pull[:, None]).sum(dim=1) * size
        corner = torch.tensor((window.left, window.top), device=places.device) + moved.round()
        columns, rows = (
            (corner[:, k, None] + torch.arange(length, device=places.device)).clamp(0, size - 1)
            for k, length in enumerate((window.width, window.height))
        )
        if window.mirrored:
            columns = columns.flip(1)
        picked = (rows[:, :, None] * size + columns[:, None, :]).to(torch.int64).flatten(1)
        part = pictures.flatten(1).gather(1, picked)
        return part.reshape(-1, window.height, window.width)


def backbone(widths: Sequence[int]) -> nn.Sequential:
    """A residual network whose stages have so many channels and halve the size each."""
    first, *rest = widths
    stages: list[nn.Module] = [convolution(1, first, stride=2, kernel=5)]
    for inputs, outputs in zip(widths[:-1], rest, strict=True):
        stages += [convolution(inputs, outputs, stride=2), Residual(outputs)]
    return nn.Sequential(*stages)
