"""Watch: weekly counts of the public scorer, its probe, and calls for data."""

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
from amgs.api.paging import LIST, page
from amgs.api.problems import documented
from amgs.core import policy
from amgs.registry import services as registry
from amgs.review import calls
from amgs.scoring import probing, watching


class WatchReferenceView(serializers.Serializer):
    """The recordings of the training snapshot that weeks are held against."""

    recordings = serializers.IntegerField()
    made_at = serializers.DateTimeField()
    coats_right = serializers.FloatField(allow_null=True)


class WatchWeekView(serializers.Serializer):
    """A week; ``recordings`` is null where they are too few to be shown."""

    week = serializers.DateField()
    recordings = serializers.IntegerField(allow_null=True)


class WatchView(serializers.Serializer):
    """Per figure the counts of the training snapshot and of every week, with what is said."""

    model = serializers.CharField(allow_null=True)
    phantom = serializers.BooleanField(allow_null=True)
    rules = serializers.DictField()
    reference = WatchReferenceView(allow_null=True)
    weeks = WatchWeekView(many=True)
    figures = serializers.ListField(child=serializers.DictField())


class ProbeReadingView(serializers.Serializer):
    """One answer of the probe; ``moved_by`` in grades, null where there was none to compare."""

    id = serializers.CharField()
    at = serializers.DateTimeField()
    state = serializers.CharField()
    wrong = serializers.BooleanField()
    moved_by = serializers.FloatField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    score = serializers.FloatField(allow_null=True)
    sentence = serializers.CharField()


class ProbeView(serializers.Serializer):
    """The probe of the version that serves, over the last day."""

    model = serializers.CharField(allow_null=True)
    tolerance = serializers.FloatField()
    every_s = serializers.FloatField()
    late = serializers.BooleanField()
    newest = ProbeReadingView(allow_null=True)
    readings = ProbeReadingView(many=True)


class CallView(serializers.Serializer):
    """A call for data."""

    id = serializers.CharField()
    state = serializers.ChoiceField(choices=["open", "closed"])
    opened_at = serializers.DateTimeField()
    opened_by = serializers.CharField()
    reason = serializers.CharField()
    figure = serializers.CharField(allow_blank=True)
    coat = serializers.CharField(allow_blank=True)
    lab = serializers.CharField(allow_blank=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField(allow_blank=True)
    closed_why = serializers.CharField(allow_blank=True)


class CallPage(serializers.Serializer):
    """A page of calls."""

    results = CallView(many=True)
    next = serializers.CharField(allow_null=True)


class CallBody(serializers.Serializer):
    """A call as it is opened by hand."""

    reason = serializers.CharField(max_length=600)
    coat = serializers.CharField(max_length=30, required=False, default="", allow_blank=True)


class CloseBody(serializers.Serializer):
    """Why a call is closed."""

    why = serializers.CharField(max_length=600)


class Watch(APIView):
    """What the public scorer sees and says."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(parameters=DETAIL, responses={200: WatchView, **documented(304, 400, 401, 403)})
    def get(self, request: Request) -> Response:
        """Return weekly counts of the version that serves, held against its training snapshot."""
        policy.require(actor(request), "scoring.see_watch")
        return detail(request, watching.watch_json(registry.serving()))


class Probe(APIView):
    """The probe."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(parameters=DETAIL, responses={200: ProbeView, **documented(304, 400, 401, 403)})
    def get(self, request: Request) -> Response:
        """Return the readings of the last day of the version that serves."""
        policy.require(actor(request), "scoring.see_watch")
        return detail(request, probing.probe_json(registry.serving()))


class Calls(APIView):
    """Calls for data: everybody may read what is wanted."""

    permission_classes = [AllowAny, Scoped]
    scope = "curate"

    def get_permissions(self) -> list:
        """Let everybody read them, and people who sign in open one."""
        if self.request.method == "POST":
            return [IsAuthenticated(), Scoped()]
        return super().get_permissions()

    @extend_schema(
        operation_id="calls_list",
        parameters=LIST,
        responses={200: CallPage, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the open calls, newest first."""
        return page(calls.open_calls(), request, calls.call_json)

    @extend_schema(request=CallBody, responses={201: CallView, **documented(400, 401, 403)})
    def post(self, request: Request) -> Response:
        """Open a call."""
        body = CallBody(data=request.data)
        body.is_valid(raise_exception=True)
        row = calls.open_call(by=actor(request), **body.validated_data)
        assert row is not None  # noqa: S101  only the platform's own calls may be doubled
        return Response(calls.call_json(row), 201)


class CloseCall(APIView):
    """Close a call."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "curate"

    @extend_schema(
        request=CloseBody, responses={200: CallView, **documented(400, 401, 403, 404, 409)}
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Close it with a reason."""
        body = CloseBody(data=request.data)
        body.is_valid(raise_exception=True)
        row = calls.find(public_id)
        calls.close_call(by=actor(request), call=row, why=body.validated_data["why"])
        return Response(calls.call_json(calls.find(public_id)))


urlpatterns = [
    path("watch", Watch.as_view()),
    path("probe", Probe.as_view()),
    path("calls", Calls.as_view()),
    path("calls/<str:public_id>/close", CloseCall.as_view()),
]
