"""The queue of the curators: narrowed down by addresses that can be shared."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from amgs.core import policy
from amgs.core.errors import Refused
from amgs.review import desk
from amgs.review.calls import open_calls
from amgs.web.paging import Page

ROWS = 25


@require_safe
@login_required
def curation(request: HttpRequest) -> HttpResponse:
    """List what waits for a curator, what waits longest first."""
    policy.require(request.user, "assign_audit")
    known = desk.filters(request.user)
    status, problem, chosen = 200, None, {}
    try:
        chosen = desk.check(request.GET, known)
        found, more = desk.page(
            request.user, chosen, after=request.GET.get("after", ""), limit=ROWS
        )
    except Refused as refused:
        status, problem = 422, refused
        found, more = desk.page(request.user, chosen, limit=ROWS)
    context = {
        "rows": [desk.row(request.user, row) for row in found],
        "page": Page(found, request.GET.get("after", ""), more, chosen),
        "filters": [{"filter": row, "chosen": chosen.get(row.key, "")} for row in known],
        "chosen": chosen,
        "narrowed": [_narrowed(row, chosen) for row in known if row.key in chosen],
        "mine": urlencode({"who": "me"}),
        "problem": problem,
        "calls": open_calls(),
    }
    return render(request, "curation/queue.html", context, status=status)


def _narrowed(row: desk.Filter, chosen: dict[str, str]) -> dict[str, str]:
    """Return a choice that was made, and the address of the list without it."""
    kept = {key: value for key, value in chosen.items() if key != row.key}
    return {"title": f"{row.title}: {row.choices[chosen[row.key]]}", "without": urlencode(kept)}


urlpatterns = [path("review/", curation, name="curation")]
