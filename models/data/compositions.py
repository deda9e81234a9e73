"""Pictures the face finder learns from: phantom faces it renders itself, laid at random.

A part of the pictures holds no face: empty parts of the renderings, and textures and shapes that
are no mouse, because a finder that has only seen mice finds one everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.config import FinderConfig
from models.data.profiles import draw_profile
from models.faces import VIEWS
from models.phantom.look import Look
from models.phantom.pose import Pose
from models.phantom.render import FaceParams, FaceTruth, render_face
from models.scale import Scale

Luma = NDArray[np.uint8]
Floats = NDArray[np.float32]

FURTHEST_YAW, FURTHEST_PITCH, FURTHEST_ROLL = 42.0, 18.0, 20.0
SOURCE = (320, 240)


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


def compose(
    config: FinderConfig,
    scale: Scale,
    threads: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> Compositions:
    """Render and compose the pictures of a finder; the same for the same configuration."""
    rng = np.random.default_rng(config.seed)
    # Faces of one stage follow each other, because drawing its still part is the slow step.
    stages = max(1, config.renderings // 12)
    wanted = []
    for index in range(config.renderings):
        stage = np.random.default_rng([config.seed, 1, index * stages // config.renderings])
        wanted.append(_params(np.random.default_rng([config.seed, 2, index]), stage, scale))
    rendered: list[tuple[Luma, FaceTruth]] = []
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for picture, truth in pool.map(lambda params: render_face(params, scale), wanted):
            rendered.append((cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.uint8), truth))
            if on_progress is not None:
                on_progress(len(rendered) / len(wanted))
    number = 4 * config.renderings
    width, height = canvas(config)
    result = Compositions(
        np.zeros((number, height, width), np.uint8),
        np.full((number, 2), np.nan, np.float32),
        np.full((number, len(scale.landmarks), 2), np.nan, np.float32),
        np.full((number, 2), np.nan, np.float32),
        np.full(number, -1, np.int64),
    )
    for index in range(number):
        source, truth = rendered[index % len(rendered)]
        kind = rng.random()
        if kind < config.profile_share:
            _place_profile(result, index, source, truth, rng)
        elif kind >= config.profile_share + config.negative_share:
            _place(result, index, source, truth, scale, rng)
        elif rng.random() < 0.35:
            result.pictures[index] = _elsewhere(source, truth, (width, height), rng)
        else:
            result.pictures[index] = scenery((width, height), rng)
    return with_mirror_images(result, scale)


def strangers(config: FinderConfig, scale: Scale, number: int = 400) -> Luma:
    """Pictures (number, height, width) in which nothing may be graded, as large as recordings are.

    Heads from the side, scenery, and parts of phantom faces seen from too near. They are drawn at
    full size, because a network would else learn that what is blurred is strange.
    """
    rng = np.random.default_rng([config.seed, 4])
    pictures = np.zeros((number, SOURCE[1], SOURCE[0]), np.uint8)
    near: list[tuple[Luma, FaceTruth]] = []
    for index in range(max(1, number // 40)):
        params = _params(np.random.default_rng([config.seed, 5, index]), rng, scale)
        picture, truth = render_face(params, scale)
        near.append((cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.uint8), truth))
    for index in range(number):
        kind = rng.random()
        if kind < 0.5:
            pictures[index] = relit(draw_profile(scenery(SOURCE, rng), rng)[0], rng)
        elif kind < 0.8:
            pictures[index] = scenery(SOURCE, rng)
        else:
            source, truth = near[int(rng.integers(len(near)))]
            if kind < 0.9:
                pictures[index] = _elsewhere(source, truth, SOURCE, rng)
            else:
                x0, y0, x1, y1 = truth.box
                wide, high = (x1 - x0) * 0.4, (y1 - y0) * 0.4
                x, y = rng.uniform(x0, x1 - wide), rng.uniform(y0, y1 - high)
                part = source[int(max(y, 0)) : int(y + high), int(max(x, 0)) : int(x + wide)]
                pictures[index] = relit(
                    np.asarray(cv2.resize(part, SOURCE, interpolation=cv2.INTER_CUBIC), np.uint8),
                    rng,
                )
    return pictures


def with_mirror_images(data: Compositions, scale: Scale) -> Compositions:
    """The pictures and their mirror images, in which left landmarks are right ones."""
    turned = [list(scale.landmarks).index(_mirrored(name)) for name in scale.landmarks]
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
    """Width and height of a composed picture: multiples of 16, about 5 : 4."""
    return config.long_side, max(16, round(config.long_side * 0.8 / 16) * 16)


def _look(rng: np.random.Generator) -> Look:
    """A laboratory nobody has seen: light, walls, bedding, bars and camera at random."""
    angle, high = rng.uniform(0, 2 * math.pi), rng.uniform(0.5, 0.9)
    flat = math.sqrt(1 - high**2)
    grey = rng.uniform(25, 215)
    wall = tuple(int(v) for v in np.clip(grey + rng.normal(0, 10, 3), 0, 255))
    bedding = tuple(int(v) for v in np.clip(rng.uniform(40, 210) + rng.normal(0, 25, 3), 0, 255))
    return replace(
        Look(),
        light=(flat * math.cos(angle), flat * math.sin(angle), high),
        ambient=rng.uniform(0.25, 0.75),
        exposure=rng.uniform(0.6, 1.3),
        unevenness=rng.uniform(0, 0.6),
        wall=(wall[0], wall[1], wall[2]),
        bedding=(bedding[0], bedding[1], bedding[2]),
        bars=int(rng.choice([0, 0, 0, 5, 9])),
        lens_blur=rng.uniform(0.2, 1.2),
        noise=rng.uniform(0, 8),
        infrared=bool(rng.random() < 0.4),
    )


def _params(rng: np.random.Generator, stage: np.random.Generator, scale: Scale) -> FaceParams:
    """A face at random on a stage: animal, coat, laboratory and resting place."""
    coat = scale.coats[int(stage.integers(len(scale.coats)))]
    half = float(stage.uniform(36, 70))
    x, y = float(stage.uniform(100, SOURCE[0] - 100)), float(stage.uniform(100, SOURCE[1] - 90))
    animal, look = int(stage.integers(1 << 16)), _look(stage)
    resting = rng.random() < 0.15
    return FaceParams(
        coat=coat,
        look=look,
        intensities={
            unit.key: float(rng.uniform(0, 2)) if rng.random() < 0.6 else 0.0
            for unit in scale.units
        },
        pose=Pose(
            yaw=float(np.clip(rng.normal(0, 20), -FURTHEST_YAW, FURTHEST_YAW)),
            pitch=float(np.clip(rng.normal(0, 10), -FURTHEST_PITCH, FURTHEST_PITCH)),
            roll=float(rng.uniform(-FURTHEST_ROLL, FURTHEST_ROLL)),
            x=x + float(rng.uniform(-12, 12)),
            y=y + float(rng.uniform(-12, 12)),
            half_width=half * float(rng.uniform(0.93, 1.07)),
        ),
        animal=animal,
        lids=1.0 if resting else float(rng.uniform(0, 0.2)),
        relaxed=1.0 if resting else 0.0,
        paws=float(rng.uniform(0.2, 0.8)) if rng.random() < 0.1 else 0.0,
        paw_phase=float(rng.random()),
        smear=(float(rng.uniform(-5, 5)), float(rng.uniform(-5, 5)))
        if rng.random() < 0.2
        else (0.0, 0.0),
        grain=int(rng.integers(1 << 16)),
        size=SOURCE,
        rest=(x, y, half),
    )


def _place(
    result: Compositions,
    index: int,
    source: Luma,
    truth: FaceTruth,
    scale: Scale,
    rng: np.random.Generator,
) -> None:
    height, width = result.pictures.shape[1:]
    x0, y0, x1, y1 = truth.box
    face = max(x1 - x0, y1 - y0)
    # Half as the first look sees them, from afar, half as the second does, enlarged.
    far = rng.random() < 0.5
    part = math.exp(rng.uniform(math.log(0.14), math.log(0.5))) if far else rng.uniform(0.4, 0.7)
    zoom = width * part / face
    turn = cv2.getRotationMatrix2D(((x0 + x1) / 2, (y0 + y1) / 2), float(rng.uniform(-4, 4)), zoom)
    reach = 0.4 * face * zoom
    if far:
        cx = rng.uniform(min(reach, width / 2), max(width - reach, width / 2))
        cy = rng.uniform(min(reach, height / 2), max(height - reach, height / 2))
    else:
        cx, cy = np.array([width, height]) * rng.normal(0.5, 0.07, 2)
    turn[:, 2] += np.array([cx - (x0 + x1) / 2, cy - (y0 + y1) / 2])
    if zoom < 0.8:
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), 0.45 / zoom), np.uint8)
    # Beyond the rendering its border is repeated, or there is scenery; a mirrored border would show
    # further faces that no target knows of.
    drawn = cv2.warpAffine(source, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.5:
        inside = cv2.warpAffine(np.full_like(source, 255), turn, (width, height))
        drawn = np.where(inside > 0, drawn, scenery((width, height), rng))
    result.pictures[index] = relit(np.asarray(drawn, np.uint8), rng)
    corners = np.array([[x0, y0, 1], [x1, y0, 1], [x0, y1, 1], [x1, y1, 1]]) @ turn.T
    low, high = corners.min(0), corners.max(0)
    result.centres[index] = (low + high) / 2
    result.sizes[index] = high - low
    places = np.array([[*truth.landmarks[name], 1.0] for name in scale.landmarks]) @ turn.T
    outside = (places < 0).any(1) | (places >= [width, height]).any(1)
    places[outside] = np.nan
    result.points[index] = places
    result.views[index] = VIEWS.index(truth.view)


def _place_profile(
    result: Compositions, index: int, source: Luma, truth: FaceTruth, rng: np.random.Generator
) -> None:
    """A head from the side; its landmarks stay unknown, because half of them cannot be seen."""
    height, width = result.pictures.shape[1:]
    if rng.random() < 0.5:
        behind = scenery((width, height), rng)
    else:
        behind = _elsewhere(source, truth, (width, height), rng)
    picture, (x0, y0, x1, y1) = draw_profile(behind, rng)
    result.pictures[index] = relit(picture, rng)
    result.centres[index] = (x0 + x1) / 2, (y0 + y1) / 2
    result.sizes[index] = max(x1 - x0, 1.0), max(y1 - y0, 1.0)
    result.views[index] = VIEWS.index("profile")


def _mirrored(landmark: str) -> str:
    """The landmark that a landmark becomes in a mirror."""
    for one, other in (("left_", "right_"), ("right_", "left_")):
        if landmark.startswith(one):
            return other + landmark.removeprefix(one)
    return landmark


def _elsewhere(
    source: Luma, truth: FaceTruth, size: tuple[int, int], rng: np.random.Generator
) -> Luma:
    """A part of a rendering that does not show the face: fur, wall, bedding."""
    high, wide = source.shape
    x0, y0, x1, y1 = truth.box
    rooms = [(0, 0, x0, high), (x1, 0, wide, high), (0, y1, wide, high), (0, 0, wide, y0)]
    roomy = [room for room in rooms if room[2] - room[0] > 24 and room[3] - room[1] > 24]
    left, top, right, bottom = roomy[int(rng.integers(len(roomy)))] if roomy else (0, 0, 25, 25)
    part = source[round(top) : round(bottom), round(left) : round(right)]
    return relit(np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8), rng)


def scenery(size: tuple[int, int], rng: np.random.Generator) -> Luma:
    """A picture without a mouse: cloudy noise, stripes, discs, silhouettes and edges at random."""
    width, height = size
    image: Floats = np.full((height, width), rng.uniform(20, 235), np.float32)
    for octave in range(int(rng.integers(1, 6))):
        cells = (int(2 ** (octave + 1) + rng.integers(0, 3)),) * 2
        noise = rng.standard_normal(cells).astype(np.float32)
        cloud = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
        image = image + cloud * np.float32(rng.uniform(10, 60) / (octave + 1))
    if rng.random() < 0.3:
        angle, period = rng.uniform(0, math.pi), rng.uniform(4, 40)
        ys, xs = np.mgrid[:height, :width].astype(np.float32)
        wave = np.sin((xs * math.cos(angle) + ys * math.sin(angle)) * (2 * math.pi / period))
        image = image + np.float32(rng.uniform(10, 60)) * wave
    for _ in range(int(rng.integers(0, 7))):
        _shape(image, rng)
    if rng.random() < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 2.5))))
    return relit(np.asarray(np.clip(image, 0, 255), np.uint8), rng)


def _shape(image: Floats, rng: np.random.Generator) -> None:
    """Draw a disc, an eye-like ring, a blob or a bar."""
    height, width = image.shape
    x, y = int(rng.uniform(0, width)), int(rng.uniform(0, height))
    shade = float(rng.uniform(0, 255))
    kind = int(rng.integers(4))
    if kind == 0:
        axes = (int(rng.uniform(2, width * 0.4)), int(rng.uniform(2, height * 0.4)))
        cv2.ellipse(image, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, shade, -1)
    elif kind == 1:
        radius = int(rng.uniform(3, height * 0.35))
        cv2.circle(image, (x, y), radius, shade, -1)
        cv2.circle(image, (x, y), max(1, int(radius * rng.uniform(0.2, 0.8))), 255 - shade, -1)
    elif kind == 2:
        angles = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(3, 9))))
        reach = rng.uniform(4, height * 0.6, len(angles))
        points = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], 1)
        cv2.fillPoly(image, [points.astype(np.int32)], shade)
    else:
        end = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        cv2.line(image, (x, y), end, shade, int(rng.uniform(1, 12)))


def relit(picture: Luma, rng: np.random.Generator) -> Luma:
    """The picture with another gamma, contrast and some noise."""
    levels = np.linspace(0, 1, 256) ** math.exp(rng.uniform(-0.5, 0.5))
    low, high = rng.uniform(0, 0.25), rng.uniform(0.7, 1.1)
    table = np.clip((low + levels * (high - low)) * 255, 0, 255).astype(np.float32)
    lit = table[picture]
    if rng.random() < 0.5:
        lit = lit + rng.standard_normal(lit.shape, np.float32) * np.float32(rng.uniform(1, 8))
    return np.asarray(np.clip(lit, 0, 255), np.uint8)
