"""Pictures of a review one by one, and the grades that raters disagree on."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from amgs.core import policy
from amgs.core.errors import NotFound, Refused
from amgs.repository import queries
from amgs.repository.models import Recording, Version
from amgs.review import reading
from amgs.review.services import adjudicate, mark_seen
from amgs.web.curation import found
from amgs.web.versions import ref
from curation.adjudication import RULE
from curation.dataset_version import IN_REVIEW
from curation.exclusions import REASONS
from models.scale import load_scale


@require_safe
@login_required
def recording(request: HttpRequest, name: str, public_id: str) -> HttpResponse:
    """Show one recording large: its contact sheet and its frames."""
    version = found(request, name)
    mark_seen(user=request.user, dataset=version.dataset)
    row = (
        Recording.objects.filter(versions=version, public_id=public_id)
        .select_related("observation__animal")
        .first()
    )
    if row is None:
        raise NotFound("There is no such recording in this version.")
    part = bool(request.htmx)
    context = {
        "ref": ref(version),
        "version": queries.version_row(request.user, version),
        "recording": reading.recording_page(request.user, version, row),
        "reasons": REASONS.values(),
        "may_mark": version.state == IN_REVIEW,
        "part": part,
    }
    template = "curation/recording_body.html" if part else "curation/recording.html"
    return render(request, template, context)


def _adjudication(
    request: HttpRequest, version: Version, status: int = 200, **more: Any
) -> HttpResponse:
    mark_seen(user=request.user, dataset=version.dataset)
    after = request.GET.get("after", "")
    context = {
        "ref": ref(version),
        "version": queries.version_row(request.user, version),
        "page": reading.disputed_page(request.user, version, after),
        "count": reading.disputed_count(version),
        "after": after,
        "rule": RULE,
        "reasons": load_scale().reasons,
    }
    return render(request, "curation/adjudication.html", context | more, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def adjudication(request: HttpRequest, name: str) -> HttpResponse:
    """Show the units on which raters disagree, without names, and take a decision on one."""
    version = found(request, name)
    for act in ("adjudicate", "see_audit"):
        policy.require(request.user, act, version)
    if request.method != "POST":
        return _adjudication(request, version)
    given = request.POST
    answer = given.get("answer", "")
    frame, unit, why = given.get("frame", ""), given.get("unit", ""), given.get("why", "")
    try:
        adjudicate(
            by=request.user,
            version=version,
            frame=frame,
            unit=unit,
            answer=int(answer) if answer.isdecimal() else {"reason": answer},
            why=why,
        )
    except Refused as refused:
        tried = {"frame": frame, "unit": unit, "why": why, "answer": answer, "problem": refused}
        return _adjudication(request, version, 422, tried=tried)
    messages.success(request, "Your decision stands in place of the votes.")
    query = urlencode({"after": request.GET["after"]}) if request.GET.get("after") else ""
    address = reverse("review-adjudication", args=[ref(version)])
    return redirect(f"{address}?{query}#frame-{frame}" if query else f"{address}#frame-{frame}")


urlpatterns = [
    path("review/<str:name>/recordings/<str:public_id>", recording, name="review-recording"),
    path("review/<str:name>/disagreements", adjudication, name="review-adjudication"),
]
