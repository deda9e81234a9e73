"""The curator's queue and the review of one version: checks, audit, agreement, decision."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from amgs.core import policy
from amgs.core.errors import NotFound, Refused
from amgs.repository import queries, services
from amgs.repository.frames import frames_after
from amgs.repository.models import Rating, Version
from amgs.review import queries as review
from amgs.review.screenings import refusal_page
from amgs.review.services import mark_seen
from amgs.web.screenings import screening
from amgs.web.versions import ref
from models.scale import load_scale

QUEUE = 100
CONTACTS = 48
HEADINGS = (
    ("in_review", "In review"),
    ("screened", "Waiting for a curator"),
    ("submitted", "Being checked"),
    ("changes_requested", "With their lab for changes"),
)


@require_safe
@login_required
def curation(request: HttpRequest) -> HttpResponse:
    """List what waits for a curator, oldest submission first."""
    policy.require(request.user, "assign_audit")
    rows = list(review.curation_queue(request.user)[:QUEUE])
    shown = [
        queries.version_row(request.user, row) | {"checks_passed": row.checks_passed}
        for row in rows
    ]
    groups = [(title, [row for row in shown if row["state"] == state]) for state, title in HEADINGS]
    context = {"groups": [(title, rows) for title, rows in groups if rows]}
    return render(request, "curation/queue.html", context)


def _audit(version: Version) -> dict[str, Any] | None:
    try:
        return review.audit_page(version)
    except NotFound:
        return None


def _agreement(audit: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return per unit what the raters' agreement is, beside that of published raters."""
    units = (audit or {}).get("agreement", {}).get("units", {})
    rows = []
    for unit in load_scale().units:
        found = units.get(unit.key)
        if not found:
            continue
        rows.append(
            {
                "title": unit.title,
                "kappa": found.get("kappa_pairwise_quadratic"),
                "interval": found.get("kappa_pairwise_quadratic_interval"),
                "published": unit.pairwise_kappa,
            }
        )
    return rows


def _distribution(version: Version) -> list[dict[str, Any]]:
    """Return per unit how often the sheets give each grade, and how often none is possible."""
    counted: dict[tuple[str, int | None], int] = {
        (unit, grade): n
        for unit, grade, n in Rating.objects.filter(
            frame__recording__versions=version, source=Rating.Source.SHEET
        )
        .values_list("unit", "grade")
        .annotate(n=Count("pk"))
    }
    rows = []
    for unit in load_scale().units:
        counts = {
            f"g{grade}": counted.get((unit.key, grade), 0) for grade in range(len(unit.grades))
        }
        counts["gn"] = counted.get((unit.key, None), 0)
        if total := sum(counts.values()):
            rows.append({"title": unit.title, "counts": counts, "total": total})
    return rows


def _show(request: HttpRequest, version: Version, status: int = 200, **more: Any) -> HttpResponse:
    mark_seen(user=request.user, dataset=version.dataset)
    page = queries.version_page(request.user, version)
    audit = _audit(version)
    answer = policy.may(request.user, "see_audit", version)
    frames, more_frames = frames_after(request.user, version, after="", limit=CONTACTS)
    context = {
        "version": page,
        "ref": ref(version),
        "screening": screening(request.user, version),
        "refusal": refusal_page(request.user, version),
        "may_check": policy.may(request.user, "check_now", version),
        "audit": audit if answer else None,
        "audit_hidden": answer.reason,
        "distribution": _distribution(version),
        "agreement": _agreement(audit) if answer else [],
        "frames": frames,
        "more_frames": more_frames,
        "sheets": [
            queries.label_row(row)
            for row in queries.label_rows(version).filter(status="done").order_by("pk")
        ],
        "history": queries.history(version)[0],
        "actions": page["actions"],
    }
    return render(request, "curation/review.html", context | more, status=status)


@require_safe
@login_required
def review_version(request: HttpRequest, name: str) -> HttpResponse:
    """Show everything a decision rests on, with the decision beside it."""
    found = queries.find_version(request.user, name)
    policy.require(request.user, "assign_audit", found)
    return _show(request, found)


@require_POST
@login_required
def decide(request: HttpRequest, name: str, action: str) -> HttpResponse:
    """Take a curator's step and stay on the review."""
    found = queries.find_version(request.user, name)
    policy.require(request.user, "assign_audit", found)
    why = request.POST.get("why", "")
    try:
        services.decide_version(
            by=request.user,
            version=found,
            action=action,
            why=why,
            without_audit="without_audit" in request.POST,
        )
    except Refused as refused:
        found.refresh_from_db()
        return _show(request, found, 422, problem=refused, tried=action, why=why)
    messages.success(request, f"{found.identifier} is {found.lifecycle.title(found.state)} now.")
    return redirect("review", ref(found))


urlpatterns = [
    path("review/", curation, name="curation"),
    path("review/<str:name>/", review_version, name="review"),
    path("review/<str:name>/acts/<str:action>", decide, name="review-act"),
]
