"""Keyset pages: constant cost however deep, no count in the page query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from amgs.core.errors import Refused

MOST = 200
PARAMETERS = [
    OpenApiParameter("after", str, description="the `next` of the page before"),
    OpenApiParameter("limit", int, description=f"how many rows, at most {MOST}"),
]


def page(
    rows: QuerySet[Any],
    request: Request,
    serialise: Callable[[Any], Mapping[str, Any]],
    limit: int = 50,
    newest_first: bool = True,
) -> Response:
    """Return one page of rows ordered by primary key; ``next`` is a public id or ``None``."""
    asked = request.query_params.get("limit")
    if asked is not None:
        if not asked.isdecimal() or not 1 <= int(asked) <= MOST:
            raise Refused(f"'limit' must be a number from 1 to {MOST}.", field="limit")
        limit = int(asked)
    if after := request.query_params.get("after"):
        model: type[Model] = rows.model
        anchor = model._base_manager.filter(public_id=after).values_list("pk", flat=True).first()
        if anchor is None:
            raise Refused("'after' is not the `next` of any page.", field="after")
        rows = rows.filter(pk__lt=anchor) if newest_first else rows.filter(pk__gt=anchor)
    found = list(rows.order_by("-pk" if newest_first else "pk")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return Response(
        {
            "results": [serialise(row) for row in found],
            "next": found[-1].public_id if more else None,
        }
    )
