"""What others may do with a version that was handed in, and until when it is held back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from amgs.core import policy
from amgs.core.errors import NotFound, Refused
from amgs.repository import queries, services
from amgs.repository.models import Permission, Version
from amgs.web import signing
from curation import embargo as rules
from curation.dataset_version import ACCEPTED


def _ref(version: Version) -> str:
    return version.identifier.replace("/", ".")


def _found(request: HttpRequest, name: str, act: str) -> Version:
    version = queries.find_version(request.user, name)
    policy.require(request.user, act, version)
    return version


def _allowed(
    request: HttpRequest, version: Version, status: int = 200, **more: Any
) -> HttpResponse:
    signed = {row.kind: row for row in version.permissions.all()}
    form = signing.form(signed, request.user.name, version.licence)
    context = form | {
        "identifier": version.identifier,
        "ref": _ref(version),
        "licence_fixed": bool(version.licence),
        "rows": [
            {
                "kind": text.kind,
                "title": text.title,
                "text": text.text,
                "signed": signed.get(text.kind),
                "act": f"take_back_{text.kind}",
            }
            for text in form["texts"]
        ],
    }
    return render(request, "versions/allowed.html", context | more, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def allowed(request: HttpRequest, name: str) -> HttpResponse:
    """Show the four permissions word for word; give one that is not given yet."""
    version = _found(request, name, "set_permissions")
    if request.method != "POST":
        return _allowed(request, version)
    given = signing.given(request)
    kind = given["held"][0] if given["held"] else ""
    try:
        if kind not in Permission.Kind.values:
            raise NotFound("There is no such permission; reload the page.")
        services.give_permission(
            by=request.user,
            version=version,
            kind=kind,
            signer_name=given["signer"],
            right_to_share=given["right_to_share"],
            licence=given["licence"],
            text_version=given["text_version"],
        )
    except Refused as refused:
        more = {"problem": refused, "tried": kind, "signer": given["signer"]}
        return _allowed(request, version, 422, **more)
    messages.success(request, "Signed. It can be taken back at any time.")
    return redirect("version-allowed", _ref(version))


def _embargo(
    request: HttpRequest, version: Version, status: int = 200, **more: Any
) -> HttpResponse:
    over = rules.is_over(version.embargo_until, timezone.localdate())
    context = {
        "identifier": version.identifier,
        "ref": _ref(version),
        "held": None if over else version.embargo_until,
        "until": None if over else version.embargo_until,
        "train_under_embargo": version.train_under_embargo,
        "accepted": version.state == ACCEPTED,
    }
    return render(request, "versions/embargo.html", context | more, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def embargo(request: HttpRequest, name: str) -> HttpResponse:
    """Hold a version back, move the day, or lift the embargo."""
    version = _found(request, name, "set_embargo")
    if request.method != "POST":
        return _embargo(request, version)
    lift = "lift" in request.POST
    text = request.POST.get("until", "")
    ticked = "train_under_embargo" in request.POST
    try:
        until = None if lift else signing.day(text)
        if until is None and not lift:
            raise Refused("Please choose a day.", field="until")
        services.set_embargo(
            by=request.user,
            version=version,
            until=until,
            train_under_embargo=None if lift else ticked,
        )
    except Refused as refused:
        more = {"problem": refused, "until": text, "train_under_embargo": ticked}
        return _embargo(request, version, 422, **more)
    said = "The embargo is lifted." if lift else f"Held back until {until:%d %B %Y}."
    messages.success(request, said)
    return redirect("version", _ref(version))


urlpatterns = [
    path("datasets/<str:name>/allowed", allowed, name="version-allowed"),
    path("datasets/<str:name>/embargo", embargo, name="version-embargo"),
]
