"""The recordings of a version."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped
from amgs.api.paging import LIST, page
from amgs.api.problems import documented
from amgs.api.versions import opened
from amgs.core import policy
from amgs.core.errors import NotFound
from amgs.files.services import find_upload
from amgs.repository import queries, services
from amgs.repository.models import Recording, Version
from amgs.repository.rules import may_see_pictures


class RecordingBody(serializers.Serializer):
    """A recording as it is added; the upload may still be on its way."""

    upload = serializers.CharField()
    name = serializers.CharField(max_length=400)
    animal = serializers.CharField(required=False, allow_null=True, default=None)
    observation = serializers.CharField(required=False, allow_null=True, default=None)


class RecordingView(serializers.Serializer):
    """A recording."""

    id = serializers.CharField()
    name = serializers.CharField()
    animal = serializers.CharField(allow_null=True)
    observation = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    problem = serializers.CharField()
    upload = serializers.CharField(allow_null=True)
    sha256 = serializers.CharField(allow_null=True)
    derived_from = serializers.CharField(allow_null=True)
    media = serializers.DictField()
    poster = serializers.CharField(allow_null=True)
    contact_sheet = serializers.CharField(allow_null=True)
    proxy = serializers.CharField(allow_null=True)


class RecordingPageView(serializers.Serializer):
    """One page of recordings."""

    results = RecordingView(many=True)
    next = serializers.CharField(allow_null=True)


class FileView(serializers.Serializer):
    """Where a recording's file may be had for some minutes."""

    name = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    url = serializers.URLField()
    derived_from = serializers.CharField(allow_null=True)


class Recordings(APIView):
    """The recordings of a version."""

    scope = "contribute"

    def get_permissions(self) -> list[Any]:
        """Anybody may look at what is published; adding needs a person."""
        first = AllowAny if self.request.method == "GET" else IsAuthenticated
        return [first(), Scoped()]

    @extend_schema(
        parameters=LIST, responses={200: RecordingPageView, **documented(400, 401, 403, 404)}
    )
    def get(self, request: Request, name: str) -> Response:
        """Return the recordings, oldest first."""
        version = opened(request, name)
        policy.require(request.user, "see_recordings", version)
        shown = may_see_pictures(request.user, version)
        return page(
            queries.recording_rows(version),
            request,
            lambda row: queries.recording_row(request.user, version, row, shown),
            newest_first=False,
        )

    @extend_schema(
        request=RecordingBody,
        responses={
            200: OpenApiResponse(RecordingView, "It was there before; nothing was doubled."),
            201: RecordingView,
            **documented(400, 401, 403, 404),
        },
    )
    def post(self, request: Request, name: str) -> Response:
        """Add a recording to a draft; it is read as soon as its upload is done."""
        version = queries.find_version(request.user, name)
        body = RecordingBody(data=request.data)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        upload = find_upload(values.pop("upload"), by=request.user)
        row, is_new = services.add_recording(
            by=request.user, version=version, upload=upload, **values
        )
        fresh = queries.recording_rows(version).get(pk=row.pk)
        return Response(queries.recording_row(request.user, version, fresh), 201 if is_new else 200)


class RecordingFile(APIView):
    """The file of a recording: as it was sent for its lab, the public copy for others."""

    permission_classes = [AllowAny, Scoped]
    scope = "read"

    @extend_schema(responses={200: FileView, **documented(400, 401, 403, 404)})
    def get(self, request: Request, name: str, public_id: str) -> Response:
        """Return an address that is good for some minutes."""
        version = opened(request, name)
        policy.require(request.user, "download_recordings", version)
        file = queries.recording_file(request.user, version, public_id)
        return Response({**file, "url": request.build_absolute_uri(file["url"])})


def _draft_of(request: Request, dataset_id: int) -> Version:
    """Return the newest version of a dataset that is open to who asks."""
    version = (
        queries.datasets_visible_to(request.user)
        .filter(dataset=dataset_id)
        .order_by("-number")
        .first()
    )
    if version is None:
        raise NotFound("There is no such thing, or it is not open to you.")
    return version


class OneRecording(APIView):
    """One recording of a draft."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(responses={204: None, **documented(400, 401, 403, 404)})
    def delete(self, request: Request, public_id: str) -> Response:
        """Take a recording out of a draft."""
        row = Recording.objects.filter(public_id=public_id).first()
        if row is None:
            raise NotFound("There is no such recording, or it is not open to you.")
        version = _draft_of(request, row.dataset_id)
        services.remove_recording(by=request.user, version=version, recording=row)
        return Response(status=204)


urlpatterns = [
    path("versions/<str:name>/recordings", Recordings.as_view()),
    path("versions/<str:name>/recordings/<str:public_id>/file", RecordingFile.as_view()),
    path("recordings/<str:public_id>", OneRecording.as_view()),
]
