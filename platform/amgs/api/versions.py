"""Versions of datasets: what is submitted, reviewed, published and cited.

``{name}`` is a public id or an identifier written with a point: ``AMGS-000123.2``.
"""

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
from amgs.api.paging import LIST, numbered
from amgs.api.problems import documented
from amgs.core import policy
from amgs.core.decisions import history as decisions_about
from amgs.core.errors import NotFound, Refused
from amgs.repository import queries, services
from amgs.repository.models import Permission, Version
from amgs.review import queries as review
from amgs.review.services import answer_check, mark_seen, newest_result
from amgs.review.services.checks import MOST_ANSWER
from curation.contributors import AUTHOR, MOST_NAME
from curation.contributors import BY_KEY as ROLES
from curation.dataset_version import LIFECYCLE
from curation.exclusions import LONGEST_WHY, REASONS
from curation.licences import LICENCES
from curation.roles import CONTRIBUTOR

# Steps that the owning lab takes; all others are a curator's.
OWNER_STEPS = {row.action for row in LIFECYCLE.transitions if CONTRIBUTOR in row.roles}


class DesignBody(serializers.Serializer):
    """Groups, animals and observations, as in ``dataset.json``."""

    groups = serializers.ListField(child=serializers.DictField(), default=list)
    animals = serializers.ListField(child=serializers.DictField(), default=list)
    observations = serializers.ListField(child=serializers.DictField(), default=list)


class ContributorBody(serializers.Serializer):
    """One person with one role; the order of the authors is that of the citation."""

    name = serializers.CharField(
        max_length=MOST_NAME, help_text="family name, comma, given names: `Arber, Alice`"
    )
    orcid = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=60,
        help_text="as digits or address; its check digit is verified (ISO 7064 mod 11-2)",
    )
    role = serializers.ChoiceField(tuple(ROLES), required=False, default=AUTHOR)


class PatchBody(serializers.Serializer):
    """Fields of a draft to change."""

    title = serializers.CharField(max_length=300, required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    licence = serializers.ChoiceField(tuple(LICENCES), required=False, allow_blank=True)
    ethics = serializers.CharField(required=False, allow_blank=True)
    funder = serializers.CharField(required=False, allow_blank=True, max_length=300)
    metadata = serializers.DictField(required=False)
    contributors = ContributorBody(many=True, required=False)
    embargo_until = serializers.DateField(required=False, allow_null=True)
    train_under_embargo = serializers.BooleanField(required=False)


class SignatureBody(serializers.Serializer):
    """Who signs, and what was read and confirmed."""

    signer_name = serializers.CharField(max_length=200)
    right_to_share = serializers.BooleanField(
        required=False,
        default=False,
        help_text="the signer confirms that the lab may share the data; needed to allow anything",
    )
    licence = serializers.ChoiceField(
        tuple(LICENCES), required=False, allow_blank=True, help_text="of the public download"
    )
    text_version = serializers.CharField(
        required=False, max_length=20, help_text="of the texts that were read; the current one"
    )


class PermissionsBody(SignatureBody):
    """The uses the owner allows, signed."""

    kinds = serializers.ListField(child=serializers.ChoiceField(Permission.Kind.values))


class PlaceBody(serializers.Serializer):
    """A recording of the version, or one frame of it."""

    recording = serializers.CharField(required=False, max_length=26)
    frame = serializers.CharField(
        required=False, max_length=26, help_text="one frame alone; `recording` may then be left out"
    )


class RejectedBody(PlaceBody):
    """What is left out of a version that is accepted, and why."""

    reason = serializers.ChoiceField(tuple(REASONS))
    why = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=LONGEST_WHY
    )


class PinnedRemarkBody(PlaceBody):
    """A remark on a recording or a frame."""

    text = serializers.CharField(max_length=5000)


class VersionActionBody(serializers.Serializer):
    """Why a step is taken."""

    why = serializers.CharField(required=False, default="", allow_blank=True)
    without_audit = serializers.BooleanField(
        required=False,
        default=False,
        help_text="accept although the audit is not finished; `why` then says why that is right",
    )
    rejected = RejectedBody(
        many=True,
        required=False,
        default=list,
        help_text="with `accept`: recordings and frames that are left out, all others accepted",
    )
    remarks = PinnedRemarkBody(
        many=True,
        required=False,
        default=list,
        help_text="with `accept` or `request_changes`: remarks on recordings and frames",
    )


class RemarkBody(serializers.Serializer):
    """A remark on a version."""

    text = serializers.CharField(max_length=5000)


class VersionActionView(serializers.Serializer):
    """A step that may follow, and whether you may take it."""

    action = serializers.CharField()
    title = serializers.CharField()
    allowed = serializers.BooleanField()
    reason = serializers.CharField()
    needs_reason = serializers.BooleanField()
    warning = serializers.CharField()


