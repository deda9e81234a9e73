"""Datasets: list them, make one, look at one with its versions."""

from __future__ import annotations

import re
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.accounts.models import Lab
from amgs.api.authentication import Scoped
from amgs.api.details import DETAIL, detail
from amgs.api.paging import LIST, page
from amgs.api.problems import documented
from amgs.api.versions import ContributorBody, DesignBody, VersionRowView, VersionView
from amgs.core.errors import NotFound, Refused
from amgs.repository import queries, search, services
from amgs.repository.models import Permission, Version
from amgs.review.services import mark_seen

_IDENTIFIER = re.compile(r"AMGS-(\d{6,9})", re.IGNORECASE)


CHOICES = [
    OpenApiParameter("q", str, description="words that all occur; beginnings are enough"),
    OpenApiParameter("state", str, description="only versions in this state"),
    OpenApiParameter("lab", str, description="only versions of the lab with this id"),
    OpenApiParameter("licence", str, description="only versions under this licence"),
    OpenApiParameter("assay", str, description="only versions of this assay"),
    OpenApiParameter("coat", str, description="only versions with animals of this coat"),
    OpenApiParameter("strain", str, description="only versions with animals of this strain"),
    OpenApiParameter("rated", str, enum=["yes", "no"], description="only with, or without, grades"),
    OpenApiParameter("permission", str, description="only where this use is allowed"),
]


class DatasetBody(serializers.Serializer):
    """A dataset as it is asked for; all but lab and title may follow later."""

    lab = serializers.CharField(help_text="id of a lab you belong to")
    title = serializers.CharField(max_length=300)
    description = serializers.CharField(required=False, default="", allow_blank=True)
    licence = serializers.CharField(required=False, default="", allow_blank=True, max_length=30)
    ethics = serializers.CharField(required=False, default="", allow_blank=True)
    funder = serializers.CharField(required=False, default="", allow_blank=True, max_length=300)
    metadata = serializers.DictField(required=False, default=dict)
    contributors = ContributorBody(many=True, required=False)
    phantom = serializers.BooleanField(required=False, default=False)
    design = DesignBody(required=False)


class VersionPageView(serializers.Serializer):
    """One page of versions."""

    results = VersionRowView(many=True)
    next = serializers.CharField(allow_null=True)


class DatasetView(serializers.Serializer):
    """A dataset with those of its versions that are open to you, newest first."""

    id = serializers.CharField()
    identifier = serializers.CharField()
    phantom = serializers.BooleanField()
    versions = VersionRowView(many=True)


class Datasets(APIView):
    """The datasets that are open to me."""

    scope = "contribute"

    def get_permissions(self) -> list[Any]:
        """Anybody may look at what is published; making a dataset needs a person."""
        first = AllowAny if self.request.method == "GET" else IsAuthenticated
        return [first(), Scoped()]

    @extend_schema(
        operation_id="datasets_list",
        parameters=[*LIST, *CHOICES],
        responses={200: VersionPageView, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return versions, newest first."""
        rows, chosen = _asked(request)
        rows = search.found(rows, chosen)
        return page(rows, request, lambda row: queries.version_row(request.user, row))

    @extend_schema(
        request=DatasetBody, responses={201: VersionView, **documented(400, 401, 403, 409)}
    )
    def post(self, request: Request) -> Response:
        """Make a dataset of one of my labs; return its first version, a draft."""
        body = DatasetBody(data=request.data)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        design = values.pop("design", None)
        lab = Lab.objects.filter(public_id=values.pop("lab")).first()
        if lab is None:
            raise Refused("There is no such lab; give the id of one you belong to.", field="lab")
        with transaction.atomic():
            version = services.create_dataset(by=request.user, lab=lab, **values)
            if design is not None:
                services.set_design(by=request.user, version=version, **design)
        return Response(queries.version_page(request.user, version), 201)


class FacetValueView(serializers.Serializer):
    """A value that the versions found have, and how many have it."""

    value = serializers.CharField()
    title = serializers.CharField()
    count = serializers.IntegerField()
    chosen = serializers.BooleanField()


class FacetView(serializers.Serializer):
    """Something by which a search can be narrowed; the commonest values first."""

    key = serializers.CharField()
    title = serializers.CharField()
    values = FacetValueView(many=True)


class FacetsView(serializers.Serializer):
    """All facets of a search."""

    facets = FacetView(many=True)


class Facets(APIView):
    """What the datasets that are open to me can be narrowed by."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(parameters=CHOICES, responses={200: FacetsView, **documented(400, 401, 403)})
    def get(self, request: Request) -> Response:
        """Return values and counts for the search that ``GET /api/datasets`` answers."""
        rows, chosen = _asked(request)
        return Response({"facets": search.facets(rows, chosen)})


def _asked(request: Request) -> tuple[QuerySet[Version], search.Chosen]:
    """Return the versions open to who asks, and the choices that narrow them."""
    rows = queries.datasets_visible_to(request.user)
    if kind := request.query_params.get("permission"):
        if kind not in Permission.Kind.values:
            raise Refused(f"There is no permission called '{kind}'.", field="permission")
        rows = rows.filter(permissions__kind=kind)
    return rows, search.check(request.query_params.dict())


class One(APIView):
    """One dataset."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: DatasetView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, name: str) -> Response:
        """Return a dataset by id or as ``AMGS-000123``. Whoever looks no longer rates it blind."""
        rows = queries.datasets_visible_to(request.user).order_by("-number")
        match = _IDENTIFIER.fullmatch(name)
        rows = (
            rows.filter(dataset__number=int(match[1]))
            if match
            else rows.filter(dataset__public_id=name)
        )
        versions = list(rows)
        if not versions:
            raise NotFound("There is no such dataset, or it is not open to you.")
        dataset = versions[0].dataset
        mark_seen(user=request.user, dataset=dataset)
        return detail(
            request,
            {
                "id": dataset.public_id,
                "identifier": dataset.identifier,
                "phantom": dataset.phantom,
                "versions": [queries.version_row(request.user, row) for row in versions],
            },
        )


urlpatterns = [
    path("datasets", Datasets.as_view()),
    path("datasets/facets", Facets.as_view()),
    path("datasets/<str:name>", One.as_view()),
]
