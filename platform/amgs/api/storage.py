"""The addresses that local storage signs: PUT a part, GET an object or a stretch of it.

Installations that store in S3 never come here: their addresses point at the S3 server.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from amgs.api.problems import AsItIs
from amgs.core.errors import NotAllowed, NotFound, Refused
from amgs.files.local import LocalStorage, is_signed
from amgs.files.storage import Damaged, Storage, WrongLength, chunks, get_storage

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_SHA256 = re.compile(r"(?:^|,\s*)sha-256=:([A-Za-z0-9+/]{43}=):")
# What a browser may show in place; anything else could carry script into the site's origin.
_SHOWN = re.compile(r"(image/(png|jpeg|webp|gif)|video/[a-z0-9.+-]+|application/json|text/csv)")


@extend_schema(exclude=True)  # the addresses are opaque: clients use what they are handed
class SignedObject(APIView):
    """One object, for whoever holds a signed address of it."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    throttle_classes: list[Any] = []  # whoever was handed the address was counted then
    content_negotiation_class = AsItIs

    def put(self, request: Request, key: str) -> HttpResponse:
        """Store the body under the key, whole or not at all."""
        said = self._said(request, "PUT", key)
        length = request.META.get("CONTENT_LENGTH") or ""
        if not length.isdecimal():
            return HttpResponse(status=411)
        if "most" in said and int(length) > int(said["most"]):
            raise Refused(
                f"This part has {length} bytes, but {said['most']} were announced; open a new "
                "upload for the file as it is now."
            )
        stream = request.stream or request._request
        try:
            stat = _local().put_part(key, stream, int(length), _digest(request))
        except Damaged:
            raise Refused("This part changed on the way; send it again.") from None
        except WrongLength:
            raise Refused("The connection broke before the end; send this part again.") from None
        return HttpResponse(headers={"ETag": f'"{stat.etag}"'})

    def get(self, request: Request, key: str) -> HttpResponseBase:
        """Return the object, or the stretch that a ``Range`` header names."""
        said = self._said(request, "GET", key)
        storage = _local()
        stat = storage.stat(key)
        if stat is None:
            raise NotFound("This file is no longer stored here.")
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": f'"{stat.etag}"',
            "Cache-Control": "private, max-age=300",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        media_type = said.get("type", "application/octet-stream")
        if "filename" in said:
            name = quote(said["filename"], safe="")
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        elif not _SHOWN.fullmatch(media_type):
            headers["Content-Disposition"] = "attachment"
        stretch = _stretch(request.headers.get("Range", ""), stat.size)
        if stretch is None:
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{stat.size}"})
        start, end = stretch
        headers["Content-Length"] = str(end - start)
        whole = "Range" not in request.headers or not _RANGE.fullmatch(request.headers["Range"])
        if not whole:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{stat.size}"
        return StreamingHttpResponse(
            _bytes(storage, key, start, end),
            status=200 if whole else 206,
            content_type=media_type,
            headers=headers,
        )

    @staticmethod
    def _said(request: Request, method: str, key: str) -> dict[str, str]:
        said = request.query_params.dict()
        if not is_signed(method, key, said):
            raise NotAllowed("This address is not valid or has run out; ask for a new one.")
        return said


def _digest(request: Request) -> bytes | None:
    """Return the SHA-256 that a ``Content-Digest`` header gives (RFC 9530); ``None``: none."""
    found = _SHA256.search(request.headers.get("Content-Digest", ""))
    return base64.b64decode(found[1]) if found else None


def _local() -> LocalStorage:
    storage = get_storage()
    if not isinstance(storage, LocalStorage):
        raise NotFound("Files are not stored here.")
    return storage


def _stretch(wish: str, size: int) -> tuple[int, int] | None:
    """Return (first byte, byte after the last) of a ``Range`` header; ``None``: beyond the end.

    A header that is not one range of bytes is as good as none (RFC 9110, section 14.2).
    """
    found = _RANGE.fullmatch(wish)
    if not found or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) and size else None
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None


def _bytes(storage: Storage, key: str, start: int, end: int) -> Iterator[bytes]:
    with storage.open(key, start, end - start) as stream:
        yield from chunks(stream)


urlpatterns = [path("storage/<path:key>", SignedObject.as_view())]
