"""The plan of a study, its lock, and its results: for the owner, and by a link for others."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from amgs.core.errors import Refused
from amgs.scoring import studies, study_plans, study_queries
from amgs.scoring.models import Study, StudyAnalysis
from amgs.scoring.study_jobs import ask_for_analysis
from amgs.scoring.study_keeping import goings
from amgs.web.plan_form import FIELDS, given_plan, shown_plan
from amgs.web.policy_headers import HEADER, REPORT_POLICY
from amgs.web.studies import mine, study_page
from amgs.web.study_tables import sections
from models.scale import load_scale

PAGE = "report.html"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def plan(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show and keep the draft of the plan, and what was locked."""
    study = mine(request, public_id)
    if request.method == "POST":
        try:
            study_plans.set_plan(by=request.user, study=study, plan=given_plan(request.POST))
        except Refused as refused:
            return _plan(request, study, refused, request.POST)
        messages.success(request, "The plan is kept. Nothing is locked yet.")
        return redirect("study-plan", public_id)
    return _plan(request, study)


def _plan(
    request: HttpRequest,
    study: Study,
    problem: Refused | None = None,
    given: QueryDict | None = None,
) -> HttpResponse:
    locked = study_plans.locks(study)
    rows = study_queries.entries_json(study)
    scale = load_scale()
    return study_page(
        request,
        study,
        "study-plan",
        "studies/plan.html",
        422 if problem else 200,
        fields=shown_plan(
            given_plan(given, strict=False) if given is not None else study.plan,
            groups=sorted({row["group"] for row in rows if row["group"]}),
            times=sorted({row["time_h"] for row in rows if row["time_h"] is not None}),
            scale=scale,
        ),
        kept=bool(study.plan),
        digest=studies.digest(study.plan) if study.plan else "",
        history=[one | {"shown": told_plan(one["plan"])} for one in map(_locked, locked)],
        differs=study_plans.differs(study, locked[-1] if locked else None),
        goings=goings(study),
        draft=told_plan(study.plan),
        grouped=any(row["group"] for row in rows),
        problem=problem,
    )


def _locked(row: study_plans.Locked) -> dict[str, Any]:
    return study_queries.locked_json(row)


