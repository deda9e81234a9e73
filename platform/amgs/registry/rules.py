"""Who may decide on model versions: the lifecycle says it, this file only asks it."""

from __future__ import annotations

from amgs.core.base import Actor
from amgs.core.policy import rule
from amgs.registry.models import ModelVersion
from curation.model_version import LIFECYCLE


def _register(action: str) -> None:
    steps = [step for step in LIFECYCLE.transitions if step.action == action]

    @rule(f"registry.modelversion.{action}")
    def allowed(actor: Actor, version: ModelVersion | None) -> str | None:
        # Whether a reason was given is asked when the decision is made, not here.
        state = steps[0].source if version is None else version.state
        return LIFECYCLE.refusal(state, action, actor.roles, why="given with the decision")


for _action in LIFECYCLE.actions:
    _register(_action)
