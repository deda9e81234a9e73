"""The time course of a clip: how units, head, lids, breath and states move.

Slow wandering (pose, unit intensities) is Gaussian noise smoothed over time and scaled to its
standard deviation, so that its speed is finite and frames do not smear without cause.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from models.phantom.look import Look
from models.phantom.pose import Pose
from models.phantom.shape import Floats, f32
from models.phantom.states import Played, play
from models.phantom.truth import FaceParams
from models.phantom.units import TOP, narrow_the_eyes
from models.scale import Coat, Scale, State

YAW_SD, PITCH_SD, ROLL_SD = 16.0, 6.5, 4.5
YAW_LIMIT, PITCH_LIMIT = 60.0, 30.0
# Looking aside: how often an animal that is free to move does so, for how long, how far.
ASIDE_PER_S, ASIDE_S, ASIDE = 0.045, 0.9, (36.0, 66.0)
BLINKS_PER_S = 0.09
BLINK_S = 0.20
# A fresh draw of the wandering part every so often: its correlation time in seconds.
POSE_S, UNIT_S = 0.8, 1.2
# Pain 1 brings the average unit to this intensity.
FULL_PAIN = 1.75
COMMON_SD, OWN_SD, ANIMAL_SD = 0.22, 0.36, 0.16
# Squeezed lids of an animal that sits still in pain: intensities of the unit of the eyes.
SQUEEZED = (1.78, 2.0)
# How far such an animal also presses its lids together: less than a blink, short of the seam.
PRESSED = 0.35
SHUTTER = 0.35


@dataclass(frozen=True)
class Stretch:
    """A stretch of a clip in which the animal is not simply awake.

    With a `pain` level of its own it sits still and in pain with its eyes squeezed shut: awake, to
    be graded, and the hardest to tell from sleep.
    """

    state: State
    start_s: float
    stop_s: float
    pain: float | None = None


@dataclass(frozen=True)
class ClipPlan:
    """What a clip shows.

    pain       mean level of grimacing, 0 (none) to 1 (every unit nearly obvious)
    animal     seed of the animal: its fur, whiskers, habitual face
    duration_s, fps, size  length, constant frame rate, (width, height)
    """

    coat: Coat
    look: Look
    animal: int
    pain: float
    duration_s: float = 2.5
    fps: int = 12
    size: tuple[int, int] = (320, 240)
    stretches: tuple[Stretch, ...] = ()

    @property
    def frames(self) -> int:
        """Number of frames of the clip."""
        return max(1, round(self.duration_s * self.fps))


def wandering(rng: np.random.Generator, n: int, fps: float, correlation_s: float) -> Floats:
    """n values of smooth noise with mean 0 and variance 1 and this correlation time."""
    sigma = max(correlation_s * fps, 0.5)
    margin = math.ceil(4 * sigma)
    values = gaussian_filter1d(rng.standard_normal(n + 2 * margin), sigma)[margin : margin + n]
    # The variance of smoothed white noise is 1 / (2 √π σ).
    return f32(values * math.sqrt(2 * math.sqrt(math.pi) * sigma))


def intensities(
    scale: Scale, pain: float, animal: int, rng: np.random.Generator, n: int, fps: float
) -> dict[str, Floats]:
    """Intensity of every unit over n frames: pain, the animal's habit and wandering, 0..2."""
    habit = np.random.default_rng([animal, 7]).normal(0, ANIMAL_SD, len(scale.units))
    common = COMMON_SD * wandering(rng, n, fps, UNIT_S)
    courses: dict[str, Floats] = {}
    for unit, own_habit in zip(scale.units, habit, strict=True):
        own = (OWN_SD * (0.45 + pain)) * wandering(rng, n, fps, UNIT_S)
        courses[unit.key] = np.clip(FULL_PAIN * pain + own_habit + common + own, 0, TOP)
    return courses


