"""Which frames to rate: the audit sample that acceptance rests on, and queues for training.

A queue for training is split: a fifth is a uniform random share, rated by a fixed number of raters
and never stopped early, and the rest is chosen because it teaches most. Only the random share may
carry statistics (agreement, calibration, benchmark): what is chosen for being hard is no sample.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

AUDIT_FRAMES = 60
"""Frames of an audit sample, or all where a version has fewer."""


@dataclass(frozen=True)
class FrameInfo:
    """What sampling may know of a frame: nothing of grades, group or treatment."""

    id: str
    observation: str
    animal: str


def audit_sample(
    frames: Sequence[FrameInfo], n: int = AUDIT_FRAMES, seed: int | str = 0
) -> list[str]:
    """Return the ids of `n` frames drawn at random over observations, or of all if there are fewer.

    Every observation gives one frame before any gives a second, so that a long video does not
    crowd out a short one; within an observation the draw is uniform. The order returned is random
    over everything, and the same frames and seed give the same sample in any input order.
    """
    by_observation: dict[str, list[str]] = {}
    for frame in frames:
        by_observation.setdefault(frame.observation, []).append(frame.id)
    turns: list[tuple[int, str, str]] = []
    for observation, ids in by_observation.items():
        shuffled = sorted(set(ids), key=lambda frame: _ticket(seed, "frame", frame))
        place = _ticket(seed, "observation", observation)
        turns.extend((turn, place, frame) for turn, frame in enumerate(shuffled))
    drawn = [frame for _, _, frame in sorted(turns)[: max(n, 0)]]
    return sorted(drawn, key=lambda frame: _ticket(seed, "order", frame))


UNIFORM_EVERY = 5
"""Of so many neighbours in a queue one belongs to the uniform random share, at a random place."""
FIXED_RATERS = 5
"""Raters of every frame of the uniform random share, neither fewer nor more."""
ANIMAL_SHARE = 0.1
"""So much of what is chosen may be of one animal, or an equal part where there are few animals."""
DECAY = {"animal": 0.8, "observation": 0.7, "moment": 0.4}
"""What a frame is worth after another of the same animal, observation, or moment was chosen."""
MOMENT_S = 10.0
"""Frames of one observation within so many seconds show one moment."""
FIRST = "first"
"""The reason of a frame that is asked about before all others; the sentence does not say why."""
CALLED = 2.0
"""What a frame is worth times so much while a call for data asks for its lab or coat."""
REASONS: dict[str, tuple[float, str]] = {
    "quorum": (1.0, "{0:.0%} of the ratings that its units need are missing"),
    "raters": (1.5, "its raters disagree"),
    "models": (1.5, "the serving model and its challenger disagree"),
    "set": (1.0, "the model leaves more than one grade open"),
    "rare": (1.2, "it may show a grade that is rarely seen"),
    "lab": (0.8, "it is of a lab that is new in training"),
    "coat": (0.8, "it is of a coat that is new in training"),
    "spread": (0.1, "nothing like it has been chosen yet"),
}
"""Why a frame is chosen: what the fact weighs, and the words that are stored with the frame."""


@dataclass(frozen=True)
class Candidate:
    """A frame that could be rated, with what makes it worth it; facts of 0 to 1 unless told.

    `gap` is the missing share of its quorum; `disagreement` that of its raters (the largest error
    of a unit's consensus in grades); `models` the difference of champion and challenger in grades;
    `set_size` the mean number of grades in the model's prediction sets (1 = none open); `rare` the
    chance of the rarest grade of a unit; `new_lab` and `new_coat` how new they are in training;
    `called` says that an open call for data asks for such frames, `first` that it is to be asked
    about before all others.
    """

    id: str
    animal: str
    observation: str
    time_s: float = 0.0
    gap: float = 0.0
    disagreement: float = 0.0
    models: float = 0.0
    set_size: float = 1.0
    rare: float = 0.0
    new_lab: float = 0.0
    new_coat: float = 0.0
    called: bool = False
    first: bool = False

    def worth(self) -> dict[str, float]:
        """What each reason of `REASONS` contributes."""
        facts = {
            "quorum": self.gap,
            "raters": self.disagreement,
            "models": self.models,
            "set": self.set_size - 1.0,
            "rare": self.rare,
            "lab": self.new_lab,
            "coat": self.new_coat,
            "spread": 1.0,
        }
        return {
            reason: REASONS[reason][0] * min(max(fact, 0.0), 1.0)
            for reason, fact in facts.items()
            if math.isfinite(fact)
        }


@dataclass(frozen=True)
class Pick:
    """A place in a queue; `raters` is set for the uniform share alone: so many, never fewer.

    `reason` is `uniform`, `first` or a key of `REASONS`, `sentence` what is stored with the frame.
    """

    id: str
    uniform: bool
    raters: int | None
    reason: str
    sentence: str
    priority: float


def training_queue(
    candidates: Sequence[Candidate], n: int, seed: int | str = 0, raters: int = FIXED_RATERS
) -> list[Pick]:
    """Return at most `n` frames in the order in which to rate them, each with its reason.

    One of every `UNIFORM_EVERY` places belongs to the uniform random share, which is drawn first
    and from all candidates alike. The others are picked one by one by the sum of `worth`, which
    falls with every frame of the same animal, observation and moment picked before; an animal that
    has its share is passed over, so that a queue may be shorter than asked for. What is to be
    asked `first` is chosen before all else; the draw of the uniform share knows nothing of it, and
    of what was drawn it comes first, too. The same candidates and seed give the same queue in any
    input order. `raters` is how many the uniform share gets.
    """
    known = {one.id: one for one in candidates}
    n = min(max(n, 0), len(known))
    tickets = {one: _ticket(seed, "uniform", one) for one in known}
    uniform = sorted(known, key=tickets.__getitem__)[: math.ceil(n / UNIFORM_EVERY)]
    rest = [known[one] for one in sorted(known.keys() - set(uniform))]
    ahead = sorted((one for one in rest if one.first), key=lambda one: tickets[one.id])
    ahead = ahead[: n - len(uniform)]
    chosen = [_ahead(one) for one in ahead]
    chosen += _greedy([one for one in rest if not one.first], n - len(uniform), seed, ahead)
    # Fewer chosen than places: the share must not shrink, and need not grow.
    uniform = uniform[: math.ceil((len(chosen) + len(uniform)) / UNIFORM_EVERY)]
    drawn = [
        Pick(one, True, raters, "uniform", "Drawn at random for the statistics.", 0.0)
        for one in uniform
    ]
    drawn.sort(key=lambda pick: not known[pick.id].first)
    return _interleaved(drawn, chosen, seed)


def places_for(first: int, /) -> int:
    """Return how long a queue must be so that so many frames are chosen beside its uniform share.

    >>> places_for(3), places_for(4), places_for(5)
    (4, 5, 7)
    """
    return math.ceil(first * UNIFORM_EVERY / (UNIFORM_EVERY - 1))


def _ahead(one: Candidate) -> Pick:
    words = "Chosen because it is asked about before others."
    return Pick(one.id, False, None, FIRST, words, sum(one.worth().values()))


def _greedy(
    candidates: Sequence[Candidate], n: int, seed: int | str, ahead: Sequence[Candidate] = ()
) -> list[Pick]:
    """Pick until there are `n` with those `ahead`, which are of the same animals and moments."""
    animals = len({one.animal for one in (*candidates, *ahead)})
    most = max(math.ceil(ANIMAL_SHARE * n), math.ceil(n / max(animals, 1)))
    taken: Counter[tuple[str, ...]] = Counter()
    for one in ahead:
        taken.update(_places(one).values())
    worths = {
        one.id: sum(one.worth().values()) * (CALLED if one.called else 1.0) for one in candidates
    }

    def value(one: Candidate) -> float:
        places = _places(one).items()
        return worths[one.id] * math.prod(DECAY[level] ** taken[key] for level, key in places)

    heap = [
        (-value(one), _ticket(seed, "tie", one.id), place) for place, one in enumerate(candidates)
    ]
    heapq.heapify(heap)
    picks: list[Pick] = []
    while heap and len(picks) + len(ahead) < n:
        old, ticket, place = heapq.heappop(heap)
        one = candidates[place]
        if taken[_places(one)["animal"]] >= most:
            continue
        now = value(one)
        # Values only fall, so the best of the heap that is still what it was is the best of all.
        if now < -old * (1 - 1e-12):
            heapq.heappush(heap, (-now, ticket, place))
            continue
        taken.update(_places(one).values())
        picks.append(_pick(one, now))
    return picks


def _places(one: Candidate) -> dict[str, tuple[str, ...]]:
    moment = str(math.floor(one.time_s / MOMENT_S))
    return {
        "animal": ("animal", one.animal),
        "observation": ("observation", one.animal, one.observation),
        "moment": ("moment", one.animal, one.observation, moment),
    }


def _pick(one: Candidate, priority: float) -> Pick:
    worth = one.worth()
    reason = max(worth, key=lambda key: (worth[key], key))
    words = REASONS[reason][1].format(one.gap)
    call = " A call for data asks for such frames." if one.called else ""
    return Pick(one.id, False, None, reason, f"Chosen because {words}.{call}", priority)


def _interleaved(uniform: list[Pick], chosen: list[Pick], seed: int | str) -> list[Pick]:
    """One of the uniform share at a random place of every block, the others in their order."""
    queue: list[Pick] = []
    left = list(reversed(chosen))
    for number, one in enumerate(uniform):
        block = [left.pop() for _ in range(min(UNIFORM_EVERY - 1, len(left)))]
        at = int(_ticket(seed, "place", str(number)), 16) % (len(block) + 1)
        queue += [*block[:at], one, *block[at:]]
    return queue + left[::-1]


def _ticket(seed: int | str, use: str, name: str) -> str:
    # A hash instead of a generator: the draw of one frame does not depend on how many others exist.
    return hashlib.sha256(f"{seed}:{use}:{name}".encode()).hexdigest()
