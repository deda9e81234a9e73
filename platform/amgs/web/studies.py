"""Studies: the list of mine, the table of one, and how scores come into it."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from amgs.core.errors import Refused
from amgs.core.spreadsheets import plain_cell
from amgs.scoring import queries, studies, study_queries
from amgs.scoring.models import Study, ToolRun
from amgs.scoring.study_keeping import deleted_studies
from amgs.scoring.study_plans import is_open, lock_of
from amgs.web import paging
from curation.labels.rows import UnknownFormat
from curation.study_table import COLUMNS, NAMES, read

MOST_BYTES = 5 * 1024 * 1024
UNDO = "study-undo"
SCORES = 200
STEPS = (("study", "Table"), ("study-plan", "Plan"), ("study-results", "Results"))


def mine(request: HttpRequest, public_id: str) -> Study:
    """Return a study of the person who asks; raises ``NotFound``."""
    return studies.find_study(public_id, request.user)


def study_page(
    request: HttpRequest, study: Study, here: str, template: str, status: int = 200, **more: Any
) -> HttpResponse:
    """Return a page of a study, with the way to the others."""
    locked = lock_of(study)
    done = {
        "study": study.entries.exists(),
        "study-plan": locked is not None,
        "study-results": studies.results_were_seen(study),
    }
    context = {
        "study": study,
        "steps": [
            {"name": name, "title": title, "current": name == here, "done": done[name]}
            for name, title in STEPS
        ],
        "locked": locked,
    }
    return render(request, template, context | more, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def list_studies(request: HttpRequest) -> HttpResponse:
    """List my studies, and make one; strangers read what a study is."""
    if not request.user.is_authenticated:
        return render(request, "studies/list.html", {"stranger": True})
    problem, status = None, 200
    if request.method == "POST":
        try:
            made = studies.create_study(by=request.user, title=request.POST.get("title", ""))
        except Refused as refused:
            problem, status = refused, 422
        else:
            return redirect("study", made.public_id)
    page = paging.newest_first(study_queries.studies_of(request.user), request)
    context = {
        "page": page,
        "rows": [study_queries.study_row(row) for row in page],
        "deleted": deleted_studies(request.user).count(),
        "problem": problem,
    }
    return render(request, "studies/list.html", context, status=status)


@require_safe
@login_required
@never_cache
def table(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the table of a study, editable in place."""
    return _table(request, mine(request, public_id))


def _table(request: HttpRequest, study: Study, problem: Refused | None = None) -> HttpResponse:
    rows = study_queries.entries_json(study)
    counts: dict[str, int] = {"waiting": 0, "failed": 0, "done": 0}
    for row in rows:
        counts[row["state"]] += 1
        row["shown"] = {column.key: _shown(row[column.key]) for column in COLUMNS}
    undo = request.session.get(UNDO) or {}
    return study_page(
        request,
        study,
        "study",
        "studies/table.html",
        422 if problem else 200,
        rows=rows,
        counts=counts,
        finished=counts["done"] / max(len(rows), 1),
        opened=is_open(study),
        columns=COLUMNS,
        known={
            key: sorted({row[key] for row in rows if row[key]})
            for key in ("animal", "cage", "group")
        },
        undo=undo.get("what") if undo.get("study") == study.public_id else "",
        versions=_versions(study),
        given=request.POST.get("text", ""),
        problem=problem,
    )


def _shown(value: str | float | None) -> str:
    """Return a cell as a person would write it."""
    if value is None:
        return ""
    return f"{value:.12g}" if isinstance(value, float) else value


def _versions(study: Study) -> list[dict[str, Any]]:
    """Return the versions with which all of a study may be scored, its own first."""
    from amgs.scoring.rescoring import selectable

    own = study.model_version_id
    rows = sorted(selectable(), key=lambda version: version.pk != own)
    return [
        {"id": one.public_id, "model": one.identifier, "own": one.pk == own, "phantom": one.phantom}
        for one in rows
    ]


