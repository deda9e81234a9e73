"""Fitting the temporal network on sequences of features; a matter of seconds to minutes.

Features are those of the finished frame graph, so that no picture is needed here. Equal inputs on
one number of threads give equal weights; a run that was killed fits anew.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import zoo
from models.config import TemporalConfig
from models.context import REACH, Floats, tick_of, ticks
from models.data.labels import Targets
from models.module import FEWEST_STEPS, ordinal_loss, scorable_loss, state_loss
from models.nets.temporal import TemporalNet
from models.scale import Scale
from models.sequences import Sequence


@dataclass(frozen=True)
class Clip:
    """Features of one recording with the labels of its frames.

    `grid` (F + 1, T) ticks with REACH empty ones at both ends; `own` (k, F) features of the
    labelled frames, `column` (k,) their ticks, and their targets.
    """

    grid: Floats
    own: Floats
    column: NDArray[np.int64]
    above: Floats
    scorable: Floats
    states: Floats


def clips(sequences: list[Sequence], targets: Targets) -> list[Clip]:
    """The recordings as clips; labelled frames without a usable face are left out.

    `targets` are those of the table the sequences were made from. The pictures of a set are a clip
    each.
    """
    result = []
    for sequence in sequences:
        if sequence.seen is None:
            continue
        good = np.array([cause is None for cause in sequence.seen.refusals])
        usable = sequence.place >= 0
        usable[usable] = good[sequence.place[usable]]
        place, rows = sequence.place[usable], sequence.rows[usable]
        if not len(place):
            continue
        groups = [np.arange(len(place))]
        if sequence.seen.alone:
            groups = [np.array([number]) for number in range(len(place))]
        for group in groups:
            times, seen = sequence.seen.times, sequence.seen.rows
            if sequence.seen.alone:
                times, seen = times[place[group]], seen[place[group]]
            number = tick_of(times)
            first = int(number.min()) - REACH
            count = int(number.max()) - int(number.min()) + 1 + 2 * REACH
            result.append(
                Clip(
                    ticks(times, seen, first, count),
                    sequence.seen.rows[place[group]],
                    tick_of(sequence.seen.times[place[group]]) - first,
                    targets.above[rows[group]].astype(np.float32),
                    targets.scorable[rows[group]].astype(np.float32),
                    targets.states[rows[group]].astype(np.float32),
                )
            )
    return result


def fit_temporal(
    config: TemporalConfig,
    scale: Scale,
    embedding: int,
    train: list[Clip],
    validation: list[Clip],
    share: Tensor,
    rarity: Tensor,
    seed: int,
    start: TemporalNet | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[TemporalNet, dict[str, Any]]:
    """Fit a temporal network; the answer of the epoch that does best on the validation clips.

    The untrained network, which says what the frame network says, is one of the candidates: context
    that does not help is not used. Returns facts: losses per epoch and the epoch taken.
    """
    torch.manual_seed(seed)
    net = zoo.temporal_net(config, scale, embedding)
    if start is not None:
        net.load_state_dict(start.state_dict())
    _standardise(net, train)
    optimiser = torch.optim.AdamW(
        net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    per_epoch = max(1, len(train) // config.batch)
    total = per_epoch * config.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=config.learning_rate,
        total_steps=max(total + 1, FEWEST_STEPS),
        pct_start=0.2,
    )
    weights = (share, rarity, config)
    judged = validation or train
    best, kept, taken = mean_loss(net, judged, weights), copy.deepcopy(net.state_dict()), 0
    losses = [best]
    for epoch in range(config.epochs):
        order = np.random.default_rng([seed, epoch, 7]).permutation(len(train))
        net.train()
        for step in range(per_epoch):
            some = [train[row] for row in order[step * config.batch : (step + 1) * config.batch]]
            loss = clip_loss(net, some, weights)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        losses.append(mean_loss(net, judged, weights))
        if losses[-1] < best:
            best, kept, taken = losses[-1], copy.deepcopy(net.state_dict()), epoch + 1
        if on_progress is not None:
            on_progress((epoch + 1) / config.epochs)
    net.load_state_dict(kept)
    return net.eval(), {"losses": [round(value, 5) for value in losses], "epoch": taken}


def mean_loss(
    net: TemporalNet, clips: list[Clip], weights: tuple[Tensor, Tensor, TemporalConfig]
) -> float:
    """The loss over clips, each labelled frame counting once."""
    net.eval()
    total, frames = 0.0, 0
    with torch.no_grad():
        for first in range(0, len(clips), 32):
            some = clips[first : first + 32]
            count = sum(len(clip.own) for clip in some)
            total += float(clip_loss(net, some, weights)) * count
            frames += count
    return total / max(frames, 1)


def clip_loss(
    net: TemporalNet,
    some: list[Clip],
    weights: tuple[Tensor, Tensor, TemporalConfig],
) -> Tensor:
    """The loss of the labelled frames of some clips."""
    share, rarity, config = weights
    longest = max(clip.grid.shape[1] for clip in some)
    grid = np.zeros((len(some), some[0].grid.shape[0], longest), np.float32)
    for nth, clip in enumerate(some):
        grid[nth, :, : clip.grid.shape[1]] = clip.grid
    held = torch.from_numpy(grid)
    own = torch.from_numpy(np.concatenate([clip.own for clip in some]))
    row = torch.from_numpy(np.repeat(np.arange(len(some)), [len(clip.own) for clip in some]))
    column = torch.from_numpy(np.concatenate([clip.column for clip in some]))
    outputs = net(held, own, row, column)
    above = torch.from_numpy(np.concatenate([clip.above for clip in some]))
    scorable = torch.from_numpy(np.concatenate([clip.scorable for clip in some]))
    states = torch.from_numpy(np.concatenate([clip.states for clip in some]))
    return (
        ordinal_loss(outputs.grades, above, share)
        + config.scorable_weight * scorable_loss(outputs.scorable, scorable)
        + config.state_weight * state_loss(outputs.states, states, rarity)
    )


def _standardise(net: TemporalNet, train: list[Clip]) -> None:
    """Set the mean and deviation that features are measured in, from ticks that hold a frame."""
    held = np.concatenate([clip.grid[:-1, clip.grid[-1] > 0] for clip in train], axis=1)
    net.mean.copy_(torch.from_numpy(held.mean(1).astype(np.float32)))
    net.deviation.copy_(torch.from_numpy(held.std(1).astype(np.float32)).clamp(min=0.05))
