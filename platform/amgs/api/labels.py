"""Label files of a version: look at them, answer, confirm, read, undo and redo.

A file is sent like any other (``uploads``, purpose ``labels``). ``POST versions/{name}/labels``
with ``confirmed: false`` has it looked at; ``GET labels/{id}`` then shows what was recognised, what
is asked and the first rows on their pictures; ``PATCH labels/{id}`` answers, ``POST
labels/{id}/confirm`` has it read. With ``confirmed: true`` what is beyond doubt is read at once.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped
from amgs.api.details import DETAIL, detail
from amgs.api.paging import LIST, page
from amgs.api.problems import documented
from amgs.api.versions import opened
from amgs.core import policy
from amgs.core.errors import NotFound
from amgs.files.services import find_upload
from amgs.repository import label_queries, queries, services
from amgs.repository.models import LabelImport, Version
from amgs.repository.services import Answers
from amgs.review.services import mark_seen

_REFUSALS = documented(400, 401, 403, 404)


class LabelPlacesBody(serializers.Serializer):
    """Name in the file → name here; ``-`` leaves the rows of a name out."""

    files = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    animals = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    time_points = serializers.DictField(
        child=serializers.CharField(allow_blank=True), required=False
    )


class LabelAnswersBody(serializers.Serializer):
    """What the lab says about a label file; a part that is left out stays as it is."""

    mapping = serializers.DictField(required=False)
    places = LabelPlacesBody(required=False)
    declared = serializers.DictField(required=False)


class LabelsBody(LabelAnswersBody):
    """A label file as it is added; the upload may still be on its way."""

    upload = serializers.CharField()
    name = serializers.CharField(max_length=400)
    confirmed = serializers.BooleanField(default=True)


class LabelProblemView(serializers.Serializer):
    """One finding with its place; rows count as a spreadsheet counts them."""

    sentence = serializers.CharField()
    file = serializers.CharField(allow_null=True)
    row = serializers.IntegerField(allow_null=True)
    column = serializers.CharField(allow_null=True)
    field = serializers.CharField(allow_null=True)


class LabelQuestionView(serializers.Serializer):
    """What must (``blocking``) or may be confirmed: a field of the mapping and its choices."""

    field = serializers.CharField()
    sentence = serializers.CharField()
    choices = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    blocking = serializers.BooleanField()


class LabelMarksView(serializers.Serializer):
    """Points and boxes in pixels of a picture of this size."""

    width = serializers.IntegerField()
    height = serializers.IntegerField()
    boxes = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()))
    points = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()))


class LabelLineView(serializers.Serializer):
    """One row as it would be read, and the picture it is about.

    ``exact`` tells the very frame from a picture that only shows which recording it is.
    """

    row = serializers.IntegerField()
    file = serializers.CharField()
    frame = serializers.IntegerField(allow_null=True)
    time_s = serializers.FloatField(allow_null=True)
    raw = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    meaning = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    recording = serializers.CharField(allow_null=True)
    number = serializers.IntegerField(allow_null=True)
    picture = serializers.CharField(allow_null=True)
    exact = serializers.BooleanField()
    marks = LabelMarksView(allow_null=True)


class LabelNamesView(serializers.Serializer):
    """How many names of one kind are found here; the missing ones with the sentence why."""

    named = serializers.IntegerField()
    found = serializers.IntegerField()
    left_out = serializers.IntegerField()
    missing = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))


class LabelLookView(serializers.Serializer):
    """What a file would be read as; parts are missing where it is not recognised."""

    known = serializers.BooleanField()
    refusal = serializers.CharField(allow_blank=True)
    headers = serializers.ListField(child=serializers.CharField(allow_blank=True))
    mapping = serializers.DictField()
    questions = LabelQuestionView(many=True)
    format = serializers.CharField(required=False)
    title = serializers.CharField(required=False)
    formats = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()), required=False
    )
    recognised = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()), required=False
    )
    counts = serializers.DictField(child=serializers.IntegerField(), required=False)
    notes = serializers.ListField(child=serializers.CharField(), required=False)
    problems = LabelProblemView(many=True, required=False)
    names = serializers.DictField(child=LabelNamesView(), required=False)
    lines = LabelLineView(many=True)
    answers = serializers.CharField()


class SheetView(serializers.Serializer):
    """A label file and what came of reading it."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    refusal = serializers.CharField(allow_blank=True)
    format = serializers.CharField(allow_blank=True)
    declared = serializers.DictField()
    rows = serializers.IntegerField()
    raters = serializers.ListField(child=serializers.CharField(allow_blank=True))
    frames_matched = serializers.IntegerField()
    frames_unmatched = serializers.IntegerField()
    observations_matched = serializers.IntegerField()
    observations_unmatched = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField())
    notes = serializers.ListField(child=serializers.CharField())
    problems = LabelProblemView(many=True)
    given_by = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class SheetDetailView(SheetView):
    """A label file with the answers given, the last look at it and its job."""

    mapping = serializers.DictField()
    places = LabelPlacesBody()
    look = LabelLookView(allow_null=True)
    looking = serializers.BooleanField()
    declared_in_effect = serializers.DictField()
    job = serializers.CharField(allow_null=True)


class SheetPageView(serializers.Serializer):
    """One page of label files."""

    results = SheetView(many=True)
    next = serializers.CharField(allow_null=True)


class ImportedPageView(serializers.Serializer):
    """One page of imported rows; which fields they have depends on the kind."""

    results = serializers.ListField(child=serializers.DictField())
    next = serializers.CharField(allow_null=True)


