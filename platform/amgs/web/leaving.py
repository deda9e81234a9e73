"""Leaving, with its consequences told beforehand; new versions; deleted drafts and their undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from amgs.core.errors import NotFound, Refused
from amgs.repository import queries, services
from amgs.repository.models import Version
from amgs.repository.tombstone import consequences_page, deleted_drafts, deleted_row
from amgs.web import paging
from curation.leaving import ACTS, DELETE, RETRACT, UNDO_FOR, WITHDRAW
from curation.permissions import current

# Act → heading, what it is for, the button.
_WORDS = {
    WITHDRAW: (
        "Withdraw",
        "The lab may not share these data any more: a consent, a contract or a right has ended.",
        "Withdraw it for good",
    ),
    RETRACT: (
        "Retract",
        "The data are wrong: animals mixed up, a wrong drug, a camera fault. What learned from "
        "them has to know.",
        "Retract it",
    ),
    DELETE: (
        "Delete",
        "Nothing of it is published, so it can go without leaving a page behind.",
        "Delete the draft",
    ),
}


def _ref(version: Version) -> str:
    return version.identifier.replace("/", ".")


def _words(act: str, version: Version) -> tuple[str, str, str]:
    if act in _WORDS:
        title, lede, button = _WORDS[act]
        return f"{title} {version.identifier}", lede, button
    text = current().text(act.removeprefix("take_back_"))
    return f"Take back: {text.title.lower()}", text.text, "Take it back"


def _act(request: HttpRequest, version: Version, act: str, why: str) -> str:
    """Do it; return the sentence that says so."""
    name = version.identifier

    def delete() -> str:
        services.delete_draft(by=request.user, version=version, why=why)
        return f"{name} is deleted. It can be brought back for {UNDO_FOR.days} days."

    def leave() -> str:
        services.decide_version(by=request.user, version=version, action=act, why=why)
        return f"{name} is {version.lifecycle.title(version.state)} now."

    def take_back() -> str:
        kind = act.removeprefix("take_back_")
        services.take_back_permission(by=request.user, version=version, kind=kind, why=why)
        return "Taken back, from this moment."

    doing: Callable[[], str] = {DELETE: delete, WITHDRAW: leave, RETRACT: leave}.get(act, take_back)
    return doing()


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def leave(request: HttpRequest, name: str, act: str) -> HttpResponse:
    """Tell what an act would do, in numbers; do it once that was read and a reason given."""
    version = queries.find_version(request.user, name)
    if act not in ACTS:
        raise NotFound("There is no such act.")
    problem = None
    why = request.POST.get("why", "")
    if request.method == "POST":
        try:
            if not request.POST.get("understood"):
                raise Refused("Please tick that you have read what follows.", field="understood")
            said = _act(request, version, act, why)
        except Refused as refused:
            problem = refused
            version.refresh_from_db()
        else:
            messages.success(request, said)
            return redirect("deleted-drafts" if act == DELETE else _page_after(version, act))
    title, lede, button = _words(act, version)
    context: dict[str, Any] = {
        "identifier": version.identifier,
        "ref": _ref(version),
        "told": consequences_page(request.user, act, version),
        "title": title,
        "lede": lede,
        "button": button,
        "needs_reason": act != DELETE,
        "problem": problem,
        "why": why,
    }
    return render(request, "versions/leave.html", context, status=422 if problem else 200)


def _page_after(version: Version, act: str) -> str:
    page = "version" if act in {WITHDRAW, RETRACT} else "version-allowed"
    return reverse(page, args=[_ref(version)])


@require_POST
@login_required
def begin(request: HttpRequest, name: str) -> HttpResponse:
    """Begin the next version from this one."""
    version = queries.find_version(request.user, name)
    draft = services.new_draft(by=request.user, version=version)
    messages.success(
        request,
        f"{draft.identifier} holds what {version.identifier} holds; change what you like, sign "
        "the permissions and submit it.",
    )
    return redirect("version-describe", _ref(draft))


@require_safe
@login_required
def deleted(request: HttpRequest) -> HttpResponse:
    """List the deleted drafts of my labs."""
    page = paging.newest_first(deleted_drafts(request.user).order_by(), request)
    context = {"page": page, "rows": [deleted_row(row) for row in page], "days": UNDO_FOR.days}
    return render(request, "datasets/deleted.html", context)


@require_POST
@login_required
def restore(request: HttpRequest, public_id: str) -> HttpResponse:
    """Bring a deleted draft back."""
    version = deleted_drafts(request.user).filter(public_id=public_id).first()
    if version is None:
        raise NotFound("There is no such deleted draft of a lab of yours.")
    services.restore_draft(by=request.user, version=version)
    messages.success(request, f"{version.identifier} is back, as it was.")
    return redirect("version", _ref(version))


urlpatterns = [
    path("datasets/<str:name>/leave/", leave, {"act": ""}, name="version-leave"),
    path("datasets/<str:name>/leave/<str:act>", leave, name="version-leave-act"),
    path("datasets/<str:name>/next", begin, name="version-next"),
    path("deleted-drafts/", deleted, name="deleted-drafts"),
    path("deleted-drafts/<str:public_id>/restore", restore, name="draft-restore"),
]
