"""Batches of labelled crops as one endless-looking stream that can be entered at any step.

Sample order and augmentation are functions of (seed, epoch, index) alone, so that a run resumed at
step n sees exactly what an undisturbed run sees from step n on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.config import FitConfig

Array = NDArray[np.float64]

AS_IT_IS = (1.0, 0.0)
"""The `light` of a crop that is not changed."""


@dataclass(frozen=True)
class Labelled:
    """Crops with their targets, row by row.

    `crops` (n, size, size) uint8; `above` (n, units, steps) probability that the grade lies above
    k, NaN where unknown; `scorable` (n, units), NaN where unknown; `states` (n, states) 1 for each
    state the votes allow, all 0 where they say nothing; `kinds` (n,) names what faces have in
    common that may lend each other regions, "" for none; `places` (n, landmarks, 2) where the
    finder sees the landmarks, x and y in shares of the crop's side.
    """

    crops: NDArray[np.uint8]
    above: Array
    scorable: Array
    states: Array
    kinds: NDArray[Any] | None = None
    places: Array | None = None

    def __len__(self) -> int:
        return len(self.crops)

    def part(self, rows: NDArray[Any]) -> Labelled:
        """The rows at these places."""
        return Labelled(
            self.crops[rows],
            self.above[rows],
            self.scorable[rows],
            self.states[rows],
            None if self.kinds is None else self.kinds[rows],
            None if self.places is None else self.places[rows],
        )


class Batch(NamedTuple):
    """`Labelled` rows as float32 tensors; crops (n, 1, size, size) in 0..1.

    `places` (n, landmarks, 2) of the labelled rows alone; of no landmark where none is known.
    `light` (n, 2) changes crops once their light is even: contrast (factor) and level (deviations).
    """

    crops: Tensor
    above: Tensor
    scorable: Tensor
    states: Tensor
    familiar: Tensor
    places: Tensor
    light: Tensor


def batch_of(
    data: Labelled, strange: NDArray[np.uint8] | None = None, light: Array | None = None
) -> Batch:
    """The batch of these (augmented) crops, and strange ones of unknown targets.

    `light` (n, 2) of both, in this order; (1, 0) where none is given.
    """
    crops, more = data.crops, 0 if strange is None else len(strange)
    if strange is not None:
        crops = np.concatenate([crops, strange])

    places = np.zeros((len(data), 0, 2)) if data.places is None else data.places
    light = np.tile(AS_IT_IS, (len(crops), 1)) if light is None else light

    def targets(values: Array, unknown: float) -> Tensor:
        rest = np.full((more, *values.shape[1:]), unknown)
        return torch.from_numpy(np.concatenate([values, rest]).astype(np.float32))

    return Batch(
        torch.from_numpy(crops.astype(np.float32) / np.float32(255))[:, None],
        targets(data.above, np.nan),
        targets(data.scorable, np.nan),
        targets(data.states, 0.0),
        torch.cat([torch.ones(len(data)), torch.zeros(more)]),
        torch.from_numpy(places.astype(np.float32)),
        torch.from_numpy(light.astype(np.float32)),
    )


class RegionMixer:
    """Lends a face the region of one unit from another face of the same kind.

    Units rise and fall together in an animal in pain, so that a network may read one off another's
    place; in a mixed face the unit of the region lent has the lender's grade and the others keep
    theirs, so that only its own place tells a unit. Units whose regions overlap with the one lent
    are left unknown, and so is the state. After CutMix (Yun et al. 2019, ICCV), with the regions of
    the scale as the boxes.
    """

    def __init__(self, data: Labelled, regions: Array, share: float) -> None:
        """`regions` (units, size, size) masks; `share` of the crops are mixed."""
        self.data, self.share = data, share
        size = regions.shape[1]
        self.soft = np.stack(
            [cv2.GaussianBlur(one, (0, 0), max(0.3, size / 40)) for one in regions]
        )
        area = regions.sum((1, 2))
        both = np.einsum("uij,vij->uv", regions, regions)
        self.touched = both / np.maximum(area[None, :], 1) > 0.1
        self.places: dict[str, NDArray[np.int64]] = {}
        if data.kinds is not None:
            for kind in sorted(set(data.kinds.tolist()) - {""}):
                self.places[kind] = np.flatnonzero(data.kinds == kind)

    def mixed(self, rows: NDArray[Any], rng: np.random.Generator) -> Labelled:
        """The crops of these rows, some of them with a region of another."""
        some = self.data.part(rows)
        above, scorable, states = some.above.copy(), some.scorable.copy(), some.states.copy()
        crops = some.crops.copy()
        for place in range(len(rows)):
            chance, pick, lot = rng.uniform(), rng.integers(len(self.soft)), rng.uniform()
            lenders = self.places.get("" if some.kinds is None else str(some.kinds[place]), ())
            if chance >= self.share or len(lenders) < 2:
                continue
            lender = int(lenders[int(lot * len(lenders))])
            soft = self.soft[pick]
            crops[place] = np.round(
                crops[place] * (1 - soft) + self.data.crops[lender] * soft
            ).astype(np.uint8)
            above[place, self.touched[pick]] = np.nan
            scorable[place, self.touched[pick]] = np.nan
            above[place, pick] = self.data.above[lender, pick]
            states[place] = 0.0
        return Labelled(crops, above, scorable, states, places=some.places)


class TrainingStream:
    """The batches of steps `start` … `total` - 1; iterating gives `Batch`es.

    To every two crops comes one of `strangers` (m, size, size), crops of what is no face. Of every
    batch this process has the `part` (place, parts): parts together hold what one process alone
    would see. `ahead` batches are made while the network learns from one.
    """

    def __init__(
        self,
        data: Labelled,
        strangers: NDArray[np.uint8],
        fit: FitConfig,
        seed: int,
        start: int = 0,
        total: int | None = None,
        regions: Array | None = None,
        sides: Sequence[int] | None = None,
        part: tuple[int, int] = (0, 1),
        ahead: int = 1,
    ) -> None:
        """`sides` says which landmark each one becomes in a mirror, where rows have `places`."""
        self.sides = None if sides is None else list(sides)
        self.data, self.fit, self.seed, self.start = data, fit, seed, start
        self.strangers, self.ahead = strangers, max(1, ahead)
        self.own = slice(part[0], None, part[1])
        self.mixer = None
        if regions is not None and fit.region_mix > 0:
            self.mixer = RegionMixer(data, regions, fit.region_mix)
        self.per_epoch = steps_per_epoch(len(data), fit)
        self.total = self.per_epoch * fit.epochs if total is None else total

    def __iter__(self) -> Iterator[Batch]:
        steps = iter(range(self.start, self.total))
        with ThreadPoolExecutor(self.ahead) as pool:
            waiting = deque(pool.submit(self.batch, step) for step in islice(steps, self.ahead))
            while waiting:
                batch = waiting.popleft().result()
                waiting.extend(pool.submit(self.batch, step) for step in islice(steps, 1))
                yield batch

    def batch(self, step: int) -> Batch:
        """The batch of one step, augmented."""
        epoch, place = divmod(step, self.per_epoch)
        # Whole batches only: a last batch of two frames would upset batch norm.
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.data))
        size = min(self.fit.batch, len(self.data))
        rows = order[place * size : (place + 1) * size]
        rng = np.random.default_rng([self.seed, step, len(self.data)])
        some = size // 2 if len(self.strangers) else 0
        others = rng.integers(0, max(len(self.strangers), 1), some)[self.own]

        def drawn(crops: NDArray[np.uint8], rows: Any, lead: int) -> list[Drawn]:
            return [
                augmented(crop, np.random.default_rng([self.seed, lead, int(row)]), self.fit)
                for crop, row in zip(crops, rows, strict=True)
            ]

        strange = drawn(self.strangers[others], others, step)
        if self.mixer is None:
            data = self.data.part(rows[self.own])
        else:
            # Who lends to whom is drawn for the whole batch, whoever learns from which part.
            lent = self.mixer.mixed(rows, np.random.default_rng([self.seed, epoch, step, 5]))
            data = lent.part(np.arange(len(rows))[self.own])
        rows = rows[self.own]
        faces = drawn(data.crops, rows, epoch)
        data = replace(
            data, crops=_pictures(faces, data.crops), places=self._moved(data.places, faces)
        )
        light = np.array([one.light for one in (*faces, *strange)])
        return batch_of(data, _pictures(strange, data.crops), light)

    def _moved(self, places: Array | None, faces: Sequence[Drawn]) -> Array | None:
        if places is None:
            return None
        if self.sides is None:
            raise ValueError("Landmarks can be mirrored only where their sides are known.")
        size = self.data.crops.shape[1]
        result = np.empty_like(places)
        for row, (_, matrix, mirrored, _) in enumerate(faces):
            own = places[row] * size - 0.5
            own = (own @ matrix[:, :2].T + matrix[:, 2] + 0.5) / size
            result[row] = own[self.sides] if mirrored else own
        return result


def _pictures(some: Sequence[Drawn], like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if not some:
        return np.zeros((0, *like.shape[1:]), np.uint8)
    return np.stack([one.crop for one in some])


class PlainStream:
    """All rows in order without augmentation, as `Batch`es."""

    def __init__(self, data: Labelled, batch: int) -> None:
        self.data, self.batch = data, batch

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.data), self.batch):
            rows = np.arange(start, min(start + self.batch, len(self.data)))
            yield batch_of(self.data.part(rows))

    def __len__(self) -> int:
        return -(-len(self.data) // self.batch)


def steps_per_epoch(frames: int, fit: FitConfig) -> int:
    """Whole batches in one pass over the training frames, at least one."""
    return max(1, frames // fit.batch)


class Drawn(NamedTuple):
    """An augmented crop, the matrix (2, 3) that moved its pixels, whether it was mirrored, and what
    is to change in its light once that is even (see `Batch`)."""

    crop: NDArray[np.uint8]
    matrix: Array
    mirrored: bool
    light: tuple[float, float] = AS_IT_IS


def augmented(crop: NDArray[np.uint8], rng: np.random.Generator, fit: FitConfig) -> Drawn:
    """A crop mirrored, turned, moved, scaled, relit, blurred or sharpened and made noisy at random.

    With the chance `fit.glare` a pane before it shines.
    """
    strength = fit.augment
    if strength <= 0:
        return Drawn(crop, np.eye(2, 3), False)
    size = crop.shape[0]
    turn, zoom, dx, dy, gain, gamma, lens, noise, mirror = rng.uniform(-1, 1, 9)
    centre = (size - 1) / 2
    matrix = np.asarray(
        cv2.getRotationMatrix2D((centre, centre), 12 * strength * turn, 1 + 0.12 * strength * zoom),
        np.float64,
    )
    matrix[:, 2] += 0.06 * strength * size * np.array([dx, dy])
    if mirror > 0:
        matrix = np.array([[-1.0, 0, size - 1], [0, 1, 0]]) @ np.vstack([matrix, [0, 0, 1]])
    warped = cv2.warpAffine(crop, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    moved = _through_lens(np.asarray(warped, np.uint8), (1 + lens) / 2, fit)
    levels = np.linspace(0, 1, 256) ** np.exp(0.3 * strength * gamma)
    levels = np.clip(levels * (1 + 0.2 * strength * gain), 0, 1) * 255
    lit = levels.astype(np.float32)[moved]
    if fit.glare > 0 and rng.uniform() < fit.glare:
        lit += shine(size, rng)
    if noise > 0:
        lit += rng.standard_normal(lit.shape, np.float32) * np.float32(6 * strength * noise)
    light = AS_IT_IS
    if fit.contrast > 0:
        more, level = rng.uniform(-1, 1, 2)
        light = (math.exp(fit.contrast * more), fit.contrast * level)
    return Drawn(np.asarray(np.clip(lit, 0, 255), np.uint8), matrix, mirror > 0, light)


def _through_lens(crop: NDArray[np.uint8], lot: float, fit: FitConfig) -> NDArray[np.uint8]:
    """A crop as a softer lens or a camera that sharpens would show it; `lot` (0..1) decides.

    The highest lots are blurred, up to a standard deviation of 0.4 + 0.75 `fit.augment` pixels, the
    lowest sharpened by an unsharp mask.
    """
    if lot > 1 - fit.blur:
        part = (lot - 1 + fit.blur) / fit.blur
        soft = cv2.GaussianBlur(crop, (0, 0), 0.4 + 0.75 * fit.augment * part)
        return np.asarray(soft, np.uint8)
    if lot < fit.sharpen:
        part = 0.3 + 1.3 * (1 - lot / fit.sharpen)
        sharp = cv2.addWeighted(crop, 1 + part, cv2.GaussianBlur(crop, (0, 0), 1.1), -part, 0)
        return np.asarray(sharp, np.uint8)
    return crop


def shine(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Light (size, size), in grey levels, that a pane before the animal adds to a picture.

    A faint veil, up to two soft bands and the soft spot of a lamp, at random places: perspex takes
    contrast from a face without hiding it.
    """
    light = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(0, 3))):
        (x, y), way = rng.uniform(0, size, 2), rng.uniform(0, math.pi)
        step = 2 * size * np.array([math.cos(way), math.sin(way)])
        ends = [tuple(np.round([x, y] + sign * step).astype(int).tolist()) for sign in (-1, 1)]
        width = max(1, round(size * rng.uniform(0.03, 0.35)))
        cv2.line(light, ends[0], ends[1], float(rng.uniform(20, 90)), width)
    if rng.uniform() < 0.6:
        middle = tuple(np.round(rng.uniform(0, size, 2)).astype(int).tolist())
        axes = tuple(np.maximum(1, size * rng.uniform(0.03, 0.2, 2)).astype(int).tolist())
        cv2.ellipse(
            light, middle, axes, rng.uniform(0, 180), 0, 360, float(rng.uniform(60, 220)), -1
        )
    soft = cv2.GaussianBlur(light, (0, 0), size * rng.uniform(0.01, 0.08))
    return np.asarray(soft + rng.uniform(0, 30), np.float32)


