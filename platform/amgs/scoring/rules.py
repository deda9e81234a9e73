"""Who may score: everybody. Who may see a result: whoever has its link. Who may watch: roles."""

from __future__ import annotations

from typing import Any

from amgs.core.base import Actor
from amgs.core.policy import rule
from curation.roles import ACTS


@rule("scoring.start_score")
def start_score(actor: Actor, subject: Any) -> str | None:
    """Scoring needs no account; size limits are asked by the service."""
    return None


@rule("scoring.start_tool")
def start_tool(actor: Actor, subject: Any) -> str | None:
    """Tools need no account either; what gives grades needs a model, which the service asks for."""
    return None


@rule("scoring.see_study", "scoring.edit_study")
def own_study(actor: Actor, subject: Any) -> str | None:
    """A study is its owner's; others read its results by a link the owner gave them."""
    if subject.owner.public_id == actor.public_id:
        return None
    return "This study belongs to somebody else; ask its owner for a link to the results."


@rule("scoring.correct_score")
def correct_score(actor: Actor, subject: Any) -> str | None:
    """The owner may correct; of a score without an account, the browser that asked for it."""
    run, asked_here = subject
    if run.user_id is None:
        if asked_here:
            return None
        return "Only the browser that asked for this score may correct its grades."
    if getattr(actor, "pk", None) == run.user_id:
        return None
    return "Only the person who asked for this score may correct its grades."


@rule("scoring.contribute_score")
def contribute_score(actor: Actor, subject: Any) -> str | None:
    """The account that asked for a score may contribute its recording; the draft's rules add."""
    if subject.user_id is None:
        return (
            "This score belongs to no account; sign in and ask for it again, then it can be "
            "contributed."
        )
    if getattr(actor, "pk", None) == subject.user_id:
        return None
    return "Only the person who asked for this score may contribute its recording."


def _register(name: str) -> None:
    act = ACTS[name]

    @rule(f"scoring.{name}")
    def allowed(actor: Actor, subject: Any) -> str | None:
        return act.refusal(actor.roles)


for _name in ("validate_model", "see_watch"):
    _register(_name)
