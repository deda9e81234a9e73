"""Refusals as ``application/problem+json`` (RFC 9457): the only place with status codes."""

from __future__ import annotations

import math
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoDenied
from django.http import Http404, HttpRequest, JsonResponse
from drf_spectacular.utils import OpenApiResponse
from rest_framework import exceptions, serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from amgs.core import errors

# The most special class first: the first that fits is taken.
STATUS: tuple[tuple[type[errors.Problem], int, str], ...] = (
    (errors.NotAllowed, 403, "Not allowed"),
    (errors.TooMuch, 429, "Too much"),
    (errors.KeyUsed, 422, "Key used before"),
    (errors.NotFound, 404, "Not found"),
    (errors.Conflict, 409, "Somebody was faster"),
    (errors.Refused, 400, "Refused"),
)


_TITLES = {status: title for _, status, title in STATUS} | {401: "Not signed in"}


class ProblemBody(serializers.Serializer):
    """What every refusal looks like."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    field = serializers.CharField(required=False)
    details = serializers.ListField(child=serializers.DictField(), required=False)


class ProblemRenderer(JSONRenderer):
    """JSON under the media type of RFC 9457."""

    media_type = "application/problem+json"


class AsItIs(BaseContentNegotiation):
    """For what has one form only (an archive, a citation): the ``Accept`` header is not asked."""

    def select_renderer(
        self, request: Request, renderers: list[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer of refusals; answers bring their own form."""
        return ProblemRenderer(), ProblemRenderer.media_type


def documented(*codes: int) -> dict[Any, OpenApiResponse]:
    """Return the OpenAPI responses of these refusals, for ``extend_schema(responses=…)``.

    304 is none, but is no answer with a body either.
    """
    found: dict[Any, OpenApiResponse] = {}
    for code in codes:
        if code == 304:
            found[304] = OpenApiResponse(description="Nothing has changed since the ``ETag``")
        else:
            body = OpenApiResponse(ProblemBody, description=_TITLES.get(code, "Refused"))
            found[code, "application/problem+json"] = body
    return found


def _body(status: int, title: str, detail: str, **more: Any) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    response = Response(body | {key: value for key, value in more.items() if value}, status=status)
    response.content_type = "application/problem+json"
    return response


def _sentences(detail: Any, field: str = "") -> list[dict[str, str]]:
    """Flatten DRF's nested validation errors to sentences with their field."""
    if isinstance(detail, dict):
        found: list[dict[str, str]] = []
        for key, value in detail.items():
            name = "" if key == "non_field_errors" else str(key)
            found += _sentences(value, f"{field}.{name}".strip("."))
        return found
    if isinstance(detail, list):
        found = []
        for index, value in enumerate(detail):
            nested = isinstance(value, (dict, list))
            found += _sentences(value, f"{field}[{index}]" if nested else field)
        return found
    return [{"field": field, "sentence": str(detail)}]


def _sentence(error: exceptions.APIException, context: dict[str, Any]) -> str:
    """Return what DRF says of a request it cannot serve, as a sentence that says what to do."""
    if isinstance(error, exceptions.ParseError):
        return "The body cannot be read as JSON that can be kept; mend it and send it again."
    if isinstance(error, exceptions.UnsupportedMediaType):
        return "Send the body as JSON, with the header Content-Type: application/json."
    if isinstance(error, exceptions.NotAcceptable):
        return "Answers here are JSON; ask with the header Accept: application/json."
    if isinstance(error, exceptions.MethodNotAllowed):
        method = getattr(context.get("request"), "method", "this method")
        return f"This address does not take {method}; /api/docs/ says what it takes."
    return str(error.detail)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn a core error or one of DRF's into a problem; ``None`` lets it be a server error."""
    if isinstance(error, errors.Problem):
        set_rollback()
        for kind, status, title in STATUS:
            if isinstance(error, kind):
                response = _body(
                    status, title, error.sentence, field=error.field, details=error.details
                )
                if isinstance(error, errors.TooMuch) and error.wait_s is not None:
                    response["Retry-After"] = str(error.wait_s)
                return response
    if isinstance(error, Http404):
        return _body(404, "Not found", "There is nothing at this address.")
    if isinstance(error, DjangoDenied):
        return _body(403, "Not allowed", str(error) or "You may not do this.")
    if isinstance(error, exceptions.ValidationError):
        set_rollback()
        found = _sentences(error.detail)
        first = found[0]
        name = f"{first['field']}: " if first["field"] else ""
        return _body(400, "Refused", name + first["sentence"], field=first["field"], details=found)
    if isinstance(error, exceptions.Throttled):
        wait = math.ceil(error.wait or 1)
        sentence = (
            f"You asked too often; please go on in {wait} second{'' if wait == 1 else 's'}, and "
            "ask for larger pages."
        )
        response = _body(429, "Too much", sentence)
        response["Retry-After"] = str(wait)
        return response
    if isinstance(error, exceptions.APIException):
        set_rollback()
        title = str(error.default_code).replace("_", " ").capitalize()
        response = _body(error.status_code, title, _sentence(error, context))
        if header := getattr(error, "auth_header", None):
            response["WWW-Authenticate"] = header
        return response
    return None


def plain(request: HttpRequest, status: int, title: str, detail: str) -> JsonResponse:
    """Return a problem for what fails before or beside the views of the API."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JsonResponse(body, status=status, content_type="application/problem+json")


def nothing_here(request: HttpRequest, rest: str = "") -> JsonResponse:
    """Answer an address of the API that leads nowhere."""
    return plain(request, 404, "Not found", "The API has nothing at this address; see /api/docs/.")


nothing_here.csrf_exempt = True  # type: ignore[attr-defined]  # it does nothing, whoever sends it
