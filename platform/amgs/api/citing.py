"""How a version is cited, and what other programs read of it."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped
from amgs.api.details import DETAIL, IF_NONE_MATCH, detail
from amgs.api.problems import AsItIs, documented
from amgs.api.versions import opened
from amgs.repository.citing import cited, doi_state
from amgs.repository.croissants import describe
from curation.citing import bibtex, ris, schema_org, sentence

FORMS = {
    "bib": ("application/x-bibtex", bibtex),
    "ris": ("application/x-research-info-systems", ris),
}
"""Ending → (media type, how it is written)."""


class CitationView(serializers.Serializer):
    """How a version is cited; ``notes`` say where it is rendered, withdrawn or retracted."""

    identifier = serializers.CharField()
    doi = serializers.CharField(allow_blank=True)
    doi_state = serializers.ChoiceField(["none", "waiting", "registered", "failed"])
    doi_sentence = serializers.CharField(allow_blank=True)
    url = serializers.CharField()
    sentence = serializers.CharField()
    bibtex = serializers.CharField()
    ris = serializers.CharField()
    licence = serializers.CharField(allow_blank=True)
    notes = serializers.ListField(child=serializers.CharField())
    schema_org = serializers.DictField()


class Citation(APIView):
    """The citation of a version."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: CitationView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, name: str) -> Response:
        """Return how the version is cited, in every form."""
        version = opened(request, name)
        about, doi = cited(version), doi_state(version)
        return detail(
            request,
            {
                "identifier": version.identifier,
                "doi": version.doi,
                "doi_state": doi["state"],
                "doi_sentence": doi["sentence"],
                "url": about.url,
                "sentence": sentence(about),
                "bibtex": bibtex(about),
                "ris": ris(about),
                "licence": version.licence,
                "notes": list(about.notes),
                "schema_org": schema_org(about),
            },
        )


class _Form(APIView):
    """The citation as a file."""

    permission_classes = [AllowAny, Scoped]
    content_negotiation_class = AsItIs
    form = "bib"

    def _answer(self, request: Request, name: str) -> HttpResponse:
        version = opened(request, name)
        media_type, write = FORMS[self.form]
        file = f"{version.identifier.replace('/', '.')}.{self.form}"
        return HttpResponse(
            write(cited(version)),
            content_type=f"{media_type}; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{file}"'},
        )


class Bibtex(_Form):
    """The citation for BibTeX."""

    @extend_schema(
        responses={
            (200, "application/x-bibtex"): OpenApiTypes.STR,
            **documented(401, 403, 404),
        }
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        """Return the citation for BibTeX and BibLaTeX."""
        return self._answer(request, name)


class Ris(_Form):
    """The citation for reference managers."""

    form = "ris"

    @extend_schema(
        responses={
            (200, "application/x-research-info-systems"): OpenApiTypes.STR,
            **documented(401, 403, 404),
        }
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        """Return the citation for reference managers (RIS)."""
        return self._answer(request, name)


class Croissant(APIView):
    """The Croissant metadata of a version."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=[IF_NONE_MATCH],
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, description="JSON-LD, Croissant 1.0"),
            **documented(304, 401, 403, 404),
        },
    )
    def get(self, request: Request, name: str) -> Response:
        """Return what programs need to load the version: files with digests, columns."""
        return detail(request, describe(opened(request, name), settings.SITE_URL), pick=False)


urlpatterns = [
    path("versions/<str:name>/citation", Citation.as_view()),
    path("versions/<str:name>/citation.bib", Bibtex.as_view(), name="citation-bib"),
    path("versions/<str:name>/citation.ris", Ris.as_view(), name="citation-ris"),
    path("versions/<str:name>/croissant.json", Croissant.as_view(), name="croissant"),
]
