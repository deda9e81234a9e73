"""Label files of a draft: send them, look at them, answer, confirm, undo and redo."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from amgs.core import jobs, policy
from amgs.core.errors import NotFound, Problem, Refused
from amgs.repository import label_queries, queries, services
from amgs.repository.models import LabelImport, Version
from amgs.repository.services.labels import DECLARED
from amgs.web.label_form import answers_of, form_of
from amgs.web.people import actor
from amgs.web.versions import draft_of, ref, step_page
from curation.dataset_version import DRAFT
from curation.metadata import BY_KEY

STEP = "version-labels"
Shown = dict[str, Any]


@require_safe
@login_required
def labels(request: HttpRequest, name: str) -> HttpResponse:
    """Label files: send them, see what could be read, undo one as a whole."""
    found = draft_of(request, name)
    declared = [BY_KEY[key] for key in DECLARED]
    return step_page(request, found, STEP, declared=declared, **_sheets(found))


def _sheets(version: Version) -> Shown:
    rows = list(reversed(label_queries.history(version)))
    undone = LabelImport.Status.UNDONE
    sheets = [row for row in rows if row["status"] != undone]
    going = label_queries.progress_of(sheets)
    sheets = [row | {"going": going.get(row["id"])} for row in sheets]
    return {
        "sheets": sheets,
        "undone": [row for row in rows if row["status"] == undone],
        "waiting": any(row["status"] == "pending" or row["looking"] for row in sheets),
        "ready": sum(row["ready"] for row in sheets),
    }


@require_safe
@login_required
def sheets(request: HttpRequest, name: str) -> HttpResponse:
    """Return the list of label files as a fragment; it asks again while one is being read."""
    found = queries.find_version(request.user, name)
    policy.require(actor(request), "see_ratings", found)
    context = _sheets(found) | {"ref": ref(found), "editable": found.state == DRAFT}
    return render(request, "versions/sheets.html", context)


def _one(version: Version, public_id: str) -> LabelImport:
    row = queries.label_rows(version).select_related("blob").filter(public_id=public_id).first()
    if row is None:
        raise NotFound("There is no such label file in this dataset.")
    return row


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def sheet(request: HttpRequest, name: str, public_id: str) -> HttpResponse:
    """Show what one label file would be read as; take answers, and confirm them."""
    found = draft_of(request, name)
    row = _one(found, public_id)
    if request.method != "POST":
        return _wizard(request, found, row)
    try:
        given = answers_of(request.POST, label_queries.label_page(request.user, found, row))
        row = services.answer_labels(
            by=request.user, version=found, label_import=row, answers=given
        )
        if request.POST.get("act") != "import":
            return redirect("version-sheet", ref(found), public_id)
        if label_queries.state_of(row)["looking"]:
            messages.info(
                request, "Your answers change how it is read: look at its rows, and confirm then."
            )
            return redirect("version-sheet", ref(found), public_id)
        services.confirm_labels(by=request.user, version=found, label_import=row)
    except Refused as refused:
        row.refresh_from_db()
        return _wizard(request, found, row, status=422, problem=refused)
    messages.success(request, f"“{row.name}” is being read.")
    return redirect(STEP, ref(found))


def _wizard(
    request: HttpRequest, version: Version, row: LabelImport, status: int = 200, **more: Any
) -> HttpResponse:
    page = label_queries.label_page(request.user, version, row)
    job = page["job"]
    over = row.status in (LabelImport.Status.PENDING, LabelImport.Status.DONE)
    return step_page(
        request,
        version,
        STEP,
        status,
        template="versions/sheet.html",
        sheet=page,
        form=form_of(page),
        over=over,
        look=page["look"],
        job=jobs.get(job) if job and (page["looking"] or row.status == "pending") else None,
        recordings=label_queries.recording_names(version),
        declared=[BY_KEY[key] for key in DECLARED],
        **more,
    )


@require_POST
@login_required
def undo(request: HttpRequest, name: str, public_id: str) -> HttpResponse:
    """Undo the import of a label file as a whole."""
    found = draft_of(request, name)
    row = _one(found, public_id)
    services.undo_import(by=request.user, version=found, label_import=row)
    messages.success(request, f"The import of “{row.name}” is undone.")
    return redirect(STEP, ref(found))


@require_POST
@login_required
def redo(request: HttpRequest, name: str, public_id: str) -> HttpResponse:
    """Read an undone label file again, as it was read before."""
    found = draft_of(request, name)
    row = _one(found, public_id)
    services.redo_import(by=request.user, version=found, label_import=row)
    messages.success(request, f"“{row.name}” is being read again.")
    return redirect(STEP, ref(found))


@require_POST
@login_required
def import_all(request: HttpRequest, name: str) -> HttpResponse:
    """Confirm every label file that asks nothing; say of each other one what it lacks."""
    found = draft_of(request, name)
    rows = [row for row in label_queries.history(found) if row["ready"]]
    begun = 0
    for shown in reversed(rows):
        row = _one(found, shown["id"])
        try:
            services.confirm_labels(by=request.user, version=found, label_import=row)
            begun += 1
        except Problem as refused:
            messages.error(request, f"“{row.name}”: {refused.sentence}")
    if begun:
        messages.success(request, f"{begun} file{'s are' if begun > 1 else ' is'} being read.")
    return redirect(STEP, ref(found))


@require_safe
@login_required
def problems(request: HttpRequest, name: str, public_id: str) -> HttpResponse:
    """Return what could not be read of a label file, as CSV."""
    found = queries.find_version(request.user, name)
    policy.require(actor(request), "see_ratings", found)
    row = _one(found, public_id)
    response = HttpResponse(label_queries.problems_csv(row), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="problems-{row.public_id}.csv"'
    return response


_SHEET = "datasets/<str:name>/sheets/<str:public_id>"

urlpatterns = [
    path("datasets/<str:name>/labels", labels, name="version-labels"),
    path("datasets/<str:name>/sheets", sheets, name="version-sheets"),
    path("datasets/<str:name>/sheets/import-all", import_all, name="labels-import-all"),
    path(f"{_SHEET}/", sheet, name="version-sheet"),
    path(f"{_SHEET}/undo", undo, name="labels-undo"),
    path(f"{_SHEET}/redo", redo, name="labels-redo"),
    path(f"{_SHEET}/problems.csv", problems, name="labels-problems"),
]
