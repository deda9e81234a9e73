"""Who may decide on model versions: the lifecycle says it, this file only asks it."""

from __future__ import annotations

from amgs.accounts.models import User
from amgs.core.base import Actor
from amgs.core.models import Decision
from amgs.core.policy import rule
from amgs.registry.models import ModelVersion
from curation.model_version import APPROVED, FOUR_EYES, LIFECYCLE
from curation.roles import MAINTAINER


def _register(action: str) -> None:
    steps = [step for step in LIFECYCLE.transitions if step.action == action]

    @rule(f"registry.modelversion.{action}")
    def allowed(actor: Actor, version: ModelVersion | None) -> str | None:
        # Whether a reason was given is asked when the decision is made, not here.
        state = steps[0].source if version is None else version.state
        refusal = LIFECYCLE.refusal(state, action, actor.roles, why="given with the decision")
        if refusal is None and action == "promote" and version is not None:
            return _second_pair_of_eyes(actor, version)
        return refusal


def _second_pair_of_eyes(actor: Actor, version: ModelVersion) -> str | None:
    """Refuse who approved a version to promote it, where another maintainer could.

    A version that served before was looked at by two then; it may come back at once.
    """
    if version.state != APPROVED:
        return None
    approval = Decision.objects.filter(subject=version.public_id, to_state=APPROVED)
    approved = approval.order_by("-number").first()
    if approved is None or approved.actor_id != actor.public_id:
        return None
    others = User.objects.filter(is_active=True, grants__role=MAINTAINER)
    if not others.exclude(public_id=actor.public_id).exists():
        return None
    return FOUR_EYES


for _action in LIFECYCLE.actions:
    _register(_action)
