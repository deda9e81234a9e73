"""Who may retrain: the acts are worded in ``curation.roles``."""

from __future__ import annotations

from typing import Any

from amgs.core.base import Actor
from amgs.core.policy import rule
from curation.roles import ACTS

NAMES = (
    "edit_policy",
    "freeze_snapshot",
    "set_lab_aside",
    "start_run",
    "cancel_run",
    "see_runs",
)


def _register(name: str) -> None:
    act = ACTS[name]

    @rule(f"training.{name}")
    def allowed(actor: Actor, subject: Any) -> str | None:
        return act.refusal(actor.roles)


for _name in NAMES:
    _register(_name)
