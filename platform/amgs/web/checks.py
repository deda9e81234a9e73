"""The checks of a version: run them now, answer what they warn of, read why it came back."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from amgs.core import policy
from amgs.core.errors import NotFound
from amgs.repository import queries
from amgs.review.screenings import refusal_page
from amgs.review.services import answer_check, check_now, newest_result
from amgs.web.screenings import precheck
from amgs.web.versions import ref
from curation.dataset_version import DRAFT


@require_safe
@login_required
def checks(request: HttpRequest, name: str) -> HttpResponse:
    """Return what the checks say of a draft as a fragment; it asks again while they run."""
    found = queries.find_version(request.user, name)
    policy.require(request.user, "see_ratings", found)
    context = precheck(request.user, found) | {"ref": ref(found)}
    return render(request, "versions/precheck.html", context)


@require_POST
@login_required
def run(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for the checks to run now; the page that asked shows what they say."""
    found = queries.find_version(request.user, name)
    check_now(by=request.user, version=found)
    if request.headers.get("HX-Request"):
        context = precheck(request.user, found) | {"ref": ref(found)}
        return render(request, "versions/precheck.html", context)
    messages.success(request, "The checks run now; reload the page in a moment.")
    if request.POST.get("from") == "review":
        return redirect("review", ref(found))
    return redirect("version-submit" if found.state == DRAFT else "version", ref(found))


@require_POST
@login_required
def answer(request: HttpRequest, name: str, check: str) -> HttpResponse:
    """Answer a warning of the newest screening with a reason; the curator reads both.

    ``draft`` keeps what is being typed, and the answer to that is one word.
    """
    found = queries.find_version(request.user, name)
    result = newest_result(found, check)
    draft = "draft" in request.POST
    answer_check(by=request.user, result=result, answer=request.POST.get("answer", ""), draft=draft)
    if draft:
        return HttpResponse("Saved" if result.answer else "Taken back")
    messages.success(request, "Your answer stands beside the warning.")
    return redirect("version-submit" if found.state == DRAFT else "version", ref(found))


@require_safe
@login_required
def refusal(request: HttpRequest, name: str) -> HttpResponse:
    """Show why a version came back: sentences, pictures, whom to ask, what changed since."""
    found = queries.find_version(request.user, name)
    policy.require(request.user, "see_ratings", found)
    told = refusal_page(request.user, found)
    if told is None:
        raise NotFound("This version was never sent back to its lab.")
    page = queries.version_page(request.user, found)
    reopen = next((row for row in page["actions"] if row["action"] == "reopen"), None)
    context = {
        "version": page,
        "ref": ref(found),
        "refusal": told,
        "reopen": reopen,
        "may_answer": False,
        "may_remark": policy.may(request.user, "remark", found),
    }
    return render(request, "versions/refusal.html", context)


urlpatterns = [
    path("datasets/<str:name>/checks", checks, name="version-checks"),
    path("datasets/<str:name>/checks/run", run, name="check-now"),
    path("datasets/<str:name>/checks/<str:check>", answer, name="check-answer"),
    path("datasets/<str:name>/refusal", refusal, name="version-refusal"),
]
