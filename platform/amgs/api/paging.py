"""Keyset pages: constant cost however deep, no count in the page query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from amgs.api.details import FIELDS, asked_fields, picked
from amgs.core.errors import Refused

MOST = 200
LIST = [
    OpenApiParameter("after", str, description="the `next` of the page before"),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST},
        description=f"how many rows, at most {MOST}",
    ),
    FIELDS,
]
"""Parameters of every list that ``page`` answers."""


def limit_of(request: Request, limit: int) -> int:
    """Return how many rows are asked for."""
    asked = request.query_params.get("limit")
    if asked is None:
        return limit
    # Its length first: there are figures too long to be read as a number.
    if not asked.isdecimal() or len(asked) > 9 or not 1 <= int(asked) <= MOST:
        raise Refused(f"'limit' must be a number from 1 to {MOST}.", field="limit")
    return int(asked)


def page(
    rows: QuerySet[Any],
    request: Request,
    serialise: Callable[[Any], Mapping[str, Any]],
    limit: int = 50,
    newest_first: bool = True,
) -> Response:
    """Return one page of rows ordered by primary key; ``next`` is a public id or ``None``."""

    def each(found: Sequence[Any]) -> list[Mapping[str, Any]]:
        return [serialise(row) for row in found]

    return page_together(rows, request, each, limit, newest_first)


def page_together(
    rows: QuerySet[Any],
    request: Request,
    serialise: Callable[[Sequence[Any]], Sequence[Mapping[str, Any]]],
    limit: int = 50,
    newest_first: bool = True,
) -> Response:
    """Return such a page of rows that are read together, with one query for what they share."""
    limit, fields = limit_of(request, limit), asked_fields(request)
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
            "results": [picked(row, fields) for row in serialise(found)],
            "next": found[-1].public_id if more else None,
        }
    )


def numbered(
    rows: QuerySet[Any],
    request: Request,
    serialise: Callable[[Any], Mapping[str, Any]],
    limit: int = 100,
) -> Response:
    """Return one page of decisions in the order of their numbers, by which ``next`` goes on."""
    limit, fields = limit_of(request, limit), asked_fields(request)
    after = request.query_params.get("after", "0")
    if not after.isdecimal() or len(after) > 18:
        raise Refused("'after' is not the `next` of any page.", field="after")
    found = list(rows.filter(number__gt=int(after)).order_by("number")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return Response(
        {
            "results": [picked(serialise(row), fields) for row in found],
            "next": str(found[-1].number) if more else None,
        }
    )
