"""Tools: what is installed, what each wants to know, and runs of them."""

from __future__ import annotations

from django.http import HttpResponseRedirect
from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.accounts.models import User
from amgs.api.authentication import Scoped
from amgs.api.details import DETAIL, detail
from amgs.api.problems import documented
from amgs.core.base import PUBLIC
from amgs.files.services import find_upload
from amgs.scoring import tools


class ToolView(serializers.Serializer):
    """An installed tool; ``error`` is empty unless it cannot be used."""

    name = serializers.CharField()
    package = serializers.CharField()
    error = serializers.CharField()
    version = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    accepts = serializers.ListField(child=serializers.CharField())
    gives_grades = serializers.BooleanField()


class ToolList(serializers.Serializer):
    """All tools that are installed here."""

    tools = ToolView(many=True)


class ToolDetailView(ToolView):
    """A tool with the JSON schema of its parameters; ``refusal`` says why it may not run now."""

    refusal = serializers.CharField()
    parameters = serializers.DictField()


class ToolRunBody(serializers.Serializer):
    """A run as it is asked for."""

    upload = serializers.CharField(help_text="id of an upload opened for the purpose 'tool'")
    parameters = serializers.DictField(
        required=False, default=dict, help_text="by name, as the tool's JSON schema says"
    )


class ToolRunJob(serializers.Serializer):
    """How far a run is."""

    id = serializers.CharField(allow_null=True)
    state = serializers.CharField()
    progress = serializers.FloatField()
    note = serializers.CharField()
    error = serializers.CharField()


class ToolRunView(serializers.Serializer):
    """A run as it is shown; ``result`` and ``provenance`` are null until it is over."""

    token = serializers.CharField()
    tool = serializers.CharField()
    title = serializers.CharField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    parameters = serializers.DictField()
    job = ToolRunJob()
    result = serializers.DictField(allow_null=True)
    provenance = serializers.DictField(allow_null=True)
    files = serializers.DictField(child=serializers.CharField(), help_text="address by file name")


def _person(request: Request) -> User | None:
    return request.user if isinstance(request.user, User) else None


class Tools(APIView):
    """Tools."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(operation_id="tools_list", responses={200: ToolList, **documented(401, 403)})
    def get(self, request: Request) -> Response:
        """Return every installed tool, those that cannot be used too."""
        person = _person(request)
        rows = tools.listed(maintainer=person is not None and "maintainer" in person.roles)
        return Response({"tools": rows})


class Tool(APIView):
    """One tool."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: ToolDetailView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, name: str) -> Response:
        """Return a tool with the JSON schema of its parameters."""
        return detail(request, tools.schema_of(name))


class ToolRuns(APIView):
    """Runs of one tool."""

    permission_classes = [AllowAny, Scoped]
    scope = "score"

    @extend_schema(
        request=ToolRunBody, responses={201: ToolRunView, **documented(400, 401, 403, 404, 429)}
    )
    def post(self, request: Request, name: str) -> Response:
        """Run a tool on an uploaded file."""
        body = ToolRunBody(data=request.data)
        body.is_valid(raise_exception=True)
        tools.find(name)
        person = _person(request)
        run = tools.start_tool(
            user=person,
            name=name,
            upload=find_upload(body.validated_data["upload"], by=person or PUBLIC),
            parameters=body.validated_data["parameters"],
        )
        return Response(tools.run_json(tools.by_token(run.token)), 201)


class ToolRun(APIView):
    """One run. Its token cannot be guessed; whoever has it may look."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        operation_id="tool_run_retrieve",
        parameters=DETAIL,
        responses={200: ToolRunView, **documented(304, 400, 401, 403, 404)},
    )
    def get(self, request: Request, token: str) -> Response:
        """Return the run of a tool."""
        return detail(request, tools.run_json(tools.by_token(token)))


class ToolRunFile(APIView):
    """One file of a run."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        responses={
            302: OpenApiResponse(description="the file's address"),
            **documented(401, 403, 404),
        }
    )
    def get(self, request: Request, token: str, name: str) -> HttpResponseRedirect:
        """Redirect to the file."""
        return HttpResponseRedirect(tools.file_address(tools.by_token(token), name))


urlpatterns = [
    path("tools", Tools.as_view()),
    path("tools/runs/<str:token>", ToolRun.as_view()),
    path("tools/runs/<str:token>/files/<str:name>", ToolRunFile.as_view()),
    path("tools/<str:name>", Tool.as_view()),
    path("tools/<str:name>/runs", ToolRuns.as_view()),
]