def course(plan: ClipPlan, scale: Scale, seed: int) -> list[FaceParams]:
    """The parameters of every frame of a clip; equal seeds give equal clips."""
    rng = np.random.default_rng([seed, plan.animal, 3])
    n, fps = plan.frames, float(plan.fps)
    t = np.arange(n) / fps
    played = play(plan.stretches, scale, t, rng)
    units = _units(plan, scale, rng, played)
    yaw, pitch, roll = _pose(rng, n, fps, t, played)
    face = min(plan.size[0] / 320, plan.size[1] / 240)
    half = face * rng.uniform(43, 52)
    home = (plan.size[0] * rng.uniform(0.40, 0.60), plan.size[1] * rng.uniform(0.46, 0.56))
    x, y = (
        centre + _held(amount * face * wandering(rng, n, fps, POSE_S), played.activity, fps)
        for centre, amount in zip(home, (4.5, 3.0), strict=True)
    )
    # A swing of amplitude A at frequency f has the top speed 2πfA; round, so that it never rests.
    swing = played.motion * 2.2 * half / (2 * np.pi * 1.5)
    turn = 2 * np.pi * 1.5 * t + rng.uniform(0, 2 * np.pi)
    # Who rears shows more of the underside of the head.
    rearing = 0.5 * (1 - np.cos(1.3 * turn)) * (played.motion > 0.4)
    pitch = np.clip(pitch - 14 * rearing * np.minimum(played.motion / 3, 1), -30, 30)
    x = x + swing * np.sin(turn)
    breath = np.sin(2 * np.pi * np.cumsum(played.breath) / fps + rng.uniform(0, 6))
    depth = np.where(played.pained > 0.5, 0.45, np.where(played.activity < 0.5, 1.25, 0.8))
    y = y + 0.55 * swing * np.cos(turn) + 0.45 * face * depth * breath
    y = y + half * played.flinch * 0.07
    half_width = half * (1 + 0.005 * depth * breath)
    # The smear is how far the face moves while the shutter is open.
    dx, dy = (np.gradient(values) * SHUTTER if n > 1 else np.zeros(1) for values in (x, y))
    # Turning smears, too: the snout swings about the pivot.
    dx = dx + (np.gradient(np.radians(yaw)) * SHUTTER * 0.8 * half if n > 1 else 0)
    sniffs = np.clip(wandering(rng, n, fps, 0.5) + 0.3, 0, 1.2) * played.sniffing
    whisking = 2 * np.pi * 5.1 * t + rng.uniform(0, 6)
    lids = np.maximum(_blinks(rng, t) * (played.activity > 0.5), played.eyelids)
    lids = np.maximum(lids, PRESSED * played.pained)
    phase = t * 3.2 + rng.uniform()
    heading = float(np.clip(np.median(yaw) * rng.uniform(0.4, 1.1), -60, 60))
    frames = []
    for i in range(n):
        slack = 1 - played.ears[i]
        frames.append(
            FaceParams(
                coat=plan.coat,
                look=plan.look,
                intensities={key: float(values[i] * slack) for key, values in units.items()},
                pose=Pose(
                    float(yaw[i]),
                    float(pitch[i]),
                    float(roll[i]),
                    float(x[i]),
                    float(y[i]),
                    float(half_width[i]),
                ),
                state=played.states[i],
                animal=plan.animal,
                lids=float(lids[i]),
                relaxed=float(played.ears[i]),
                paws=float(played.paws[i]),
                paw_phase=float(phase[i]),
                smear=(float(dx[i]), float(dy[i])),
                grain=seed + i,
                size=plan.size,
                rest=(round(home[0], 1), round(home[1], 1), round(half, 1)),
                heading=round(heading, 1),
                food=float(played.food[i]),
                cover=float(played.cover[i]),
                breath=float(depth[i] * breath[i]),
                sniff=float(sniffs[i] * np.sin(whisking[i])),
                sweep=float(14 * sniffs[i] * np.sin(whisking[i])),
            )
        )
    return frames


def _units(
    plan: ClipPlan, scale: Scale, rng: np.random.Generator, played: Played
) -> dict[str, Floats]:
    n, fps = plan.frames, float(plan.fps)
    units = intensities(scale, plan.pain, plan.animal, rng, n, fps)
    for level in sorted(set(played.pain[played.pained > 0])):
        own = intensities(scale, float(level), plan.animal, rng, n, fps)
        part = np.where(played.pain == level, played.pained, 0)
        for unit in scale.units:
            target = own[unit.key]
            if unit.deformation == narrow_the_eyes.__name__:
                target = f32(rng.uniform(*SQUEEZED) + 0.05 * np.tanh(target - 1.5))
            mixed = units[unit.key] * (1 - part) + target * part
            units[unit.key] = np.clip(mixed + 0.3 * part * np.abs(played.flinch), 0, TOP)
    return units


def _pose(
    rng: np.random.Generator, n: int, fps: float, t: Floats, played: Played
) -> tuple[Floats, Floats, Floats]:
    yaw = YAW_SD * wandering(rng, n, fps, POSE_S) + rng.normal(0, 5)
    for start in rng.uniform(0, t[-1] + 1, rng.poisson(ASIDE_PER_S * (t[-1] + 1))):
        bump = np.exp(-(np.clip(np.abs(t - start) / (0.5 * ASIDE_S), 0, 9) ** 4))
        yaw = yaw * (1 - bump) + bump * rng.uniform(*ASIDE) * float(rng.choice([-1, 1]))
    yaw = np.clip(yaw, -YAW_LIMIT, YAW_LIMIT)
    pitch = PITCH_SD * wandering(rng, n, fps, POSE_S) + rng.normal(0, 5)
    pitch = np.clip(pitch, -PITCH_LIMIT, PITCH_LIMIT)
    roll = ROLL_SD * wandering(rng, n, fps, POSE_S)
    return (
        _held(f32(yaw), played.activity, fps),
        _held(f32(pitch), played.activity, fps),
        _held(roll, played.activity, fps),
    )


def _held(values: Floats, activity: Floats, fps: float) -> Floats:
    # Time runs slower where the animal is still: the same wandering, passed at another speed.
    inner = np.concatenate([[0.0], np.cumsum(activity[:-1])]) / fps
    return np.interp(inner, np.arange(len(values)) / fps, values)


def _blinks(rng: np.random.Generator, t: Floats) -> Floats:
    lids = np.zeros(len(t))
    length = float(t[-1]) + 1
    for start in rng.uniform(0, length, rng.poisson(BLINKS_PER_S * length)):
        lids = np.maximum(lids, np.clip(1.6 - 3.2 * np.abs(t - start) / BLINK_S, 0, 1))
    return lids


def population(
    scale: Scale, pains: Mapping[float, float], n: int, seed: int = 0
) -> dict[str, Floats]:
    """n independent intensities per unit of awake animals; `pains` maps pain to its share."""
    rng = np.random.default_rng([seed, 41])
    levels = rng.choice(list(pains), size=n, p=np.array(list(pains.values())))
    drawn = [
        intensities(scale, float(pain), int(rng.integers(1 << 31)), rng, 1, 12.0) for pain in levels
    ]
    return {key: f32([one[key][0] for one in drawn]) for key in scale.unit_keys}
