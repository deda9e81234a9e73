"""May this actor do this to that? One function that views, API and templates ask.

Each app registers its rules in ``rules.py``; a rule returns ``None`` (allowed) or the sentence
that says why not. An act without a rule is refused: silence is no permission.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amgs.core.base import Actor
from amgs.core.errors import NotAllowed

Rule = Callable[[Actor, Any], str | None]
_RULES: dict[str, Rule] = {}


@dataclass(frozen=True)
class Answer:
    """The answer of ``may``: true or false, and the reason where it is false."""

    allowed: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.allowed


def rule(*acts: str) -> Callable[[Rule], Rule]:
    """Register a function as the rule of one or more acts."""

    def register(function: Rule) -> Rule:
        for act in acts:
            if act in _RULES:
                raise RuntimeError(f"two rules for the act '{act}'")
            _RULES[act] = function
        return function

    return register


def acts() -> tuple[str, ...]:
    """Return every act that has a rule."""
    return tuple(sorted(_RULES))


def may(actor: Actor, act: str, subject: Any = None) -> Answer:
    """Return whether the actor may do the act to the subject, with the reason if not."""
    function = _RULES.get(act)
    if function is None:
        return Answer(False, f"Nobody may '{act}': no rule allows it.")
    reason = function(actor, subject)
    return Answer(reason is None, reason or "")


def require(actor: Actor, act: str, subject: Any = None) -> None:
    """Raise ``NotAllowed`` with the reason unless the actor may do the act."""
    answer = may(actor, act, subject)
    if not answer:
        raise NotAllowed(answer.reason)
