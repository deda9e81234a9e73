"""Who asks: a program with a token. (People in a browser have their session.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from amgs.accounts import services
from amgs.accounts.models import ApiToken, User
from amgs.core.base import PUBLIC, Actor

if TYPE_CHECKING:  # the views module itself loads this one, through REST_FRAMEWORK
    from rest_framework.views import APIView


def actor(request: Request) -> Actor:
    """Return the person who asks, or the public."""
    return request.user if isinstance(request.user, User) else PUBLIC


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer amgs_…``; ``request.auth`` is then the token."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        words = get_authorization_header(request).decode("latin-1").split()
        if not words or words[0].lower() != "bearer":
            return None
        token = services.user_of_token(words[1]) if len(words) == 2 else None
        if token is None:
            raise AuthenticationFailed(
                "This token is not valid; it may have expired or been ended. Make a new one on "
                "your account page."
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge that goes with a 401."""
        return "Bearer"


class TokenScheme(OpenApiAuthenticationExtension):
    """Tells the OpenAPI schema about the tokens."""

    target_class = "amgs.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Return the security scheme object."""
        return {"type": "http", "scheme": "bearer"}


class Scoped(BasePermission):
    """A token may do only what its scopes say; a session may do all its person may.

    A view names the scope of its writes as ``scope`` (reading needs ``read``); a view whose
    reads need more than that names it as ``read_scope``.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, ApiToken):
            return True
        reading = request.method in {"GET", "HEAD", "OPTIONS"}
        scope = getattr(view, "read_scope", "read") if reading else getattr(view, "scope", None)
        if scope in request.auth.scopes:
            return True
        raise PermissionDenied(
            f"This token may not do that: it lacks the scope '{scope}'. Make one that has it on "
            "your account page."
        )
