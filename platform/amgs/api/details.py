"""Answers about one thing: only the fields asked for, and nothing where nothing has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from amgs.core.errors import Refused

FIELDS = OpenApiParameter(
    "fields",
    str,
    description="only these fields of each, joined by commas; all where it is left out",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="the `ETag` of an earlier answer; 304 without a body where it is still true",
)
DETAIL = [FIELDS, IF_NONE_MATCH]


def asked_fields(request: Request) -> tuple[str, ...]:
    """Return the fields that ``?fields=`` names; none means all of them."""
    names = request.query_params.get("fields", "")
    return tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))


def picked(body: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    """Return only these fields of an answer; raises ``Refused`` for one that it does not have."""
    if not names:
        return body
    if unknown := [name for name in names if name not in body]:
        raise Refused(
            f"There is no field '{unknown[0][:80]}'; choose from {', '.join(body)}.", field="fields"
        )
    return {name: body[name] for name in names}


def detail(request: Request, body: Mapping[str, Any], *, pick: bool = True) -> Response:
    """Return an answer about one thing, with an ``ETag`` of its bytes.

    ``pick=False``: the answer has a form of its own, of which nothing may be left out.
    """
    response = Response(picked(body, asked_fields(request)) if pick else body)

    def tagged(rendered: Response) -> HttpResponse:
        rendered["ETag"] = f'"{hashlib.sha256(rendered.content).hexdigest()[:32]}"'
        # Kept by the reader alone, and asked for anew every time: what one may see differs.
        rendered["Cache-Control"] = "private, no-cache"
        patch_vary_headers(rendered, ["Authorization", "Cookie"])
        return get_conditional_response(request._request, etag=rendered["ETag"], response=rendered)

    response.add_post_render_callback(tagged)
    return response
