"""The WSGI application that gunicorn serves."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amgs.settings.base")

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
CHUNK = 64 * 1024


class Body(io.RawIOBase):
    """The rest of a request's body, read from gunicorn in pieces as large as are asked for."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        """Bodies are read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, or what of it there are bytes for."""
        data = self._reader.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def in_large_pieces(application: Wsgi) -> Wsgi:
    """Let parts of files be read 64 KiB at a time.

    Gunicorn's own stream hands a body on in steps of 1 KiB, which costs more time than hashing
    and storing it. Where the stream has no reader behind it, it is used as it is.
    """

    def answer(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        reader = getattr(request["wsgi.input"], "reader", None)
        if request["REQUEST_METHOD"] == "PUT" and reader is not None:
            request["wsgi.input"] = io.BufferedReader(Body(reader), CHUNK)
        return application(request, start)

    return answer


application = in_large_pieces(get_wsgi_application())