def _answers(values: dict[str, Any]) -> Answers:
    return Answers(
        **{key: values[key] for key in ("mapping", "places", "declared") if key in values}
    )


class Sheets(APIView):
    """The label files of a version."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(parameters=LIST, responses={200: SheetPageView, **_REFUSALS})
    def get(self, request: Request, name: str) -> Response:
        """Return the files, oldest first, with every problem by row and column."""
        version = opened(request, name)
        policy.require(request.user, "see_ratings", version)
        return page(queries.label_rows(version), request, queries.label_row, newest_first=False)

    @extend_schema(
        request=LabelsBody,
        responses={
            200: OpenApiResponse(SheetView, "It was there before; nothing was doubled."),
            201: SheetView,
            **_REFUSALS,
        },
    )
    def post(self, request: Request, name: str) -> Response:
        """Have a label file read as soon as the recordings are, or only looked at."""
        version = queries.find_version(request.user, name)
        body = LabelsBody(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data
        upload = find_upload(values["upload"], by=request.user)
        row, is_new = services.import_labels(
            by=request.user,
            version=version,
            upload=upload,
            name=values["name"],
            answers=_answers(values),
            confirmed=values["confirmed"],
        )
        return Response(queries.label_row(row), 201 if is_new else 200)


def _found(request: Request, public_id: str) -> tuple[Version, LabelImport]:
    """Return a label file and the newest version that holds it and is open to who asks."""
    row = LabelImport.objects.select_related("given_by", "blob").filter(public_id=public_id).first()
    version = None
    if row is not None:
        rows = queries.datasets_visible_to(request.user).filter(sheets=row)
        version = rows.order_by("-number").first()
    if row is None or version is None:
        raise NotFound("There is no such sheet, or it is not open to you.")
    return version, row


def _readable(request: Request, public_id: str) -> tuple[Version, LabelImport]:
    """Return a label file to somebody who may see ratings, and who is not blind to it any more."""
    version, row = _found(request, public_id)
    policy.require(request.user, "see_ratings", version)
    mark_seen(user=request.user, dataset=version.dataset)
    return version, row


class OneSheet(APIView):
    """One label file."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(
        parameters=DETAIL, responses={200: SheetDetailView, **_REFUSALS, **documented(304)}
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Return the file with its look: what was recognised, what is asked, the first rows."""
        version, row = _readable(request, public_id)
        return detail(request, label_queries.label_page(request.user, version, row))

    @extend_schema(request=LabelAnswersBody, responses={200: SheetDetailView, **_REFUSALS})
    def patch(self, request: Request, public_id: str) -> Response:
        """Answer what is asked; the file is looked at again, and its job says when that is done."""
        version, row = _found(request, public_id)
        body = LabelAnswersBody(data=request.data)
        body.is_valid(raise_exception=True)
        answers = _answers(body.validated_data)
        row = services.answer_labels(
            by=request.user, version=version, label_import=row, answers=answers
        )
        return Response(label_queries.label_page(request.user, version, row))

    @extend_schema(responses={204: None, **_REFUSALS})
    def delete(self, request: Request, public_id: str) -> Response:
        """Undo the import of a label file as a whole."""
        version, row = _found(request, public_id)
        services.undo_import(by=request.user, version=version, label_import=row)
        return Response(status=204)


class Confirm(APIView):
    """What a look proposes is right."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(request=None, responses={200: SheetDetailView, **_REFUSALS})
    def post(self, request: Request, public_id: str) -> Response:
        """Confirm the mapping that the last look shows; the file is then read by a job."""
        version, row = _found(request, public_id)
        row = services.confirm_labels(by=request.user, version=version, label_import=row)
        return Response(label_queries.label_page(request.user, version, row))


class Redo(APIView):
    """An undone import is read again."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(request=None, responses={200: SheetDetailView, **_REFUSALS, **documented(409)})
    def post(self, request: Request, public_id: str) -> Response:
        """Read an undone label file again, with the answers it was read with."""
        version, row = _found(request, public_id)
        row = services.redo_import(by=request.user, version=version, label_import=row)
        return Response(label_queries.label_page(request.user, version, row))


class Problems(APIView):
    """What could not be read of a label file."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(
        responses={(200, "text/csv"): OpenApiTypes.STR, **_REFUSALS},
    )
    def get(self, request: Request, public_id: str) -> HttpResponse:
        """Return the problems as CSV: file, row, column, sentence."""
        _, row = _readable(request, public_id)
        return HttpResponse(label_queries.problems_csv(row), content_type="text/csv; charset=utf-8")


class ImportedRows(APIView):
    """What a label file held beside grades of frames by people."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(
        parameters=[
            *LIST,
            OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=label_queries.KINDS),
        ],
        responses={200: ImportedPageView, **_REFUSALS},
    )
    def get(self, request: Request, public_id: str, kind: str) -> Response:
        """Return the rows of one kind, in the order of the file."""
        version, row = _readable(request, public_id)
        found = label_queries.imported(request.user, version, row, kind)
        if found is None:
            raise NotFound(
                f"There are no rows of this kind; ask for {', '.join(label_queries.KINDS)}."
            )
        rows, show = found
        return page(rows, request, show, newest_first=False)


urlpatterns = [
    path("versions/<str:name>/labels", Sheets.as_view()),
    path("labels/<str:public_id>", OneSheet.as_view()),
    path("labels/<str:public_id>/confirm", Confirm.as_view()),
    path("labels/<str:public_id>/redo", Redo.as_view()),
    path("labels/<str:public_id>/problems", Problems.as_view()),
    path("labels/<str:public_id>/rows/<str:kind>", ImportedRows.as_view()),
]
