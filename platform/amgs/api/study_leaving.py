"""Deleting a study: what follows, told beforehand, and its undo."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from amgs.api.authentication import actor
from amgs.api.details import DETAIL, detail
from amgs.api.leaving import ConsequenceView
from amgs.api.paging import LIST, page
from amgs.api.problems import documented
from amgs.api.studies import Mine, StudyView
from amgs.scoring import study_keeping, study_queries


class DeletionView(serializers.Serializer):
    """What a deletion would take away and what stays, with the numbers of now."""

    consequences = ConsequenceView(many=True)


class DeletedStudyView(serializers.Serializer):
    """A deleted study that can be brought back."""

    id = serializers.CharField()
    title = serializers.CharField()
    rows = serializers.IntegerField()
    deleted_at = serializers.DateTimeField()
    until = serializers.DateTimeField()


class DeletedStudyPage(serializers.Serializer):
    """A page of deleted studies."""

    results = DeletedStudyView(many=True)
    next = serializers.CharField(allow_null=True)


class Deletion(Mine):
    """What the deletion of a study would do."""

    @extend_schema(
        parameters=DETAIL, responses={200: DeletionView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Return what a deletion would take away and what stays, before it is done."""
        study = self.study(request, public_id)
        return detail(request, {"consequences": study_keeping.told_deletion(study)})


class DeletedStudies(Mine):
    """Deleted studies of mine."""

    @extend_schema(parameters=LIST, responses={200: DeletedStudyPage, **documented(400, 401, 403)})
    def get(self, request: Request) -> Response:
        """Return the studies that can be brought back, newest first."""
        rows = study_keeping.deleted_studies(request.user)
        return page(rows, request, study_keeping.deleted_study_row)


class RestoreStudy(Mine):
    """Undo of a deletion."""

    @extend_schema(request=None, responses={200: StudyView, **documented(400, 401, 403, 404, 409)})
    def post(self, request: Request, public_id: str) -> Response:
        """Bring a deleted study back with everything it held."""
        study = study_keeping.find_deleted(public_id, request.user)
        back = study_keeping.restore_study(by=actor(request), study=study)
        return Response(study_queries.study_row(back))


urlpatterns = [
    path("studies/<str:public_id>/deletion", Deletion.as_view()),
    path("deleted-studies", DeletedStudies.as_view()),
    path("deleted-studies/<str:public_id>/restore", RestoreStudy.as_view()),
]
