"""Scores of videos: no account needed; whoever has the token sees the result."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from amgs.accounts.models import User
from amgs.api.authentication import Scoped
from amgs.api.details import DETAIL, detail
from amgs.api.keys import IDEMPOTENCY_KEY, asked_key, made
from amgs.api.paging import LIST, page
from amgs.api.problems import AsItIs, documented
from amgs.core.base import PUBLIC
from amgs.files.services import find_upload
from amgs.scoring import asking, contributing, queries, rescoring, webhooks
from amgs.scoring.keeping import key_in


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
    model = serializers.CharField(
        max_length=60,
        required=False,
        allow_blank=True,
        default="",
        help_text="version by id or identifier, such as mouse-v2; by default the one that serves",
    )
    webhook = serializers.CharField(
        max_length=2000,
        required=False,
        allow_blank=True,
        default="",
        help_text="https address that is told, signed, when the score is over",
    )
    notify = serializers.BooleanField(
        required=False, default=False, help_text="tell me in the inbox, and by mail as I chose"
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
    partial = serializers.DictField(
        allow_null=True, help_text="bins and coverage so far, while the score runs"
    )
    result = serializers.DictField(allow_null=True)
    provenance = serializers.DictField(allow_null=True)
    files = serializers.DictField(child=serializers.CharField(), help_text="address by file name")


class OwnHook(serializers.Serializer):
    """The webhook of a score that belongs to no account."""

    secret = serializers.CharField(help_text="what its message is signed with")


class MadeScoreView(ScoreView):
    """A score that was just asked for.

    ``webhook`` is there where one was named without an account; its secret is shown nowhere else.
    """

    webhook = OwnHook(required=False)


class RescoredView(serializers.Serializer):
    """A second score by another version."""

    token = serializers.CharField()
    model = serializers.CharField()
    state = serializers.CharField()
    score = serializers.FloatField(allow_null=True)
    created_at = serializers.DateTimeField()


class SelectableView(serializers.Serializer):
    """A version by which a recording may be scored again: it served and was not withdrawn."""

    model = serializers.CharField()
    id = serializers.CharField()
    state = serializers.CharField()
    phantom = serializers.BooleanField()


class ScoreDetailView(ScoreView):
    """A score with notes on data that its model rests on and that left since.

    ``rescored`` are second scores by other versions, ``rescored_from`` the token of the first.
    ``result.independence`` says whether the recording was among what the model learned from.
    """

    notes = serializers.ListField(child=serializers.DictField())
    rescored_from = serializers.CharField(allow_null=True)
    rescored = RescoredView(many=True)
    versions = SelectableView(many=True)
    extras = serializers.DictField(help_text="what was made of it when asked, by its kind")
    corrections = serializers.ListField(
        child=serializers.DictField(), help_text="grades by hand beside the model's, newest first"
    )
    contributed = serializers.BooleanField(
        help_text="the recording is in a dataset, and the score is kept as long as it is there"
    )
    sum = serializers.DictField(
        allow_null=True, help_text="sum of the units that the scale counts, derived; 0 to 8"
    )
    methods = serializers.ListField(
        child=serializers.CharField(), help_text="sentences for a methods section"
    )


class RescoreBody(serializers.Serializer):
    """The version to score with."""

    model = serializers.CharField(max_length=60, help_text="id or identifier, such as mouse-v2")


class OriginView(serializers.Serializer):
    """One side of a difference."""

    token = serializers.CharField()
    provenance = serializers.DictField()


class DifferenceView(serializers.Serializer):
    """What a second score says otherwise than the first."""

    sentence = serializers.CharField()
    phantom = serializers.BooleanField()
    disclaimer = serializers.CharField()
    before = OriginView()
    after = OriginView()
    difference = serializers.DictField()


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
        parameters=[IDEMPOTENCY_KEY],
        request=ScoreBody,
        responses={201: MadeScoreView, **documented(400, 401, 403, 404, 422, 429)},
    )
    def post(self, request: Request) -> Response:
        """Ask for the grades of an uploaded video or picture."""
        body = ScoreBody(data=request.data)
        body.is_valid(raise_exception=True)
        person, key = _person(request), asked_key(request)
        given = dict(body.validated_data)
        upload = find_upload(given.pop("upload"), by=person or PUBLIC)
        address = BaseThrottle().get_ident(request)
        browser = key_in(request.COOKIES)
        run, new = asking.ask_for_score(
            user=person, upload=upload, address=address, browser=browser, key=key, **given
        )
        told = queries.score_json(queries.by_token(run.token))
        if own := webhooks.own_secret(run):
            told["webhook"] = {"secret": own}
        return made(told, key=key, new=new)


class Score(APIView):
    """One score. Its token cannot be guessed; whoever has it may look."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: ScoreDetailView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, token: str) -> Response:
        """Return the score."""
        row = queries.by_token(token)
        contributing.looked_at(user=request.user, run=row)
        return detail(request, queries.score_detail(row))


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


class Rescore(APIView):
    """A second score by another version."""

    permission_classes = [AllowAny, Scoped]
    scope = "score"

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=RescoreBody,
        responses={201: ScoreView, **documented(400, 401, 403, 404, 422, 429)},
    )
    def post(self, request: Request, token: str) -> Response:
        """Score the recording again with another version; the first score stays as it is."""
        body = RescoreBody(data=request.data)
        body.is_valid(raise_exception=True)
        key = asked_key(request)
        run, new = asking.ask_again(
            user=_person(request),
            run=queries.by_token(token),
            model=body.validated_data["model"],
            key=key,
        )
        return made(queries.score_json(queries.by_token(run.token)), key=key, new=new)


class Difference(APIView):
    """What a second score says otherwise."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: DifferenceView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, token: str) -> Response:
        """Return per unit, stretch and state what the second score says otherwise."""
        return detail(request, rescoring.compared(queries.by_token(token)))


class DifferenceCsv(APIView):
    """The same as a table."""

    permission_classes = [AllowAny, Scoped]
    content_negotiation_class = AsItIs

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR, **documented(401, 403, 404)})
    def get(self, request: Request, token: str) -> HttpResponse:
        """Return one row per value, each naming both models, as CSV."""
        text = rescoring.compared_csv(queries.by_token(token))
        return HttpResponse(
            text,
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": 'attachment; filename="difference.csv"',
                "Cache-Control": "private, no-store",
            },
        )


urlpatterns = [
    path("scores", Scores.as_view()),
    path("scores/<str:token>", Score.as_view()),
    path("scores/<str:token>/rescore", Rescore.as_view()),
    path("scores/<str:token>/difference", Difference.as_view(), name="score-difference-json"),
    path("scores/<str:token>/difference.csv", DifferenceCsv.as_view(), name="score-difference-csv"),
    path("scores/<str:token>/files/<str:name>", ScoreFile.as_view()),
]
