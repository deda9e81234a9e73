"""Me, my labs and my tokens."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.accounts import services
from amgs.accounts.models import ApiToken, Lab
from amgs.api.authentication import Scoped
from amgs.api.details import DETAIL, detail
from amgs.api.paging import LIST, page
from amgs.api.problems import documented
from amgs.core.errors import NotFound


class LabBody(serializers.Serializer):
    """A lab as it is asked for."""

    name = serializers.CharField(max_length=200)
    institution = serializers.CharField(max_length=200, required=False, default="")


class LabView(serializers.Serializer):
    """A lab as it is shown."""

    id = serializers.CharField()
    name = serializers.CharField()
    institution = serializers.CharField()


class MeView(serializers.Serializer):
    """The person who asks."""

    id = serializers.CharField()
    name = serializers.CharField()
    email = serializers.EmailField()
    roles = serializers.ListField(child=serializers.CharField())
    labs = LabView(many=True)


class TokenBody(serializers.Serializer):
    """A token as it is asked for."""

    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(sorted(services.SCOPES)))
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class TokenView(serializers.Serializer):
    """A token as it is shown; ``secret`` only in the answer that made it."""

    id = serializers.CharField()
    name = serializers.CharField()
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    secret = serializers.CharField(required=False)


class LabPageView(serializers.Serializer):
    """One page of labs."""

    results = LabView(many=True)
    next = serializers.CharField(allow_null=True)


class TokenPageView(serializers.Serializer):
    """One page of tokens."""

    results = TokenView(many=True)
    next = serializers.CharField(allow_null=True)


def lab_json(lab: Lab) -> dict[str, Any]:
    """Return a lab as JSON."""
    return {"id": lab.public_id, "name": lab.name, "institution": lab.institution}


def token_json(token: ApiToken) -> dict[str, Any]:
    """Return a token as JSON, without its secret."""
    return {
        "id": token.public_id,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": token.scopes,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }


class Me(APIView):
    """Who I am here."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(parameters=DETAIL, responses={200: MeView, **documented(304, 400, 401, 403)})
    def get(self, request: Request) -> Response:
        """Return the person, their roles and labs."""
        user = request.user
        return detail(
            request,
            {
                "id": user.public_id,
                "name": user.name,
                "email": user.email,
                "roles": sorted(user.roles),
                "labs": [lab_json(lab) for lab in user.labs.order_by("name")],
            },
        )


class Labs(APIView):
    """The labs I belong to."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(
        operation_id="labs_list",
        parameters=LIST,
        responses={200: LabPageView, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return my labs, in the order in which they were made."""
        return page(request.user.labs.all(), request, lab_json, newest_first=False)

    @extend_schema(request=LabBody, responses={201: LabView, **documented(400, 401, 403)})
    def post(self, request: Request) -> Response:
        """Make a lab whose head I am."""
        body = LabBody(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(lab_json(services.create_lab(by=request.user, **body.validated_data)), 201)


class Tokens(APIView):
    """My tokens. A token cannot make tokens."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "tokens"  # no token has this scope: tokens are made by a person in a session

    @extend_schema(
        operation_id="tokens_list",
        parameters=LIST,
        responses={200: TokenPageView, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return my tokens that were not ended, newest first."""
        return page(request.user.tokens.filter(revoked_at=None), request, token_json)

    @extend_schema(request=TokenBody, responses={201: TokenView, **documented(400, 401, 403)})
    def post(self, request: Request) -> Response:
        """Make a token; its secret is in this answer and nowhere else."""
        body = TokenBody(data=request.data)
        body.is_valid(raise_exception=True)
        token, secret = services.create_token(user=request.user, **body.validated_data)
        return Response(token_json(token) | {"secret": secret}, 201)


class Token(APIView):
    """One of my tokens."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "tokens"

    @extend_schema(responses={204: None, **documented(401, 403, 404)})
    def delete(self, request: Request, public_id: str) -> Response:
        """End a token at once."""
        token = request.user.tokens.filter(public_id=public_id).first()
        if token is None:
            raise NotFound("You have no such token.")
        services.revoke_token(token=token, by=request.user)
        return Response(status=204)


urlpatterns = [
    path("me", Me.as_view()),
    path("labs", Labs.as_view()),
    path("tokens", Tokens.as_view()),
    path("tokens/<str:public_id>", Token.as_view()),
]
