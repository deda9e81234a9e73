"""Keyset pages for lists people click through; the same cost however deep, and no count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from amgs.core.errors import Refused

ROWS = 25


@dataclass(frozen=True)
class Page:
    """Rows of one page and the way to the next."""

    rows: list[Any]
    after: str
    next: str
    kept: dict[str, str]

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def next_query(self) -> str:
        """The query string of the next page."""
        return urlencode(self.kept | {"after": self.next})

    @property
    def first_query(self) -> str:
        """The query string of the first page."""
        return urlencode(self.kept)


def back_to(name: str, request: HttpRequest) -> str:
    """Return the address of a list as it was narrowed down when somebody acted on it."""
    kept = {key: value for key, value in request.GET.items() if value}
    return reverse(name) + (f"?{urlencode(kept)}" if kept else "")


def newest_first(rows: QuerySet[Any], request: HttpRequest, limit: int = ROWS) -> Page:
    """Return the page that ``?after=`` asks for, newest rows first."""
    after = request.GET.get("after", "")
    kept = {key: value for key, value in request.GET.items() if key != "after" and value}
    if after:
        anchor = rows.model._base_manager.filter(public_id=after).values_list("pk", flat=True)
        if not anchor:
            raise Refused("This page of the list no longer exists; begin at its first page.")
        rows = rows.filter(pk__lt=anchor[0])
    found = list(rows.order_by("-pk")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return Page(found, after, found[-1].public_id if more else "", kept)
