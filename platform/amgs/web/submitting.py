"""The last step of a draft: look through its contact sheets, answer what is asked, hand it in."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_http_methods

from amgs.core.errors import Conflict, NotAllowed, Refused
from amgs.repository import queries, services
from amgs.repository.models import Version
from amgs.review import reading
from amgs.web.screenings import precheck
from amgs.web.versions import (
    RECORDINGS,
    draft_of,
    lacking,
    metadata_of,
    ref,
    step_page,
)
from curation.metadata import asked_at

STEP = "version-submit"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def submit(request: HttpRequest, name: str) -> HttpResponse:
    """What is there and what is missing, the last questions, and the button that hands it in."""
    if "keep" in request.POST:
        return _keep(request, name)
    found = draft_of(request, name)
    if request.method != "POST":
        return _shown(request, found)
    try:
        _answer(request, found)
        if sentences := lacking(found, "submit"):
            raise Refused(sentences[0])
        services.submit_version(by=request.user, version=found)
    except Refused as refused:
        return _shown(request, found, 422, problem=refused)
    messages.success(request, f"{found.identifier} is {found.lifecycle.title(found.state)} now.")
    return redirect("version", ref(found))


def _answer(request: HttpRequest, found: Version) -> None:
    metadata = metadata_of(request, found, "submit")
    if metadata != found.metadata:
        services.update_version(by=request.user, version=found, metadata=metadata)


def _keep(request: HttpRequest, name: str) -> HttpResponse:
    """Keep an answer as soon as it is chosen.

    Who chooses and submits in one breath sends the same answer twice, and the submission may be
    first: then there is nothing left to keep, and nothing to complain of.
    """
    try:
        _answer(request, draft_of(request, name))
    except (Conflict, Refused):
        held = queries.find_version(request.user, name)
        if metadata_of(request, held, "submit") != held.metadata:
            raise
    return HttpResponse(status=204)


def _shown(request: HttpRequest, version: Version, status: int = 200, **more: Any) -> HttpResponse:
    page = queries.version_page(request.user, version)
    step = next((row for row in page["actions"] if row["action"] == "submit"), None)
    if step is None:
        raise NotAllowed("This version cannot be submitted.")
    recordings = queries.recordings(
        request.user, version, after=request.GET.get("after", ""), limit=RECORDINGS
    )
    return step_page(
        request,
        version,
        STEP,
        status,
        submit=step,
        lacking=lacking(version, "describe"),
        fields=asked_at("submit"),
        recordings=recordings,
        open_remarks=reading.open_pins([version]).get(version.public_id, 0),
        **precheck(request.user, version),
        **more,
    )


urlpatterns = [path("datasets/<str:name>/submit", submit, name=STEP)]
