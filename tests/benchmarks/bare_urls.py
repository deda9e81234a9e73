"""The site with two bare views beside it, to compare a page of the API with."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.urls import path

from amgs.urls import handler400, handler404, handler500
from amgs.urls import urlpatterns as site

__all__ = ["handler400", "handler404", "handler500", "urlpatterns"]
_statements: dict[str, list[tuple[str, Any]]] = {}


def constant(request: HttpRequest) -> JsonResponse:
    """Answer the least there is."""
    return JsonResponse({"ok": True})


def same_sql(request: HttpRequest) -> JsonResponse:
    """Send the database what the page sends it, with a cursor, and return the rows of the last."""
    where = request.GET["page"]
    if where not in _statements:
        _statements[where] = _sent_by(where, request.headers["Authorization"])
    rows: list[Any] = []
    with connection.cursor() as cursor:
        for sql, given in _statements[where]:
            cursor.execute(sql, given)
            if cursor.description:
                rows = cursor.fetchall()
    return JsonResponse({"results": rows})


def _sent_by(where: str, authorization: str) -> list[tuple[str, Any]]:
    """Return every statement of a page, seen while it is made once in this process."""
    sent: list[tuple[str, Any]] = []

    def keep(execute: Any, sql: str, given: Any, many: bool, context: Any) -> Any:
        sent.append((sql, given))
        return execute(sql, given, many, context)

    client = Client(headers={"Authorization": authorization}, SERVER_NAME="127.0.0.1")
    assert client.get(where).status_code == 200
    with connection.execute_wrapper(keep):
        answer = client.get(where)
    assert json.loads(answer.content)["results"]
    return sent


urlpatterns = [
    path("bare/constant", constant),
    path("bare/same-sql", same_sql),
    *site,
]
