"""Delete a study, with what goes and what stays told beforehand; deleted studies and their undo."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from amgs.core.errors import Refused
from amgs.scoring import study_keeping
from amgs.web import paging
from amgs.web.studies import mine
from curation.leaving import UNDO_FOR


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def delete(request: HttpRequest, public_id: str) -> HttpResponse:
    """Tell what a deletion takes away and what stays; do it once that was read."""
    study = mine(request, public_id)
    problem = None
    if request.method == "POST":
        try:
            if not request.POST.get("understood"):
                raise Refused("Please tick that you have read what follows.", field="understood")
            study_keeping.delete_study(by=request.user, study=study)
        except Refused as refused:
            problem = refused
        else:
            messages.success(
                request,
                f"“{study.title}” is deleted. It can be brought back for {UNDO_FOR.days} days.",
            )
            return redirect("deleted-studies")
    told = study_keeping.told_deletion(study)
    context = {"study": study, "told": told, "problem": problem}
    return render(request, "studies/delete.html", context, status=422 if problem else 200)


@require_safe
@login_required
@never_cache
def deleted(request: HttpRequest) -> HttpResponse:
    """List my deleted studies."""
    page = paging.newest_first(study_keeping.deleted_studies(request.user), request)
    rows = [study_keeping.deleted_study_row(row) for row in page]
    context = {"page": page, "rows": rows, "days": UNDO_FOR.days}
    return render(request, "studies/deleted.html", context)


@require_POST
@login_required
def restore(request: HttpRequest, public_id: str) -> HttpResponse:
    """Bring a deleted study back."""
    study = study_keeping.find_deleted(public_id, request.user)
    study_keeping.restore_study(by=request.user, study=study)
    messages.success(request, f"“{study.title}” is back, as it was.")
    return redirect("study", public_id)


urlpatterns = [
    path("studies/<str:public_id>/delete", delete, name="study-delete"),
    path("deleted-studies/", deleted, name="deleted-studies"),
    path("deleted-studies/<str:public_id>/restore", restore, name="study-restore"),
]
