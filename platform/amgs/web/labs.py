"""Labs: those of a person on their account page, and every lab on a page of its own.

Members see their lab; maintainers see all of them, also one that nobody belongs to any more.
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from amgs.accounts import services
from amgs.accounts.models import Lab
from amgs.accounts.rules import runs
from amgs.core.errors import Refused
from amgs.web import account
from amgs.web.paging import newest_first
from curation.roles import MAINTAINER

OWN_PAGE = "lab"
"""What ``?on=`` says where a form stands on the lab's own page, not on the account page."""


@require_safe
@login_required
def labs(request: HttpRequest) -> HttpResponse:
    """List all labs, newest first, for those who look after them."""
    words = request.GET.get("q", "").strip()
    page = newest_first(services.labs(by=request.user, words=words), request)
    rows = [
        {
            "lab": found,
            "people": len(members),
            "heads": sorted(row.user.name for row in members if row.is_head),
        }
        for found in page
        for members in [found.memberships.all()]
    ]
    return render(request, "people/labs.html", {"page": page, "rows": rows, "q": words})


@require_safe
@login_required
def lab(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show who belongs to a lab."""
    return _shown(request, services.lab(by=request.user, public_id=public_id))


def _shown(request: HttpRequest, found: Lab, status: int = 200, **more: object) -> HttpResponse:
    context = {
        "lab": found,
        "heads": {found.pk} if runs(request.user, found) else set(),
        "on": OWN_PAGE,
    }
    return render(request, "people/lab.html", context | more, status=status)


def _again(request: HttpRequest, refused: Refused, found: Lab) -> HttpResponse:
    """Show the page that a refused form was sent from."""
    if request.GET.get("on") == OWN_PAGE:
        more = {"problem": refused, "form": found.public_id, "given": request.POST}
        return _shown(request, found, 422, **more)
    return account.again(request, refused, found.public_id)


def _done(request: HttpRequest, found: Lab) -> HttpResponse:
    """Return to the page that a form was sent from, as long as it may be seen."""
    seen = MAINTAINER in request.user.roles or found.members.filter(pk=request.user.pk).exists()
    if request.GET.get("on") == OWN_PAGE and seen:
        return redirect("lab", found.public_id)
    return redirect("account")


@require_POST
@login_required
def create_lab(request: HttpRequest) -> HttpResponse:
    """Make a lab whose head I am."""
    try:
        made = services.create_lab(
            name=request.POST.get("name", ""),
            institution=request.POST.get("institution", ""),
            by=request.user,
        )
    except Refused as refused:
        return account.again(request, refused, "lab")
    messages.success(request, f"The lab “{made.name}” exists; you are its head.")
    return redirect("account")


@require_POST
@login_required
def add_member(request: HttpRequest, public_id: str) -> HttpResponse:
    """Add a person who has an account to a lab."""
    found = services.lab(by=request.user, public_id=public_id)
    try:
        user, _ = services.add_by_address(
            lab=found, email=request.POST.get("email", ""), by=request.user
        )
    except Refused as refused:
        return _again(request, refused, found)
    messages.success(request, f"{user.name} belongs to “{found.name}” now.")
    return _done(request, found)


@require_POST
@login_required
def remove_member(request: HttpRequest, public_id: str, person: str) -> HttpResponse:
    """Let somebody go from a lab, or leave it."""
    found, user = services.member(by=request.user, lab_id=public_id, person_id=person)
    try:
        services.remove_member(lab=found, user=user, by=request.user)
    except Refused as refused:
        return _again(request, refused, found)
    who = "You no longer belong" if user == request.user else f"{user.name} no longer belongs"
    messages.success(request, f"{who} to “{found.name}”.")
    return _done(request, found)


@require_POST
@login_required
def set_head(request: HttpRequest, public_id: str, person: str) -> HttpResponse:
    """Make somebody a head of a lab, or no longer one."""
    found, user = services.member(by=request.user, lab_id=public_id, person_id=person)
    head = request.POST.get("head") == "yes"
    try:
        services.set_head(lab=found, user=user, head=head, by=request.user)
    except Refused as refused:
        return _again(request, refused, found)
    who = "You are" if user == request.user else f"{user.name} is"
    messages.success(request, f"{who} {'now' if head else 'no longer'} a head of “{found.name}”.")
    return _done(request, found)


urlpatterns = [
    path("account/labs", create_lab, name="lab-create"),
    path("labs/", labs, name="labs"),
    path("labs/<str:public_id>", lab, name="lab"),
    path("labs/<str:public_id>/members", add_member, name="lab-member"),
    path(
        "labs/<str:public_id>/members/<str:person>/remove",
        remove_member,
        name="lab-member-remove",
    ),
    path("labs/<str:public_id>/members/<str:person>/head", set_head, name="lab-head"),
]
