"""Everybody who has an account, and the roles they hold: the page of the maintainers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from amgs.accounts import services
from amgs.core.errors import Refused
from amgs.web.paging import back_to, newest_first
from curation.roles import GIVEN, MAINTAINER, ROLES

MEANING = {role: ROLES[role].partition(": ")[2] for role in GIVEN}


@require_safe
@login_required
def people(request: HttpRequest) -> HttpResponse:
    """List everybody who has an account, newest first."""
    return _show(request)


def _show(request: HttpRequest, status: int = 200, **more: Any) -> HttpResponse:
    words = request.GET.get("q", "").strip()
    page = newest_first(services.people(by=request.user, words=words), request)
    rows = [
        {
            "person": person,
            "labs": sorted(person.labs.all(), key=lambda lab: lab.name),
            "roles": [role for role in GIVEN if role in held],
            "free": [role for role in GIVEN if role not in held],
        }
        for person in page
        for held in [{grant.role for grant in person.grants.all()}]
    ]
    context = {"page": page, "rows": rows, "q": words, "meaning": MEANING}
    return render(request, "people/list.html", context | more, status=status)


@require_POST
@login_required
def give(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give a person a role."""
    person = services.person(by=request.user, public_id=public_id)
    role = request.POST.get("role", "")
    try:
        services.grant_role(user=person, role=role, by=request.user)
    except Refused as refused:
        return _show(request, 422, problem=refused, tried=public_id)
    messages.success(request, f"{person.name} is a {role} now.")
    return redirect(back_to("people", request))


@require_POST
@login_required
def take(request: HttpRequest, public_id: str, role: str) -> HttpResponse:
    """Take a role from a person."""
    person = services.person(by=request.user, public_id=public_id)
    try:
        services.take_role(user=person, role=role, by=request.user)
    except Refused as refused:
        return _show(request, 422, problem=refused, tried=public_id)
    messages.success(request, f"{person.name} is no longer a {role}.")
    itself = person == request.user and role == MAINTAINER and not request.user.is_superuser
    return redirect("account" if itself else back_to("people", request))


urlpatterns = [
    path("people/", people, name="people"),
    path("people/<str:public_id>/roles", give, name="role-give"),
    path("people/<str:public_id>/roles/<str:role>/take", take, name="role-take"),
]
