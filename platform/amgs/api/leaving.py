"""Permissions after submission, embargo, new versions, deletion and its undo, consequences."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped
from amgs.api.details import DETAIL, detail
from amgs.api.paging import LIST, page
from amgs.api.problems import documented
from amgs.api.versions import LabName, SignatureBody, VersionView
from amgs.core.errors import NotFound
from amgs.repository import queries, services
from amgs.repository.models import Permission
from amgs.repository.tombstone import (
    consequences_page,
    deleted_drafts,
    deleted_row,
    texts_json,
)
from curation import permissions
from curation.leaving import ACTS


class TextView(serializers.Serializer):
    """One text as it is signed."""

    kind = serializers.CharField()
    title = serializers.CharField()
    text = serializers.CharField()
    sha256 = serializers.CharField()


class LicenceChoiceView(serializers.Serializer):
    """A licence of the public download."""

    key = serializers.CharField()
    title = serializers.CharField()


class TextsView(serializers.Serializer):
    """One version of the permission texts."""

    version = serializers.CharField()
    since = serializers.DateField()
    current = serializers.BooleanField()
    texts = TextView(many=True)
    licences = LicenceChoiceView(many=True)


class TakeBackBody(serializers.Serializer):
    """Why a permission is taken back."""

    why = serializers.CharField(max_length=2000)


class EmbargoBody(serializers.Serializer):
    """Until when a version is held back; null lifts the embargo."""

    until = serializers.DateField(allow_null=True)
    why = serializers.CharField(required=False, default="", allow_blank=True, max_length=2000)
    train_under_embargo = serializers.BooleanField(
        required=False,
        help_text="training may use it before the day; its frames are shown to nobody",
    )


class ConsequenceView(serializers.Serializer):
    """One thing that follows from an act, or that stays as it is."""

    key = serializers.CharField()
    number = serializers.IntegerField()
    sentence = serializers.CharField()
    stays = serializers.BooleanField()


class ConsequencesView(serializers.Serializer):
    """What an act would do, told beforehand."""

    act = serializers.CharField()
    allowed = serializers.BooleanField()
    reason = serializers.CharField()
    consequences = ConsequenceView(many=True)


class DeletedView(serializers.Serializer):
    """A deleted draft that can be brought back."""

    id = serializers.CharField()
    identifier = serializers.CharField()
    title = serializers.CharField()
    lab = LabName()
    state = serializers.CharField()
    deleted_at = serializers.DateTimeField()
    until = serializers.DateTimeField()


class DeletedPageView(serializers.Serializer):
    """One page of deleted drafts."""

    results = DeletedView(many=True)
    next = serializers.CharField(allow_null=True)


class PermissionTexts(APIView):
    """The texts of the four permissions, word for word."""

    permission_classes = [AllowAny, Scoped]

    @extend_schema(
        parameters=[
            OpenApiParameter("version", str, description="the current one without it"),
            *DETAIL,
        ],
        responses={200: TextsView, **documented(304, 400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        """Return the texts of one version; every version there ever was can be had."""
        key = request.query_params.get("version") or permissions.current().key
        try:
            return detail(request, texts_json(permissions.wording(key)))
        except KeyError:
            known = ", ".join(row.key for row in permissions.wordings())
            raise NotFound(
                f"There is no version '{key}' of the texts; there are {known}."
            ) from None


class OnePermission(APIView):
    """One permission of a version that was handed in."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(
        operation_id="versions_permissions_give",
        request=SignatureBody,
        responses={200: VersionView, **documented(400, 401, 403, 404, 409)},
    )
    def put(self, request: Request, name: str, kind: str) -> Response:
        """Give one more permission, signed with a name."""
        version = queries.find_version(request.user, name)
        _known(kind)
        body = SignatureBody(data=request.data)
        body.is_valid(raise_exception=True)
        services.give_permission(by=request.user, version=version, kind=kind, **body.validated_data)
        return Response(queries.version_page(request.user, version))


