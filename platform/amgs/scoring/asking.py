"""Which browser asked for a score, where nobody was signed in: a list in its session."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

ASKED = "scores_asked"
MOST = 100


def remember(session: MutableMapping[str, Any], token: str) -> None:
    """Keep that a score was asked for here; the oldest of a hundred are forgotten."""
    session[ASKED] = [*session.get(ASKED, []), token][-MOST:]


def asked_here(session: MutableMapping[str, Any], token: str) -> bool:
    """Return whether a score was asked for in this session."""
    return token in session.get(ASKED, [])
