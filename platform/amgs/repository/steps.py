"""What other apps add to a step of a dataset version's life.

The review lies above the repository, so it cannot be called from here; it registers guards
(asked before a step, may refuse, and hand over the facts the step rests on) and followers (run
after it, in the same transaction).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from amgs.core.base import Actor
from amgs.core.models import Decision
from amgs.repository.models import Version


@dataclass(frozen=True)
class Step:
    """A step somebody wants to take, or may want to."""

    version: Version
    action: str
    by: Actor
    without_audit: bool = False
    """Whether the curator insists although the audit is not finished."""


class Insist(Exception):
    """A guard's objection that a curator may overrule with a stated reason."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


Guard = Callable[[Step], Mapping[str, Any] | None]
Follower = Callable[[Step, Decision], None]
_GUARDS: dict[str, list[Guard]] = defaultdict(list)
_FOLLOWERS: dict[str, list[Follower]] = defaultdict(list)


def guard(*actions: str) -> Callable[[Guard], Guard]:
    """Register a function that may refuse a step and returns facts to be kept with it."""

    def register(function: Guard) -> Guard:
        for action in actions:
            _GUARDS[action].append(function)
        return function

    return register


def follower(*actions: str) -> Callable[[Follower], Follower]:
    """Register a function that runs after a step, in its transaction."""

    def register(function: Follower) -> Follower:
        for action in actions:
            _FOLLOWERS[action].append(function)
        return function

    return register


def ask(step: Step) -> dict[str, Any]:
    """Return the facts of all guards of a step; raises ``Refused`` or ``Insist``."""
    facts: dict[str, Any] = {}
    for function in _GUARDS[step.action]:
        facts |= function(step) or {}
    return facts


def follow(step: Step, decision: Decision) -> None:
    """Let every follower of a step do its part."""
    for function in _FOLLOWERS[step.action]:
        function(step, decision)
