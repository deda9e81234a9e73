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
from models.phantom.render import FaceParams
from models.phantom.shape import Floats, f32
from models.phantom.units import TOP
from models.scale import Coat, Scale, State

YAW_SD, PITCH_SD, ROLL_SD = 18.0, 5.0, 4.5
YAW_LIMIT = 38.0
RAMP_S = 0.3
BLINKS_PER_S = 0.12
BLINK_S = 0.22
# A fresh draw of the wandering part every so often: its correlation time in seconds.
POSE_S, UNIT_S = 0.8, 1.2
# Pain 1 brings the average unit to this intensity.
FULL_PAIN = 1.75
COMMON_SD, OWN_SD, ANIMAL_SD = 0.22, 0.36, 0.16
SHUTTER = 0.35


@dataclass(frozen=True)
class Stretch:
    """A stretch of a clip in which the animal is in a state other than the graded one."""

    state: State
    start_s: float
    stop_s: float


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
    face = plan.size[0] / 320
    units = intensities(scale, plan.pain, plan.animal, rng, n, fps)
    yaw = YAW_LIMIT * np.tanh(YAW_SD * wandering(rng, n, fps, POSE_S) / YAW_LIMIT)
    yaw = yaw + rng.normal(0, 3)
    pitch = PITCH_SD * wandering(rng, n, fps, POSE_S) + rng.normal(0, 3)
    roll = ROLL_SD * wandering(rng, n, fps, POSE_S)
    half = face * rng.uniform(43, 53)
    home = (plan.size[0] * rng.uniform(0.40, 0.60), plan.size[1] * rng.uniform(0.44, 0.54))
    x = home[0] + 4.5 * face * wandering(rng, n, fps, POSE_S)
    y = home[1] + 3.0 * face * wandering(rng, n, fps, POSE_S)
    lids = _blinks(rng, t)
    state_at, amount = _states(plan, scale, t)
    shown = [state.shown for state in state_at]
    eyelids = np.array([s.eyelids if s else 0.0 for s in shown]) * amount
    relaxed = np.array([s.ears if s else 0.0 for s in shown]) * amount
    paws = np.array([s.paws if s else 0.0 for s in shown]) * amount
    motion = np.array([s.motion if s else 0.0 for s in shown]) * amount
    breath = 2 * np.pi * t * np.where(relaxed > 0.5, 1.6, 2.8)
    # A swing of amplitude A at frequency f has the top speed 2πfA.
    swing = motion * 2.2 * half / (2 * np.pi * 1.5)
    turn = 2 * np.pi * 1.5 * t + rng.uniform(0, 2 * np.pi)
    x = x + swing * np.sin(turn)
    y = y + 0.5 * swing * np.sin(1.7 * turn) + 0.5 * face * np.sin(breath)
    half_width = half * (1 + 0.006 * np.sin(breath))
    # The smear is how far the face moves while the shutter is open.
    dx, dy = (np.gradient(values) * SHUTTER if n > 1 else np.zeros(1) for values in (x, y))
    phase = t * 3.2 + rng.uniform()
    keys = scale.unit_keys
    frames = []
    for i in range(n):
        slack = 1 - relaxed[i]
        frames.append(
            FaceParams(
                coat=plan.coat,
                look=plan.look,
                intensities={key: float(units[key][i] * slack) for key in keys},
                pose=Pose(
                    float(yaw[i]),
                    float(pitch[i]),
                    float(roll[i]),
                    float(x[i]),
                    float(y[i]),
                    float(half_width[i]),
                ),
                state=state_at[i],
                animal=plan.animal,
                lids=float(max(lids[i], eyelids[i])),
                relaxed=float(relaxed[i]),
                paws=float(paws[i]),
                paw_phase=float(phase[i]),
                smear=(float(dx[i]), float(dy[i])),
                grain=seed + i,
                size=plan.size,
                rest=(round(home[0], 1), round(home[1], 1), round(half, 1)),
            )
        )
    return frames


def _blinks(rng: np.random.Generator, t: Floats) -> Floats:
    lids = np.zeros(len(t))
    length = float(t[-1]) + 1
    for start in rng.uniform(0, length, rng.poisson(BLINKS_PER_S * length)):
        lids = np.maximum(lids, np.clip(1.6 - 3.2 * np.abs(t - start) / BLINK_S, 0, 1))
    return lids


def _states(plan: ClipPlan, scale: Scale, t: Floats) -> tuple[list[State], Floats]:
    states = [scale.graded_state] * len(t)
    amount = np.ones(len(t))
    for stretch in plan.stretches:
        for i in np.flatnonzero((t >= stretch.start_s) & (t < stretch.stop_s)):
            states[i] = stretch.state
            # What a stretch shows grows and fades inside it, so that the frames around are clean.
            edge = min(t[i] - stretch.start_s, stretch.stop_s - t[i])
            atstart = stretch.start_s <= 0 and t[i] < (stretch.start_s + stretch.stop_s) / 2
            amount[i] = 1.0 if atstart else min(1.0, 0.45 + edge / RAMP_S)
    return states, amount


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
