"""Versions to take home: the archive, its manifest, the table of ratings, single recordings."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpResponseRedirect, StreamingHttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped, actor
from amgs.api.details import DETAIL, detail
from amgs.api.problems import AsItIs, documented
from amgs.api.versions import opened
from amgs.core import policy
from amgs.repository import queries
from amgs.repository.archive import archive, manifest
from amgs.repository.citing import cited
from amgs.repository.models import Version
from amgs.repository.ratings_table import as_csv, as_parquet

_PARQUET = "application/vnd.apache.parquet"


class LicenceView(serializers.Serializer):
    """A licence by its SPDX identifier."""

    identifier = serializers.CharField(allow_blank=True)
    title = serializers.CharField(allow_blank=True)
    url = serializers.CharField(allow_blank=True)


class ManifestFileView(serializers.Serializer):
    """A file of a version; ``derived_from`` is the SHA-256 of the original of a copy."""

    path = serializers.CharField()
    recording = serializers.CharField(required=False)
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    derived_from = serializers.CharField(required=False, allow_null=True)


class LeftOutView(serializers.Serializer):
    """A recording that cannot be had, and why."""

    name = serializers.CharField()
    why = serializers.CharField()


class ManifestView(serializers.Serializer):
    """What a version holds, under which licence, and how it is cited."""

    version = serializers.CharField()
    state = serializers.CharField()
    doi = serializers.CharField(allow_null=True)
    url = serializers.CharField()
    citation = serializers.CharField()
    licence = LicenceView()
    phantom = serializers.BooleanField()
    notes = serializers.ListField(child=serializers.CharField())
    files = ManifestFileView(many=True)
    left_out = LeftOutView(many=True)
    columns = serializers.DictField(child=serializers.CharField())


def _open_to(request: Request, name: str) -> Version:
    """Return a version whose files this person may have."""
    version = opened(request, name)
    policy.require(actor(request), "download_recordings", version)
    return version


def _sent(data: Iterator[bytes], version: Version, name: str, kind: str) -> StreamingHttpResponse:
    file = f"{version.identifier.replace('/', '.')}{name}"
    return StreamingHttpResponse(
        data,
        content_type=kind,
        headers={
            "Content-Disposition": f'attachment; filename="{file}"',
            "Cache-Control": "private, no-store",
            "X-Accel-Buffering": "no",  # the reverse proxy hands it on as it comes
        },
    )


class Manifest(APIView):
    """What a version holds."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: ManifestView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, name: str) -> Response:
        """Return every recording with its SHA-256, the licence and the citation."""
        version = _open_to(request, name)
        return detail(request, manifest(actor(request), version, cited(version)))


class _Export(APIView):
    """A file that is made while it is sent."""

    permission_classes = [AllowAny, Scoped]
    content_negotiation_class = AsItIs
    http_method_names = ["get", "options"]  # a HEAD would make the whole file for nothing


class Archive(_Export):
    """A version as a zip."""

    @extend_schema(
        responses={(200, "application/zip"): OpenApiTypes.BINARY, **documented(401, 403, 404)}
    )
    def get(self, request: Request, name: str) -> StreamingHttpResponse:
        """Return recordings, ratings, metadata and manifest as a zip."""
        version = _open_to(request, name)
        return _sent(archive(actor(request), version), version, ".zip", "application/zip")


class RatingsCsv(_Export):
    """The ratings of a version as CSV."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR, **documented(401, 403, 404)})
    def get(self, request: Request, name: str) -> StreamingHttpResponse:
        """Return one row per rater, frame and action unit, as CSV."""
        version = _open_to(request, name)
        data = as_csv(actor(request), version)
        return _sent(data, version, ".ratings.csv", "text/csv; charset=utf-8")


class RatingsParquet(_Export):
    """The ratings of a version as Parquet."""

    @extend_schema(responses={(200, _PARQUET): OpenApiTypes.BINARY, **documented(401, 403, 404)})
    def get(self, request: Request, name: str) -> StreamingHttpResponse:
        """Return one row per rater, frame and action unit, as Parquet."""
        version = _open_to(request, name)
        data = as_parquet(actor(request), version, cited(version))
        return _sent(data, version, ".ratings.parquet", _PARQUET)


class Content(APIView):
    """The bytes of a recording."""

    permission_classes = [AllowAny, Scoped]
    content_negotiation_class = AsItIs

    @extend_schema(
        responses={
            302: OpenApiResponse(description="the file's address, good for some minutes"),
            **documented(400, 401, 403, 404),
        }
    )
    def get(self, request: Request, name: str, public_id: str) -> HttpResponseRedirect:
        """Redirect to the file: the original for its lab, the public copy for others."""
        version = _open_to(request, name)
        return HttpResponseRedirect(
            queries.recording_file(actor(request), version, public_id)["url"]
        )


urlpatterns = [
    path("versions/<str:name>/manifest", Manifest.as_view()),
    path("versions/<str:name>/export.zip", Archive.as_view(), name="export-zip"),
    path("versions/<str:name>/ratings.csv", RatingsCsv.as_view(), name="ratings-csv"),
    path("versions/<str:name>/ratings.parquet", RatingsParquet.as_view(), name="ratings-parquet"),
    path("versions/<str:name>/recordings/<str:public_id>/content", Content.as_view()),
]
