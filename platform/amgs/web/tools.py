"""Tools: choose one, send a file, read what it says. No account needed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from amgs.core import jobs, policy
from amgs.core.errors import Problem, Refused
from amgs.scoring import tools
from amgs.web import paging
from amgs.web.people import actor

OVER = {"done", "failed", "cancelled"}
CANCEL = "core.job.cancel"
TAKEN = {
    "video": "video/*,.avi,.mkv,.mts",
    "still": "image/*",
    "table": ".csv,.tsv,.txt,.xlsx",
}
KINDS = {"video": "a video", "still": "a picture", "table": "a table"}


@require_safe
def list_of_tools(request: HttpRequest) -> HttpResponse:
    """List the tools, those that cannot be used too."""
    person = request.user if request.user.is_authenticated else None
    maintainer = person is not None and "maintainer" in person.roles
    rows = tools.listed(maintainer=maintainer)
    context: dict[str, Any] = {
        "tools": [
            row
            | {"takes": _either(row["accepts"]), "refusal": tools.not_here(tools.find(row["name"]))}
            for row in rows
            if not row["error"]
        ],
        "broken": [row for row in rows if row["error"]],
    }
    if person:
        page = paging.newest_first(tools.of_person(person), request, 10)
        context |= {"page": page, "mine": [tools.run_json(row) for row in page]}
    return render(request, "tools/list.html", context)


@require_safe
def tool(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for the parameters of a tool and a file."""
    from models.tools.schema import options

    found = tools.find(name)
    if name in tools.OWN_PAGES:
        return redirect(tools.OWN_PAGES[name])
    person = request.user if request.user.is_authenticated else None
    context = {
        "tool": found,
        "package": next(row["package"] for row in tools.listed() if row["name"] == name),
        "refusal": tools.not_here(found),
        "options": options(found.Params),
        "takes": _either(found.accepts),
        "taken": ",".join(TAKEN[kind] for kind in found.accepts),
        # Uploads that need no account have the same bound for everybody.
        "most_bytes": settings.UPLOAD_MOST_BYTES_PUBLIC,
        "kept_days": settings.SCORE_KEPT_DAYS,
        "person": person,
    }
    return render(request, "tools/tool.html", context)


@require_safe
@never_cache
def run(request: HttpRequest, token: str) -> HttpResponse:
    """Show a run: how far it is, or what came of it."""
    row = tools.by_token(token)
    found = tools.run_json(row)
    over = found["job"]["state"] in OVER
    context: dict[str, Any] = {
        "run": found,
        "over": over,
        "may_cancel": bool(row.job and not over and policy.may(actor(request), CANCEL, row.job)),
    }
    if not found["result"]:
        return render(request, "tools/progress.html", context)
    if request.htmx:
        # The page that watched the progress is replaced as a whole: the result has its own head.
        return HttpResponse(headers={"HX-Refresh": "true"})
    told = found["result"]
    context |= {
        "told": told,
        "charts": _charts(told["curves"]),
        "given": _given(row.tool, row.parameters),
        "tables": [name for name in found["files"] if name.endswith(".csv")],
    }
    return render(request, "tools/result.html", context)


@require_POST
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """Stop a run that waits or works."""
    row = tools.by_token(token)
    if row.job is None:
        raise Refused("The upload is still being checked; wait a moment and try again.")
    policy.require(actor(request), CANCEL, row.job)
    jobs.cancel(row.job)
    messages.success(request, "The tool was asked to stop.")
    return redirect("tool-run", token)


def _either(accepts: Any) -> str:
    return " or ".join(KINDS[kind] for kind in accepts)


def _charts(curves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one chart per unit, in the order of the curves; those without a value have none."""
    charts: dict[str, list[dict[str, Any]]] = {}
    for curve in curves:
        if any(value is not None for value in curve["values"]):
            charts.setdefault(curve["unit"], []).append(curve)
    return [
        {"unit": unit, "title": ", ".join(one["title"] for one in some), "curves": some}
        for unit, some in charts.items()
    ]


def _given(name: str, parameters: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the parameters with their titles; of a tool that is gone, with their names."""
    from models.tools.schema import options

    try:
        titles = {one.name: (one.title, one.unit) for one in options(tools.find(name).Params)}
    except Problem:
        titles = {}
    rows = []
    for key, value in parameters.items():
        title, unit = titles.get(key, (key, ""))
        said = {True: "yes", False: "no"}.get(value) if isinstance(value, bool) else f"{value}"
        rows.append((title, f"{said or '–'} {unit}".strip()))
    return rows


urlpatterns = [
    path("tools/", list_of_tools, name="tools"),
    path("tools/runs/<str:token>/", run, name="tool-run"),
    path("tools/runs/<str:token>/cancel", cancel, name="tool-run-cancel"),
    path("tools/<str:name>/", tool, name="tool"),
]
