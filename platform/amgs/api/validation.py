"""The validation of a model version: figures and sentences of its page."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped, actor
from amgs.api.details import DETAIL, detail
from amgs.api.problems import documented
from amgs.registry import queries
from amgs.scoring import validations


class ValidationView(serializers.Serializer):
    """A validation; each of the three ``claims`` has a state, a sentence and its cells."""

    id = serializers.CharField()
    digest = serializers.CharField()
    model = serializers.CharField()
    model_id = serializers.CharField()
    bundle_digest = serializers.CharField()
    snapshot = serializers.CharField()
    snapshot_digest = serializers.CharField()
    phantom = serializers.BooleanField()
    made_at = serializers.CharField()
    rules = serializers.DictField()
    claims = serializers.ListField(child=serializers.DictField())


class ValidationAsked(serializers.Serializer):
    """A validation that was asked for, and its job."""

    id = serializers.CharField()
    job = serializers.CharField()


class ModelValidation(APIView):
    """The validation of a version."""

    permission_classes = [AllowAny, Scoped]
    scope = "maintain"

    def get_permissions(self) -> list:
        """Let everybody read it, and people who sign in ask for it."""
        if self.request.method == "POST":
            return [IsAuthenticated(), Scoped()]
        return super().get_permissions()

    @extend_schema(
        parameters=DETAIL, responses={200: ValidationView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, name: str) -> Response:
        """Return effects per assay, coat and lab, raters beside the model, in three claims."""
        return detail(request, validations.content(queries.version(name)))

    @extend_schema(request=None, responses={202: ValidationAsked, **documented(400, 401, 403, 404)})
    def post(self, request: Request, name: str) -> Response:
        """Ask that it be made anew from the snapshot of the version."""
        row = validations.ask_for_validation(by=actor(request), version=queries.version(name))
        job = row.job.public_id if row.job else ""
        return Response({"id": row.public_id, "job": job}, 202)


urlpatterns = [path("models/<str:name>/validation", ModelValidation.as_view())]
