"""Contribute the recording of a score to a draft of one's lab, and take it out again."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from amgs.core import policy
from amgs.core.errors import Refused
from amgs.repository.models import Observation, Version
from amgs.scoring import contributing, queries
from amgs.scoring.models import ToolRun


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def contribute(request: HttpRequest, token: str) -> HttpResponse:
    """Choose a draft, then animal and time point; say where the recording is."""
    row = queries.by_token(token)
    policy.require(request.user, contributing.CONTRIBUTE, row)
    drafts = contributing.drafts_of(request.user)
    asked = request.POST if request.method == "POST" else request.GET
    chosen = next((one for one in drafts if one.public_id == asked.get("version")), None)
    if chosen is None and len(drafts) == 1:
        chosen = drafts[0]
    problem = None
    if request.method == "POST":
        try:
            made = _contribute(request, row, chosen)
        except Refused as refused:
            problem = refused
        else:
            messages.success(request, f"The recording is in {made.identifier} now.")
            return redirect("score-contribute", token)
    given = contributing.contribution_json(row)
    context: dict[str, Any] = {
        "row": row,
        "given": given and given | {"ref": _ref(given["version"])},
        "drafts": drafts,
        "labs": request.user.lab_ids,
        "chosen": chosen,
        "ref": _ref(chosen.identifier) if chosen else "",
        "observations": contributing.observations_of(chosen) if chosen else [],
        "name": asked.get("name", row.name),
        "place": asked.get("observation", ""),
        "problem": problem,
    }
    return render(request, "scores/contribute.html", context, status=422 if problem else 200)


def _ref(identifier: str) -> str:
    return identifier.replace("/", ".")


def _contribute(request: HttpRequest, row: ToolRun, chosen: Version | None) -> Version:
    if chosen is None:
        raise Refused("Choose one of your drafts; this one is none any more.", field="version")
    wanted, place = request.POST.get("observation", ""), None
    if wanted:
        rows = contributing.observations_of(chosen)
        place = rows.filter(public_id=wanted).first()
        if place is None:
            raise Refused(
                "The design has changed and does not have this time point any more; choose anew.",
                field="observation",
            )
    contributing.contribute(
        by=request.user,
        run=row,
        version=chosen,
        name=request.POST.get("name", ""),
        **_names(place),
    )
    return chosen


def _names(place: Observation | None) -> dict[str, str]:
    return {"animal": place.animal.name, "observation": place.name} if place else {}


@require_POST
@login_required
def take_out(request: HttpRequest, token: str) -> HttpResponse:
    """Take the recording out of its draft again."""
    row = queries.by_token(token)
    contributing.take_out(by=request.user, run=row)
    messages.success(request, "The recording was taken out of the draft again.")
    return redirect("score-contribute", token)


urlpatterns = [
    path("score/<str:token>/contribute", contribute, name="score-contribute"),
    path("score/<str:token>/contribute/take-out", take_out, name="score-take-out"),
]
