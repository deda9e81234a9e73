"""Studies: a table of scores, a plan that is locked first, and the results by group."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseRedirect
from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped, actor
from amgs.api.details import DETAIL, detail
from amgs.api.keys import IDEMPOTENCY_KEY, asked_key, made
from amgs.api.paging import LIST, page
from amgs.api.problems import documented
from amgs.core.errors import Refused
from amgs.scoring import studies, study_keeping, study_plans, study_queries
from amgs.scoring.models import Study
from amgs.scoring.study_jobs import ask_for_analysis_once
from curation.labels.rows import UnknownFormat
from curation.study_table import MOST_ROWS, read

MOST_LETTERS = 2_000_000


class StudyBody(serializers.Serializer):
    """A study as it is made or renamed."""

    title = serializers.CharField(max_length=200)


class StudyView(serializers.Serializer):
    """A study in a list; ``model`` is the version that its scores were given by."""

    id = serializers.CharField()
    title = serializers.CharField()
    created_at = serializers.DateTimeField()
    model = serializers.CharField(allow_null=True)
    phantom = serializers.BooleanField()
    rows = serializers.IntegerField()


class StudyPage(serializers.Serializer):
    """A page of studies."""

    results = StudyView(many=True)
    next = serializers.CharField(allow_null=True)


class LockedView(serializers.Serializer):
    """A locked version of a plan, as the log has it."""

    number = serializers.IntegerField()
    plan = serializers.DictField()
    digest = serializers.CharField()
    at = serializers.DateTimeField()
    by = serializers.CharField()
    why = serializers.CharField(allow_blank=True)
    after_results = serializers.BooleanField()
    decision = serializers.IntegerField()


class StudyDetailView(StudyView):
    """A study with its plan, its locked versions, and how far its analysis is."""

    plan = serializers.DictField(allow_null=True)
    locked = LockedView(many=True)
    plan_differs = serializers.BooleanField()
    results_seen = serializers.BooleanField()
    changes = serializers.ListField(child=serializers.DictField())
    goings = serializers.ListField(
        child=serializers.DictField(), help_text="when it was deleted and brought back"
    )
    shared = serializers.CharField(allow_null=True)
    waiting = serializers.DictField(child=serializers.IntegerField())
    versions = serializers.ListField(child=serializers.DictField())
    analysis = serializers.DictField(allow_null=True)


class EntryView(serializers.Serializer):
    """A row of the table; ``result`` is null until the plan was locked."""

    id = serializers.CharField()
    name = serializers.CharField()
    score = serializers.CharField(allow_null=True, help_text="token of the score that counts")
    model = serializers.CharField(allow_blank=True)
    state = serializers.CharField(help_text="done, waiting or failed, by the study's version")
    job = serializers.DictField(allow_null=True, help_text="how far the second score is")
    animal = serializers.CharField(allow_blank=True)
    cage = serializers.CharField(allow_blank=True)
    group = serializers.CharField(allow_blank=True)
    time_h = serializers.FloatField(allow_null=True)
    dose = serializers.CharField(allow_blank=True)
    human_score = serializers.FloatField(allow_null=True)
    excluded = serializers.CharField(allow_blank=True)
    result = serializers.DictField(allow_null=True)


class EntriesView(serializers.Serializer):
    """The table of a study."""

    entries = EntryView(many=True)


class AddBody(serializers.Serializer):
    """Scores that come into the table."""

    scores = serializers.ListField(
        child=serializers.CharField(max_length=400), max_length=MOST_ROWS, help_text="links, tokens"
    )
    model = serializers.CharField(
        max_length=60,
        required=False,
        default="",
        help_text="the version with which all of the study is scored, where they differ",
    )


class ChangeBody(serializers.Serializer):
    """Cells to change: each with the ``id`` of a row and the columns."""

    changes = serializers.ListField(child=serializers.DictField(), max_length=MOST_ROWS)


class ChangedView(serializers.Serializer):
    """The changes that would take those back."""

    undo = serializers.ListField(child=serializers.DictField())


class TableBody(serializers.Serializer):
    """A table as text: its first line names the columns."""

    text = serializers.CharField(max_length=MOST_LETTERS, trim_whitespace=False)


class RemoveBody(serializers.Serializer):
    """Rows to take out."""

    entries = serializers.ListField(
        child=serializers.CharField(max_length=60), max_length=MOST_ROWS
    )


class RemovedView(serializers.Serializer):
    """The rows as ``restore`` wants them."""

    removed = serializers.ListField(child=serializers.DictField())


class PlanBody(serializers.Serializer):
    """The plan of the analysis."""

    plan = serializers.DictField()


class PlanView(serializers.Serializer):
    """The plan as it is kept, with its digest."""

    plan = serializers.DictField()
    digest = serializers.CharField()


class LockBody(serializers.Serializer):
    """Why a locked plan is changed, and the digest of the draft that was read."""

    why = serializers.CharField(max_length=1000, required=False, default="", allow_blank=True)
    digest = serializers.CharField(max_length=64, required=False, default="", allow_blank=True)


class ModelBody(serializers.Serializer):
    """The version with which all of a study is scored."""

    model = serializers.CharField(max_length=60, help_text="id or identifier, such as mouse-v2")


class WaitingView(serializers.Serializer):
    """How many rows get a new score."""

    waiting = serializers.IntegerField()


class AnalysisView(serializers.Serializer):
    """An analysis that was asked for."""

    id = serializers.CharField()
    job = serializers.CharField(allow_null=True)


class ShareView(serializers.Serializer):
    """The address under which others may read the results."""

    address = serializers.CharField()


class ResultsView(serializers.Serializer):
    """What an analysis found, by which plan, on which table, with which version."""

    id = serializers.CharField()
    made_at = serializers.DateTimeField(allow_null=True)
    plan = serializers.DictField()
    table_digest = serializers.CharField()
    model = serializers.CharField(allow_null=True)
    phantom = serializers.BooleanField()
    disclaimer = serializers.CharField()
    report = serializers.DictField()
    files = serializers.DictField(child=serializers.CharField())


class Mine(APIView):
    """What is a study's owner's alone."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "score"

    def study(self, request: Request, public_id: str) -> Study:
        """Return the study, for its owner."""
        return studies.find_study(public_id, actor(request))

    def told(self, body: type[serializers.Serializer], request: Request) -> dict[str, Any]:
        """Return what a body says."""
        given = body(data=request.data)
        given.is_valid(raise_exception=True)
        return given.validated_data


