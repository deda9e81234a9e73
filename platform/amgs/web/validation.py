"""The validation page of a model version: three claims, each on data of its own."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from amgs.core import policy
from amgs.core.errors import Refused
from amgs.registry import queries
from amgs.scoring import validations
from amgs.web import charts
from amgs.web.people import actor
from curation.validation import ASSAYS

TITLES = {row.key: row.title for row in ASSAYS}


def _show(request: HttpRequest, name: str, problem: Refused | None = None) -> HttpResponse:
    row = queries.version(name)
    made, asked = validations.newest(row), validations.asked(row)
    cannot = ""
    try:
        validations.snapshot_of(row)
    except Refused as refused:
        cannot = refused.sentence
    context = {
        "row": row,
        "made": made,
        "told": made.content if made else None,
        "claims": [_drawn(claim) for claim in made.content["claims"]] if made else [],
        "asked": asked if asked and asked != made else None,
        "cannot": cannot,
        "may_make": policy.may(actor(request), "scoring.validate_model", row),
        "problem": problem,
    }
    return render(request, "registry/validation.html", context, status=422 if problem else 200)


def _drawn(claim: dict[str, Any]) -> dict[str, Any]:
    cells = [
        cell
        | {
            "title": TITLES.get(cell["assay"], cell["assay"]),
            "pairs": charts.pairs(cell["figures"]) if cell["figures"]["pairs"] else "",
            "curve": charts.roc(cell["figures"]) if cell["state"] == "assessed" else "",
        }
        for cell in claim["cells"]
    ]
    empty = [one | {"title": TITLES.get(one["assay"], one["assay"])} for one in claim["no_data"]]
    return claim | {"cells": cells, "no_data": empty}


@require_safe
@never_cache
def validation(request: HttpRequest, name: str) -> HttpResponse:
    """Show the newest validation of a version, or that there is none yet."""
    return _show(request, name)


@require_POST
@login_required
def make(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for the page to be made anew from the version's snapshot."""
    row = queries.version(name)
    try:
        validations.ask_for_validation(by=actor(request), version=row)
    except Refused as refused:
        return _show(request, name, refused)
    messages.success(request, "The page is being made; it appears here when it is done.")
    return redirect("model-validation", row.public_id)


urlpatterns = [
    path("models/<str:name>/validation/", validation, name="model-validation"),
    path("models/<str:name>/validation/make", make, name="model-validation-make"),
]
