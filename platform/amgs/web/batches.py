"""Ask for scores of sent files, one or many, and show many on a page with a private link."""

from __future__ import annotations

import json
import re
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from amgs.core.errors import Problem, Refused, TooMuch
from amgs.files.services import complete_upload, find_upload, open_upload, part_key
from amgs.files.storage import get_storage
from amgs.scoring import batches, keeping, queries, quota, services
from amgs.web.owner import address_of, key_of, with_key
from amgs.web.people import actor
from amgs.web.refusals import status_of

_BOX = re.compile(r"\d{1,6}")


def _person(request: HttpRequest) -> Any:
    return request.user if request.user.is_authenticated else None


def _refused(problem: Problem) -> JsonResponse:
    status, _ = status_of(problem)
    body = {"detail": problem.sentence, "field": problem.field}
    answer = JsonResponse(body, status=status)
    if isinstance(problem, TooMuch) and problem.wait_s is not None:
        answer["Retry-After"] = str(problem.wait_s)
    return answer


def _left(request: HttpRequest) -> str:
    return "" if _person(request) else quota.left(address_of(request)).sentence


@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Open a list for several scores."""
    batch = batches.open_batch(user=_person(request), key=key_of(request))
    answer = JsonResponse(
        {"token": batch.token, "address": reverse("score-batch", args=[batch.token])}, status=201
    )
    return with_key(request, answer)


@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for the score of an upload, whole or of one animal's part of the picture."""
    try:
        given = json.loads(request.body)
        if not isinstance(given, dict):
            raise ValueError
    except ValueError:
        return _refused(Refused("The page sent what cannot be read; reload it and try again."))
    person, key = _person(request), key_of(request)
    try:
        batch = None
        if token := str(given.get("batch") or ""):
            batch = batches.joinable(token, user=person, key=key)
        run = services.start_score(
            user=person,
            upload=find_upload(str(given.get("upload", "")), by=actor(request)),
            name=str(given.get("name") or ""),
            region=_region(given.get("region")),
            address=address_of(request),
            key=key,
            batch=batch,
        )
    except Problem as problem:
        return _refused(problem)
    told = {
        "token": run.token,
        "address": reverse("score-result", args=[run.token]),
        "left": _left(request),
    }
    return JsonResponse(told, status=201)


def _region(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    box = given.get("box") if isinstance(given, dict) else None
    if not isinstance(box, list) or len(box) != 4:
        raise Refused("Draw the box of the animal again.", field="region")
    if not all(_BOX.fullmatch(str(edge)) for edge in box):
        raise Refused("The edges of a box are whole numbers of pixels.", field="region")
    return {"name": str(given.get("name", "")), "box": [int(edge) for edge in box]}


@require_POST
def plain(request: HttpRequest) -> HttpResponse:
    """Take one file from a form that needs no script, and go to its score."""
    sent = request.FILES.get("file")
    if sent is None or not sent.size:
        raise Refused("Choose a video or a photo first.", field="file")
    person = _person(request)
    services.grading_model()
    upload = open_upload(
        user=person, lab=None, name=sent.name or "", size=sent.size, purpose=services.PURPOSE
    )
    for part in range(1, upload.part_count + 1):
        get_storage().put(part_key(upload, part), sent.read(upload.part_size))
    complete_upload(upload=upload, by=actor(request))
    upload.refresh_from_db()
    run = services.start_score(
        user=person,
        upload=upload,
        name=sent.name or "",
        address=address_of(request),
        key=key_of(request),
    )
    return with_key(request, redirect("score-result", run.token))


@require_safe
@never_cache
def batch(request: HttpRequest, token: str) -> HttpResponse:
    """List the scores of a batch: how far each is and what came of it."""
    found = batches.batch_of(token)
    rows = [
        {"gone": keeping.gone_sentence(run)}
        if run.deleted_at or run.delete_asked_at
        else queries.score_json(run)
        for run in batches.runs_of(found)
    ]
    running = [row for row in rows if "job" in row and row["job"]["state"] in ("queued", "running")]
    context = {
        "batch": found,
        "rows": rows,
        "running": len(running),
        "done": sum(bool(row.get("result")) for row in rows),
    }
    return render(request, "scores/batch.html", context)


urlpatterns = [
    path("score/ask", ask, name="score-ask"),
    path("score/plain", plain, name="score-plain"),
    path("score/batch", begin, name="score-batch-begin"),
    path("score/batch/<str:token>/", batch, name="score-batch"),
]
