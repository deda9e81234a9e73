"""The review of one version: all that a decision rests on, and the decision beside it."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from amgs.accounts.models import User
from amgs.core import policy
from amgs.core.errors import NotFound, Refused
from amgs.repository import queries, services
from amgs.repository.exclusions import left_out
from amgs.repository.models import Version
from amgs.review import queries as review
from amgs.review import reading
from amgs.review.screenings import refusal_page
from amgs.review.services import candidates, hand_over, mark_seen, reviewer_of
from amgs.web.screenings import screening
from amgs.web.versions import ref
from curation.dataset_version import ACCEPTED, IN_REVIEW
from curation.exclusions import REASONS
from curation.exclusions import title as reason_title
from models.scale import load_scale

MARKED = ("accept", "request_changes")
"""The acts that take what was marked on pictures along."""


def audit_shown(user: Any, version: Version) -> dict[str, Any]:
    """Return the audit as the page shows it now, or the sentence why it is hidden."""
    answer = policy.may(user, "see_audit", version)
    if not answer:
        return {"audit": None, "audit_hidden": answer.reason}
    try:
        audit = review.audit_page(version, live=True)
    except NotFound:
        return {"audit": None, "audit_hidden": ""}
    report = audit["agreement"]
    finished = audit["ratings"] >= audit["ratings_wanted"]
    units, follow = _agreement(report), report.get("intervals_follow", False)
    return {
        "audit": audit,
        "audit_hidden": "",
        "agreement": units,
        "raters": _raters(report),
        "intervals_follow": follow,
        "without_intervals": not follow and not any(row["interval"] for row in units),
        # Ratings come in while the page is open; afterwards nothing changes any more.
        "live": version.state == IN_REVIEW and (not finished or follow),
    }


def _agreement(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return per unit what the raters' agreement is, beside that of published raters."""
    rows = []
    for unit in load_scale().units:
        found = report.get("units", {}).get(unit.key)
        if found:
            interval = found.get("kappa_pairwise_quadratic_interval") or [None]
            rows.append(
                {
                    "title": unit.title,
                    "kappa": found.get("kappa_pairwise_quadratic"),
                    "interval": None if None in interval else interval,
                    "exact": found.get("exact"),
                    "not_scorable": found.get("not_scorable"),
                    "published": unit.pairwise_kappa,
                }
            )
    return rows


