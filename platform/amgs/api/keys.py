"""The header ``Idempotency-Key``: a request that is sent twice is done once."""

from __future__ import annotations

import re

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from amgs.core.errors import Refused

_KEY = re.compile(r"[\x21-\x7e]{8,200}")
SAFE = 20
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description=(
        "8 to 200 printable characters of your making (20 without an account). For 24 hours the "
        "same request with the same key is answered by what the first one made, and nothing is "
        "done twice; another request with it is refused (422)."
    ),
)


def asked_key(request: Request) -> str:
    """Return the idempotency key of a request, empty where it has none; raises ``Refused``."""
    key = request.headers.get("Idempotency-Key", "")
    if key and not _KEY.fullmatch(key):
        raise Refused(
            "An Idempotency-Key has 8 to 200 printable characters without spaces, such as a UUID.",
            field="Idempotency-Key",
        )
    if key and len(key) < SAFE and not request.user.is_authenticated:
        raise Refused(
            f"Without an account an Idempotency-Key has at least {SAFE} characters, so that nobody "
            "meets yours; make a UUID.",
            field="Idempotency-Key",
        )
    return key


def made(body: object, *, key: str, new: bool, status: int = 201) -> Response:
    """Answer 201 or another status; with a key it is said whether it had been made before."""
    response = Response(body, status)
    if key:
        response["Idempotency-Replayed"] = "false" if new else "true"
    return response
