"""The public scorer: send a video, watch, read the result. No account needed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from amgs.core import jobs, policy
from amgs.core.errors import Refused
from amgs.registry import services as registry
from amgs.scoring import contributing, partial, queries, quota, rescoring, services
from amgs.scoring.leaving import notes_of_score
from amgs.web import charts, paging, results, standing
from amgs.web.owner import address_of, with_key
from amgs.web.people import actor
from models.scale import load_scale

OVER = {"done", "failed", "cancelled"}
CANCEL = "core.job.cancel"
REGION_EDGES = ("left", "top", "right", "bottom")


@require_safe
def score(request: HttpRequest) -> HttpResponse:
    """Ask for a video, or say that nothing can be graded yet."""
    context: dict[str, Any] = {"serving": registry.serving(), "refusal": ""}
    try:
        context["serving"] = services.grading_model()
    except Refused as refused:
        context["refusal"] = refused.sentence
    person = request.user if request.user.is_authenticated else None
    most = settings.UPLOAD_MOST_BYTES if person else settings.UPLOAD_MOST_BYTES_PUBLIC
    context |= {"most_bytes": most, "region_edges": REGION_EDGES}
    context["kept_days"] = settings.SCORE_KEPT_DAYS
    if not person:
        context["left"] = quota.left(address_of(request)).sentence
    if person:
        page = paging.newest_first(queries.of_person(person), request, 10)
        context |= {"page": page, "mine": [queries.score_json(row) for row in page]}
    return with_key(request, render(request, "scores/score.html", context))


@require_safe
@never_cache
def result(request: HttpRequest, token: str) -> HttpResponse:
    """Show a score: how far it is, or what came of it."""
    return _show(request, token)


def _show(request: HttpRequest, token: str, problem: Refused | None = None) -> HttpResponse:
    row = queries.by_token(token, even_gone=True)
    if row.deleted_at or row.delete_asked_at:
        return standing.gone(request, row)
    contributing.looked_at(user=request.user, run=row)
    found = queries.score_json(row)
    over = found["job"]["state"] in OVER
    context = {
        "score": found,
        "over": over,
        "row": row,
        "scale": load_scale(),
        **(owned := standing.owned(request, row)),
        "may_cancel": bool(
            row.job and not over and (owned["owns"] or policy.may(actor(request), CANCEL, row.job))
        ),
    }
    if not found["result"]:
        context["standing"] = partial.standing(row)
        return render(request, "scores/progress.html", context)
    if request.htmx:
        # The page that watched the progress is replaced as a whole: the result has its own head.
        return HttpResponse(headers={"HX-Refresh": "true"})
    context |= results.shown(request, row, found) | {
        "notes": notes_of_score(row),
        "first": row.rescored_from,
        "rescored": queries.rescored(row),
        "versions": queries.versions(row),
        "problem": problem,
    }
    status = 422 if problem else 200
    return render(request, "scores/result.html", context, status=status)


@require_POST
def rescore(request: HttpRequest, token: str) -> HttpResponse:
    """Score the recording again with another version; the first result stays as it is."""
    person = request.user if request.user.is_authenticated else None
    row = queries.by_token(token)
    try:
        made = rescoring.rescore(user=person, run=row, model=request.POST.get("model", ""))
    except Refused as refused:
        return _show(request, token, refused)
    messages.success(request, "The second score has an address of its own; the first one stays.")
    return redirect("score-result", made.token)


@require_safe
@never_cache
def difference(request: HttpRequest, token: str) -> HttpResponse:
    """Show what a second score says otherwise than the first, and why."""
    row = queries.by_token(token)
    told = rescoring.compared(row)
    found = told["difference"]
    context = {
        "row": row,
        "told": told,
        "found": found,
        "scale": load_scale(),
        "sides": [("First score", told["before"]), ("Second score", told["after"])],
        "means": [
            ("Mean image score (0–2)", found["score"]),
            ("With sleeping, grooming and moving frames left in", found["score_ungated"]),
        ],
        "moved": [row for row in found["bins"] if row["moved"]],
        "chart": charts.two_courses(found["bins"]),
    }
    return render(request, "scores/difference.html", context)


@require_POST
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """Stop a score that waits or runs."""
    row = queries.by_token(token)
    if row.job is None:
        raise Refused("The upload is still being checked; wait a moment and try again.")
    if not standing.owned(request, row)["owns"]:
        policy.require(actor(request), CANCEL, row.job)
    jobs.cancel(row.job)
    messages.success(request, "The score was asked to stop.")
    return redirect("score-result", token)


urlpatterns = [
    path("score/", score, name="score"),
    path("score/<str:token>/", result, name="score-result"),
    path("score/<str:token>/rescore", rescore, name="score-rescore"),
    path("score/<str:token>/difference", difference, name="score-difference"),
    path("score/<str:token>/cancel", cancel, name="score-cancel"),
]
