"""Watch: what the public scorer sees and says, its probe, and calls for data."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from amgs.core import policy, vocabulary
from amgs.core.errors import Refused
from amgs.registry import queries as registry
from amgs.review import calls
from amgs.review.models import CallForData
from amgs.scoring import probing, watching
from amgs.web import charts

CLOSED = 5
KINDS = {"input": "What it sees", "output": "What it says"}


def _show(request: HttpRequest, problem: Refused | None = None, form: str = "") -> HttpResponse:
    policy.require(request.user, "scoring.see_watch")
    version = registry.serving()
    told, probe = watching.watch_json(version), probing.probe_json(version)
    titles = dict([*vocabulary.states(), *vocabulary.coats()])
    before = registry.served_before()
    context = {
        "version": version,
        "told": told,
        "groups": [
            (title, [_drawn(row, titles) for row in told["figures"] if row["kind"] == kind])
            for kind, title in KINDS.items()
        ],
        "drifted": [
            row["weeks"][-1]["drift"]
            for row in told["figures"]
            if row["weeks"] and (row["weeks"][-1]["drift"] or {}).get("drifted")
        ],
        "any_shown": any(row["recordings"] for row in told["weeks"]),
        "probe": probe,
        "probe_chart": charts.probe(probe),
        "before": before,
        "may_roll_back": policy.may(request.user, f"{registry.KIND}.rollback", before)
        if before
        else None,
        "calls": list(calls.open_calls()),
        "closed": CallForData.objects.exclude(closed_at=None).order_by("-closed_at")[:CLOSED],
        "coats": vocabulary.coats(),
        "may_call": policy.may(request.user, "call_for_data"),
        "problem": problem,
        "form": form,
        "given": request.POST if problem else {},
    }
    return render(request, "registry/watch.html", context, status=422 if problem else 200)


def _drawn(figure: dict[str, Any], titles: dict[str, str]) -> dict[str, Any]:
    newest = figure["weeks"][-1] if figure["weeks"] else None
    return figure | {
        "chart": charts.histogram(figure, newest["counts"] if newest else None, titles)
        if newest or figure["reference"]
        else None,
        "course": charts.stability(figure["weeks"]),
        "drift": newest["drift"] if newest else None,
    }


@require_safe
@login_required
@never_cache
def watch(request: HttpRequest) -> HttpResponse:
    """Show the probe, the weeks and the calls for data."""
    return _show(request)


@require_POST
@login_required
def open_call(request: HttpRequest) -> HttpResponse:
    """Open a call for data by hand."""
    given = request.POST
    try:
        calls.open_call(by=request.user, reason=given.get("reason", ""), coat=given.get("coat", ""))
    except Refused as refused:
        return _show(request, refused, "call")
    messages.success(request, "The call is open and stands on the pages for contributors.")
    return redirect("watch")


@require_POST
@login_required
def close_call(request: HttpRequest, public_id: str) -> HttpResponse:
    """Close a call with a reason."""
    row = calls.find(public_id)
    try:
        calls.close_call(by=request.user, call=row, why=request.POST.get("why", ""))
    except Refused as refused:
        return _show(request, refused, row.public_id)
    messages.success(request, "The call is closed.")
    return redirect("watch")


urlpatterns = [
    path("watch/", watch, name="watch"),
    path("watch/calls", open_call, name="call-open"),
    path("watch/calls/<str:public_id>/close", close_call, name="call-close"),
]
