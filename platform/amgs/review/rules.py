"""Who may rate, answer checks and see what a review found: ``curation`` says it."""

from __future__ import annotations

from typing import Any

from amgs.core.base import Actor
from amgs.core.policy import rule
from amgs.repository.models import Version
from amgs.repository.rules import is_of_own_lab
from amgs.review.models import Assignment
from curation.roles import ACTS


def _register(key: str) -> None:
    @rule(key)
    def allowed(actor: Actor, subject: Any) -> str | None:
        return ACTS[key].refusal(actor.roles, is_of_own_lab(actor, subject))


_ACTS = ("rate_frames", "answer_check", "check_now", "assign_audit", "set_gold", "call_for_data")
for _key in _ACTS:
    _register(_key)


@rule("hand_over", "adjudicate")
def _of_another_lab(actor: Actor, version: Version) -> str | None:
    """Four eyes for what belongs to deciding: nobody does it for data of their own lab."""
    refusal = ACTS["hand_over"].refusal(actor.roles)
    if refusal is None and is_of_own_lab(actor, version):
        return "These are data of your own lab: curators of other labs review them."
    return refusal


@rule("see_audit")
def _may_see_audit(actor: Actor, version: Version) -> str | None:
    refusal = ACTS["see_ratings"].refusal(actor.roles, is_of_own_lab(actor, version))
    if refusal:
        return refusal
    rates = Assignment.objects.filter(
        task__audit__version=version,
        task__closed=False,
        rater__public_id=actor.public_id,
    )
    if rates.exists():
        return "You rate frames of this audit, so you see its figures when the review is over."
    return None
