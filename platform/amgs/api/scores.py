"""Scores of videos: no account needed; whoever has the token sees the result."""

from __future__ import annotations

from django.http import HttpResponseRedirect
from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.accounts.models import User
from amgs.api.authentication import Scoped
from amgs.api.details import DETAIL, detail
from amgs.api.paging import LIST, page
from amgs.api.problems import documented
from amgs.core.base import PUBLIC
from amgs.files.services import find_upload
from amgs.scoring import queries, services


class ScoreRegion(serializers.Serializer):
    """The part of the picture that shows one animal."""

    name = serializers.CharField(max_length=40, help_text="the animal")
    box = serializers.ListField(
        child=serializers.IntegerField(min_value=0),
        min_length=4,
        max_length=4,
        help_text="left, top, right and bottom edge in pixels of the picture as displayed",
    )


class ScoreBody(serializers.Serializer):
    """A score as it is asked for."""

    upload = serializers.CharField(help_text="id of an upload opened for the purpose 'score'")
    name = serializers.CharField(max_length=400, required=False, default="")
    region = ScoreRegion(
        required=False,
        allow_null=True,
        default=None,
        help_text="score one of several animals; ask once per animal, with the same upload",
    )


class ScoreJob(serializers.Serializer):
    """How far a score is."""

    id = serializers.CharField(allow_null=True)
    state = serializers.CharField()
    progress = serializers.FloatField()
    note = serializers.CharField()
    error = serializers.CharField()


class ScoreView(serializers.Serializer):
    """A score as it is shown; ``result`` and ``provenance`` are null until it is over."""

    token = serializers.CharField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    job = ScoreJob()
    result = serializers.DictField(allow_null=True)
    provenance = serializers.DictField(allow_null=True)
    files = serializers.DictField(child=serializers.CharField(), help_text="address by file name")


class ScoreDetailView(ScoreView):
    """A score with notes on data that its model rests on and that left since."""

    notes = serializers.ListField(child=serializers.DictField())


class ScorePage(serializers.Serializer):
    """A page of scores."""

    results = ScoreView(many=True)
    next = serializers.CharField(allow_null=True)


def _person(request: Request) -> User | None:
    return request.user if isinstance(request.user, User) else None


class Scores(APIView):
    """Scores."""

    permission_classes = [AllowAny, Scoped]
    scope = "score"

    def get_permissions(self) -> list:
        """Let everybody ask for a score, but only people with an account list theirs."""
        if self.request.method == "GET":
            return [IsAuthenticated(), Scoped()]
        return super().get_permissions()

    @extend_schema(
        operation_id="scores_list",
        parameters=LIST,
        responses={200: ScorePage, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return my own scores, newest first."""
        return page(queries.of_person(request.user), request, queries.score_json)

    @extend_schema(
        request=ScoreBody, responses={201: ScoreView, **documented(400, 401, 403, 404, 429)}
    )
    def post(self, request: Request) -> Response:
        """Ask for the grades of an uploaded video or picture."""
        body = ScoreBody(data=request.data)
        body.is_valid(raise_exception=True)
        person = _person(request)
        upload = find_upload(body.validated_data["upload"], by=person or PUBLIC)
        run = services.start_score(
            user=person,
            upload=upload,
            name=body.validated_data["name"],
            region=body.validated_data["region"],
        )
        return Response(queries.score_json(queries.by_token(run.token)), 201)


class Score(APIView):
    """One score. Its token cannot be guessed; whoever has it may look."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: ScoreDetailView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, token: str) -> Response:
        """Return the score."""
        return detail(request, queries.score_detail(queries.by_token(token)))


class ScoreFile(APIView):
    """One file of a score."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        responses={
            302: OpenApiResponse(description="the file's address"),
            **documented(401, 403, 404),
        }
    )
    def get(self, request: Request, token: str, name: str) -> HttpResponseRedirect:
        """Redirect to the file."""
        return HttpResponseRedirect(queries.file_address(queries.by_token(token), name))


urlpatterns = [
    path("scores", Scores.as_view()),
    path("scores/<str:token>", Score.as_view()),
    path("scores/<str:token>/files/<str:name>", ScoreFile.as_view()),
]