class CropModule(pl.LightningDataModule):
    """Training and validation crops; a checkpoint holds the step at which the stream goes on."""

    def __init__(
        self,
        train: Labelled,
        validation: Labelled,
        strangers: NDArray[np.uint8],
        fit: FitConfig,
        seed: int,
        regions: Array | None = None,
        sides: Sequence[int] | None = None,
        ahead: int = 1,
    ) -> None:
        super().__init__()
        self.regions, self.sides, self.ahead = regions, sides, ahead
        self.train, self.validation, self.fit, self.seed = train, validation, fit, seed
        self.strangers = strangers
        self.position = 0

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run."""
        return steps_per_epoch(len(self.train), self.fit) * self.fit.epochs

    def train_dataloader(self) -> TrainingStream:
        """The batches from the current position on; of each, this process's part."""
        trainer = self.trainer
        part = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        return TrainingStream(
            self.train,
            self.strangers,
            self.fit,
            self.seed,
            start=self.position,
            regions=self.regions,
            sides=self.sides,
            part=part,
            ahead=self.ahead,
        )

    def val_dataloader(self) -> PlainStream:
        """All validation crops."""
        return PlainStream(self.validation, 4 * self.fit.batch)

    def state_dict(self) -> dict[str, Any]:
        """The step at which the stream goes on after this checkpoint."""
        return {"position": int(self.trainer.global_step) if self.trainer else self.position}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on at the checkpoint's step."""
        self.position = int(state_dict["position"])
