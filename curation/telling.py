"""Whether what is known of the recordings tells the group or the time point: tests by animal.

A number tells where more than half of the sum of squares of its ranks lies between levels, where
chance does as well in fewer than one of twenty such versions (divided by how many numbers are
looked at), and where the difference is one that somebody could see. The experimental unit is the
animal: its recordings are averaged to compare groups, and compared with each other to compare time
points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from curation.facts import RecordingFacts, VersionFacts
from models.stats.separation import rank_separation

STRONG = 0.5
"""Least share of the sum of squares of ranks that lies between groups."""
CHANCE = 0.05
FEWEST_ANIMALS, FEWEST_IN_GROUP = 8, 3
"""Below, complete separation happens by chance too often to be told from a leak."""
DRAWS = 1999

Factor = Literal["group", "time point"]


@dataclass(frozen=True)
class Row:
    """A recording with the animal, the group and the time point it is of."""

    recording: RecordingFacts
    animal: str
    group: str
    time_point: str


@dataclass(frozen=True)
class Told:
    """That a number tells a factor: the mean by level, lowest first, and the test."""

    what: str
    factor: Factor
    means: tuple[tuple[str, float], ...]
    separation: float
    p: float


def rows_of(facts: VersionFacts) -> list[Row]:
    """The recordings that belong to an animal, in the order of the facts."""
    animals = {one.id: one for one in facts.animals}
    seen = {one.id: one for one in facts.observations}
    found = []
    for one in facts.recordings:
        observation = seen.get(one.observation)
        animal = animals.get(observation.animal) if observation else None
        if observation is not None and animal is not None:
            found.append(Row(one, animal.id, animal.group, observation.name))
    return found


def enough(rows: Sequence[Row], factor: Factor) -> bool:
    """Whether there are levels to compare and animals enough to compare them."""
    return bool(_levels(rows, factor))


def told_by(
    values: Mapping[str, Sequence[float | None]],
    rows: Sequence[Row],
    factor: Factor,
    least: Mapping[str, float],
) -> Told | None:
    """Return the number that tells a factor best, or None.

    `values` are numbers by name, one per row, None where not known: a number that is not known of
    every row is left out. `least` is the least difference between the means of two levels.
    """
    kept = _levels(rows, factor)
    if not kept:
        return None
    places = [place for place, row in enumerate(rows) if _level(row, factor) in kept]
    found: list[Told] = []
    known = {name: column for name, column in values.items() if None not in column}
    for name, column in known.items():
        if factor == "group":
            numbers, labels = _by_animal([(rows[place], column[place]) for place in places])
            blocks = None
        else:
            numbers = [float(column[place] or 0.0) for place in places]
            labels = [rows[place].time_point for place in places]
            blocks = [rows[place].animal for place in places]
        means = {
            level: float(
                np.mean([n for n, label in zip(numbers, labels, strict=True) if label == level])
            )
            for level in kept
        }
        if max(means.values()) - min(means.values()) < least.get(name, 0.0):
            continue
        apart, _ = rank_separation(numbers, labels, blocks, draws=0)
        if not apart >= STRONG:
            continue
        apart, p = rank_separation(numbers, labels, blocks, draws=DRAWS)
        if p <= CHANCE / len(known):
            ordered = tuple(sorted(means.items(), key=lambda pair: pair[1]))
            found.append(Told(name, factor, ordered, apart, p))
    return max(found, key=lambda one: one.separation, default=None)


def _level(row: Row, factor: Factor) -> str:
    return row.group if factor == "group" else row.time_point


def _levels(rows: Sequence[Row], factor: Factor) -> list[str]:
    """The levels with animals enough: groups of three, or time points of most of eight animals."""
    animals: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if level := _level(row, factor):
            animals[level].add(row.animal)
    fewest = FEWEST_IN_GROUP if factor == "group" else FEWEST_ANIMALS
    kept = sorted(level for level, members in animals.items() if len(members) >= fewest)
    if len(kept) < 2 or len(set().union(*(animals[level] for level in kept))) < FEWEST_ANIMALS:
        return []
    return kept


def _by_animal(pairs: Sequence[tuple[Row, float | None]]) -> tuple[list[float], list[str]]:
    groups = {row.animal: row.group for row, _ in pairs}
    given: dict[str, list[float]] = defaultdict(list)
    for row, value in pairs:
        given[row.animal].append(float(value or 0.0))
    return [float(np.mean(given[animal])) for animal in groups], list(groups.values())