class Studies(Mine):
    """Studies."""

    @extend_schema(
        operation_id="studies_list",
        parameters=LIST,
        responses={200: StudyPage, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return my studies, newest first."""
        return page(study_queries.studies_of(request.user), request, study_queries.study_row)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=StudyBody,
        responses={201: StudyView, **documented(400, 401, 403, 422)},
    )
    def post(self, request: Request) -> Response:
        """Make an empty study."""
        given, key = self.told(StudyBody, request), asked_key(request)
        study, new = studies.create_study_once(by=request.user, title=given["title"], key=key)
        return made(study_queries.study_row(study), key=key, new=new)


class OneStudy(Mine):
    """One study."""

    @extend_schema(
        parameters=DETAIL, responses={200: StudyDetailView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Return a study with its plan and how far its analysis is."""
        return detail(request, study_queries.study_detail(self.study(request, public_id)))

    @extend_schema(request=StudyBody, responses={200: StudyView, **documented(400, 401, 403, 404)})
    def patch(self, request: Request, public_id: str) -> Response:
        """Give a study another title."""
        study = self.study(request, public_id)
        given = self.told(StudyBody, request)
        studies.rename_study(by=actor(request), study=study, title=given["title"])
        return Response(study_queries.study_row(study))

    @extend_schema(responses={204: None, **documented(401, 403, 404)})
    def delete(self, request: Request, public_id: str) -> Response:
        """Delete a study; ``deletion`` says beforehand what follows, and it can be undone."""
        study = self.study(request, public_id)
        study_keeping.delete_study(by=actor(request), study=study)
        return Response(status=204)


class Entries(Mine):
    """The table of a study."""

    @extend_schema(
        parameters=DETAIL, responses={200: EntriesView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Return the rows; their scores are shown once the plan was locked."""
        study = self.study(request, public_id)
        return detail(request, {"entries": study_queries.entries_json(study)})

    @extend_schema(request=AddBody, responses={201: EntriesView, **documented(400, 401, 403, 404)})
    def post(self, request: Request, public_id: str) -> Response:
        """Put scores into the table; mixed versions are refused unless ``model`` is given."""
        study = self.study(request, public_id)
        studies.add_scores(by=request.user, study=study, **self.told(AddBody, request))
        study.refresh_from_db()
        return Response({"entries": study_queries.entries_json(study)}, 201)

    @extend_schema(
        request=ChangeBody, responses={200: ChangedView, **documented(400, 401, 403, 404)}
    )
    def patch(self, request: Request, public_id: str) -> Response:
        """Change cells; one that cannot be right refuses all, named by row and column."""
        study = self.study(request, public_id)
        given = self.told(ChangeBody, request)
        back = studies.change_entries(by=actor(request), study=study, changes=given["changes"])
        return Response({"undo": back})


class Table(Mine):
    """The table of a study as text."""

    @extend_schema(
        request=TableBody, responses={200: ChangedView, **documented(400, 401, 403, 404)}
    )
    def put(self, request: Request, public_id: str) -> Response:
        """Take over a table (CSV, or pasted from a spreadsheet); faults name row and column."""
        study = self.study(request, public_id)
        text = self.told(TableBody, request)["text"]
        try:
            reading = read("The table", text.encode("utf-8", "replace"))
        except UnknownFormat as unknown:
            raise Refused(str(unknown), field="table") from unknown
        return Response(
            {"undo": studies.fill_table(by=actor(request), study=study, reading=reading)}
        )


class Remove(Mine):
    """Rows to take out of a table."""

    @extend_schema(
        request=RemoveBody, responses={200: RemovedView, **documented(400, 401, 403, 404)}
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Take rows out of the table; the scores themselves stay."""
        study = self.study(request, public_id)
        given = self.told(RemoveBody, request)
        removed = studies.remove_entries(by=actor(request), study=study, entries=given["entries"])
        return Response({"removed": removed})


class Plan(Mine):
    """The draft of a plan."""

    @extend_schema(request=PlanBody, responses={200: PlanView, **documented(400, 401, 403, 404)})
    def put(self, request: Request, public_id: str) -> Response:
        """Keep a draft of the plan; what was locked does not change."""
        study = self.study(request, public_id)
        given = self.told(PlanBody, request)
        kept = study_plans.set_plan(by=actor(request), study=study, plan=given["plan"])
        return Response({"plan": kept, "digest": studies.digest(kept)})


class Lock(Mine):
    """The lock of a plan."""

    @extend_schema(
        request=LockBody, responses={201: LockedView, **documented(400, 401, 403, 404, 409)}
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Lock the draft of the plan: primary outcome and cut-off can only be superseded then."""
        study = self.study(request, public_id)
        given = self.told(LockBody, request)
        locked = study_plans.lock_plan(
            by=actor(request), study=study, why=given["why"], seen=given["digest"]
        )
        return Response(study_queries.locked_json(locked), 201)


class ScoreAll(Mine):
    """All of a study by one version."""

    @extend_schema(
        request=ModelBody, responses={200: WaitingView, **documented(400, 401, 403, 404)}
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Score all of the study with one version; each row keeps its score until then."""
        study = self.study(request, public_id)
        given = self.told(ModelBody, request)
        count = studies.score_all(by=request.user, study=study, model=given["model"])
        return Response({"waiting": count})


class Share(Mine):
    """The link by which others read the results."""

    @extend_schema(request=None, responses={200: ShareView, **documented(400, 401, 403, 404)})
    def post(self, request: Request, public_id: str) -> Response:
        """Make a link that cannot be guessed, or return the one there is."""
        study = self.study(request, public_id)
        token = studies.share_study(by=actor(request), study=study)
        return Response({"address": f"/studies/shared/{token}/"})

    @extend_schema(responses={204: None, **documented(401, 403, 404)})
    def delete(self, request: Request, public_id: str) -> Response:
        """Take the link back."""
        study = self.study(request, public_id)
        studies.stop_sharing(by=actor(request), study=study)
        return Response(status=204)


class Results(Mine):
    """The results of a study."""

    @extend_schema(
        parameters=DETAIL, responses={200: ResultsView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Return what the newest analysis found."""
        study = self.study(request, public_id)
        row = study_queries.analysis_of(study)
        address = f"/api/studies/{public_id}/files/"
        return detail(request, study_queries.results_json(row, address))

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={202: AnalysisView, **documented(400, 401, 403, 404, 422)},
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Analyse the study by its locked plan."""
        study, key = self.study(request, public_id), asked_key(request)
        row, new = ask_for_analysis_once(by=actor(request), study=study, key=key)
        body = {"id": row.public_id, "job": row.job.public_id if row.job else None}
        return made(body, key=key, new=new, status=202)


class StudyFile(Mine):
    """One file of the newest results."""

    @extend_schema(
        responses={
            302: OpenApiResponse(description="the file's address"),
            **documented(401, 403, 404),
        }
    )
    def get(self, request: Request, public_id: str, name: str) -> HttpResponseRedirect:
        """Redirect to the file."""
        row = study_queries.analysis_of(self.study(request, public_id))
        return HttpResponseRedirect(study_queries.analysis_file(row, name, save=True))


urlpatterns = [
    path("studies", Studies.as_view()),
    path("studies/<str:public_id>", OneStudy.as_view()),
    path("studies/<str:public_id>/entries", Entries.as_view()),
    path("studies/<str:public_id>/entries/remove", Remove.as_view()),
    path("studies/<str:public_id>/table", Table.as_view()),
    path("studies/<str:public_id>/plan", Plan.as_view()),
    path("studies/<str:public_id>/lock", Lock.as_view()),
    path("studies/<str:public_id>/score-all", ScoreAll.as_view()),
    path("studies/<str:public_id>/share", Share.as_view()),
    path("studies/<str:public_id>/results", Results.as_view()),
    path("studies/<str:public_id>/files/<path:name>", StudyFile.as_view()),
]