def _raters(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return per rater, under a neutral name, how far off the others they are in each unit."""
    units = load_scale().units
    return [
        {
            "name": name,
            "votes": row["n_votes"],
            "not_scorable": row["not_scorable"],
            "bias": [{"title": unit.title, "value": row["bias"].get(unit.key)} for unit in units],
        }
        for name, row in sorted(report.get("raters", {}).items())
    ]


def show(request: HttpRequest, version: Version, status: int = 200, **more: Any) -> HttpResponse:
    """Show the page of a review."""
    user = request.user
    mark_seen(user=user, dataset=version.dataset)
    page = queries.version_page(user, version)
    held = reviewer_of(version)
    audit = audit_shown(user, version)
    context = {
        "version": page,
        "ref": ref(version),
        "screening": screening(user, version),
        "refusal": refusal_page(user, version),
        "may_check": policy.may(user, "check_now", version),
        "distribution": reading.grades_of(version),
        "grid": reading.grid(user, version, request.GET.get("animals", "")),
        "changes": reading.changes(user, version),
        "pins": reading.pins(user, version),
        "flagged": reading.flagged(version) if audit["audit"] else [],
        "disputed": reading.disputed_count(version) if not audit["audit_hidden"] else None,
        "left_out": [
            row | {"still": reading.picture(row["still_key"] or row["poster_key"])}
            for row in left_out(version)
        ],
        "may_take_in": policy.may(user, "exclude", version)
        and version.state in {IN_REVIEW, ACCEPTED},
        "reviewer": held,
        "is_mine": held is not None and held.user_id == user.pk,
        "candidates": candidates(version, but=held.user if held else None)
        if version.state == IN_REVIEW and policy.may(user, "hand_over", version)
        else [],
        "reasons": REASONS.values(),
        "marked_actions": MARKED if version.state == IN_REVIEW else (),
        "sheets": [
            queries.label_row(row)
            for row in queries.label_rows(version).filter(status="done").order_by("pk")
        ],
        "history": queries.history(version)[0],
        "actions": page["actions"],
    }
    return render(request, "curation/review.html", context | audit | more, status=status)


def found(request: HttpRequest, name: str) -> Version:
    """Return the version of a review; for curators alone."""
    version = queries.find_version(request.user, name)
    policy.require(request.user, "assign_audit", version)
    return version


@require_safe
@login_required
def review_version(request: HttpRequest, name: str) -> HttpResponse:
    """Show everything a decision rests on, with the decision beside it."""
    return show(request, found(request, name))


@require_safe
@login_required
def audit(request: HttpRequest, name: str) -> HttpResponse:
    """Return the part of the page that ratings change; it asks for itself while they come in."""
    version = found(request, name)
    context = {"ref": ref(version), "by_itself": True, **audit_shown(request.user, version)}
    return render(request, "curation/audit.html", context)


def marks(request: HttpRequest) -> list[dict[str, Any]]:
    """Return what was marked on pictures: ``{recording, frame, reason, text}`` each."""
    text = request.POST.get("marks", "") or "[]"
    try:
        given = json.loads(text)
        return [
            {key: str(row.get(key) or "") for key in ("recording", "frame", "reason", "text")}
            for row in given
        ]
    except (ValueError, TypeError, AttributeError) as error:
        raise Refused(
            "What you marked did not arrive whole; reload the page and mark it anew."
        ) from error


def _take(request: HttpRequest, version: Version, action: str, why: str) -> None:
    given = marks(request) if action in MARKED else []
    by = request.user
    without_audit = "without_audit" in request.POST
    if action == "accept":
        services.accept_version(
            by=by,
            version=version,
            why=why,
            without_audit=without_audit,
            rejected=[row | {"why": row["text"]} for row in given if row["reason"]],
            remarks=[row for row in given if not row["reason"]],
        )
    elif action == "request_changes":
        services.ask_for_changes(
            by=by, version=version, why=why, remarks=[row | {"text": _asked(row)} for row in given]
        )
    else:
        services.decide_version(
            by=by, version=version, action=action, why=why, without_audit=without_audit
        )


def _asked(mark: dict[str, Any]) -> str:
    """Return a mark as a remark: what was to be left out is asked to be mended."""
    parts = [reason_title(mark["reason"]) if mark["reason"] else "", mark["text"].strip()]
    return ": ".join(part for part in parts if part)


@require_POST
@login_required
def decide(request: HttpRequest, name: str, action: str) -> HttpResponse:
    """Take a curator's step and stay on the review."""
    version = found(request, name)
    why = request.POST.get("why", "")
    try:
        _take(request, version, action, why)
    except Refused as refused:
        version.refresh_from_db()
        return show(request, version, 422, problem=refused, tried=action, why=why)
    messages.success(
        request, f"{version.identifier} is {version.lifecycle.title(version.state)} now."
    )
    return redirect("review", ref(version))


@require_POST
@login_required
def hand(request: HttpRequest, name: str) -> HttpResponse:
    """Hand the review over to another curator, or take over one that another has."""
    version = found(request, name)
    note = request.POST.get("note", "")
    try:
        to = User.objects.filter(public_id=request.POST.get("to", ""), is_active=True).first()
        if to is None:
            raise Refused("Choose a curator from the list.", field="to")
        hand_over(by=request.user, version=version, to=to, note=note)
    except Refused as refused:
        return show(request, version, 422, hand_problem=refused, note=note)
    whose = "yours" if to == request.user else f"{to.name}’s"
    messages.success(request, f"The review of {version.identifier} is {whose} now.")
    return redirect("review", ref(version))


@require_POST
@login_required
def take_in(request: HttpRequest, name: str, public_id: str) -> HttpResponse:
    """Take a recording or frame in again that was left out."""
    version = found(request, name)
    try:
        services.take_in_again(by=request.user, version=version, name=public_id)
    except Refused as refused:
        return show(request, version, 422, problem=refused)
    messages.success(request, "It is in the version again.")
    return redirect("review", ref(version))


urlpatterns = [
    path("review/<str:name>/", review_version, name="review"),
    path("review/<str:name>/audit", audit, name="review-audit"),
    path("review/<str:name>/hand-over", hand, name="review-hand-over"),
    path("review/<str:name>/left-out/<str:public_id>/take-in", take_in, name="review-take-in"),
    path("review/<str:name>/acts/<str:action>", decide, name="review-act"),
]