@require_POST
@login_required
def fill(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take over a table that was sent or pasted."""
    study = mine(request, public_id)
    try:
        name, data = _sent(request)
        back = studies.fill_table(by=request.user, study=study, reading=read(name, data), name=name)
    except UnknownFormat as unknown:
        return _table(request, study, Refused(str(unknown), field="table"))
    except Refused as refused:
        return _table(request, study, refused)
    rows = len(back)
    if rows:
        request.session[UNDO] = {"study": public_id, "changes": back, "what": f"{name} was read."}
    said = f"{rows} row{'s' if rows != 1 else ''} changed." if rows else "Nothing was different."
    messages.success(request, f"{name} was read. {said}")
    return redirect("study", public_id)


def _sent(request: HttpRequest) -> tuple[str, bytes]:
    book = request.FILES.get("book")
    if book is not None:
        if book.size is None or book.size > MOST_BYTES:
            raise Refused("A table has at most 5 MB; leave out other worksheets.", field="table")
        return book.name or "The file", book.read()
    text = request.POST.get("text", "")
    if not text.strip():
        raise Refused("Choose a file, or paste the table.", field="table")
    return "The pasted table", text.encode("utf-8", "replace")


@require_POST
@login_required
def remove(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take the ticked rows out of the table."""
    study = mine(request, public_id)
    removed = studies.remove_entries(
        by=request.user, study=study, entries=request.POST.getlist("entry")
    )
    if removed:
        count = f"{len(removed)} row{'s' if len(removed) != 1 else ''}"
        request.session[UNDO] = {"study": public_id, "rows": removed, "what": f"{count} taken out."}
        messages.success(request, f"{count} taken out of the table; the scores themselves stay.")
    else:
        messages.warning(request, "Tick the rows that are to be taken out.")
    return redirect("study", public_id)


@require_POST
@login_required
def undo(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take the last sent table, or the last removal, back."""
    study = mine(request, public_id)
    kept = request.session.pop(UNDO, None) or {}
    if kept.get("study") != public_id:
        raise Refused("There is nothing to take back any more.")
    if kept.get("changes"):
        studies.change_entries(by=request.user, study=study, changes=kept["changes"])
    if kept.get("rows"):
        studies.restore_entries(by=request.user, study=study, entries=kept["rows"])
    messages.success(request, "It is as it was before.")
    return redirect("study", public_id)


@require_POST
@login_required
def rename(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give the study another title."""
    study = mine(request, public_id)
    studies.rename_study(by=request.user, study=study, title=request.POST.get("title", ""))
    return redirect("study", public_id)


@require_POST
@login_required
def score_all(request: HttpRequest, public_id: str) -> HttpResponse:
    """Score all of the study with one version."""
    study = mine(request, public_id)
    try:
        count = studies.score_all(by=request.user, study=study, model=request.POST.get("model", ""))
    except Refused as refused:
        return _table(request, study, refused)
    messages.success(
        request,
        f"{count} recording{'s are' if count != 1 else ' is'} scored again; each row keeps its "
        "score until the new one is there."
        if count
        else "Every row has its score by this version already.",
    )
    return redirect("study", public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def add(request: HttpRequest, public_id: str) -> HttpResponse:
    """Choose among my scores, or paste the links of others, and put them into the table."""
    study = mine(request, public_id)
    problem: Refused | None = None
    chosen = request.POST.getlist("score")
    links = request.POST.get("links", "")
    if request.method == "POST":
        try:
            made = studies.add_scores(
                by=request.user,
                study=study,
                # The list is newest first; a table begins with what was filmed first.
                scores=[*reversed(chosen), *links.split()],
                model=request.POST.get("model", ""),
            )
        except Refused as refused:
            problem = refused
        else:
            count = len(made)
            messages.success(request, f"{count} row{'s' if count != 1 else ''} added.")
            return redirect("study", public_id)
    words = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    rows = _open_scores(request, study, words)
    page = paging.newest_first(rows, request, SCORES)
    return study_page(
        request,
        study,
        "study",
        "studies/add.html",
        422 if problem else 200,
        page=page,
        scores=[{"row": row, "state": queries.job_summary(row)["state"]} for row in page],
        words=words,
        chosen=set(chosen),
        links=links,
        problem=problem,
        mixed=problem is not None and problem.field == studies.MIXED,
        versions=_versions(study),
    )


def _open_scores(request: HttpRequest, study: Study, words: str) -> Any:
    """Return my scores that are over and not in the study yet."""
    rows = queries.of_person(request.user).exclude(result={})
    known = ToolRun.objects.filter(study_entries__study=study).values("pk")
    rows = rows.exclude(pk__in=known)
    return rows.filter(name__icontains=words) if words else rows


@require_safe
@login_required
def as_csv(request: HttpRequest, public_id: str) -> HttpResponse:
    """Return the table as CSV, as the page takes it back; it holds no figure of a score."""
    study = mine(request, public_id)
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    keys = [column.key for column in COLUMNS]
    writer.writerow([*NAMES, *keys])
    for row in study_queries.entries_json(study):
        cells = [row["score"], row["name"], *(row[key] for key in keys)]
        writer.writerow([plain_cell("" if cell is None else cell) for cell in cells])
    return HttpResponse(
        # The mark lets Excel read it as UTF-8.
        "\ufeff" + target.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": 'attachment; filename="study-table.csv"',
            "Cache-Control": "private, no-store",
        },
    )


urlpatterns = [
    path("studies/", list_studies, name="studies"),
    path("studies/<str:public_id>/", table, name="study"),
    path("studies/<str:public_id>/add", add, name="study-add"),
    path("studies/<str:public_id>/fill", fill, name="study-fill"),
    path("studies/<str:public_id>/remove", remove, name="study-remove"),
    path("studies/<str:public_id>/undo", undo, name="study-undo"),
    path("studies/<str:public_id>/rename", rename, name="study-rename"),
    path("studies/<str:public_id>/score-all", score_all, name="study-score-all"),
    path("studies/<str:public_id>/table.csv", as_csv, name="study-csv"),
]
