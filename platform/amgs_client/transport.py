"""One HTTP connection to a site, with retries on the right errors only.

A request is tried again when the site was not reached or answered 502, 503 or 504, and when it
said 429 with a time to wait. Requests that are not safe to repeat carry an idempotency key or are
repeated only where the server makes them so (uploads, completing, ratings).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import httpx

from amgs_client.errors import Gone, NotReached, SiteRefused

AGAIN = {502, 503, 504}
TRIES = 5


class Transport:
    """Speaks JSON with one site."""

    def __init__(self, url: str, token: str | None = None, timeout: float = 60.0) -> None:
        headers = {"Accept": "application/json", "User-Agent": "amgs-client/2"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.site = url.rstrip("/")
        self._http = httpx.Client(headers=headers, timeout=timeout, follow_redirects=True)
        # Storage addresses carry their own signature; the token must not travel with them.
        self._plain = httpx.Client(timeout=timeout, follow_redirects=True)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._plain.close()

    def ask(self, method: str, path: str, *, again: bool | None = None, **options: Any) -> Any:
        """Send a request to the API and return its JSON (``None`` for an empty answer)."""
        repeatable = method in {"GET", "PUT", "DELETE"} if again is None else again
        response = self._send(
            lambda: self._http.request(method, f"{self.site}/api/{path}", **options), repeatable
        )
        if response.is_error:
            raise _refusal(response)
        return response.json() if response.content else None

    def put_bytes(self, address: str, data: bytes) -> None:
        """PUT bytes to a signed storage address (absolute, or relative to the site)."""
        target = address if "://" in address else f"{self.site}{address}"
        response = self._send(lambda: self._plain.put(target, content=data), True)
        if response.is_error:
            raise _refusal(response)

    def get_bytes(self, address: str) -> bytes:
        """GET bytes from a signed storage address (absolute, or relative to the site)."""
        target = address if "://" in address else f"{self.site}{address}"
        response = self._send(lambda: self._plain.get(target), True)
        if response.is_error:
            raise _refusal(response)
        return response.content

    def _send(self, send: Callable[[], httpx.Response], repeatable: bool) -> httpx.Response:
        for left in range(TRIES - 1, -1, -1):
            pause = 0.2 * 2 ** (TRIES - 1 - left) * (1 + random.random())  # noqa: S311  (jitter)
            try:
                response = send()
            except httpx.ConnectError as error:
                # Nothing was sent, so trying again is always safe.
                if not left:
                    raise NotReached(f"{self.site} does not answer: {error}") from error
            except httpx.TransportError as error:
                if not left or not repeatable:
                    raise NotReached(f"The connection to {self.site} broke: {error}") from error
            else:
                if response.status_code == 429 and left:
                    pause = float(response.headers.get("Retry-After", pause))
                elif response.status_code not in AGAIN or not left or not repeatable:
                    return response
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")


def _refusal(response: httpx.Response) -> SiteRefused:
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    kind = Gone if response.status_code in {404, 410} else SiteRefused
    return kind(response.status_code, body)
