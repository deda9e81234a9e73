"""Who may score: everybody. Who may see a result: whoever has its link."""

from __future__ import annotations

from typing import Any

from amgs.core.base import Actor
from amgs.core.policy import rule


@rule("scoring.start_score")
def start_score(actor: Actor, subject: Any) -> str | None:
    """Scoring needs no account; size limits are asked by the service."""
    return None
