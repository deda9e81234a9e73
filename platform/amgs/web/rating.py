"""Rating blind: one frame, its units, no word about where it comes from."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from amgs.core import policy
from amgs.core.errors import Refused
from amgs.review import queries, services
from amgs.review.models import Assignment
from amgs.review.standing import week_begins
from curation.asking import KINDS, UNITS
from models.scale import load_scale

NOT_SCORABLE = "n"


def _show(
    request: HttpRequest,
    assignment: Assignment | None,
    status: int = 200,
    kind: str = UNITS,
    **more: Any,
) -> HttpResponse:
    scale = load_scale()
    kind = assignment.kind if assignment else kind
    asked = list(assignment.units) if assignment else []
    context = {
        "assignment": queries.assignment_row(assignment) if assignment else None,
        "asked": asked,
        "asked_json": json.dumps(asked),
        "kind": KINDS[kind],
        "kinds": list(KINDS.values()),
        "remaining": queries.remaining(request.user, kind),
        "most_counted": queries.MOST_COUNTED,
        "elsewhere": [] if assignment else _elsewhere(request.user, kind),
        "scale": scale,
        "unit_reasons": [row for row in scale.reasons if row.level == "unit"],
        "frame_reasons": [row for row in scale.reasons if row.level == "frame"],
    }
    return render(request, "rating/rate.html", context | more, status=status)


def _elsewhere(rater: Any, kind: str) -> list[dict[str, Any]]:
    """Return the other kinds of task that wait for this rater, and how many of each."""
    counts = {one: queries.remaining(rater, one) for one in KINDS if one != kind}
    return [{"kind": KINDS[one], "count": count} for one, count in counts.items() if count]


@require_safe
@login_required
@never_cache
def rate(request: HttpRequest) -> HttpResponse:
    """Show the frame this rater holds, or the next."""
    policy.require(request.user, "rate_frames")
    kind = request.GET.get("kind", UNITS)
    if kind not in KINDS:
        return redirect("rate")
    found = services.next_assignment(rater=request.user, kind=kind)
    return _show(request, found, kind=kind)


@require_safe
@login_required
@never_cache
def strip(request: HttpRequest) -> HttpResponse:
    """Show several faces at once, one unit after the other; the frames come over the API."""
    policy.require(request.user, "rate_frames")
    if queries.is_in_training(request.user):
        return redirect("rate")
    scale = load_scale()
    reasons = [{"key": row.key, "title": row.title, "level": row.level} for row in scale.reasons]
    return render(request, "rating/strip.html", {"scale": scale, "reasons": json.dumps(reasons)})


@require_safe
@login_required
@never_cache
def own_figures(request: HttpRequest) -> HttpResponse:
    """Show a rater their own figures, which nobody else sees."""
    policy.require(request.user, "rate_frames")
    told = queries.standing_page(request.user)
    weeks = [
        {
            "begins": week_begins(week),
            "frames": frames,
            "bias": bias,
            "place": _place(bias),
            "interval": [_place(low), _place(high)],
        }
        for week, frames, bias, low, high in told["figures"].get("weeks", [])
    ]
    return render(request, "rating/own.html", told | {"weeks": weeks})


def _place(bias: float | None) -> float | None:
    """Return where a bias of -1 to 1 grade lies on a bar from 0 to 1."""
    return None if bias is None else min(max((bias + 1) / 2, 0.0), 1.0)


def _grades(given: Any, asked: Collection[str]) -> dict[str, Any]:
    """Return grades per unit from the form: a number, or the reason why there is none."""
    whole = given.get("frame-reason", "")
    found: dict[str, Any] = {}
    for unit in load_scale().units:
        if unit.key not in asked:
            continue
        answer = given.get(unit.key, "")
        if whole:
            found[unit.key] = {"reason": whole}
        elif answer == NOT_SCORABLE:
            found[unit.key] = {"reason": given.get(f"{unit.key}-reason", "")}
        elif answer.isdecimal():
            found[unit.key] = int(answer)
    return found


def _seconds(text: str) -> float | None:
    try:
        return max(float(text), 0.0)
    except ValueError:
        return None


@require_POST
@login_required
def commit(request: HttpRequest, public_id: str) -> HttpResponse:
    """Commit the grades of one frame from the plain form."""
    assignment = services.find_assignment(request.user, public_id)
    try:
        services.rate(
            assignment=assignment,
            by=request.user,
            grades=_grades(request.POST, assignment.units)
            if assignment.kind == UNITS
            else request.POST.get("answer", ""),
            seconds=_seconds(request.POST.get("seconds", "")),
            flag=request.POST.get("flag", ""),
        )
    except Refused as refused:
        return _show(request, assignment, 422, problem=refused, given=request.POST)
    return _on(assignment)


def _on(assignment: Assignment) -> HttpResponse:
    """Go on with tasks of the same kind."""
    more = "" if assignment.kind == UNITS else f"?kind={assignment.kind}"
    return redirect(reverse("rate") + more)


@require_POST
@login_required
def put_aside(request: HttpRequest, public_id: str) -> HttpResponse:
    """Put a frame aside; somebody else will rate it."""
    assignment = services.find_assignment(request.user, public_id)
    try:
        services.discard(
            assignment=assignment,
            by=request.user,
            why=request.POST.get("why", ""),
            recognised="recognised" in request.POST,
        )
    except Refused as refused:
        return _show(request, assignment, 422, problem=refused)
    messages.success(request, "The frame was put aside; somebody else will rate it.")
    return _on(assignment)


urlpatterns = [
    path("rate/", rate, name="rate"),
    path("rate/strip", strip, name="rate-strip"),
    path("rate/me", own_figures, name="rate-me"),
    path("rate/<str:public_id>", commit, name="rate-commit"),
    path("rate/<str:public_id>/aside", put_aside, name="rate-aside"),
]
