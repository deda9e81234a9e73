"""Datasets: the list with its filters, and making a new one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from amgs.core.errors import NotFound, Refused
from amgs.repository import queries, search, services
from amgs.repository.tombstone import deleted_drafts
from amgs.review.calls import open_calls
from amgs.web import paging


@require_safe
def datasets(request: HttpRequest) -> HttpResponse:
    """Find the dataset versions this person may know of by words and facets, newest first."""
    rows = queries.datasets_visible_to(request.user)
    mine = request.user.is_authenticated and "mine" in request.GET
    if mine:
        rows = rows.filter(dataset__lab__in=request.user.lab_ids)
    status, problem = 200, None
    try:
        chosen = search.check(request.GET.dict())
    except Refused as refused:
        chosen, status, problem = {}, 422, refused
    page = paging.newest_first(search.found(rows, chosen), request)
    facets = search.facets(rows, chosen)
    context = {
        "page": page,
        "rows": [queries.version_row(request.user, row) for row in page],
        "facets": facets,
        "chosen": chosen,
        "narrowed": [_narrowed(request, facet) for facet in facets if facet["key"] in chosen],
        "mine": mine,
        "deleted": deleted_drafts(request.user).count() if request.user.is_authenticated else 0,
        "any": bool(chosen) or mine,
        "problem": problem,
        "calls": open_calls(),
    }
    return render(request, "datasets/list.html", context, status=status)


def _narrowed(request: HttpRequest, facet: dict[str, Any]) -> dict[str, str]:
    """Return a choice that was made, and the address of the list without it."""
    key = facet["key"]
    title = next((row["title"] for row in facet["values"] if row["chosen"]), request.GET[key])
    kept = {
        name: value for name, value in request.GET.items() if value and name not in (key, "after")
    }
    return {"title": f"{facet['title']}: {title}", "without": urlencode(kept)}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create(request: HttpRequest) -> HttpResponse:
    """Ask for lab and title, and make the draft."""
    labs = list(request.user.labs.order_by("name"))
    context: dict[str, object] = {"labs": labs, "given": request.POST, "calls": open_calls()}
    if request.method == "POST":
        lab = next((lab for lab in labs if lab.public_id == request.POST.get("lab")), None)
        try:
            if lab is None:
                raise NotFound("You belong to no such lab; choose one of yours.")
            version = services.create_dataset(
                by=request.user,
                lab=lab,
                title=request.POST.get("title", ""),
                description=request.POST.get("description", ""),
                phantom="phantom" in request.POST,
            )
        except Refused as refused:
            return render(
                request, "datasets/create.html", context | {"problem": refused}, status=422
            )
        return redirect("version-describe", version.identifier.replace("/", "."))
    return render(request, "datasets/create.html", context)


urlpatterns = [
    path("datasets/", datasets, name="datasets"),
    path("datasets/new", create, name="dataset-create"),
]
