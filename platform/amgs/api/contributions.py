"""The recording of a score, given to a draft."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped
from amgs.api.problems import documented
from amgs.core import policy
from amgs.core.errors import NotFound
from amgs.repository.queries import find_version
from amgs.scoring import contributing, queries


class ContributionBody(serializers.Serializer):
    """Where the recording goes: a draft and, where its design has them, animal and time point."""

    version = serializers.CharField(
        max_length=60, help_text="the draft, by identifier such as AMGS-000123/1, or id"
    )
    name = serializers.CharField(
        max_length=400, required=False, allow_blank=True, default="", help_text="as the file's"
    )
    animal = serializers.CharField(required=False, allow_null=True, default=None)
    observation = serializers.CharField(required=False, allow_null=True, default=None)


class ContributionView(serializers.Serializer):
    """Where the recording of a score is."""

    version = serializers.CharField()
    state = serializers.CharField(help_text="of the version")
    recording = serializers.CharField()
    name = serializers.CharField()
    animal = serializers.CharField(allow_null=True)
    observation = serializers.CharField(allow_null=True)
    by = serializers.CharField()
    at = serializers.DateTimeField()
    may_take_out = serializers.BooleanField()


class ScoreContribution(APIView):
    """The recording of one's own score as part of a dataset; its file is not sent again."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(responses={200: ContributionView, **documented(401, 403, 404)})
    def get(self, request: Request, token: str) -> Response:
        """Return where the recording of this score is."""
        row = queries.by_token(token)
        policy.require(request.user, contributing.CONTRIBUTE, row)
        found = contributing.contribution_json(row)
        if found is None:
            raise NotFound("The recording of this score is in no dataset.")
        return Response(found)

    @extend_schema(
        request=ContributionBody,
        responses={
            200: OpenApiResponse(ContributionView, "It was there before; nothing was doubled."),
            201: ContributionView,
            **documented(400, 401, 403, 404, 429),
        },
    )
    def post(self, request: Request, token: str) -> Response:
        """Add the recording of this score to a draft of one's lab."""
        body = ContributionBody(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        row = queries.by_token(token)
        policy.require(request.user, contributing.CONTRIBUTE, row)
        version = find_version(request.user, given.pop("version"))
        _, is_new = contributing.contribute(by=request.user, run=row, version=version, **given)
        return Response(contributing.contribution_json(row), 201 if is_new else 200)

    @extend_schema(responses={204: None, **documented(400, 401, 403, 404)})
    def delete(self, request: Request, token: str) -> Response:
        """Take the recording out again, while its version is a draft."""
        contributing.take_out(by=request.user, run=queries.by_token(token))
        return Response(status=204)


urlpatterns = [path("scores/<str:token>/contribution", ScoreContribution.as_view())]
