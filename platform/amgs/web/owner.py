"""The browser of somebody without an account, known by a key in a cookie of its own."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.throttling import BaseThrottle

from amgs.scoring.keeping import COOKIE, key_in

_YEAR_S = 365 * 86400


def key_of(request: HttpRequest) -> str:
    """Return the key of the browser that asks; empty where it has none."""
    return key_in(request.COOKIES)


def with_key(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Give a browser without an account a key, where it has none; scripts cannot read it."""
    if not request.user.is_authenticated and not key_of(request):
        response.set_cookie(
            COOKIE,
            secrets.token_urlsafe(24),
            max_age=_YEAR_S,
            httponly=True,
            samesite="Lax",
            secure=settings.SITE_URL.startswith("https:"),
        )
    return response


def address_of(request: HttpRequest) -> str:
    """Return the network address that files without an account are counted for."""
    return str(BaseThrottle().get_ident(request))
