"""What is made of a score when asked, and its corrections by hand."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.accounts.models import User
from amgs.api.authentication import Scoped
from amgs.api.problems import documented
from amgs.core.base import PUBLIC, Actor
from amgs.scoring import corrections, extras, queries
from amgs.scoring.keeping import key_in, owns


class ExtraBody(serializers.Serializer):
    """What is to be made."""

    what = serializers.ChoiceField(choices=sorted(extras.TITLES))


class ExtrasView(serializers.Serializer):
    """What was asked for, by its kind, each with state, progress and files."""

    extras = serializers.DictField()


class CorrectionBody(serializers.Serializer):
    """Grades of one frame by hand."""

    place = serializers.IntegerField(
        min_value=0, help_text="row of the frame in the files of the score, counted from 0"
    )
    units = serializers.DictField(
        child=serializers.CharField(max_length=60),
        help_text="unit → grade, or `ns:` and the reason why it cannot be scored",
    )


class CorrectionsView(serializers.Serializer):
    """What was corrected, newest first; ``act`` is what undoes it."""

    corrections = serializers.ListField(child=serializers.DictField())


def _who(request: Request) -> Actor:
    return request.user if isinstance(request.user, User) else PUBLIC


class ScoreExtras(APIView):
    """A film, saliency maps, an Excel workbook, an annotated film, corrected figures."""

    permission_classes = [AllowAny, Scoped]
    scope = "score"

    @extend_schema(
        request=ExtraBody, responses={202: ExtrasView, **documented(400, 401, 403, 404, 429)}
    )
    def post(self, request: Request, token: str) -> Response:
        """Ask for it; what is there already, or under way, is not made again."""
        body = ExtraBody(data=request.data)
        body.is_valid(raise_exception=True)
        row = queries.by_token(token)
        extras.ask_for(run=row, what=body.validated_data["what"])
        return Response({"extras": extras.summary(row)}, 202)


class ScoreCorrections(APIView):
    """Corrections by hand: a second column; the result stays the model's."""

    permission_classes = [AllowAny, Scoped]
    scope = "score"

    @extend_schema(
        request=CorrectionBody,
        responses={201: CorrectionsView, **documented(400, 401, 403, 404, 429)},
    )
    def post(self, request: Request, token: str) -> Response:
        """Correct the grades of one frame of one's own score."""
        body = CorrectionBody(data=request.data)
        body.is_valid(raise_exception=True)
        row = queries.by_token(token)
        corrections.correct(
            by=_who(request),
            run=row,
            place=body.validated_data["place"],
            said=body.validated_data["units"],
            asked_here=owns(row, user=None, key=key_in(request.COOKIES)),
        )
        return Response({"corrections": corrections.acts(row)}, 201)


class ScoreCorrection(APIView):
    """What was corrected with one press."""

    permission_classes = [AllowAny, Scoped]
    scope = "score"

    @extend_schema(responses={200: CorrectionsView, **documented(401, 403, 404, 429)})
    def delete(self, request: Request, token: str, act: str) -> Response:
        """Undo it; what was said before counts again."""
        row = queries.by_token(token)
        here = owns(row, user=None, key=key_in(request.COOKIES))
        corrections.undo(by=_who(request), run=row, act=act, asked_here=here)
        return Response({"corrections": corrections.acts(row)})


urlpatterns = [
    path("scores/<str:token>/extras", ScoreExtras.as_view()),
    path("scores/<str:token>/corrections", ScoreCorrections.as_view()),
    path("scores/<str:token>/corrections/<str:act>", ScoreCorrection.as_view()),
]
