"""Long work: how far it is, and stopping or beginning it again."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped
from amgs.api.details import DETAIL, detail
from amgs.api.problems import documented
from amgs.core import jobs, policy
from amgs.core.models import Job


class JobView(serializers.Serializer):
    """A job as it is shown."""

    id = serializers.CharField()
    kind = serializers.CharField()
    subject = serializers.CharField()
    state = serializers.CharField()
    attempt = serializers.IntegerField()
    progress = serializers.FloatField()
    note = serializers.CharField()
    error = serializers.CharField()
    result = serializers.DictField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


def job_json(row: Job) -> dict[str, Any]:
    """Return a job as JSON. Traces stay with the maintainers of the installation."""
    return {
        "id": row.public_id,
        "kind": row.kind,
        "subject": row.subject,
        "state": row.state,
        "attempt": row.attempt,
        "progress": row.progress,
        "note": row.note,
        "error": row.error,
        "result": row.result,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }


class One(APIView):
    """One job. Its id cannot be guessed; whoever has it may watch."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: JobView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Return the job."""
        return detail(request, job_json(jobs.get(public_id)))


class Cancel(APIView):
    """Stop a job."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(request=None, responses={200: JobView, **documented(400, 401, 403, 404)})
    def post(self, request: Request, public_id: str) -> Response:
        """Cancel a waiting job at once, or ask a running one to stop."""
        row = jobs.get(public_id)
        policy.require(request.user, "core.job.cancel", row)
        jobs.cancel(row)
        return Response(job_json(jobs.get(public_id)))


class Retry(APIView):
    """Begin a failed job again."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(request=None, responses={200: JobView, **documented(400, 401, 403, 404)})
    def post(self, request: Request, public_id: str) -> Response:
        """Begin a failed job again."""
        row = jobs.get(public_id)
        policy.require(request.user, "core.job.retry", row)
        jobs.retry(row)
        return Response(job_json(jobs.get(public_id)))


urlpatterns = [
    path("jobs/<str:public_id>", One.as_view()),
    path("jobs/<str:public_id>/cancel", Cancel.as_view()),
    path("jobs/<str:public_id>/retry", Retry.as_view()),
]
