"""How groups, animals, observations and recordings hang together."""

from __future__ import annotations

from collections import Counter

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import count


def everything_belongs_somewhere(facts: VersionFacts) -> Finding:
    """Blocks when a recording has no observation, an observation no animal, an animal no group."""
    groups = {one.name for one in facts.groups} | {one.id for one in facts.groups}
    animals = {one.id: one.name for one in facts.animals}
    observations = {one.id for one in facts.observations}
    twice = [name for name, times in Counter(animals.values()).items() if times > 1]
    faults: list[tuple[str, str]] = []
    if not facts.recordings:
        faults.append(("recordings", "The version holds no recording; upload at least one."))
    faults += [
        (one.file, f"{one.file} belongs to no observation; say which animal it shows and when.")
        for one in facts.recordings
        if one.observation not in observations
    ]
    faults += [
        (one.name, f"The observation {one.name} belongs to no animal; name the animal.")
        for one in facts.observations
        if one.animal not in animals
    ]
    faults += [
        (one.name, f"Animal {one.name} is in group {one.group}, which is not described.")
        for one in facts.animals
        if one.group and one.group not in groups
    ]
    faults += [
        (one.name, f"Animal {one.name} is in no group although others are; name its group.")
        for one in facts.animals
        if groups and not one.group
    ]
    faults += [(name, f"Two animals are called {name}; rename one.") for name in twice]
    if not faults:
        return Finding(
            True,
            f"{count(len(facts.animals), 'animal')} with {count(len(observations), 'observation')} "
            f"and {count(len(facts.recordings), 'recording')} hang together.",
        )
    more = f" There are {len(faults) - 1} more faults of this kind." if len(faults) > 1 else ""
    return Finding(False, faults[0][1] + more, tuple(where for where, _ in faults))


CHECK = Check(
    "structure", "Animals, observations and recordings fit", "blocks", everything_belongs_somewhere
)
