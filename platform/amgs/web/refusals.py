"""Core problems as pages and fragments: the one place where ``web`` gives them a status."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from amgs.core.errors import Conflict, NotAllowed, NotFound, Problem, TooMuch

STATUSES: tuple[tuple[type[Problem], HTTPStatus, str], ...] = (
    (NotAllowed, HTTPStatus.FORBIDDEN, "That is not yours to do"),
    (TooMuch, HTTPStatus.TOO_MANY_REQUESTS, "That is too much at once"),
    (NotFound, HTTPStatus.NOT_FOUND, "There is nothing here"),
    (Conflict, HTTPStatus.CONFLICT, "Somebody was faster"),
    (Problem, HTTPStatus.UNPROCESSABLE_ENTITY, "That cannot be done"),
)


def status_of(problem: Problem) -> tuple[HTTPStatus, str]:
    """Return the status of a problem and the headline of its page."""
    for kind, status, title in STATUSES:
        if isinstance(problem, kind):
            return status, title
    raise AssertionError("the last row of STATUSES matches every problem")


def _back(request: HttpRequest) -> str:
    """Return the page of this site that a form was sent from, or nothing."""
    came_from = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(came_from, {request.get_host()})
    return came_from if ours and request.method == "POST" else ""


def refusal(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Return the plain page of a problem, or for htmx the fragment for the refusal region."""
    status, title = status_of(problem)
    context = {
        "problem": problem,
        "title": title,
        "status": int(status),
        "back": _back(request),
    }
    template = "refusal_fragment.html" if request.htmx else "refusal.html"
    return render(request, template, context, status=status)


class RefusalPages:
    """Turn a ``Problem`` that a page raised into the page that tells it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; the work is in ``process_exception``."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer with the refusal, or send a stranger to the sign-in page first."""
        if not isinstance(error, Problem):
            return None
        stranger = not request.user.is_authenticated
        if isinstance(error, NotAllowed) and stranger and request.method == "GET":
            return redirect_to_login(request.get_full_path())
        return refusal(request, error)
