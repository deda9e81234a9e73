"""Webhooks of scores: the secret that signs them, and what became of each."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped
from amgs.api.details import DETAIL, detail
from amgs.api.problems import documented
from amgs.scoring import queries, webhooks
from amgs.scoring.models import WebhookSecret


class WebhookSecretView(serializers.Serializer):
    """What webhooks are signed with; the one before signs as well until ``previous_until``."""

    secret = serializers.CharField(help_text="whsec_ and base64: the key of the HMAC-SHA256")
    made_at = serializers.DateTimeField()
    previous_until = serializers.DateTimeField(allow_null=True)


class DeliveryView(serializers.Serializer):
    """One try to tell a program."""

    message = serializers.CharField(help_text="the webhook-id that was sent")
    state = serializers.CharField()
    at = serializers.DateTimeField()
    attempt = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True)
    sentence = serializers.CharField()


class WebhookView(serializers.Serializer):
    """What became of the webhook of a score."""

    host = serializers.CharField()
    state = serializers.CharField(help_text="not_due, queued, running, done, failed or cancelled")
    next_try_at = serializers.DateTimeField(allow_null=True)
    deliveries = DeliveryView(many=True)


def _secret_json(row: WebhookSecret) -> dict[str, Any]:
    return {
        "secret": row.secret,
        "made_at": row.made_at,
        "previous_until": webhooks.old_secret_until(row),
    }


class Secret(APIView):
    """The secret of my webhooks."""

    permission_classes = [IsAuthenticated, Scoped]
    read_scope = "score"
    scope = "score"

    @extend_schema(responses={200: WebhookSecretView, **documented(401, 403)})
    def get(self, request: Request) -> Response:
        """Return what my webhooks are signed with."""
        response = Response(_secret_json(webhooks.secret_of(request.user)))
        response["Cache-Control"] = "no-store"
        return response


class Rotate(APIView):
    """Another secret."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "score"

    @extend_schema(request=None, responses={200: WebhookSecretView, **documented(401, 403)})
    def post(self, request: Request) -> Response:
        """Make another secret; for a day messages are signed with the old one as well."""
        response = Response(_secret_json(webhooks.rotate_secret(user=request.user)))
        response["Cache-Control"] = "no-store"
        return response


class Log(APIView):
    """The webhook of a score."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: WebhookView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, token: str) -> Response:
        """Return every try to tell the webhook of a score, and when the next one is."""
        return detail(request, webhooks.log_of(queries.by_token(token)))


urlpatterns = [
    path("webhooks/secret", Secret.as_view()),
    path("webhooks/secret/rotate", Rotate.as_view()),
    path("scores/<str:token>/webhook", Log.as_view()),
]
