"""Model versions: what they reached, what the gates said, and the decisions on them."""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpResponseRedirect
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped, actor
from amgs.api.details import DETAIL, IF_NONE_MATCH, detail
from amgs.api.paging import LIST, numbered, page
from amgs.api.problems import documented
from amgs.core.decisions import history as decisions_about
from amgs.core.errors import NotFound
from amgs.registry import queries, services
from amgs.training.leaving import notes_of_model


class ActionView(serializers.Serializer):
    """One step that may follow."""

    action = serializers.CharField()
    title = serializers.CharField()
    allowed = serializers.BooleanField()
    reason = serializers.CharField()
    needs_reason = serializers.BooleanField()


class VerdictView(serializers.Serializer):
    """What one gate said; ``passed`` is null where it could not be assessed.

    ``told`` says that the profile asks for nothing there: the figure needs no answer.
    """

    gate = serializers.CharField()
    title = serializers.CharField()
    passed = serializers.BooleanField(allow_null=True)
    value = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    sentence = serializers.CharField()
    told = serializers.BooleanField(default=False)


class MirrorView(serializers.Serializer):
    """Where MLflow has the version."""

    run = serializers.CharField()
    version = serializers.CharField()
    alias = serializers.CharField()


class ModelSummary(serializers.Serializer):
    """A model version as lists show it."""

    id = serializers.CharField()
    identifier = serializers.CharField()
    species = serializers.CharField()
    number = serializers.IntegerField()
    state = serializers.CharField()
    phantom = serializers.BooleanField()
    negative_control = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    digest = serializers.CharField()
    profile = serializers.CharField()
    run = serializers.CharField()
    snapshot = serializers.CharField()
    image_score = serializers.DictField(child=serializers.FloatField(allow_null=True))
    measured_against = serializers.CharField(allow_null=True)
    refused_by = serializers.ListField(child=serializers.CharField())
    mlflow = MirrorView()


class ModelView(ModelSummary):
    """A model version with its evidence."""

    report = serializers.DictField()
    verdicts = VerdictView(many=True)
    comparison = serializers.DictField()
    card = serializers.CharField()
    info = serializers.DictField()
    actions = ActionView(many=True)
    fault = serializers.CharField(help_text="why it was withdrawn; empty for all others")


class ModelDetailView(ModelView):
    """A model version with notes on data that it rests on and that left since."""

    notes = serializers.ListField(child=serializers.DictField())


class ModelPage(serializers.Serializer):
    """A page of model versions."""

    results = ModelSummary(many=True)
    next = serializers.CharField(allow_null=True)


class DecisionView(serializers.Serializer):
    """One entry of the ledger."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    action = serializers.CharField()
    to = serializers.CharField()
    by = serializers.CharField()
    why = serializers.CharField()
    facts = serializers.DictField()
    digest = serializers.CharField()
    as_written = serializers.BooleanField(
        help_text="false where the entry was changed after it was written"
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        """Add the field whose name is a word of Python."""
        return super().get_fields() | {"from": serializers.CharField()}


class DecisionPageView(serializers.Serializer):
    """One page of the ledger, oldest first."""

    results = DecisionView(many=True)
    next = serializers.CharField(allow_null=True)


class ActionBody(serializers.Serializer):
    """A decision as it is asked for."""

    why = serializers.CharField(required=False, default="", allow_blank=True)
    ticks = serializers.DictField(
        child=serializers.CharField(max_length=500),
        required=False,
        default=dict,
        help_text="to approve: the reason, by the name of each gate that was not assessed",
    )


class Models(APIView):
    """All model versions, the refused ones too: a model gets better in public."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        operation_id="models_list",
        parameters=LIST,
        responses={200: ModelPage, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the versions, newest first."""
        return page(queries.versions(), request, queries.summary)


class Serving(APIView):
    """The version that serves."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=[
            *DETAIL,
            OpenApiParameter("species", str, description="mouse, where none is given"),
        ],
        responses={200: ModelView, **documented(304, 400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        """Return the version that serves; 404 where none does yet."""
        row = queries.serving(request.query_params.get("species", "mouse"))
        if row is None:
            raise NotFound("No model version serves yet.")
        return detail(request, queries.detail(row, actor(request)))


class Model(APIView):
    """One model version, by id or identifier (``mouse-v3``)."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: ModelDetailView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, name: str) -> Response:
        """Return the version with report, verdicts and what may follow."""
        row = queries.version(name)
        notes = [asdict(note) for note in notes_of_model(row)]
        return detail(request, queries.detail(row, actor(request)) | {"notes": notes})


class Bundle(APIView):
    """The bundle of a version as a tar file."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        responses={
            302: OpenApiResponse(description="the file's address"),
            **documented(401, 403, 404),
        }
    )
    def get(self, request: Request, name: str) -> HttpResponseRedirect:
        """Redirect to the bundle."""
        return HttpResponseRedirect(queries.bundle_address(queries.version(name)))


class Report(APIView):
    """The report of a version as numbers."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=[IF_NONE_MATCH],
        responses={200: OpenApiTypes.OBJECT, **documented(304, 401, 403, 404)},
    )
    def get(self, request: Request, name: str) -> Response:
        """Return the report."""
        return detail(request, queries.version(name).report, pick=False)


class Beside(APIView):
    """A version beside the one it was measured against."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=[IF_NONE_MATCH],
        responses={200: OpenApiTypes.OBJECT, **documented(304, 401, 403, 404)},
    )
    def get(self, request: Request, name: str) -> Response:
        """Return figures with differences, verdicts by kind, and the frames that differ most."""
        return detail(request, queries.side_by_side(queries.version(name)), pick=False)


class History(APIView):
    """The ledger of a version."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        operation_id="models_history_list",
        parameters=LIST,
        responses={200: DecisionPageView, **documented(400, 401, 403, 404)},
    )
    def get(self, request: Request, name: str) -> Response:
        """Return the decisions on the version, oldest first."""
        rows = decisions_about(queries.version(name))
        return numbered(rows, request, queries.decision_row)


class Act(APIView):
    """Decide on a version."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "maintain"

    @extend_schema(
        request=ActionBody, responses={200: ModelView, **documented(400, 401, 403, 404, 409)}
    )
    def post(self, request: Request, name: str, action: str) -> Response:
        """Take one step: approve, promote, rollback, withdraw …"""
        body = ActionBody(data=request.data)
        body.is_valid(raise_exception=True)
        row = queries.version(name)
        given = body.validated_data
        services.decide_model(
            by=request.user, version=row, action=action, why=given["why"], ticks=given["ticks"]
        )
        return Response(queries.detail(queries.version(name), request.user))


urlpatterns = [
    path("models", Models.as_view()),
    path("models/serving", Serving.as_view()),
    path("models/<str:name>", Model.as_view()),
    path("models/<str:name>/bundle", Bundle.as_view()),
    path("models/<str:name>/report", Report.as_view()),
    path("models/<str:name>/beside", Beside.as_view()),
    path("models/<str:name>/history", History.as_view()),
    path("models/<str:name>/actions/<str:action>", Act.as_view()),
]
