"""How far a score is, while it runs; and what its owner may do: a message, a new link, delete."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from amgs.scoring import contributing, keeping, partial, queries
from amgs.scoring.messages import tell_when_over
from amgs.scoring.models import ToolRun
from amgs.web.owner import key_of


def _asks(request: HttpRequest) -> dict[str, Any]:
    person = request.user if request.user.is_authenticated else None
    return {"user": person, "key": key_of(request)}


@require_safe
@never_cache
def state(request: HttpRequest, token: str) -> HttpResponse:
    """Tell the page that waits how far a score is, with the frames graded so far."""
    return JsonResponse(partial.standing(queries.by_token(token)))


@require_POST
def tell(request: HttpRequest, token: str) -> HttpResponse:
    """Keep an address for one message when the score is over."""
    row = queries.by_token(token)
    tell_when_over(run=row, address=request.POST.get("mail", ""))
    messages.success(request, "One message will be sent when the score is over.")
    return redirect("score-result", token)


@require_POST
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Give a score a new address."""
    row = keeping.new_link(run=queries.by_token(token), **_asks(request))
    messages.success(request, "This is the new link; the old one leads nowhere any more.")
    return redirect("score-result", row.token)


@require_POST
def delete(request: HttpRequest, token: str) -> HttpResponse:
    """Delete a score and its file at the next sweep."""
    keeping.ask_deletion(run=queries.by_token(token), **_asks(request))
    return redirect("score-result", token)


@require_POST
def undo(request: HttpRequest, token: str) -> HttpResponse:
    """Take a deletion back."""
    keeping.take_back(run=queries.by_token(token, even_gone=True), **_asks(request))
    messages.success(request, "The score is back.")
    return redirect("score-result", token)


def gone(request: HttpRequest, row: ToolRun) -> HttpResponse:
    """Show what stands at the address of a score that is deleted, or about to be."""
    asks = _asks(request)
    context = {
        "row": row,
        "sentence": keeping.gone_sentence(row),
        "may_undo": row.deleted_at is None and keeping.owns(row, **asks),
    }
    return render(request, "scores/gone.html", context, status=410)


def owned(request: HttpRequest, row: ToolRun) -> dict[str, Any]:
    """Return what a page needs for the owner's buttons."""
    owns = keeping.owns(row, **_asks(request))
    given = contributing.contribution_json(row) if owns and row.user_id is not None else None
    return {
        "owns": owns,
        "goes_at": keeping.goes_at(row),
        "given": given and given | {"ref": given["version"].replace("/", ".")},
        "may_give": owns and row.user_id is not None,
    }


urlpatterns = [
    path("score/<str:token>/state", state, name="score-state"),
    path("score/<str:token>/tell", tell, name="score-tell"),
    path("score/<str:token>/link", link, name="score-link"),
    path("score/<str:token>/delete", delete, name="score-delete"),
    path("score/<str:token>/undo", undo, name="score-undo"),
]
