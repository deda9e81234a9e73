"""The frames of a version, page by page."""

from __future__ import annotations

from django.http import HttpResponseRedirect
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped, actor
from amgs.api.details import asked_fields, picked
from amgs.api.paging import LIST, limit_of
from amgs.api.problems import AsItIs, documented
from amgs.api.versions import opened
from amgs.core import policy
from amgs.repository.frames import frames_after, still_of


class FrameView(serializers.Serializer):
    """A frame: which recording, which time; ``still`` is the address of its picture."""

    id = serializers.CharField()
    recording = serializers.CharField()
    animal = serializers.CharField(allow_null=True)
    observation = serializers.CharField(allow_null=True)
    number = serializers.IntegerField()
    pts = serializers.IntegerField()
    time_base = serializers.CharField()
    time_s = serializers.FloatField()
    drawn = serializers.BooleanField()
    still = serializers.CharField(allow_null=True)


class FramePageView(serializers.Serializer):
    """One page of frames."""

    results = FrameView(many=True)
    next = serializers.CharField(allow_null=True)


class Frames(APIView):
    """The frames of a version that are kept: those that were drawn and those that were graded."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        operation_id="frames_list",
        parameters=[
            *LIST,
            OpenApiParameter(
                "recording", str, description="only those of the recording with this id"
            ),
        ],
        responses={200: FramePageView, **documented(400, 401, 403, 404)},
    )
    def get(self, request: Request, name: str) -> Response:
        """Return the frames, recording by recording."""
        version = opened(request, name)
        policy.require(actor(request), "see_frames", version)
        asked = request.query_params
        base = f"/api/versions/{version.identifier.replace('/', '.')}/frames"
        rows, following = frames_after(
            actor(request),
            version,
            after=asked.get("after", ""),
            limit=limit_of(request, 100),
            recording=asked.get("recording", ""),
            address=lambda frame, _: f"{base}/{frame}/still",
        )
        fields = asked_fields(request)
        shown = [picked(row, fields) for row in rows] if fields else rows
        return Response({"results": shown, "next": following})


class Still(APIView):
    """The picture of a frame."""

    permission_classes = [AllowAny, Scoped]
    content_negotiation_class = AsItIs

    @extend_schema(
        responses={
            302: OpenApiResponse(description="the address of the picture, good for minutes"),
            **documented(401, 403, 404),
        }
    )
    def get(self, request: Request, name: str, public_id: str) -> HttpResponseRedirect:
        """Redirect to the picture, a JPEG."""
        version = opened(request, name)
        policy.require(actor(request), "see_frames", version)
        return HttpResponseRedirect(still_of(actor(request), version, public_id))


urlpatterns = [
    path("versions/<str:name>/frames", Frames.as_view()),
    path("versions/<str:name>/frames/<str:public_id>/still", Still.as_view()),
]
