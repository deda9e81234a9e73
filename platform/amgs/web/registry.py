"""Model versions: which serves, which wait, which were refused, and the evidence of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe

from amgs.core import policy
from amgs.core.errors import NotFound, Refused
from amgs.files.storage import get_storage
from amgs.registry import queries, services
from amgs.registry.models import ModelVersion
from amgs.training.leaving import notes_of_model
from amgs.web import paging
from amgs.web.people import actor
from amgs.web.policy_headers import HEADER, REPORT_POLICY
from amgs.web.promotion import pictures, reliability, risk, units_of
from curation.gates import not_assessed_of
from curation.side_by_side import grouped

# The slices of a report, in the order of the page, with the heading of each.
SLICES = (
    ("coat", "By coat"),
    ("lab", "By lab"),
    ("assay", "By assay"),
    ("sex", "By sex"),
)


@require_safe
def models(request: HttpRequest) -> HttpResponse:
    """List the versions, newest first, with the one that serves on top."""
    page = paging.newest_first(queries.versions(), request)
    serving = queries.serving()
    context = {
        "serving": queries.summary(serving) if serving else None,
        "page": page,
        "rows": [queries.summary(row) for row in page],
    }
    return render(request, "registry/list.html", context)


def _show(request: HttpRequest, name: str, **more: object) -> HttpResponse:
    row = queries.version(name)
    found = queries.detail(row, actor(request))
    by = found["report"].get("by") or {}
    context = {
        "row": row,
        "model": found,
        "history": queries.history(row),
        "verdicts": grouped(row.verdicts),
        "open_gates": _open_gates(row, more),
        "slices": [(title, by[key]) for key, title in SLICES if by.get(key)],
        "actions": found["actions"],
        "notes": notes_of_model(row),
        "may_see_run": policy.may(actor(request), "training.see_runs"),
    }
    return render(
        request, "registry/detail.html", context | more, status=422 if "problem" in more else 200
    )


@require_safe
def model(request: HttpRequest, name: str) -> HttpResponse:
    """Show one version with its gates, its report and what may be decided."""
    return _show(request, name)


@require_safe
def beside(request: HttpRequest, name: str) -> HttpResponse:
    """Show a version beside the one it was measured against, with what may be decided."""
    return _beside(request, name)


def _beside(request: HttpRequest, name: str, **more: object) -> HttpResponse:
    row = queries.version(name)
    found = queries.side_by_side(row)
    theirs = row.comparison.get("champion") or {}
    person = actor(request)
    context = {
        "row": row,
        "beside": found,
        "units": units_of(found["units"]),
        "reliability": reliability(row.report, theirs),
        "risk": risk(row.report, theirs),
        "pictures": pictures(request.user, person, found["differ"]),
        "verdicts": found["verdicts"],
        "actions": queries.actions(row, person),
        "open_gates": _open_gates(row, more),
        "history": queries.history(row),
    }
    return render(
        request, "registry/beside.html", context | more, status=422 if "problem" in more else 200
    )


def _open_gates(row: ModelVersion, more: Mapping[str, object]) -> list[dict[str, Any]]:
    """Return the gates that need an answer, with what was answered where it was not enough."""
    ticks = more.get("ticks")
    given = ticks if isinstance(ticks, dict) else {}
    return [{**gate, "given": given.get(gate["gate"])} for gate in not_assessed_of(row.verdicts)]


@require_POST
def act(request: HttpRequest, name: str, action: str) -> HttpResponse:
    """Decide on a version."""
    why = request.POST.get("why", "")
    ticked = request.POST.getlist("tick")
    ticks = {gate: request.POST.get(f"why:{gate}", "") for gate in ticked}
    row = queries.version(name)
    try:
        services.decide_model(by=actor(request), version=row, action=action, why=why, ticks=ticks)
    except Refused as refused:
        show = _beside if request.POST.get("from") == "beside" else _show
        return show(request, name, problem=refused, tried=action, why=why, ticks=ticks)
    messages.success(request, f"{row.identifier} is {row.lifecycle.title(row.state)} now.")
    return redirect("model", row.public_id)


@require_safe
@xframe_options_sameorigin
def report(request: HttpRequest, name: str) -> HttpResponse:
    """Hand out the report that the run wrote, in a sandbox: it is a file, not a page of ours."""
    row = queries.version(name)
    if not row.report_key:
        raise NotFound(f"{row.identifier} has no report of its own.")
    with get_storage().open(row.report_key) as stream:
        response = HttpResponse(stream.read(), content_type="text/html; charset=utf-8")
    response[HEADER] = REPORT_POLICY
    return response


urlpatterns = [
    path("models/", models, name="models"),
    path("models/<str:name>/", model, name="model"),
    path("models/<str:name>/beside", beside, name="model-beside"),
    path("models/<str:name>/report", report, name="model-report"),
    path("models/<str:name>/<str:action>", act, name="model-act"),
]
