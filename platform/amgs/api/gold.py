"""Gold frames: what raters learn from and are measured by; for curators."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped
from amgs.api.paging import LIST, page_together
from amgs.api.problems import documented
from amgs.core.errors import Refused
from amgs.review import golden
from amgs.review.services import retire_gold, set_gold
from curation.asking import KINDS, UNITS
from models.scale import load_scale

GRADES = [str(grade) for grade in range(max(len(unit.grades) for unit in load_scale().units))]


class AgreedView(serializers.Serializer):
    """What is agreed of one unit: a grade, null where it is not scorable."""

    unit = serializers.CharField()
    agreed = serializers.JSONField(allow_null=True)
    exact = serializers.FloatField(
        allow_null=True, help_text="share of raters who gave exactly that; null before anybody did"
    )


class GoldView(serializers.Serializer):
    """A gold frame."""

    id = serializers.CharField()
    frame = serializers.CharField()
    still = serializers.CharField(allow_null=True)
    kind = serializers.ChoiceField(list(KINDS))
    training = serializers.BooleanField()
    note = serializers.CharField(allow_blank=True)
    set_at = serializers.DateTimeField()
    raters = serializers.IntegerField()
    units = AgreedView(many=True)


class GoldPageView(serializers.Serializer):
    """One page of gold frames."""

    results = GoldView(many=True)
    next = serializers.CharField(allow_null=True)


class ProposedUnitView(serializers.Serializer):
    """The grade that a consensus makes likeliest; null where a unit is not scorable."""

    unit = serializers.CharField()
    agreed = serializers.IntegerField(allow_null=True)


class ProposalView(serializers.Serializer):
    """A frame that could become gold."""

    id = serializers.CharField()
    still = serializers.CharField(allow_null=True)
    units = ProposedUnitView(many=True)


class ProposalPageView(serializers.Serializer):
    """One page of proposals."""

    results = ProposalView(many=True)
    next = serializers.CharField(allow_null=True)


class GoldBody(serializers.Serializer):
    """A frame and its agreed answers."""

    frame = serializers.CharField(max_length=26)
    kind = serializers.ChoiceField(list(KINDS), default=UNITS)
    agreed = serializers.JSONField(
        help_text="as raters answer: unit to grade or `{reason: …}`; a word for the other kinds"
    )
    training = serializers.BooleanField(
        default=False, help_text="of the training set, not hidden among others"
    )
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class Golds(APIView):
    """Gold frames."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "curate"

    @extend_schema(
        operation_id="gold_list",
        parameters=[*LIST, OpenApiParameter("training", bool, default=True)],
        responses={200: GoldPageView, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the training set, or the hidden ones, newest first."""
        training = request.query_params.get("training", "true")
        if training not in {"true", "false"}:
            raise Refused("'training' is true or false.", field="training")
        rows = golden.gold_rows(request.user, training=training == "true")
        return page_together(rows, request, golden.shown)

    @extend_schema(request=GoldBody, responses={201: GoldView, **documented(400, 401, 403, 404)})
    def post(self, request: Request) -> Response:
        """Make a frame gold; one that is gold already gets the new answers."""
        body = GoldBody(data=request.data)
        body.is_valid(raise_exception=True)
        told: dict[str, Any] = dict(body.validated_data)
        frame = golden.frame_to_set(request.user, told.pop("frame"))
        row = set_gold(by=request.user, frame=frame, **told)
        return Response(golden.shown([row])[0], 201)


class Proposals(APIView):
    """Frames that could become gold."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "curate"

    @extend_schema(
        operation_id="gold_proposals_list",
        parameters=[
            *LIST,
            OpenApiParameter("unit", str, enum=list(load_scale().unit_keys)),
            OpenApiParameter("grade", str, enum=GRADES, description="of that unit"),
        ],
        responses={200: ProposalPageView, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return frames whose raters agree and that nobody is asked about any more."""
        grade = request.query_params.get("grade", "")
        if grade and grade not in GRADES:
            raise Refused(f"'grade' is one of {', '.join(GRADES)}.", field="grade")
        rows = golden.candidates(
            request.user,
            unit=request.query_params.get("unit", ""),
            grade=int(grade) if grade else None,
        )
        return page_together(rows, request, _proposed)


def _proposed(frames: Any) -> list[dict[str, Any]]:
    return [
        row | {"units": [{**one, "unit": one["unit"].key} for one in row["units"]]}
        for row in golden.proposals(frames)
    ]


class Retire(APIView):
    """A gold frame that is given to nobody any more."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "curate"

    @extend_schema(request=None, responses={204: None, **documented(401, 403, 404)})
    def delete(self, request: Request, public_id: str) -> Response:
        """Retire a gold frame; what was answered to it stays."""
        retire_gold(by=request.user, gold=golden.gold_of(request.user, public_id))
        return Response(status=204)


urlpatterns = [
    path("gold", Golds.as_view()),
    path("gold/proposals", Proposals.as_view()),
    path("gold/<str:public_id>", Retire.as_view()),
]
