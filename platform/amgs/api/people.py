"""The people of a lab, for its heads; everybody and their roles, for maintainers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amgs.accounts import services
from amgs.accounts.models import Lab, User
from amgs.api.accounts import LabView, lab_json
from amgs.api.authentication import Scoped
from amgs.api.paging import LIST, page, page_together
from amgs.api.problems import documented
from curation.roles import GIVEN


class MemberBody(serializers.Serializer):
    """A person to be added to a lab."""

    email = serializers.EmailField()


class HeadBody(serializers.Serializer):
    """Whether a member is to be a head of the lab."""

    is_head = serializers.BooleanField()


class RoleBody(serializers.Serializer):
    """A role to be given."""

    role = serializers.ChoiceField(GIVEN)


class MemberView(serializers.Serializer):
    """Somebody who belongs to a lab."""

    id = serializers.CharField()
    name = serializers.CharField()
    is_head = serializers.BooleanField()


class MemberPageView(serializers.Serializer):
    """One page of members."""

    results = MemberView(many=True)
    next = serializers.CharField(allow_null=True)


class PersonView(serializers.Serializer):
    """A person as maintainers see them; `roles` are those that were given."""

    id = serializers.CharField()
    name = serializers.CharField()
    email = serializers.EmailField()
    roles = serializers.ListField(child=serializers.CharField())
    labs = LabView(many=True)


class PersonPageView(serializers.Serializer):
    """One page of people."""

    results = PersonView(many=True)
    next = serializers.CharField(allow_null=True)


def _member_json(lab: Lab, user: User) -> dict[str, Any]:
    is_head = lab.memberships.filter(user=user, is_head=True).exists()
    return {"id": user.public_id, "name": user.name, "is_head": is_head}


def _person_json(user: User) -> dict[str, Any]:
    return {
        "id": user.public_id,
        "name": user.name,
        "email": user.email,
        "roles": sorted(grant.role for grant in user.grants.all()),
        "labs": [lab_json(lab) for lab in user.labs.all()],
    }


class Members(APIView):
    """The people of a lab."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(
        operation_id="members_list",
        parameters=LIST,
        responses={200: MemberPageView, **documented(400, 401, 403, 404)},
    )
    def get(self, request: Request, public_id: str) -> Response:
        """Return who belongs to one of my labs, in the order in which they came to the site."""
        lab = services.lab(by=request.user, public_id=public_id)
        heads = set(lab.memberships.filter(is_head=True).values_list("user_id", flat=True))

        def each(users: Sequence[User]) -> list[dict[str, Any]]:
            return [
                {"id": user.public_id, "name": user.name, "is_head": user.pk in heads}
                for user in users
            ]

        return page_together(lab.members.all(), request, each, newest_first=False)

    @extend_schema(
        request=MemberBody,
        responses={
            200: OpenApiResponse(LabView, "The person belonged to it before."),
            201: LabView,
            **documented(400, 401, 403, 404),
        },
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Add a person who has an account to a lab whose head I am."""
        body = MemberBody(data=request.data)
        body.is_valid(raise_exception=True)
        lab = services.lab(by=request.user, public_id=public_id)
        email = body.validated_data["email"]
        _, is_new = services.add_by_address(lab=lab, email=email, by=request.user)
        return Response(lab_json(lab), 201 if is_new else 200)


class Member(APIView):
    """One of the people of a lab."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "contribute"

    @extend_schema(request=HeadBody, responses={200: MemberView, **documented(400, 401, 403, 404)})
    def patch(self, request: Request, public_id: str, person: str) -> Response:
        """Make a member a head of a lab of mine, or no longer one."""
        body = HeadBody(data=request.data)
        body.is_valid(raise_exception=True)
        lab, user = services.member(by=request.user, lab_id=public_id, person_id=person)
        services.set_head(lab=lab, user=user, head=body.validated_data["is_head"], by=request.user)
        return Response(_member_json(lab, user))

    @extend_schema(responses={204: None, **documented(400, 401, 403, 404)})
    def delete(self, request: Request, public_id: str, person: str) -> Response:
        """Let somebody go from a lab whose head I am, or leave it myself."""
        lab, user = services.member(by=request.user, lab_id=public_id, person_id=person)
        services.remove_member(lab=lab, user=user, by=request.user)
        return Response(status=204)


class People(APIView):
    """Everybody who has an account, with addresses, which no lesser token is to read."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = read_scope = "maintain"

    @extend_schema(
        operation_id="people_list",
        parameters=[*LIST, OpenApiParameter("q", str, description="parts of name or address")],
        responses={200: PersonPageView, **documented(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Return people, newest first, with the roles that were given to them."""
        words = request.query_params.get("q", "")
        return page(services.people(by=request.user, words=words), request, _person_json)


class Roles(APIView):
    """The roles of a person."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "maintain"

    @extend_schema(request=RoleBody, responses={200: PersonView, **documented(400, 401, 403, 404)})
    def post(self, request: Request, public_id: str) -> Response:
        """Give a person a role on the whole site; whoever holds it keeps it."""
        body = RoleBody(data=request.data)
        body.is_valid(raise_exception=True)
        user = services.person(by=request.user, public_id=public_id)
        services.grant_role(user=user, role=body.validated_data["role"], by=request.user)
        return Response(_person_json(services.person(by=request.user, public_id=public_id)))


class Role(APIView):
    """One role of a person."""

    permission_classes = [IsAuthenticated, Scoped]
    scope = "maintain"

    @extend_schema(responses={204: None, **documented(400, 401, 403, 404)})
    def delete(self, request: Request, public_id: str, role: str) -> Response:
        """Take a role from a person; what they did while they held it stays."""
        user = services.person(by=request.user, public_id=public_id)
        services.take_role(user=user, role=role, by=request.user)
        return Response(status=204)


urlpatterns = [
    path("labs/<str:public_id>/members", Members.as_view()),
    path("labs/<str:public_id>/members/<str:person>", Member.as_view()),
    path("people", People.as_view()),
    path("people/<str:public_id>/roles", Roles.as_view()),
    path("people/<str:public_id>/roles/<str:role>", Role.as_view()),
]
