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
from amgs.review.services import discard, find_assignment, next_assignment, rate


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


class AssignmentView(serializers.Serializer):
    """All that a rater gets of a frame."""

    id = serializers.CharField()
    still = serializers.CharField(help_text="signed address of the JPEG, good for minutes")
    units = UnitView(many=True)
    reasons = ReasonView(many=True)


class NextView(serializers.Serializer):
    """The next frame, or none."""

    assignment = AssignmentView(allow_null=True)
    remaining = serializers.IntegerField()


class GradesBody(serializers.Serializer):
    """Grades of every unit: a number, or ``{"reason": key}`` where it is not scorable."""

    grades = serializers.DictField(child=serializers.JSONField())
    seconds = serializers.FloatField(required=False, allow_null=True, default=None, min_value=0)


class DiscardBody(serializers.Serializer):
    """Why a frame is put aside."""

    why = serializers.CharField(max_length=100)


class CommittedView(serializers.Serializer):
    """What was committed."""

    id = serializers.CharField()
    rated_at = serializers.DateTimeField()


class Next(APIView):
    """The next frame to rate."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "rate"
    read_scope = "rate"

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "beside", str, description="ids of frames on your screen, joined by commas"
            )
        ],
        responses={200: NextView, **documented(401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the frame I hold, or else the next; it is mine for 15 minutes."""
        beside = [name for name in request.query_params.get("beside", "").split(",") if name][:20]
        found = next_assignment(rater=request.user, beside=beside)
        return Response(
            {
                "assignment": None if found is None else queries.assignment_row(found),
                "remaining": queries.remaining(request.user),
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
        row = rate(assignment=assignment, by=request.user, **body.validated_data)
        return Response({"id": row.public_id, "rated_at": row.rated_at})


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
        discard(assignment=assignment, by=request.user, why=body.validated_data["why"])
        return Response(status=204)


urlpatterns = [
    path("rating/next", Next.as_view()),
    path("rating/<str:public_id>", Rate.as_view()),
    path("rating/<str:public_id>/discard", Discard.as_view()),
]
