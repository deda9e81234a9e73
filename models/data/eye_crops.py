"""Eyes to learn from: patches of phantom faces and of real stills, dealt out as augmented squares.

Every patch shows an eye in its middle with the nose on the left, as `models.eyes` cuts it, with
room round it to shift, turn and zoom. Patches without points show what is no eye.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.config import EyesConfig
from models.data.real import Still
from models.data.scenery import scenery
from models.eyes import EYES, POINTS, EyePlace, eye_places
from models.phantom.look import Look
from models.phantom.pose import Pose
from models.phantom.render import FaceParams, FaceTruth, render_face
from models.records import Face
from models.scale import Scale

Luma = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]

PATCH = 160
ROOM = 1.8
"""Side of a patch in sides of the square that is read."""
STEADY = 0.8
"""How much of the difference from the mean shape is taken from the marks of real eyes."""
SIZE = (340, 300)
NARROW = 0.2
"""Width of an eye in sides of its square under which it counts as turned away; 0.45 is usual."""
HALF = (55.0, 110.0)


@dataclass(frozen=True)
class Patches:
    """Patches (n, PATCH, PATCH) uint8 and points (n, 4, 2) in their pixels, NaN where no eye is."""

    pictures: Luma
    points: Floats
    real: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def eyes(self) -> NDArray[np.bool_]:
        """Which patches show an eye."""
        return np.asarray(np.isfinite(self.points).all(axis=(1, 2)))


def eye_of(still: Still) -> Floats:
    """The four points (4, 2) of the eye of a real still, in the order of `POINTS`."""
    return np.array([still.points[f"eye {name}"] for name in POINTS])


def face_of(still: Still) -> Face:
    """The face that a perfect finder would give: eye and nose, no more."""
    points, nose = eye_of(still), still.points["nose tip"]
    x, y = (float(value) for value in points.mean(axis=0))
    xs, ys = zip(nose, *points.tolist(), strict=True)
    return Face(
        box=(min(xs), min(ys), max(xs), max(ys)),
        # A mouse that looks to the left of the picture shows the eye right of its nose.
        landmarks={EYES[nose[0] < x]: (x, y), "nose": nose},
        confidence=1.0,
        view="profile",
        sharpness=0.0,
    )


def gather_patches(
    config: EyesConfig,
    scale: Scale,
    stills: list[Still],
    threads: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> Patches:
    """Patches of phantom faces and of these stills; the same for the same configuration."""
    pictures: list[Luma] = []
    points: list[Floats] = []
    real: list[bool] = []

    def add(luma: Luma, place: EyePlace, four: Floats | None) -> None:
        wide = replace(place, side=ROOM * place.side)
        pictures.append(wide.cut_from(luma, PATCH))
        nothing = np.full((4, 2), np.nan)
        points.append(nothing if four is None else wide.to_square(four) * PATCH - 0.5)
        real.append(four is not None and not rendered)

    rendered = True
    seeds = [np.random.default_rng([config.seed, 2, n]) for n in range(config.renderings)]
    wanted = [_params(rng, config.seed, n, scale) for n, rng in enumerate(seeds)]
    with ThreadPoolExecutor(max(1, threads)) as pool:
        drawn = pool.map(lambda params: render_face(params, scale), wanted)
        for number, (rng, (picture, truth)) in enumerate(zip(seeds, drawn, strict=True)):
            luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
            for place in eye_places(_face(truth)):
                ends = truth.eye_points.get(place.eye.removesuffix("_eye"))
                four = None if ends is None else np.array(ends)
                add(luma, place, four if four is not None and _faces_us(place, four) else None)
            add(luma, _beside(truth, luma.shape, rng), None)
            add(scenery(SIZE, rng), EyePlace("", SIZE[0] / 2, SIZE[1] / 2, 90.0, False), None)
            if on_progress is not None:
                on_progress((number + 1) / len(wanted))
    rendered, rng = False, np.random.default_rng([config.seed, 3])
    for still, four in zip(stills, steadied([eye_of(still) for still in stills]), strict=True):
        luma = still.luma()
        (place,) = eye_places(face_of(still))
        add(luma, place, four)
        x, y = rng.uniform([0, 0], luma.shape[::-1])
        if math.dist((x, y), (place.x, place.y)) > 0.6 * place.side:
            side = place.side * float(rng.uniform(0.6, 1.5))
            add(luma, replace(place, x=float(x), y=float(y), side=side), None)
    return Patches(np.stack(pictures), np.stack(points), np.array(real))


def steadied(eyes: list[Floats]) -> list[Floats]:
    """Points (4, 2) of eyes, each at its place but with a shape close to the mean shape.

    The stills are of one fixed head with its eye open, and openings as marked in one still and the
    next have nothing in common (r = 0.04): what varies in shape is the hand that placed the points.
    Learnt as it is, it is learnt by heart.
    """
    if not eyes:
        return []
    marked = np.stack(eyes)
    middles = marked.mean(axis=1, keepdims=True)
    shapes = marked - middles
    return list(middles + (1 - STEADY) * shapes + STEADY * shapes.mean(axis=0))


def _face(truth: FaceTruth) -> Face:
    marks = dict(truth.landmarks)
    for side, ends in truth.eye_points.items():
        x, y = np.mean(ends, axis=0)
        marks[f"{side}_eye"] = float(x), float(y)
    # All eyes that are drawn are learnt, whatever a reader would look at in this view.
    return Face(truth.box, marks, 1.0, "frontal", 0.0)


def _faces_us(place: EyePlace, points: Floats) -> bool:
    """Whether an eye is seen broadly enough to be measured: on a turned head one is edge-on."""
    _, front, _, back = place.to_square(points)
    return bool(back[0] - front[0] > NARROW)


def _beside(truth: FaceTruth, shape: tuple[int, ...], rng: np.random.Generator) -> EyePlace:
    """A place in the picture at which no eye is: an ear, the nose, fur or what lies around."""
    places = eye_places(_face(truth))
    side = places[0].side * float(rng.uniform(0.6, 1.5))
    marks = [mark for name, mark in truth.landmarks.items() if name not in EYES]
    for _ in range(20):
        if rng.random() < 0.5:
            x, y = marks[int(rng.integers(len(marks)))]
        else:
            x, y = (float(v) for v in rng.uniform([0, 0], [shape[1], shape[0]]))
        if all(math.dist((x, y), (eye.x, eye.y)) > 0.6 * side for eye in places):
            break
    return EyePlace("", x, y, side, bool(rng.random() < 0.5))


def _params(rng: np.random.Generator, seed: int, number: int, scale: Scale) -> FaceParams:
    """A phantom face at random, large enough that its eyes are sharp; a third has shut eyes."""
    # Faces of one stage follow each other, because drawing its still part is the slow step.
    stage = np.random.default_rng([seed, 1, number // 8])
    half = float(math.exp(stage.uniform(*np.log(HALF))))
    x, y = SIZE[0] / 2, SIZE[1] / 2
    grey, floor = stage.uniform(25, 215, 2)
    angle, high = stage.uniform(0, 2 * math.pi), stage.uniform(0.5, 0.9)
    flat = math.sqrt(1 - high**2)
    look = Look(
        light=(flat * math.cos(angle), flat * math.sin(angle), high),
        ambient=float(stage.uniform(0.25, 0.75)),
        exposure=float(stage.uniform(0.6, 1.3)),
        unevenness=float(stage.uniform(0, 0.6)),
        wall=(int(grey),) * 3,
        bedding=(int(floor),) * 3,
        lens_blur=float(stage.uniform(0.2, 1.2)),
        noise=float(stage.uniform(0, 6)),
        infrared=bool(stage.random() < 0.4),
    )
    shut = rng.random()
    return FaceParams(
        coat=scale.coats[int(stage.integers(len(scale.coats)))],
        look=look,
        intensities={
            unit.key: float(rng.uniform(0, 2)) if rng.random() < 0.5 else 0.0
            for unit in scale.units
        },
        pose=Pose(
            yaw=float(rng.uniform(-60, 60)),
            pitch=float(rng.uniform(-25, 25)),
            roll=float(rng.uniform(-20, 20)),
            x=x,
            y=y,
            half_width=half * float(rng.uniform(0.93, 1.07)),
        ),
        animal=int(stage.integers(1 << 16)),
        lids=1.0 if shut < 0.1 else float(rng.uniform(0, 1)) if shut < 0.3 else 0.0,
        relaxed=float(rng.uniform(0, 1)),
        grain=int(rng.integers(1 << 16)),
        size=SIZE,
        rest=(x, y, half),
    )
