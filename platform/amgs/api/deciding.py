"""What belongs to deciding on a version: who has the review, what is left out, disagreements.

The steps themselves are ``versions/{name}/actions/{action}``.
"""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.accounts.models import User
from amgs.api.authentication import Scoped
from amgs.api.details import asked_fields, picked
from amgs.api.paging import LIST, limit_of
from amgs.api.problems import documented
from amgs.api.versions import VersionDecisionView, VersionRowView, opened
from amgs.core import policy
from amgs.core.errors import Refused
from amgs.repository import queries, services
from amgs.repository.exclusions import left_out
from amgs.review import desk, reading
from amgs.review.services import adjudicate, hand_over, mark_seen


class HandOverBody(serializers.Serializer):
    """To whom a review is handed, and what they need to know."""

    to = serializers.CharField(max_length=26, help_text="id of a curator; your own takes it over")
    note = serializers.CharField(max_length=500)


class ReplyBody(serializers.Serializer):
    """A reply to a remark."""

    text = serializers.CharField(max_length=5000)


class ExclusionView(serializers.Serializer):
    """A recording or frame that is not in the version, and why."""

    id = serializers.CharField()
    recording = serializers.CharField()
    name = serializers.CharField()
    frame = serializers.CharField(allow_null=True)
    time_s = serializers.FloatField(allow_null=True)
    reason = serializers.CharField()
    title = serializers.CharField()
    why = serializers.CharField()
    by = serializers.CharField()
    at = serializers.DateTimeField()


class ExclusionListView(serializers.Serializer):
    """All that is left out of a version; one act leaves out a thousand at most."""

    results = ExclusionView(many=True)


class ReplyView(serializers.Serializer):
    """A reply to a remark."""

    by = serializers.CharField()
    at = serializers.DateTimeField()
    text = serializers.CharField()