class LabName(serializers.Serializer):
    """A lab in short."""

    id = serializers.CharField()
    name = serializers.CharField()


class DatasetName(serializers.Serializer):
    """A dataset in short."""

    id = serializers.CharField()
    identifier = serializers.CharField()


class VersionRowView(serializers.Serializer):
    """A version as lists show it."""

    id = serializers.CharField()
    identifier = serializers.CharField()
    dataset = DatasetName()
    lab = LabName()
    title = serializers.CharField()
    state = serializers.CharField()
    state_title = serializers.CharField()
    licence = serializers.CharField()
    phantom = serializers.BooleanField()
    assay = serializers.CharField()
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    published_at = serializers.DateTimeField(allow_null=True)
    own = serializers.BooleanField()
    actions = VersionActionView(many=True)


class VersionView(VersionRowView):
    """A version with everything but its lists."""

    description = serializers.CharField()
    ethics = serializers.CharField()
    funder = serializers.CharField()
    metadata = serializers.DictField()
    contributors = ContributorBody(many=True)
    completeness = serializers.FloatField()
    embargo_until = serializers.DateField(allow_null=True)
    train_under_embargo = serializers.BooleanField()
    tombstone = serializers.DictField(
        allow_null=True, help_text="of a version that left: who, when, why and what followed"
    )
    permissions = serializers.DictField(child=serializers.BooleanField())
    signed = serializers.ListField(child=serializers.DictField())
    design = serializers.DictField()
    counts = serializers.DictField()


class ScreeningView(serializers.Serializer):
    """What the checks said last."""

    id = serializers.CharField()
    at = serializers.DateTimeField()
    passed = serializers.BooleanField()
    results = serializers.ListField(child=serializers.DictField())
    blocking = serializers.ListField(child=serializers.CharField())


class AuditView(serializers.Serializer):
    """Progress and agreement of the blind audit."""

    id = serializers.CharField()
    frames = serializers.IntegerField()
    frames_finished = serializers.IntegerField()
    ratings = serializers.IntegerField()
    ratings_wanted = serializers.IntegerField()
    raters_per_frame = serializers.IntegerField()
    agreement = serializers.DictField()
    agreement_at = serializers.DateTimeField(allow_null=True)


class VersionDecisionView(serializers.Serializer):
    """Who did what, when, why, and on which facts."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    action = serializers.CharField()
    by = serializers.CharField()
    why = serializers.CharField()
    facts = serializers.DictField()


class VersionDecisionPageView(serializers.Serializer):
    """One page of decisions, oldest first."""

    results = VersionDecisionView(many=True)
    next = serializers.CharField(allow_null=True)


def opened(request: Request, name: str) -> Version:
    """Return a version that is open to who asks; whoever looks no longer rates it blind."""
    version = queries.find_version(request.user, name)
    mark_seen(user=request.user, dataset=version.dataset)
    return version


class One(APIView):
    """One version."""

    scope = "contribute"

    def get_permissions(self) -> list[Any]:
        """Anybody may look at what is published; changing a draft needs a person."""
        first = AllowAny if self.request.method == "GET" else IsAuthenticated
        return [first(), Scoped()]

    @extend_schema(
        parameters=DETAIL, responses={200: VersionView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, name: str) -> Response:
        """Return a version."""
        return detail(request, queries.version_page(request.user, opened(request, name)))

    @extend_schema(
        request=PatchBody, responses={200: VersionView, **documented(400, 401, 403, 404, 409)}
    )
    def patch(self, request: Request, name: str) -> Response:
        """Change fields of a draft; ``metadata`` replaces what was there."""
        version = queries.find_version(request.user, name)
        body = PatchBody(data=request.data)
        body.is_valid(raise_exception=True)
        services.update_version(by=request.user, version=version, **body.validated_data)
        return Response(queries.version_page(request.user, version))

    @extend_schema(responses={204: None, **documented(400, 401, 403, 404, 409)})
    def delete(self, request: Request, name: str) -> Response:
        """Delete an unpublished version; its lab can bring it back for 30 days."""
        version = queries.find_version(request.user, name)
        services.delete_draft(by=request.user, version=version)
        return Response(status=204)


class Design(APIView):
    """The design of a version's experiment."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(
        request=DesignBody, responses={200: VersionView, **documented(400, 401, 403, 404)}
    )
    def put(self, request: Request, name: str) -> Response:
        """Say which groups, animals and observations there are; rows keep identity by name."""
        version = queries.find_version(request.user, name)
        body = DesignBody(data=request.data)
        body.is_valid(raise_exception=True)
        services.set_design(by=request.user, version=version, **body.validated_data)
        return Response(queries.version_page(request.user, version))