def told_plan(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a plan as (title, value) in words, in the order of the form."""
    told = []
    for field in FIELDS:
        if field.key in plan:
            told.append((field.title, field.told(plan[field.key])))
    return told


@require_POST
@login_required
def lock(request: HttpRequest, public_id: str) -> HttpResponse:
    """Lock the plan that was shown."""
    study = mine(request, public_id)
    try:
        study_plans.lock_plan(
            by=request.user,
            study=study,
            why=request.POST.get("why", ""),
            seen=request.POST.get("digest", ""),
        )
    except Refused as refused:
        return _plan(request, study, refused)
    messages.success(request, "The plan is locked. Scores and results may be shown now.")
    return redirect("study-results", public_id)


@require_POST
@login_required
def unchanged(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give the draft up that differs from the locked plan."""
    study = mine(request, public_id)
    locked = study_plans.lock_of(study)
    if locked is None:
        raise Refused("No plan was locked yet, so there is none to go back to.")
    study_plans.set_plan(by=request.user, study=study, plan=locked.plan)
    messages.success(request, "The draft says again what was locked.")
    return redirect("study-plan", public_id)


@require_safe
@login_required
@never_cache
def results(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the newest results of the study, or how far they are."""
    return _results(request, mine(request, public_id))


def _results(request: HttpRequest, study: Study, problem: Refused | None = None) -> HttpResponse:
    asked = study_queries.newest_asked(study)
    row = study_queries.newest_done(study)
    locked = study_plans.lock_of(study)
    context = _told(row, reverse("study-file", args=[study.public_id, "-"])[:-1]) if row else {}
    link = reverse("study-shared", args=[study.share_token]) if study.share_token else ""
    return study_page(
        request,
        study,
        "study-results",
        "studies/results.html",
        422 if problem else 200,
        job=asked.job if asked and asked != row else None,
        stale=bool(row and _is_stale(study, row)),
        differs=study_plans.differs(study, locked),
        shared=request.build_absolute_uri(link) if link else "",
        past=study_queries.history_of(study)[1:],
        problem=problem,
        **context,
    )


def _is_stale(study: Study, row: StudyAnalysis) -> bool:
    """Whether the table or the plan changed since these results were made."""
    locked = study_plans.lock_of(study)
    now = studies.digest(studies.table_of(studies.entries_of(study)))
    return row.table_digest != now or locked is None or locked.number != row.plan["number"]


def _told(row: StudyAnalysis, address: str) -> dict[str, Any]:
    """Return what a page of results shows; ``address`` is put before the names of files."""
    found = study_queries.results_json(row, address)
    report, files = found["report"], found["files"]
    figures = {
        one["key"]: {
            **one,
            "svg": files[f"figures/{one['key']}.svg"],
            "png": files[f"figures/{one['key']}.png"],
        }
        for one in report["figures"]
    }
    return {
        "row": row,
        "found": found,
        "report": report,
        "parts": [
            {"section": part, "figure": figures.get(part.figure)} for part in sections(report)
        ],
        "methods": report["methods"].strip(),
        "plan_told": told_plan(row.plan["plan"]),
        "zip": files.get("study.zip"),
        "page_address": f"{address.removesuffix('files/')}report" if PAGE in files else "",
        "downloads": list(files.items()),
    }


def _page(row: StudyAnalysis) -> HttpResponse:
    """Return the report as the one page that was made with it, in a sandbox."""
    response = HttpResponse(study_queries.analysis_bytes(row, PAGE))
    response[HEADER] = REPORT_POLICY
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
@login_required
def report(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the report as one page, to be read and printed."""
    return _page(study_queries.analysis_of(mine(request, public_id)))


@require_safe
def shared_report(request: HttpRequest, token: str) -> HttpResponse:
    """Show the report as one page to whoever has the link."""
    return _page(study_queries.analysis_of(studies.shared_study(token)))


@require_POST
@login_required
def analyse(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for the analysis."""
    study = mine(request, public_id)
    try:
        ask_for_analysis(by=request.user, study=study)
    except Refused as refused:
        return _results(request, study, refused)
    return redirect("study-results", public_id)


@require_safe
@login_required
def file(request: HttpRequest, public_id: str, name: str) -> HttpResponse:
    """Redirect to a file of the newest results."""
    row = study_queries.analysis_of(mine(request, public_id))
    return _file(request, row, name)


def _file(request: HttpRequest, row: StudyAnalysis, name: str) -> HttpResponse:
    answer = HttpResponseRedirect(
        study_queries.analysis_file(row, name, save="save" in request.GET)
    )
    answer["Cache-Control"] = "private, no-store"
    return answer


@require_POST
@login_required
def share(request: HttpRequest, public_id: str) -> HttpResponse:
    """Make the link to the results, or take it back."""
    study = mine(request, public_id)
    if request.POST.get("stop"):
        studies.stop_sharing(by=request.user, study=study)
        messages.success(request, "The link was taken back; it leads nowhere now.")
    else:
        studies.share_study(by=request.user, study=study)
        messages.success(request, "Whoever has the link may read the results, nothing else.")
    return redirect("study-results", public_id)


@require_safe
@never_cache
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """Show the results to whoever has the link."""
    study = studies.shared_study(token)
    row = study_queries.newest_done(study)
    context: dict[str, Any] = {"study": study, "shared_view": True}
    if row is not None:
        context |= _told(row, reverse("study-shared-file", args=[token, "-"])[:-1])
    return render(request, "studies/shared.html", context)


@require_safe
def shared_file(request: HttpRequest, token: str, name: str) -> HttpResponse:
    """Redirect to a file of the results, for whoever has the link."""
    return _file(request, study_queries.analysis_of(studies.shared_study(token)), name)


urlpatterns = [
    path("studies/shared/<str:token>/", shared, name="study-shared"),
    path("studies/shared/<str:token>/files/<path:name>", shared_file, name="study-shared-file"),
    path("studies/shared/<str:token>/report", shared_report, name="study-shared-report"),
    path("studies/<str:public_id>/report", report, name="study-report"),
    path("studies/<str:public_id>/plan", plan, name="study-plan"),
    path("studies/<str:public_id>/lock", lock, name="study-lock"),
    path("studies/<str:public_id>/plan/unchanged", unchanged, name="study-plan-unchanged"),
    path("studies/<str:public_id>/results", results, name="study-results"),
    path("studies/<str:public_id>/analyse", analyse, name="study-analyse"),
    path("studies/<str:public_id>/share", share, name="study-share"),
    path("studies/<str:public_id>/files/<path:name>", file, name="study-file"),
]
