"""The automatic checks: one module per check, each a function over VersionFacts.

A new check is a new module here that ends in `CHECK = Check(…)`; nothing else has to be told.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

from curation.facts import VersionFacts

Severity = Literal["blocks", "warns", "informs"]
Audience = Literal["all", "office"]
SEVERITIES: tuple[Severity, ...] = ("blocks", "warns", "informs")
Shown = tuple[str, str]
"""A recording (id) to be shown, and the reason that picks its frame (`MediaFacts.telling`)."""


@dataclass(frozen=True)
class Finding:
    """What a check says: one sentence, and the files, animals or fields it is about.

    `shown` are the recordings whose pictures stand beside it, where other than those of `where`.
    """

    passed: bool
    sentence: str
    where: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()


@dataclass(frozen=True)
class Check:
    """A check by name; `severity` is what a failure means.

    `reason` picks the frame that shows the fault. What an `office` check finds is told to curators
    and maintainers alone: it rests on what the lab may not know.
    """

    key: str
    title: str
    severity: Severity
    examine: Callable[[VersionFacts], Finding]
    reason: str = ""
    audience: Audience = "all"


@dataclass(frozen=True)
class CheckOutcome:
    """The outcome of one check on one version, as it is stored and shown."""

    check: str
    title: str
    severity: Severity
    passed: bool
    sentence: str
    where: tuple[str, ...]
    shown: tuple[Shown, ...] = ()
    audience: Audience = "all"

    @property
    def blocks(self) -> bool:
        """Whether this outcome keeps the version from being screened."""
        return self.severity == "blocks" and not self.passed

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as a dictionary of plain values."""
        return asdict(self)


@lru_cache(maxsize=1)
def registry() -> tuple[Check, ...]:
    """Return every check of this package, what blocks first, then by key."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    )
    checks: list[Check] = [module.CHECK for module in modules]
    return tuple(sorted(checks, key=lambda one: (SEVERITIES.index(one.severity), one.key)))


def run_checks(facts: VersionFacts) -> tuple[CheckOutcome, ...]:
    """Run every check; the same facts always give the same outcomes."""
    outcomes = []
    for one in registry():
        found = one.examine(facts)
        shown = found.shown or _shown(facts, found.where, one.reason)
        outcomes.append(
            CheckOutcome(
                one.key,
                one.title,
                one.severity,
                found.passed,
                found.sentence,
                found.where,
                () if found.passed else shown,
                one.audience,
            )
        )
    return tuple(outcomes)


def _shown(facts: VersionFacts, where: Iterable[str], reason: str) -> tuple[Shown, ...]:
    """The recordings that places stand for: those of a file, and the first one of an animal."""
    by_file = {one.file: one.id for one in facts.recordings}
    animals = {one.id: one.name for one in facts.animals}
    of = {one.id: animals.get(one.animal, "") for one in facts.observations}
    by_animal: dict[str, str] = {}
    for one in facts.recordings:
        by_animal.setdefault(of.get(one.observation, ""), one.id)
    by_animal.pop("", None)
    found = (by_file.get(place) or by_animal.get(place) for place in where)
    return tuple((key, reason) for key in dict.fromkeys(key for key in found if key))


def blocking(outcomes: Iterable[CheckOutcome]) -> tuple[CheckOutcome, ...]:
    """Return the outcomes that keep a version from being screened."""
    return tuple(outcome for outcome in outcomes if outcome.blocks)


def refusal(outcomes: Iterable[CheckOutcome]) -> str:
    """Return the sentences of all blocking outcomes as one reason; empty when nothing blocks."""
    return " ".join(outcome.sentence for outcome in blocking(outcomes))
