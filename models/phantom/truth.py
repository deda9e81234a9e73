"""What is true of a picture: parameters go in, state, box, landmarks and what can be scored out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from models.phantom.canvas import Canvas
from models.phantom.ears import ear_points
from models.phantom.eyes import BULGE, NAMES, eye_frame
from models.phantom.look import Look
from models.phantom.pose import Pose, Projection
from models.phantom.shape import SIDES, TIP, FaceShape, Floats, f32, resting
from models.phantom.units import narrow_the_eyes
from models.records import View
from models.scale import Cause, Coat, Scale, State

# Smear of the face in pixels from which a unit is blurred for a rater, by how fine its cue is.
BLURRED_PX = 4.0
COVERED = 0.35
BLINK = 0.4
FRONTAL, THREE_QUARTER = 20.0, 42.0
# A degree of pitch hides as much as this many degrees of yaw.
PITCH_WEIGHT = 1.1

Point = tuple[float, float]
EyePoints = tuple[Point, Point, Point, Point]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class FaceParams:
    """Everything a picture depends on; equal parameters give equal pixels.

    intensities  unit key → 0..2, absent units are 0
    lids         how far blinking or sleep shut the eyes, 0..1, whatever the units say
    relaxed      how far the ears are relaxed, 0..1
    paws, food   how far paws cover the face, food the mouth (0..1)
    paw_phase    where paws and jaws are in their stroke (turns)
    cover        how far a thing other than the paws hides the face, 0..1
    smear        motion of the face during the exposure in pixels (x, y)
    breath       -1 breathed out .. 1 breathed in
    sniff, sweep lift of the nose (-1..1) and swing of the whiskers forward (degrees)
    grain        seed of the sensor noise of this picture
    rest         centre and half head width where the body sits; None takes them from the pose
    heading      yaw of the trunk in degrees
    """

    coat: Coat
    look: Look = field(default_factory=Look)
    intensities: Mapping[str, float] = field(default_factory=dict)
    pose: Pose = field(default_factory=Pose)
    state: State | None = None
    animal: int = 0
    lids: float = 0.0
    relaxed: float = 0.0
    paws: float = 0.0
    paw_phase: float = 0.0
    smear: tuple[float, float] = (0.0, 0.0)
    grain: int = 0
    size: tuple[int, int] = (320, 240)
    rest: tuple[float, float, float] | None = None
    heading: float = 0.0
    food: float = 0.0
    cover: float = 0.0
    breath: float = 0.0
    sniff: float = 0.0
    sweep: float = 0.0


@dataclass(frozen=True)
class FaceTruth:
    """What is true of a picture.

    `not_scorable` holds the reason key of every unit that cannot be scored; `box` is the face with
    its ears as they stand at rest, without whiskers, in pixels: it depends on the pose alone.
    `landmarks` holds every landmark where it lies, also those behind the head; `hidden` names
    those that the head itself hides. `eye_points` holds, for every eye that can be seen ("left" or
    "right" of the picture), the ends of its opening in pixels: top, front (towards the nose),
    bottom, back. Top and bottom are those of the lids as drawn, also in a blink and in sleep,
    where they meet. Paws, food and other covers hide nothing in this sense: see `state`.
    """

    intensities: dict[str, float]
    not_scorable: dict[str, str]
    state: str
    box: Box
    landmarks: dict[str, Point]
    view: View
    yaw: float
    eye_points: dict[str, EyePoints] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    pitch: float = 0.0


@dataclass(frozen=True)
class Parts:
    """Where the marked parts are: pixels, and whether each can be seen; eye points of seen eyes."""

    places: list[Point]
    visible: list[bool]
    eyes: dict[str, EyePoints]


def seen_parts(
    canvas: Canvas, at: Projection, outlines: list[Floats], eyes: dict[str, Floats]
) -> Parts:
    """The parts in the order of the scale's landmarks: both eyes, both ears, the nose.

    `outlines` are the pixels and depths of both ears, `eyes` the points of the eyes that are seen.
    """
    marks = [at.seen(eye_frame(at, side).centre[None])[0] for side in SIDES]
    marks += [outline.mean(axis=0) for outline in outlines]
    marks.append(at.seen(TIP[None])[0])
    visible = [name in eyes for name in NAMES]
    visible += [bool(canvas.visible(outline, 0.02).mean() > 0.4) for outline in outlines]
    visible.append(bool(canvas.visible(marks[-1][None], BULGE)[0]))
    ends = {}
    for name, seen in eyes.items():
        top, front, bottom, back = ((float(x), float(y)) for x, y, _ in seen)
        ends[name] = (top, front, bottom, back)
    return Parts([(float(x), float(y)) for x, y, _ in marks], visible, ends)


def truth_of(params: FaceParams, scale: Scale, at: Projection, parts: Parts) -> FaceTruth:
    """The truth of a rendered picture."""
    state = params.state or scale.graded_state
    named = zip(scale.landmarks, parts.places, parts.visible, strict=True)
    landmarks, hidden = {}, []
    for name, place, visible in named:
        landmarks[name] = place
        if not visible:
            hidden.append(name)
    return FaceTruth(
        intensities={key: float(params.intensities.get(key, 0.0)) for key in scale.unit_keys},
        not_scorable=not_scorable(params, scale),
        state=state.key,
        box=face_box(at),
        landmarks=landmarks,
        view=view_of(params.pose),
        yaw=float(params.pose.yaw),
        eye_points=parts.eyes,
        hidden=tuple(hidden),
        pitch=float(params.pose.pitch),
    )


def view_of(pose: Pose) -> View:
    """The name of the view at this pose."""
    yaw = abs(pose.yaw)
    return "frontal" if yaw < FRONTAL else "three_quarter" if yaw < THREE_QUARTER else "profile"


@lru_cache(maxsize=1)
def _boxed() -> Floats:
    # The head without its neck, and both ears at rest.
    rings = np.meshgrid([0, 0.1, 0.3, 0.6, 1, 1.4, 1.8, 2.2], np.arange(0, 360, 20), indexing="ij")
    head = resting().at(rings[0].ravel(), rings[1].ravel())
    return f32(np.concatenate([head, *(ear_points(FaceShape(), side) for side in SIDES)]))


def face_box(at: Projection) -> Box:
    """The box of the face at a pose."""
    around = at.points(_boxed())
    (left, top), (right, bottom) = around.min(axis=0), around.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def not_scorable(params: FaceParams, scale: Scale) -> dict[str, str]:
    """Reason key of every unit that cannot be scored; needs no rendering."""
    state = params.state or scale.graded_state
    if not state.graded and state.reason:
        return dict.fromkeys(scale.unit_keys, state.reason)
    box = face_box(Projection.of(params.pose, params.look.closeness))
    width, high = params.size
    outside = min(box[0], box[1], width - box[2], high - box[3]) < -0.12 * (box[2] - box[0])
    smear = math.hypot(*params.smear) * 46 / params.pose.half_width
    turned = math.hypot(params.pose.yaw, PITCH_WEIGHT * params.pose.pitch)
    causes: dict[str, Cause] = {}
    for unit in scale.units:
        if max(params.paws, params.cover) > COVERED:
            causes[unit.key] = "cover"
        elif outside:
            causes[unit.key] = "border"
        elif turned > unit.widest_yaw:
            causes[unit.key] = "angle"
        elif smear > BLURRED_PX * unit.widest_yaw / 30:
            causes[unit.key] = "blur"
        elif params.lids > BLINK and unit.deformation == narrow_the_eyes.__name__:
            # A blink in passing is no tightening.
            causes[unit.key] = "unnamed"
    return {key: scale.reason_because(cause).key for key, cause in causes.items()}
