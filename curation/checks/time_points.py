"""Time points whose name and time contradict each other."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing

BEFORE_WORDS = ("baseline", "before", "pre")


def is_baseline(name: str, hours: float | None) -> bool:
    """Whether an observation was made before the procedure, by its time or else by its name."""
    words = name.casefold().replace("-", " ").replace("_", " ").split()
    return (hours is not None and hours < 0) or any(word in BEFORE_WORDS for word in words)


def names_agree_with_times(facts: VersionFacts) -> Finding:
    """Warns when a baseline lies after the procedure: a time before it is negative."""
    animals = {one.id: one.name for one in facts.animals}
    wrong = [
        f"{animals.get(one.animal, one.animal)} {one.name}"
        for one in facts.observations
        if is_baseline(one.name, None) and (one.hours_after_procedure or 0.0) > 0
    ]
    if not wrong:
        return Finding(True, "Names and times of the observations agree.")
    return Finding(
        False,
        f"Called a baseline, yet after the procedure: {listing(wrong)}. Hours before the procedure "
        "are negative; correct the time or the name.",
        tuple(wrong),
    )


CHECK = Check("time_points", "Times of the observations", "warns", names_agree_with_times)
