"""Who is asking: a person, or the public."""

from __future__ import annotations

from django.http import HttpRequest

from amgs.core.base import PUBLIC, Actor


def actor(request: HttpRequest) -> Actor:
    """Return the person of a request, or the public."""
    return request.user if request.user.is_authenticated else PUBLIC
