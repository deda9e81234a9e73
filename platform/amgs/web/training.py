"""Training: the policy, what it did, the runs with their curves, and starting one by hand."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from amgs.core import policy
from amgs.core.errors import NotFound, Refused
from amgs.training import independence, queries, services
from amgs.training.leaving import serving_on_retracted
from amgs.web import paging

TRIGGERS = 8


def _number(text: str, field: str, title: str) -> int:
    if not text.strip().isdecimal():
        raise Refused(f"{title} must be a whole number, not “{text}”.", field=field)
    return int(text)


def _show(request: HttpRequest, status: int = 200, **more: object) -> HttpResponse:
    policy.require(request.user, "training.see_runs")
    page = paging.newest_first(queries.runs(), request)
    wrong_models, wrong_data = serving_on_retracted()
    row = services.get_policy()
    context = {
        "wrong_models": wrong_models,
        "wrong_data": wrong_data,
        "policy": queries.policy_json(row),
        "next": queries.what_next(row),
        "independence": independence.overview(),
        "may_set_aside": policy.may(request.user, "training.set_lab_aside"),
        "may_edit": policy.may(request.user, "training.edit_policy"),
        "may_start": policy.may(request.user, "training.start_run"),
        "triggers": [queries.trigger_json(row) for row in queries.triggers()[:TRIGGERS]],
        "page": page,
        "runs": [queries.run_json(row) for row in page],
    }
    return render(request, "training/list.html", context | more, status=status)


@require_safe
@login_required
def training(request: HttpRequest) -> HttpResponse:
    """Show the policy, the last triggers and the runs."""
    return _show(request)


@require_POST
@login_required
def edit_policy(request: HttpRequest) -> HttpResponse:
    """Change when the platform retrains by itself."""
    given = request.POST
    try:
        services.edit_policy(
            by=request.user,
            enabled="enabled" in given,
            min_new_frames=_number(
                given.get("min_new_frames", ""), "min_new_frames", "The number of frames"
            ),
            recipe=given.get("recipe", ""),
            profile=given.get("profile", ""),
            schedule=given.get("schedule", ""),
            new_lab_or_coat="new_lab_or_coat" in given,
            warm_start="warm_start" in given,
        )
    except Refused as refused:
        return _show(request, 422, problem=refused, form="policy", given=given)
    messages.success(request, "The policy is changed.")
    return redirect("training")


@require_POST
@login_required
def set_lab_aside(request: HttpRequest) -> HttpResponse:
    """Set a lab aside as independent, for ever."""
    given = request.POST
    try:
        row = services.set_lab_aside(
            by=request.user, lab=given.get("lab", ""), why=given.get("why", "")
        )
    except (NotFound, Refused) as refused:
        return _show(request, 422, problem=refused, form="aside", given=given)
    messages.success(request, f"{row.lab.name} only validates from now on.")
    return redirect("training")


@require_POST
@login_required
def start_run(request: HttpRequest) -> HttpResponse:
    """Ask for a run by hand."""
    given = request.POST
    try:
        run = services.start_run(
            by=request.user,
            recipe=given.get("recipe", ""),
            profile=given.get("profile", ""),
            negative_control="negative_control" in given,
            warm_start="warm_start" in given,
            seed=_number(given.get("seed", ""), "seed", "The seed"),
            why=given.get("why", ""),
        )
    except Refused as refused:
        return _show(request, 422, problem=refused, form="run", given=given)
    return redirect("run", run.public_id)


@require_safe
@login_required
def run(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show one run with its progress and its curves."""
    policy.require(request.user, "training.see_runs")
    row = queries.run(public_id)
    context = {"run": queries.run_detail(row, request.user), "job": row.job, "reload": True}
    context["snapshot"] = queries.snapshot_json(row.snapshot) if row.snapshot else None
    return render(request, "training/run.html", context)


@require_POST
@login_required
def cancel_run(request: HttpRequest, public_id: str) -> HttpResponse:
    """Stop a run."""
    services.cancel_run(
        by=request.user, run=queries.run(public_id), why=request.POST.get("why", "")
    )
    messages.success(request, "The run was asked to stop.")
    return redirect("run", public_id)


@require_safe
@login_required
def snapshot(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show what a snapshot holds, who learned from it, and what in it has left since."""
    policy.require(request.user, "training.see_runs")
    found = queries.snapshot_detail(queries.snapshot(public_id))
    return render(request, "training/snapshot.html", {"snapshot": found})


@require_safe
@login_required
def benchmark(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show what a benchmark holds and which models were measured on it."""
    policy.require(request.user, "training.see_runs")
    found = queries.benchmark_detail(queries.benchmark(public_id))
    return render(request, "training/benchmark.html", {"benchmark": found})


urlpatterns = [
    path("benchmarks/<str:public_id>/", benchmark, name="benchmark"),
    path("snapshots/<str:public_id>/", snapshot, name="snapshot"),
    path("training/", training, name="training"),
    path("training/policy", edit_policy, name="policy-edit"),
    path("training/independent-labs", set_lab_aside, name="lab-aside"),
    path("training/runs", start_run, name="run-start"),
    path("training/runs/<str:public_id>/", run, name="run"),
    path("training/runs/<str:public_id>/cancel", cancel_run, name="run-cancel"),
]
