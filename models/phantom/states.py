"""How the phantom plays states over time: lids, ears, paws, food, covers, breath, stillness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

from models.phantom.shape import Floats
from models.scale import Scale, Shown, State

if TYPE_CHECKING:
    from models.phantom.motion import Stretch

RAMP_S = 0.3
# A still animal wanders this much slower than one that is awake and at ease.
STILL = 0.06
# Breaths a second of an animal in strong pain: fast and shallow.
PAINED_BREATH = 4.2
FLINCHES_PER_S, FLINCH_S = 0.30, 0.13
_NOTHING = Shown(eyelids=0.0, ears=0.0, paws=0.0, motion=0.0, share=0.0)


@dataclass(frozen=True, eq=False)
class Played:
    """What a clip plays at every frame; arrays (frames,).

    `activity` is the speed of wandering (1 = awake at ease), `pain` the level of the stretch and
    `pained` how far it has set in (0..1), `flinch` jerks (-1..1), `breath` breaths a second.
    """

    states: list[State]
    eyelids: Floats
    ears: Floats
    paws: Floats
    food: Floats
    cover: Floats
    motion: Floats
    breath: Floats
    sniffing: Floats
    activity: Floats
    pain: Floats
    pained: Floats
    flinch: Floats


def play(stretches: Iterable[Stretch], scale: Scale, t: Floats, rng: np.random.Generator) -> Played:
    """The course of every state-bound quantity at the times t (seconds)."""
    n = len(t)
    states, amount = [scale.graded_state] * n, np.ones(n)
    pain, pained = np.zeros(n), np.zeros(n)
    for stretch in stretches:
        for i in np.flatnonzero((t >= stretch.start_s) & (t < stretch.stop_s)):
            states[i] = stretch.state
            # What a stretch shows grows and fades inside it, so that the frames around are clean.
            edge = min(t[i] - stretch.start_s, stretch.stop_s - t[i])
            at_start = stretch.start_s <= 0 and t[i] < (stretch.start_s + stretch.stop_s) / 2
            amount[i] = 1.0 if at_start else min(1.0, 0.45 + edge / RAMP_S)
            if stretch.pain is not None:
                pain[i], pained[i] = stretch.pain, amount[i]
    shown = [state.shown or _NOTHING for state in states]

    def taken(name: str) -> Floats:
        return np.array([getattr(one, name) for one in shown])

    eyelids, motion = taken("eyelids") * amount, taken("motion") * amount
    still = np.maximum((eyelids > 0.9) & (motion < 0.1), pained > 0.3)
    fps = 1 / (t[1] - t[0]) if n > 1 else 12.0
    activity = np.clip(gaussian_filter1d(np.where(still, STILL, 1.0), 0.15 * fps), STILL, 1)
    flinch = np.zeros(n)
    for start in rng.uniform(0, t[-1] + 1, rng.poisson(FLINCHES_PER_S * (t[-1] + 1))):
        flinch += rng.choice([-1, 1]) * np.exp(-(((t - start) / FLINCH_S) ** 2))
    return Played(
        states=states,
        eyelids=eyelids,
        ears=taken("ears") * amount,
        paws=taken("paws") * amount,
        food=taken("food") * amount,
        cover=taken("cover") * amount,
        motion=motion,
        breath=np.where(pained > 0.5, PAINED_BREATH, taken("breath")),
        sniffing=taken("sniffing") * (1 - pained),
        activity=activity,
        pain=pain,
        pained=pained,
        flinch=np.clip(flinch, -1, 1) * pained,
    )
