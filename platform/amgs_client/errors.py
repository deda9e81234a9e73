"""What can go wrong between this program and the site.

SiteError
├── NotReached    the site did not answer, after all retries
└── SiteRefused   the site answered with a refusal: its sentence, status and details
    └── Gone      there is no such thing (any more)
"""

from __future__ import annotations

from typing import Any


class SiteError(Exception):
    """Anything this client raises."""


class NotReached(SiteError):
    """The site did not answer, after all retries."""


class SiteRefused(SiteError):
    """The site's refusal: ``sentence``, ``status``, ``field`` and ``details``."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.sentence: str = body.get("detail") or f"The site answered with status {status}."
        self.field: str | None = body.get("field")
        self.details: list[dict[str, Any]] = body.get("details") or []
        super().__init__(self.sentence)


class Gone(SiteRefused):
    """There is no such thing (any more)."""
