"""The animals of a lab and their clips, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.phantom.motion import ClipPlan, Stretch
from models.phantom.plans import (
    BASELINE_PAIN,
    LONG_S,
    PAINED,
    STRETCH_S,
    GroupPlan,
    LabPlan,
)
from models.scale import Coat, Scale, State

BASELINE, AFTER = "baseline", "after"
# Range of lengths in seconds: of a stretch of stillness, of any other.
STILL_S, OTHER_S = (2.5, 5.5), (1.2, 3.2)


@dataclass(frozen=True)
class Animal:
    """An animal of a study; `seed` is its face."""

    name: str
    coat: Coat
    sex: str
    cage: str
    group: GroupPlan
    age_weeks: int
    seed: int


@dataclass(frozen=True)
class Recording:
    """A clip of one animal at one observation, under its neutral file name."""

    file: str
    animal: Animal
    observation: str
    plan: ClipPlan
    seed: int


def draw_recordings(lab: LabPlan, seed: int, scale: Scale) -> list[Recording]:
    """The animals of a lab and their clips, shuffled so that file names tell nothing."""
    rng = np.random.default_rng([seed, 53])
    animals = _draw_animals(lab, rng, seed)
    pairs = [(animal, when) for animal in animals for when in (BASELINE, AFTER)]
    rng.shuffle(pairs)
    recordings = []
    for n, (animal, when) in enumerate(pairs, start=1):
        level = BASELINE_PAIN if when == BASELINE else animal.group.pain
        pain = float(np.clip(level * rng.normal(1.0, 0.18), 0.0, 0.95))
        plan = ClipPlan(
            coat=animal.coat,
            look=lab.look,
            animal=animal.seed,
            pain=pain,
            duration_s=lab.clip_s,
            fps=lab.fps,
            size=lab.size,
            stretches=draw_stretches(lab, pain, rng, scale),
        )
        recordings.append(Recording(f"videos/r{n:04d}.mp4", animal, when, plan, seed + n))
    return recordings


def draw_stretches(
    lab: LabPlan, pain: float, rng: np.random.Generator, scale: Scale
) -> tuple[Stretch, ...]:
    """What else than being awake a clip of an animal with this pain holds, in order of time."""
    if lab.clip_s < LONG_S:
        return _draw_one(lab, rng, scale)
    wanted: list[tuple[State, float | None, float]] = []
    if pain > PAINED and rng.uniform() < lab.pained:
        wanted.append((scale.graded_state, float(rng.uniform(0.80, 0.97)), rng.uniform(*STILL_S)))
    for _ in range(int(rng.poisson(lab.restless * lab.clip_s / STRETCH_S))):
        state = _draw_state(rng, scale, lab.states)
        still = state.shown is not None and state.shown.eyelids > 0.9
        wanted.append((state, None, rng.uniform(*(STILL_S if still else OTHER_S))))
    # At least a quarter of every clip is left for the animal at ease.
    while wanted and sum(length for _, _, length in wanted) > 0.75 * lab.clip_s:
        wanted.pop()
    order = [wanted[int(i)] for i in rng.permutation(len(wanted))]
    free = lab.clip_s - sum(length for _, _, length in order)
    gaps = free * rng.dirichlet(np.ones(len(order) + 1))
    stretches, at = [], 0.0
    for (state, level, length), gap in zip(order, gaps, strict=False):
        at += float(gap)
        stretches.append(Stretch(state, at, at + float(length), level))
        at += float(length)
    return tuple(stretches)


def _draw_one(lab: LabPlan, rng: np.random.Generator, scale: Scale) -> tuple[Stretch, ...]:
    if rng.uniform() >= lab.restless:
        return ()
    state = _draw_state(rng, scale, lab.states)
    length = float(rng.uniform(0.30, 0.55)) * lab.clip_s
    start = float(rng.choice([0.0, lab.clip_s - length, rng.uniform(0, lab.clip_s - length)]))
    return (Stretch(state, start, start + length),)


def frequent_states(scale: Scale, most: int = 0) -> list[State]:
    """The rendered states that are not graded, in order of the scale; the `most` frequent alone
    where it is not 0."""
    others = [state for state in scale.states if state.shown and not state.graded]
    ordered = sorted(others, key=lambda state: -_share(state))
    return [state for state in others if state in ordered[: most or None]]


def _draw_state(rng: np.random.Generator, scale: Scale, most: int) -> State:
    others = frequent_states(scale, most)
    shares = np.array([_share(state) for state in others])
    return others[int(rng.choice(len(others), p=shares / shares.sum()))]


def _share(state: State) -> float:
    return state.shown.share if state.shown else 0.0


def _draw_animals(lab: LabPlan, rng: np.random.Generator, seed: int) -> list[Animal]:
    animals: list[Animal] = []
    for coat in lab.coats:
        for n in range(lab.animals_per_coat):
            number = len(animals) + 1
            animals.append(
                Animal(
                    name=f"m{number:02d}",
                    coat=coat,
                    sex=("female", "male")[n % 2],
                    # Two sexes never share a cage, nor do two coats.
                    cage=f"{coat.strain} {('f', 'm')[n % 2]}{n // 6 + 1}",
                    group=lab.groups[(n // 2) % len(lab.groups)],
                    age_weeks=int(rng.integers(8, 15)),
                    seed=seed * 100 + number,
                )
            )
    return animals
