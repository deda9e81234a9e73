"""Pictures the face finder learns from: heads of several sources, laid at random.

A part of the pictures holds no face: empty parts of the renderings, scenery, hands, mice from above
and real pictures without a face. Another part holds heads that are no mouse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.config import FinderConfig
from models.data.heads import (
    SOURCE,
    Floats,
    Head,
    Luma,
    any_face,
    phantom_head,
    stranger,
    upright,
    varied,
)
from models.data.profiles import (
    PROFILE,
    credible,
    drawn_profile,
    real_profile,
    with_holder,
)
from models.data.real import Still, faceless, packaged, stills
from models.data.scenery import (
    covered,
    leaves,
    pelt,
    relit,
    scenery,
    weathered,
    with_hand,
    with_mouse_from_above,
)
from models.scale import Scale

REAL_PROFILES = 0.6
"""Share of the heads from the side that come from real stills, where there are some."""
HELD = 0.35
"""Share of them that wear the holder of a head-fixed animal."""


@dataclass(frozen=True)
class Compositions:
    """Composed pictures with what is true of them.

    `pictures` (n, height, width) uint8; `centres` (n, 2) and `points` (n, landmarks, 2) in pixels,
    `sizes` (n, 2) width and height of the face, all NaN where there is none; `views` (n,) place in
    `VIEWS`, -1 without a face.
    """

    pictures: Luma
    centres: Floats
    points: Floats
    sizes: Floats
    views: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class Material:
    """What pictures are composed of beside the phantom; empty where nothing real is there."""

    stills: Sequence[Still] = ()
    faceless: Sequence[Luma] = ()
    faces: Sequence[Luma] = field(default_factory=tuple)
    """Portraits of what is no mouse."""

    @classmethod
    def of(cls, folder: Path | None) -> Material:
        """The real material of the training part in a folder; nothing without one."""
        if folder is None:
            return cls()
        lumas = [luma for some in faceless(folder, "train").values() for luma in some]
        return cls(credible(stills(folder, "train")), lumas, list(packaged().values()))


def compose(
    config: FinderConfig,
    scale: Scale,
    threads: int = 1,
    on_progress: Callable[[float], None] | None = None,
    material: Material | None = None,
) -> Compositions:
    """Render and compose the pictures of a finder; the same for the same configuration."""
    told = on_progress or (lambda fraction: None)
    number = config.pictures or 4 * config.renderings
    heads = _rendered(config, scale, threads, lambda part: told(0.8 * part))
    width, height = canvas(config)
    result = Compositions(
        np.zeros((number, height, width), np.uint8),
        np.full((number, 2), np.nan, np.float32),
        np.full((number, len(scale.landmarks), 2), np.nan, np.float32),
        np.full((number, 2), np.nan, np.float32),
        np.full(number, -1, np.int64),
    )
    composer = _Composer(config, scale, heads, material or Material(), result)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for index, _ in enumerate(pool.map(composer.fill, range(number))):
            if index % 100 == 99:
                told(0.8 + 0.2 * (index + 1) / number)
    return with_mirror_images(result, scale)


def _rendered(
    config: FinderConfig, scale: Scale, threads: int, told: Callable[[float], None]
) -> list[Head]:
    # Faces of one stage follow each other, because drawing its still part is the slow step.
    stages = max(1, config.renderings // 12)

    def render(index: int) -> Head:
        stage = np.random.default_rng([config.seed, 1, index * stages // config.renderings])
        rng = np.random.default_rng([config.seed, 2, index])
        params = any_face(rng, stage, scale)
        return phantom_head(params, scale, rng.random() < config.cut_out_share)

    heads = []
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for head in pool.map(render, range(config.renderings)):
            heads.append(head)
            told(len(heads) / config.renderings)
    return heads


class _Composer:
    """Fills one picture after the other; each depends on its index alone."""

    def __init__(
        self,
        config: FinderConfig,
        scale: Scale,
        heads: Sequence[Head],
        material: Material,
        result: Compositions,
    ) -> None:
        self.config, self.scale, self.heads = config, scale, heads
        self.material, self.result = material, result
        self.size = canvas(config)
        level = [head for head in heads if upright(head)] or list(heads)
        # Out of proportion a background shows streaks, by which a stranger would be told.
        self.upright = [head for head in level if head.matte is not None] or level

    def fill(self, index: int) -> None:
        """Compose picture `index`."""
        config, rng = self.config, np.random.default_rng([self.config.seed, 3, index])
        head = self.heads[index % len(self.heads)]
        kind = rng.random()
        if kind < config.negative_share:
            self.result.pictures[index] = self.empty(head, rng)
            return
        kind -= config.negative_share
        if kind < config.profile_share:
            head = self.profile(rng)
        elif kind < config.profile_share + config.stranger_share:
            head = stranger(self.upright[int(rng.integers(len(self.upright)))], rng)
        elif rng.random() < 0.7 * config.variety:
            head = varied(head, rng)
        self.place(index, head, rng)

    def profile(self, rng: np.random.Generator) -> Head:
        """A head from the side, real where there are real ones, its edge as sharp as it comes."""
        real = self.material.stills
        if real and rng.random() < REAL_PROFILES:
            head = real_profile(real[int(rng.integers(len(real)))], self.scale, rng)
        else:
            head = drawn_profile(self.scale, rng)
        return with_holder(head, rng) if rng.random() < HELD * self.config.variety else head

    def empty(self, head: Head, rng: np.random.Generator) -> Luma:
        """A picture without a face."""
        kind = rng.random()
        if kind < 0.2:
            drawn = elsewhere(head, self.size, rng)
        elif kind < 0.3:
            drawn = with_hand(self.background(rng), rng)
        elif kind < 0.42:
            drawn = with_mouse_from_above(self.background(rng), rng)
        elif kind < 0.5:
            drawn = pelt(self.size, rng)
        elif kind < 0.58:
            drawn = too_near(head, self.size, rng)
        elif kind < 0.64 and self.material.faces:
            faces = self.material.faces
            drawn = part_of(faces[int(rng.integers(len(faces)))], self.size, rng, 0.35)
        else:
            drawn = self.background(rng)
        return self.aged(drawn, rng)

    def aged(self, drawn: Luma, rng: np.random.Generator) -> Luma:
        """A picture as light, lens and codec leave it."""
        if rng.random() < self.config.variety:
            return weathered(drawn, rng)
        return relit(drawn, rng)

    def background(self, rng: np.random.Generator) -> Luma:
        """Scenery, or a part of a real picture without a face."""
        real = self.material.faceless
        if real and rng.random() < 0.5:
            return part_of(real[int(rng.integers(len(real)))], self.size, rng, 0.25)
        if rng.random() < 0.5 * self.config.variety:
            return leaves(self.size, rng)
        return scenery(self.size, rng)

    def place(self, index: int, head: Head, rng: np.random.Generator) -> None:
        """Lay a head somewhere in picture `index`."""
        variety = self.config.variety
        width, height = self.size
        x0, y0, x1, y1 = head.box
        face = max(x1 - x0, y1 - y0)
        # Half as the first look sees them, from afar, half as the second does, enlarged.
        far = rng.random() < 0.5
        if far:
            least, most = 0.14 - 0.05 * variety, 0.5 + 0.45 * variety
            part = math.exp(rng.uniform(math.log(least), math.log(most)))
        elif rng.random() >= variety:
            part = rng.uniform(0.4, 0.7)
        else:
            part = float(np.clip(0.5 * math.exp(rng.normal(0, 0.22)), 0.3, 0.9))
        recorded = head.matte is None and head.view == PROFILE
        if recorded:
            # A still as its camera saw it, head and all over the whole picture.
            part = face / head.picture.shape[1] * rng.uniform(0.9, 1.2)
        zoom = width * part / face
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        lean = float(rng.uniform(-4, 4) * (1 + 2.5 * variety))
        turn = np.asarray(cv2.getRotationMatrix2D(middle, lean, zoom), np.float64)
        reach = 0.42 * face * zoom
        if far:
            cx = rng.uniform(min(reach, width / 2), max(width - reach, width / 2))
            cy = rng.uniform(min(reach, height / 2), max(height - reach, height / 2))
        else:
            cx, cy = np.array([width, height]) * rng.normal(0.5, 0.08, 2)
        if recorded:
            shown = np.array(head.picture.shape[::-1]) / 2
            shift = (np.array(middle) - shown) * zoom
            cx, cy = np.array([width, height]) * rng.normal(0.5, 0.04, 2) + shift
        turn[:, 2] += np.array([cx - middle[0], cy - middle[1]])
        drawn = self._laid(head, turn, zoom, rng)
        # Turned by a few degrees a face is as large as it was; the box round its turned box is not.
        centre = np.array([*middle, 1.0]) @ turn.T
        reaches = np.array([x1 - x0, y1 - y0]) * zoom / 2
        low = np.clip(centre - reaches, 0, [width, height])
        high = np.clip(centre + reaches, 0, [width, height])
        box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        if rng.random() < 0.15 * variety:
            drawn = covered(drawn, box, rng)
        self.result.pictures[index] = self.aged(drawn, rng)
        self.result.centres[index] = (low + high) / 2
        self.result.sizes[index] = np.maximum(high - low, 1.0)
        homogeneous = np.concatenate([head.points, np.ones((len(head.points), 1))], axis=1)
        places = homogeneous @ turn.T
        outside = ~((places >= 0) & (places < [width, height])).all(1)
        places[outside] = np.nan
        self.result.points[index] = places
        self.result.views[index] = head.view

    def _laid(
        self, head: Head, turn: NDArray[np.float64], zoom: float, rng: np.random.Generator
    ) -> Luma:
        source, matte = head.picture, head.matte
        if zoom < 0.8:
            source = np.asarray(cv2.GaussianBlur(source, (0, 0), 0.45 / zoom), np.uint8)
        # Beyond the picture its border is repeated, or there is scenery; a mirrored border would
        # show further faces that no target knows of.
        border = cv2.BORDER_REPLICATE
        drawn = cv2.warpAffine(source, turn, self.size, borderMode=border)
        if matte is not None:
            border = cv2.BORDER_CONSTANT if rng.random() < 0.6 else border
            if zoom < 0.8:
                matte = np.asarray(cv2.GaussianBlur(matte, (0, 0), 0.45 / zoom), np.uint8)
            inside = cv2.warpAffine(matte, turn, self.size, borderMode=border)
            share = inside.astype(np.float32) / 255
            behind = self.background(rng) * (1 - share)
            lit = np.minimum(drawn, inside) if head.dimmed else drawn * share
            return np.asarray(np.clip(behind + lit, 0, 255), np.uint8)
        if rng.random() < 0.5:
            return np.asarray(drawn, np.uint8)
        inside = cv2.warpAffine(np.full_like(source, 255), turn, self.size)
        return np.asarray(np.where(inside > 0, drawn, self.background(rng)), np.uint8)


def strangers(
    config: FinderConfig, scale: Scale, number: int = 400, material: Material | None = None
) -> Luma:
    """Pictures (number, height, width) in which nothing may be graded, as large as recordings are.

    Heads from the side and of other animals, scenery, hands, mice from above, and parts of phantom
    faces seen from too near. They are drawn at full size, because a network would else learn that
    what is blurred is strange.
    """
    rng = np.random.default_rng([config.seed, 4])
    pictures = np.zeros((number, SOURCE[1], SOURCE[0]), np.uint8)
    near = [
        phantom_head(any_face(np.random.default_rng([config.seed, 5, index]), rng, scale), scale)
        for index in range(max(1, number // 40))
    ]
    lots = replace(config, long_side=SOURCE[0])
    nothing = Compositions(*(np.zeros(0) for _ in range(5)))  # type: ignore[arg-type]
    composer = _Composer(lots, scale, near, material or Material(), nothing)
    composer.size = SOURCE
    for index in range(number):
        kind = rng.random()
        head = near[int(rng.integers(len(near)))]
        if kind < 0.4:
            pictures[index] = relit(_before(composer.profile(rng), composer.background(rng)), rng)
        elif kind < 0.6:
            head = composer.upright[int(rng.integers(len(composer.upright)))]
            pictures[index] = relit(stranger(head, rng).picture, rng)
        else:
            pictures[index] = composer.empty(head, rng)
    return pictures


def _before(head: Head, background: Luma) -> Luma:
    picture = cv2.resize(head.picture, SOURCE, interpolation=cv2.INTER_AREA)
    if head.matte is None:
        return np.asarray(picture, np.uint8)
    matte = cv2.resize(head.matte, SOURCE, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.asarray(picture * matte + background * (1 - matte), np.uint8)


def with_mirror_images(data: Compositions, scale: Scale) -> Compositions:
    """The pictures and their mirror images, in which left landmarks are right ones."""
    turned = list(scale.mirror)
    last = data.pictures.shape[2] - 1

    def flip(places: Floats) -> Floats:
        return np.stack([last - places[..., 0], places[..., 1]], axis=-1)

    return Compositions(
        np.concatenate([data.pictures, data.pictures[:, :, ::-1]]),
        np.concatenate([data.centres, flip(data.centres)]),
        np.concatenate([data.points, flip(data.points[:, turned])]),
        np.concatenate([data.sizes, data.sizes]),
        np.concatenate([data.views, data.views]),
    )


def canvas(config: FinderConfig) -> tuple[int, int]:
    """Width and height of a composed picture: multiples of 32, about 5 : 4."""
    return config.long_side, max(32, round(config.long_side * 0.8 / 32) * 32)


def elsewhere(head: Head, size: tuple[int, int], rng: np.random.Generator) -> Luma:
    """A part of a rendering that does not show the face: fur, wall, bedding."""
    high, wide = head.picture.shape
    x0, y0, x1, y1 = head.box
    rooms = [(0, 0, x0, high), (x1, 0, wide, high), (0, y1, wide, high), (0, 0, wide, y0)]
    roomy = [room for room in rooms if room[2] - room[0] > 24 and room[3] - room[1] > 24]
    left, top, right, bottom = roomy[int(rng.integers(len(roomy)))] if roomy else (0, 0, 25, 25)
    part = head.picture[round(top) : round(bottom), round(left) : round(right)]
    return relit(np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8), rng)


def too_near(head: Head, size: tuple[int, int], rng: np.random.Generator) -> Luma:
    """A part of a face so large that it is no face any more: an eye, an ear, a cheek."""
    x0, y0, x1, y1 = head.box
    wide, high = (x1 - x0) * 0.4, (y1 - y0) * 0.4
    x, y = rng.uniform(x0, x1 - wide), rng.uniform(y0, y1 - high)
    part = head.picture[int(max(y, 0)) : int(y + high), int(max(x, 0)) : int(x + wide)]
    if part.size == 0:
        return scenery(size, rng)
    return relit(np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_CUBIC), np.uint8), rng)


def part_of(picture: Luma, size: tuple[int, int], rng: np.random.Generator, least: float) -> Luma:
    """A part of a picture, at least a share `least` of its sides, stretched to a size."""
    high, wide = picture.shape
    share = rng.uniform(least, 1.0)
    w, h = max(2, int(wide * share)), max(2, int(high * share))
    x, y = int(rng.integers(0, wide - w + 1)), int(rng.integers(0, high - h + 1))
    part = picture[y : y + h, x : x + w]
    how = cv2.INTER_AREA if w > size[0] else cv2.INTER_LINEAR
    part = np.asarray(cv2.resize(part, size, interpolation=how), np.uint8)
    return np.ascontiguousarray(part[:, ::-1]) if rng.random() < 0.5 else part