class PinView(serializers.Serializer):
    """A remark on a recording or a frame, with its replies."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    by = serializers.CharField()
    text = serializers.CharField()
    recording = serializers.CharField()
    name = serializers.CharField()
    frame = serializers.CharField(allow_null=True)
    time_s = serializers.FloatField(allow_null=True)
    still = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(("open", "answered", "gone"))
    replies = ReplyView(many=True)


class PinListView(serializers.Serializer):
    """Remarks on pictures, oldest first."""

    results = PinView(many=True)


class AnonymousVoteView(serializers.Serializer):
    """What one rater said, under a letter."""

    letter = serializers.CharField()
    grade = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField(allow_null=True)


class DecidedView(serializers.Serializer):
    """What a curator decided instead of the votes."""

    grade = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    why = serializers.CharField()
    by = serializers.CharField()


class DisputedUnitView(serializers.Serializer):
    """A unit of a frame on which raters disagree."""

    unit = serializers.CharField()
    disagreement = serializers.CharField()
    votes = AnonymousVoteView(many=True)
    decided = DecidedView(allow_null=True)


class DisputedFrameView(serializers.Serializer):
    """A frame with its disputed units."""

    id = serializers.CharField()
    still = serializers.CharField(allow_null=True)
    rated_by_you = serializers.BooleanField()
    units = DisputedUnitView(many=True)


class DisputedPageView(serializers.Serializer):
    """One page of disputed frames."""

    results = DisputedFrameView(many=True)
    next = serializers.CharField(allow_null=True)


class AdjudicationBody(serializers.Serializer):
    """The decision on one unit of one frame."""

    frame = serializers.CharField(max_length=26)
    unit = serializers.CharField(max_length=40)
    grade = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=9)
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=20, help_text="why it is not scorable"
    )
    why = serializers.CharField(max_length=500)


class QueueRowView(VersionRowView):
    """A version that waits, with what its review has come to."""

    checks_passed = serializers.BooleanField(allow_null=True)
    warned = serializers.BooleanField()
    ratings = serializers.IntegerField(allow_null=True)
    ratings_wanted = serializers.IntegerField(allow_null=True)
    reviewer = serializers.CharField(allow_blank=True)
    is_mine = serializers.BooleanField()
    since = serializers.DateTimeField()


class QueuePageView(serializers.Serializer):
    """One page of the queue."""

    results = QueueRowView(many=True)
    next = serializers.CharField(allow_null=True)


class Queue(APIView):
    """What waits for the curators."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "curate"

    @extend_schema(
        operation_id="review_queue_list",
        parameters=[
            *LIST,
            *(OpenApiParameter(key, str, description=title) for key, title in desk.TITLES.items()),
        ],
        responses={200: QueuePageView, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the versions that wait, the longest wait first; narrowed down as on the page."""
        policy.require(request.user, "assign_audit")
        chosen = desk.check(request.query_params, desk.filters(request.user))
        limit, fields = limit_of(request, 50), asked_fields(request)
        after = request.query_params.get("after", "")
        rows, following = desk.page(request.user, chosen, after=after, limit=limit)
        return Response(
            {
                "results": [picked(desk.row(request.user, row), fields) for row in rows],
                "next": following or None,
            }
        )


class HandOver(APIView):
    """Who has the review of a version."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "curate"

    @extend_schema(
        request=HandOverBody,
        responses={201: VersionDecisionView, **documented(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, name: str) -> Response:
        """Hand the review over with a note, or take over one that another curator has."""
        version = queries.find_version(request.user, name)
        body = HandOverBody(data=request.data)
        body.is_valid(raise_exception=True)
        policy.require(request.user, "hand_over", version)
        to = User.objects.filter(public_id=body.validated_data["to"], is_active=True).first()
        if to is None:
            raise Refused("There is no such person.", field="to")
        row = hand_over(by=request.user, version=version, to=to, note=body.validated_data["note"])
        return Response(queries.decision_row(row), 201)


class LeftOut(APIView):
    """What is left out of a version."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(responses={200: ExclusionListView, **documented(400, 401, 403, 404)})
    def get(self, request: Request, name: str) -> Response:
        """Return recordings and frames with their reasons; for the lab and the curators."""
        version = opened(request, name)
        policy.require(request.user, "see_dataset_inside", version)
        return Response(ExclusionListView({"results": left_out(version)}).data)


class TakeIn(APIView):
    """Undo leaving out."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "curate"

    @extend_schema(
        request=None, responses={201: VersionDecisionView, **documented(400, 401, 403, 404, 409)}
    )
    def post(self, request: Request, name: str, public_id: str) -> Response:
        """Take a recording or frame in again; possible until the version is published."""
        version = queries.find_version(request.user, name)
        row = services.take_in_again(by=request.user, version=version, name=public_id)
        return Response(queries.decision_row(row), 201)


class Pins(APIView):
    """Remarks on pictures."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(responses={200: PinListView, **documented(400, 401, 403, 404)})
    def get(self, request: Request, name: str) -> Response:
        """Return the remarks on recordings and frames with their replies."""
        version = opened(request, name)
        policy.require(request.user, "see_dataset_inside", version)
        return Response({"results": reading.pins(request.user, version)})


class Replies(APIView):
    """Replies to remarks."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(
        request=ReplyBody, responses={201: VersionDecisionView, **documented(400, 401, 403, 404)}
    )
    def post(self, request: Request, name: str, number: int) -> Response:
        """Reply to a remark; its ``number`` is that of the decision."""
        version = queries.find_version(request.user, name)
        body = ReplyBody(data=request.data)
        body.is_valid(raise_exception=True)
        row = services.reply(
            by=request.user, version=version, number=number, text=body.validated_data["text"]
        )
        return Response(queries.decision_row(row), 201)


class Disagreements(APIView):
    """Units of frames on which raters disagree."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "curate"

    @extend_schema(responses={200: DisputedPageView, **documented(400, 401, 403, 404)})
    def get(self, request: Request, name: str) -> Response:
        """Return disputed frames with grades and reasons, without names."""
        version = queries.find_version(request.user, name)
        for act in ("adjudicate", "see_audit"):
            policy.require(request.user, act, version)
        mark_seen(user=request.user, dataset=version.dataset)
        page = reading.disputed_page(
            request.user, version, request.query_params.get("after", ""), limit=50
        )
        frames = [
            frame | {"units": [_disputed(row) for row in frame["units"]]}
            for frame in page["frames"]
        ]
        return Response({"results": frames, "next": page["next"] or None})

    @extend_schema(
        request=AdjudicationBody,
        responses={201: VersionDecisionView, **documented(400, 401, 403, 404)},
    )
    def post(self, request: Request, name: str) -> Response:
        """Decide one unit: ``grade``, or ``reason`` where it is not scorable."""
        version = queries.find_version(request.user, name)
        body = AdjudicationBody(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        grade, reason = given.pop("grade", None), given.pop("reason", "")
        answer: Any = grade if grade is not None else {"reason": reason}
        row = adjudicate(by=request.user, version=version, answer=answer, **given)
        return Response(queries.decision_row(row), 201)


def _disputed(row: dict[str, Any]) -> dict[str, Any]:
    decided = row["decided"]
    return {
        "unit": row["unit"].key,
        "disagreement": row["sentence"],
        "votes": row["votes"],
        "decided": decided
        and {
            "grade": decided.grade,
            "reason": decided.reason,
            "why": decided.why,
            "by": decided.by_name,
        },
    }


urlpatterns = [
    path("review", Queue.as_view()),
    path("versions/<str:name>/hand-over", HandOver.as_view()),
    path("versions/<str:name>/left-out", LeftOut.as_view()),
    path("versions/<str:name>/left-out/<str:public_id>/take-in", TakeIn.as_view()),
    path("versions/<str:name>/pins", Pins.as_view()),
    path("versions/<str:name>/remarks/<int:number>/replies", Replies.as_view()),
    path("versions/<str:name>/disagreements", Disagreements.as_view()),
]
