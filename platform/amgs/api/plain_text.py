"""What no table can hold is refused at the door: NUL characters, half characters, endless numbers.

PostgreSQL takes neither NUL nor lone surrogates in a text, and JSON has no infinity; SQLite and
Python take all of them, so nothing but this would show it before production.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import IO, Any

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_UNKEPT = re.compile("[\x00\ud800-\udfff]")


class PlainAddresses:
    """Refuse addresses with a NUL in them: no thing is called so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 404 for such a path and 400 for such a question."""
        if "\x00" in request.path:
            raise Http404
        if "%00" in request.META.get("QUERY_STRING", ""):
            raise BadRequest("a NUL character")
        return self.get_response(request)


class PlainJson(JSONParser):
    """JSON whose texts and numbers every database can hold."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return what the body says; ``ParseError`` where it cannot be kept."""
        try:
            data = super().parse(stream, media_type, parser_context)
            plain = _is_plain(data)
        except RecursionError:
            raise ParseError("nested too deeply") from None
        if not plain:
            raise ParseError("characters or numbers that cannot be kept")
        return data


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return not _UNKEPT.search(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(entry) for key, entry in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return True
