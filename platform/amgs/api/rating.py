"""Rating blind: the next frame, its grades, putting it aside.

Nothing here ever tells a rater which lab, dataset, animal, time or rater a frame belongs to.
"""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped
from amgs.api.problems import documented
from amgs.review import queries
from amgs.review.services import (
    discard,
    find_assignment,
    next_assignment,
    rate,
    take_back,
)
from curation.asking import KINDS, UNITS


class UnitView(serializers.Serializer):
    """An action unit as raters grade it."""

    key = serializers.CharField()
    title = serializers.CharField()
    short = serializers.CharField()
    grades = serializers.ListField(child=serializers.CharField())
    note = serializers.CharField()


class ReasonView(serializers.Serializer):
    """Why a unit or a whole frame cannot be scored."""

    key = serializers.CharField()
    title = serializers.CharField()
    level = serializers.CharField()


class ChoiceView(serializers.Serializer):
    """An answer of a state or view task."""

    key = serializers.CharField()
    title = serializers.CharField()
    note = serializers.CharField(allow_blank=True)


class AssignmentView(serializers.Serializer):
    """All that a rater gets of a frame."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(list(KINDS))
    question = serializers.CharField()
    still = serializers.CharField(help_text="signed address of the JPEG, good for minutes")
    clip = serializers.CharField(
        allow_null=True, help_text="signed address of a silent film, of state tasks alone"
    )
    training = serializers.BooleanField(
        help_text="of the training set: the agreed grades are told after yours"
    )
    units = UnitView(many=True)
    choices = ChoiceView(many=True)
    reasons = ReasonView(many=True)


class NextView(serializers.Serializer):
    """The next frame, or none."""

    assignment = AssignmentView(allow_null=True)
    remaining = serializers.IntegerField()


class ViewingBody(serializers.Serializer):
    """How the picture was looked at."""

    zoom = serializers.FloatField(required=False, min_value=0.1, max_value=100)
    contrast = serializers.FloatField(required=False, min_value=0.1, max_value=100)
    width = serializers.FloatField(required=False, min_value=1, max_value=100000)


class GradesBody(serializers.Serializer):
    """The answers to one frame.

    ``grades`` of every unit: a number, or ``{"reason": key}`` where it is not scorable; ``answer``
    the one word of a state or view task.
    """

    grades = serializers.DictField(child=serializers.JSONField(), required=False)
    answer = serializers.CharField(required=False, max_length=40)
    seconds = serializers.FloatField(required=False, allow_null=True, default=None, min_value=0)
    viewing = ViewingBody(required=False)
    flag = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")


class DiscardBody(serializers.Serializer):
    """Why a frame is put aside; ``recognised``: the animal or its group is known to the rater."""

    why = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    recognised = serializers.BooleanField(required=False, default=False)


class FeedbackView(serializers.Serializer):
    """What is agreed of a frame of the training set; null where a unit is not scorable."""

    agreed = serializers.DictField(child=serializers.JSONField(allow_null=True))
    note = serializers.CharField(allow_blank=True)


class CommittedView(serializers.Serializer):
    """What was committed."""

    id = serializers.CharField()
    rated_at = serializers.DateTimeField(allow_null=True)
    feedback = FeedbackView(allow_null=True)


class Next(APIView):
    """The next frame to rate."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "rate"
    read_scope = "rate"

    @extend_schema(
        parameters=[
            OpenApiParameter("kind", str, enum=list(KINDS), default=UNITS),
            OpenApiParameter(
                "beside", str, description="ids of frames on your screen, joined by commas"
            ),
        ],
        responses={200: NextView, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the frame I hold, or else the next; it is mine for 15 minutes."""
        beside = [name for name in request.query_params.get("beside", "").split(",") if name][:200]
        kind = request.query_params.get("kind", UNITS)
        found = next_assignment(rater=request.user, kind=kind, beside=beside)
        return Response(
            {
                "assignment": None if found is None else queries.assignment_row(found),
                "remaining": queries.remaining(request.user, kind),
            }
        )


class Rate(APIView):
    """Grades of a frame."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "rate"

    @extend_schema(
        request=GradesBody, responses={200: CommittedView, **documented(400, 401, 403, 404, 409)}
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Commit grades; sending the same again changes nothing."""
        assignment = find_assignment(request.user, public_id)
        body = GradesBody(data=request.data)
        body.is_valid(raise_exception=True)
        told = dict(body.validated_data)
        grades, answer = told.pop("grades", None), told.pop("answer", None)
        row = rate(
            assignment=assignment,
            by=request.user,
            grades=grades if answer is None else answer,
            **told,
        )
        return Response(queries.committed_row(row))


class TakeBack(APIView):
    """The last frame, once more."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "rate"

    @extend_schema(request=None, responses={200: CommittedView, **documented(400, 401, 403, 404)})
    def post(self, request: Request, public_id: str) -> Response:
        """Undo the last frame I committed, within ten minutes."""
        row = take_back(assignment=find_assignment(request.user, public_id), by=request.user)
        return Response(queries.committed_row(row))


class Discard(APIView):
    """Putting a frame aside."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "rate"

    @extend_schema(request=DiscardBody, responses={204: None, **documented(400, 401, 403, 404)})
    def post(self, request: Request, public_id: str) -> Response:
        """Put a frame aside, for example because I recognise the animal."""
        assignment = find_assignment(request.user, public_id)
        body = DiscardBody(data=request.data)
        body.is_valid(raise_exception=True)
        discard(assignment=assignment, by=request.user, **body.validated_data)
        return Response(status=204)


urlpatterns = [
    path("rating/next", Next.as_view()),
    path("rating/<str:public_id>", Rate.as_view()),
    path("rating/<str:public_id>/discard", Discard.as_view()),
    path("rating/<str:public_id>/take-back", TakeBack.as_view()),
]
