"""Is the site alive, and is all it needs there?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from django.db import connection
from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.core import jobs
from amgs.files.storage import get_storage
from amgs.registry.models import ModelVersion

log = structlog.get_logger(__name__)


class LiveView(serializers.Serializer):
    """The process answers."""

    status = serializers.ChoiceField(["ok"])


class ReadyView(serializers.Serializer):
    """What the site needs, each ``ok`` or ``missing``; ``degraded``: it works without grades."""

    status = serializers.ChoiceField(["ok", "degraded", "unavailable"])
    database = serializers.ChoiceField(["ok", "missing"])
    storage = serializers.ChoiceField(["ok", "missing"])
    broker = serializers.ChoiceField(["ok", "missing"])
    champion = serializers.ChoiceField(["ok", "missing"])


class Live(APIView):
    """Whether the process answers."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    throttle_classes: list[Any] = []

    @extend_schema(responses={200: LiveView})
    def get(self, request: Request) -> Response:
        """Answer, without asking any other service."""
        return Response({"status": "ok"})


class Ready(APIView):
    """Whether database, storage and broker answer and a model serves."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    throttle_classes: list[Any] = []

    @extend_schema(responses={200: ReadyView, 503: ReadyView})
    def get(self, request: Request) -> Response:
        """Return 503 where a service is missing; a missing champion only degrades the site."""
        found = {
            "database": _answers("database", _database),
            "storage": _answers("storage", lambda: get_storage().check()),
            "broker": _answers("broker", jobs.check_broker),
        }
        needed = all(found.values())
        found["champion"] = found["database"] and _serving().exists()
        status = "unavailable" if not needed else "ok" if found["champion"] else "degraded"
        told = {name: "ok" if there else "missing" for name, there in found.items()}
        return Response({"status": status} | told, 200 if needed else 503)


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _serving() -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(state="serving")


def _answers(name: str, ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Exception as error:
        # Visitors read only that it is missing: the reason may name hosts.
        log.warning("a service is missing", service=name, error=str(error))
        return False
    return True


urlpatterns = [path("healthz", Live.as_view()), path("readyz", Ready.as_view())]
