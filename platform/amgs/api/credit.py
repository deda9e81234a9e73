"""Credit: what became of my labs' data in the models that were promoted."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.api.authentication import Scoped
from amgs.api.paging import LIST, page_together
from amgs.api.problems import documented
from amgs.training import credit


class HeldOutView(serializers.Serializer):
    """Error of the image score on a lab's held-out animals of one coat, before and after."""

    coat = serializers.CharField()
    animals = serializers.IntegerField(allow_null=True)
    frames = serializers.IntegerField(allow_null=True)
    before = serializers.FloatField(allow_null=True)
    after = serializers.FloatField(allow_null=True)
    difference = serializers.FloatField(allow_null=True)
    interval = serializers.ListField(
        child=serializers.FloatField(allow_null=True), allow_null=True, help_text="95 %"
    )
    assessed = serializers.BooleanField(help_text="false: too few animals to say anything")


class CreditView(serializers.Serializer):
    """One version of a dataset in one model."""

    id = serializers.CharField()
    at = serializers.DateTimeField()
    model = serializers.CharField()
    model_id = serializers.CharField()
    state = serializers.CharField()
    phantom = serializers.BooleanField()
    before = serializers.CharField(allow_null=True, help_text="the model it was measured against")
    version = serializers.CharField()
    title = serializers.CharField()
    lab = serializers.CharField()
    used = serializers.DictField(help_text="split to frames and animals")
    sentence = serializers.CharField()
    errors = HeldOutView(many=True)


class CreditPageView(serializers.Serializer):
    """One page of credit."""

    results = CreditView(many=True)
    next = serializers.CharField(allow_null=True)


class Credits(APIView):
    """What became of my labs' data."""

    permission_classes = [IsAuthenticated, Scoped]

    @extend_schema(
        operation_id="credit_list",
        parameters=LIST,
        responses={200: CreditPageView, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return the models that learned from data of my labs, newest first."""
        return page_together(credit.credits_for(request.user), request, credit.shown)


urlpatterns = [path("credit", Credits.as_view())]