class TakeBack(APIView):
    """The end of a permission."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(
        request=TakeBackBody, responses={200: VersionView, **documented(400, 401, 403, 404)}
    )
    def post(self, request: Request, name: str, kind: str) -> Response:
        """Take a permission back; ``consequences/take_back_…`` says beforehand what follows."""
        version = queries.find_version(request.user, name)
        _known(kind)
        body = TakeBackBody(data=request.data)
        body.is_valid(raise_exception=True)
        services.take_back_permission(
            by=request.user, version=version, kind=kind, **body.validated_data
        )
        return Response(queries.version_page(request.user, version))


def _known(kind: str) -> None:
    if kind not in Permission.Kind.values:
        raise NotFound(
            f"There is no permission '{kind}'; there are {', '.join(Permission.Kind.values)}."
        )


class Embargo(APIView):
    """The embargo of a version."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(
        request=EmbargoBody, responses={200: VersionView, **documented(400, 401, 403, 404, 409)}
    )
    def put(self, request: Request, name: str) -> Response:
        """Hold a version back until a day, move the day, or lift the embargo."""
        version = queries.find_version(request.user, name)
        body = EmbargoBody(data=request.data)
        body.is_valid(raise_exception=True)
        services.set_embargo(by=request.user, version=version, **body.validated_data)
        return Response(queries.version_page(request.user, version))


class Consequences(APIView):
    """What leaving would do."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(
        parameters=[OpenApiParameter("act", str, "path", enum=ACTS), *DETAIL],
        responses={200: ConsequencesView, **documented(304, 400, 401, 403, 404)},
    )
    def get(self, request: Request, name: str, act: str) -> Response:
        """Return what an act would do, in numbers, before it is done."""
        version = queries.find_version(request.user, name)
        if act not in ACTS:
            raise NotFound(f"Nothing is known of an act '{act}'; ask for {', '.join(ACTS)}.")
        found = consequences_page(request.user, act, version)
        if not found["allowed"]:
            found["consequences"] = []
        return detail(request, found)


class NextVersion(APIView):
    """The version after a published one."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(request=None, responses={201: VersionView, **documented(400, 401, 403, 404)})
    def post(self, request: Request, name: str) -> Response:
        """Begin the next version from this one; its files are shared, not copied."""
        version = queries.find_version(request.user, name)
        draft = services.new_draft(by=request.user, version=version)
        return Response(queries.version_page(request.user, draft), 201)


class Deleted(APIView):
    """Deleted drafts of my labs."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(parameters=LIST, responses={200: DeletedPageView, **documented(400, 401, 403)})
    def get(self, request: Request) -> Response:
        """Return the drafts that can be brought back."""
        return page(deleted_drafts(request.user), request, deleted_row)


class Restore(APIView):
    """Undo of a deletion."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(request=None, responses={200: VersionView, **documented(400, 401, 403, 404)})
    def post(self, request: Request, public_id: str) -> Response:
        """Bring a deleted draft back with everything it held."""
        version = deleted_drafts(request.user).filter(public_id=public_id).first()
        if version is None:
            raise NotFound("There is no such deleted draft of a lab of yours.")
        services.restore_draft(by=request.user, version=version)
        return Response(queries.version_page(request.user, version))


urlpatterns = [
    path("permission-texts", PermissionTexts.as_view()),
    path("versions/<str:name>/permissions/<str:kind>", OnePermission.as_view()),
    path("versions/<str:name>/permissions/<str:kind>/take-back", TakeBack.as_view()),
    path("versions/<str:name>/embargo", Embargo.as_view()),
    path("versions/<str:name>/consequences/<str:act>", Consequences.as_view()),
    path("versions/<str:name>/next", NextVersion.as_view()),
    path("deleted-drafts", Deleted.as_view()),
    path("deleted-drafts/<str:public_id>/restore", Restore.as_view()),
]
