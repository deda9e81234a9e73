"""What every template knows: where we are, who may go where, and whether data are phantom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from amgs.accounts import notices


@dataclass(frozen=True)
class Place:
    """One entry of the navigation; ``roles`` empty means everybody, strangers included."""

    title: str
    name: str
    prefixes: tuple[str, ...]
    roles: frozenset[str] = frozenset()


SUPERUSER = "superuser"
"""No role: whoever runs the installation and makes the first maintainer."""
PLACES = (
    Place("Score a video", "score", ("/score", "/scores")),
    Place("Tools", "tools", ("/tools",)),
    Place("Studies", "studies", ("/studies",)),
    Place("Datasets", "datasets", ("/datasets",)),
    Place("Rate", "rate", ("/rate",), frozenset({"rater", "curator"})),
    Place("Review", "curation", ("/review",), frozenset({"curator"})),
    Place("Models", "models", ("/models",)),
    Place("Training", "training", ("/training",), frozenset({"maintainer", "curator"})),
    Place("Watch", "watch", ("/watch",), frozenset({"maintainer", "curator"})),
    Place("People", "people", ("/people", "/labs"), frozenset({"maintainer", SUPERUSER})),
)


def site(request: HttpRequest) -> dict[str, Any]:
    """Return the navigation with the current place marked, and the phantom statement's switch."""
    user = getattr(request, "user", None)
    roles = user.roles if user is not None and user.is_authenticated else frozenset()
    seen = roles | ({SUPERUSER} if getattr(user, "is_superuser", False) else set())
    places = [
        {
            "title": place.title,
            "url": reverse(place.name),
            "current": any(
                request.path == prefix or request.path.startswith(f"{prefix}/")
                for prefix in place.prefixes
            ),
        }
        for place in PLACES
        if not place.roles or place.roles & seen
    ]
    return {
        "places": places,
        "roles": roles,
        # Asked only by pages that show the header to somebody who signed in.
        "unread": SimpleLazyObject(lambda: notices.unread(user))
        if user is not None and user.is_authenticated
        else 0,
        "phantom_allowed": settings.ALLOW_PHANTOM,
    }