class Permissions(APIView):
    """What others may do with a version."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(
        request=PermissionsBody, responses={200: VersionView, **documented(400, 401, 403, 404)}
    )
    def put(self, request: Request, name: str) -> Response:
        """Allow exactly these uses, signed with a name."""
        version = queries.find_version(request.user, name)
        body = PermissionsBody(data=request.data)
        body.is_valid(raise_exception=True)
        services.sign_permissions(by=request.user, version=version, **body.validated_data)
        return Response(queries.version_page(request.user, version))


class ScreeningResult(APIView):
    """What the checks said of a version."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: ScreeningView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, name: str) -> Response:
        """Return the newest screening with every check's sentence."""
        version = opened(request, name)
        policy.require(request.user, "see_ratings", version)
        found = review.screening_page(request.user, version, pictures=False)
        if found is None:
            raise NotFound("The checks have not run yet; they do so when the version is submitted.")
        return detail(request, found)


class CheckAnswerBody(serializers.Serializer):
    """Why a warning is no fault."""

    answer = serializers.CharField(
        max_length=MOST_ANSWER, allow_blank=True, help_text="empty: an earlier one is taken back"
    )


class CheckAnswer(APIView):
    """The lab's answer to a warning; the curator reads both."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(
        request=CheckAnswerBody,
        responses={200: ScreeningView, **documented(400, 401, 403, 404)},
    )
    def put(self, request: Request, name: str, check: str) -> Response:
        """Answer what a check warned of last; returns the screening."""
        version = opened(request, name)
        body = CheckAnswerBody(data=request.data)
        body.is_valid(raise_exception=True)
        result = newest_result(version, check)
        answer_check(by=request.user, result=result, answer=body.validated_data["answer"])
        return Response(review.screening_page(request.user, version, pictures=False))


class AuditResult(APIView):
    """The blind audit of a version; not for those who rate in it."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(
        parameters=DETAIL, responses={200: AuditView, **documented(304, 400, 401, 403, 404)}
    )
    def get(self, request: Request, name: str) -> Response:
        """Return progress and agreement."""
        version = queries.find_version(request.user, name)
        policy.require(request.user, "see_audit", version)
        mark_seen(user=request.user, dataset=version.dataset)
        return detail(request, review.audit_page(version))


class History(APIView):
    """Everything that was decided and remarked on a version."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(
        operation_id="versions_history_list",
        parameters=LIST,
        responses={200: VersionDecisionPageView, **documented(400, 401, 403, 404)},
    )
    def get(self, request: Request, name: str) -> Response:
        """Return decisions, oldest first."""
        version = opened(request, name)
        policy.require(request.user, "see_dataset", version)
        return numbered(decisions_about(version), request, queries.decision_row)


class Act(APIView):
    """The steps of a version's life."""

    permission_classes = [IsAuthenticated, Scoped]

    @property
    def scope(self) -> str:
        """Steps of the owner need another scope than those of a curator."""
        return "contribute" if self.kwargs.get("action") in OWNER_STEPS else "curate"

    @extend_schema(
        request=VersionActionBody,
        responses={200: VersionView, **documented(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, name: str, action: str) -> Response:
        """Take a step; ``actions`` of the version say which there are and whether you may."""
        version = queries.find_version(request.user, name)
        body = VersionActionBody(data=request.data)
        body.is_valid(raise_exception=True)
        _take(request.user, version, action, dict(body.validated_data))
        return Response(queries.version_page(request.user, version))


def _take(by: Any, version: Version, action: str, given: dict[str, Any]) -> None:
    if action == "accept":
        services.accept_version(by=by, version=version, **given)
        return
    if given.pop("rejected"):
        raise Refused("Only 'accept' leaves recordings out.", field="rejected")
    if action == "request_changes":
        given.pop("without_audit")
        services.ask_for_changes(by=by, version=version, **given)
        return
    if given.pop("remarks"):
        raise Refused("Remarks go with 'accept' or 'request_changes'.", field="remarks")
    services.decide_version(by=by, version=version, action=action, **given)


class Remarks(APIView):
    """Remarks on a version."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(
        request=RemarkBody, responses={201: VersionDecisionView, **documented(400, 401, 403, 404)}
    )
    def post(self, request: Request, name: str) -> Response:
        """Write a remark."""
        version = queries.find_version(request.user, name)
        body = RemarkBody(data=request.data)
        body.is_valid(raise_exception=True)
        row = services.remark(by=request.user, version=version, text=body.validated_data["text"])
        return Response(queries.decision_row(row), 201)


urlpatterns = [
    path("versions/<str:name>", One.as_view()),
    path("versions/<str:name>/design", Design.as_view()),
    path("versions/<str:name>/permissions", Permissions.as_view()),
    path("versions/<str:name>/screening", ScreeningResult.as_view()),
    path("versions/<str:name>/screening/<str:check>", CheckAnswer.as_view()),
    path("versions/<str:name>/audit", AuditResult.as_view()),
    path("versions/<str:name>/history", History.as_view()),
    path("versions/<str:name>/actions/<str:action>", Act.as_view()),
    path("versions/<str:name>/remarks", Remarks.as_view()),
]
