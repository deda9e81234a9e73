"""Datasets: the list with its filters, and making a new one."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from amgs.core import vocabulary
from amgs.core.errors import NotFound, Refused
from amgs.repository import queries, services
from amgs.repository.tombstone import deleted_drafts
from amgs.web import paging


@require_safe
def datasets(request: HttpRequest) -> HttpResponse:
    """List the dataset versions this person may know of, newest first."""
    rows = queries.datasets_visible_to(request.user)
    state = request.GET.get("state", "")
    if state:
        rows = rows.filter(state=state)
    mine = request.user.is_authenticated and "mine" in request.GET
    if mine:
        rows = rows.filter(dataset__lab__in=request.user.lab_ids)
    page = paging.newest_first(rows, request)
    context = {
        "page": page,
        "rows": [queries.version_row(request.user, row) for row in page],
        "states": vocabulary.dataset_states(),
        "chosen": state,
        "mine": mine,
        "deleted": deleted_drafts(request.user).count() if request.user.is_authenticated else 0,
    }
    return render(request, "datasets/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create(request: HttpRequest) -> HttpResponse:
    """Ask for lab and title, and make the draft."""
    labs = list(request.user.labs.order_by("name"))
    context: dict[str, object] = {"labs": labs, "given": request.POST}
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
