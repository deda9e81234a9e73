"""My work: the long work I asked for, how far it is, and stopping or beginning it again."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from amgs.core import jobs, policy
from amgs.core.models import Job
from amgs.web import paging

# More than elsewhere: most of them lie together in one line.
ROWS = 100


@require_safe
@login_required
def work(request: HttpRequest) -> HttpResponse:
    """List my jobs, newest first."""
    mine = Job.objects.filter(actor_id=request.user.public_id)
    page = paging.newest_first(mine, request, ROWS)
    return render(request, "work/list.html", {"page": page, "bundles": _bundled(page)})


def _bundled(rows: Iterable[Job]) -> list[list[Job]]:
    """Put neighbours of one kind that are done together: a folder of films is one line."""

    def alike(job: Job) -> tuple[str, str]:
        return (job.kind, "" if job.state == Job.State.DONE else job.public_id)

    return [list(bundle) for _, bundle in groupby(rows, alike)]


@require_safe
def progress(request: HttpRequest, public_id: str) -> HttpResponse:
    """Return the fragment of one job; whoever has its id may watch it.

    It asks for itself again until the work is over; then the page is told to load anew, so
    that what the work made is seen.
    """
    row = jobs.get(public_id)
    response = render(
        request, "work/progress.html", {"job": row, "reload": "reload" in request.GET}
    )
    if row.is_over and "reload" in request.GET:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@login_required
def cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    """Stop a job of mine."""
    row = jobs.get(public_id)
    policy.require(request.user, "core.job.cancel", row)
    jobs.cancel(row)
    return redirect("work")


@require_POST
@login_required
def retry(request: HttpRequest, public_id: str) -> HttpResponse:
    """Begin a failed job of mine again."""
    row = jobs.get(public_id)
    policy.require(request.user, "core.job.retry", row)
    jobs.retry(row)
    return redirect("work")


urlpatterns = [
    path("my-work/", work, name="work"),
    path("my-work/<str:public_id>/", progress, name="job"),
    path("my-work/<str:public_id>/cancel", cancel, name="job-cancel"),
    path("my-work/<str:public_id>/retry", retry, name="job-retry"),
]
