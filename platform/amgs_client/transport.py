"""One HTTP connection to a site, with retries on the right errors only.

A request is tried again when the site was not reached or answered 500, 502, 503 or 504, and when
it said 429 with a time to wait. Requests that are not safe to repeat carry an idempotency key or
are repeated only where the server makes them so (uploads, completing, ratings).
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from amgs_client.errors import Gone, NotReached, SiteRefused

AGAIN = {500, 502, 503, 504}
TRIES = 5
LONGEST_WAIT_S = 60.0
PART_AGAIN = AGAIN | {400, 403, 408, 429}
"""A part may be put again whatever happened: 400 says that it changed or was cut on the way, 403
that the address has run out."""
PART_TRIES = 10
PIECE = 256 * 1024


class Transport:
    """Speaks JSON with one site."""

    def __init__(self, url: str, token: str | None = None, timeout: float = 60.0) -> None:
        headers = {"Accept": "application/json", "User-Agent": "amgs-client/2"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.site = url.rstrip("/")
        self.signed_in = bool(token)
        self._http = httpx.Client(headers=headers, timeout=timeout, follow_redirects=True)
        # Storage addresses carry their own signature; the token must not travel with them.
        self._plain = httpx.Client(timeout=timeout, follow_redirects=True)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._plain.close()

    def ask(
        self, method: str, path: str, *, again: bool | None = None, key: str = "", **options: Any
    ) -> Any:
        """Send a request to the API and return its JSON (``None`` for an empty answer).

        With an idempotency ``key`` any request may be sent again: the site does it once.
        """
        repeatable = method in {"GET", "PUT", "DELETE"} if again is None else again
        if key:
            repeatable, options["headers"] = True, {"Idempotency-Key": key}
        response = self._send(
            lambda: self._http.request(method, f"{self.site}/api/{path}", **options), repeatable
        )
        if response.is_error:
            raise _refusal(response)
        return response.json() if response.content else None

    def address(self, path: str) -> str:
        """Return where the API sends whoever asks for a file; the address is signed and runs out.

        It is not followed here, because the token must not travel to the storage.
        """
        response = self._send(
            lambda: self._http.get(f"{self.site}/api/{path}", follow_redirects=False), True
        )
        if not response.is_redirect:
            raise _refusal(response)
        return str(response.headers["location"])

    def put_part(self, address: Callable[[bool], tuple[str, dict[str, str]]], data: bytes) -> None:
        """PUT a part to a signed storage address; the same bytes may be put again and again.

        ``address(fresh)`` gives the address and its headers; ``fresh`` asks for a new one, since
        the signature of the old has run out.
        """
        fresh = False
        for left in range(PART_TRIES - 1, -1, -1):
            url, headers = address(fresh)
            try:
                response = self._plain.put(
                    self._absolute(url),
                    content=_pieces(data),
                    headers=headers | {"Content-Length": str(len(data))},
                )
            except httpx.TransportError as error:
                if not left:
                    raise NotReached(f"The connection to the storage broke: {error}") from error
                response = None
            if response is not None:
                fresh = response.status_code == 403
                if not response.is_error:
                    return
                if not left or response.status_code not in PART_AGAIN:
                    raise _refusal(response)
            time.sleep(_pause(PART_TRIES - 1 - left, response))
        raise AssertionError("the last try returns or raises")

    def download(self, address: str, file: BinaryIO, told: Callable[[int], None]) -> None:
        """GET bytes from a signed storage address into a file, from where the file ends on.

        ``told(bytes)`` is called as they come. Broken connections are taken up again.
        """
        url = self._absolute(address)
        for left in range(PART_TRIES - 1, -1, -1):
            begin, response = file.tell(), None
            headers = {"Range": f"bytes={begin}-"} if begin else {}
            try:
                with self._plain.stream("GET", url, headers=headers) as response:
                    if response.is_success:
                        if begin and response.status_code != 206:
                            file.truncate(0)
                        for chunk in response.iter_bytes(1024 * 1024):
                            file.write(chunk)
                            told(len(chunk))
                        return
                    response.read()
            except httpx.TransportError as error:
                if not left:
                    raise NotReached(f"The connection to the storage broke: {error}") from error
            else:
                if response.status_code == 416:  # the file was whole already
                    return
                if not left or response.status_code not in AGAIN:
                    raise _refusal(response)
            time.sleep(_pause(PART_TRIES - 1 - left, response))
        raise AssertionError("the last try returns or raises")

    def save(
        self, path: str, target: Path, told: Callable[[int], None] = lambda count: None
    ) -> str:
        """GET what the API makes while it sends it into a file; return its SHA-256.

        The file appears when it is whole. It cannot be taken up where the connection broke, so it
        is begun again.
        """
        draft = target.with_name(f"{target.name}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in range(TRIES - 1, -1, -1):
            digest, response = hashlib.sha256(), None
            try:
                with self._http.stream(
                    "GET", f"{self.site}/api/{path}", headers={"Accept": "*/*"}
                ) as response:
                    if response.is_success:
                        with draft.open("wb") as file:
                            for chunk in response.iter_bytes(1024 * 1024):
                                digest.update(chunk)
                                file.write(chunk)
                                told(len(chunk))
                        draft.replace(target)
                        return digest.hexdigest()
                    response.read()
            except httpx.TransportError as error:
                if not left:
                    raise NotReached(f"The connection to {self.site} broke: {error}") from error
            if response is not None and response.is_error:
                again = response.status_code in AGAIN or _soon(response)
                if not again or not left:
                    raise _refusal(response)
            time.sleep(_pause(TRIES - 1 - left, response))
        raise AssertionError("the last try returns or raises")

    def get_bytes(self, address: str) -> bytes:
        """GET bytes from a signed storage address (absolute, or relative to the site)."""
        response = self._send(lambda: self._plain.get(self._absolute(address)), True)
        if response.is_error:
            raise _refusal(response)
        return response.content

    def _absolute(self, address: str) -> str:
        return address if "://" in address else f"{self.site}{address}"

    def _send(self, send: Callable[[], httpx.Response], repeatable: bool) -> httpx.Response:
        for left in range(TRIES - 1, -1, -1):
            response = None
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
                waits = _soon(response) and left
                if not waits and (response.status_code not in AGAIN or not left or not repeatable):
                    return response
            time.sleep(_pause(TRIES - 1 - left, response))
        raise AssertionError("the last try returns or raises")


def _pieces(data: bytes) -> Iterator[bytes]:
    """Yield a part in pieces: what a socket does not take at once is copied whole otherwise."""
    for begin in range(0, len(data), PIECE):
        yield data[begin : begin + PIECE]


def _pause(failures: int, response: httpx.Response | None) -> float:
    """Return the seconds to wait after so many failures: what the server said, or twice as long
    as the last time, up to 8 s, with some chance in it so that lanes do not go in step."""
    if response is not None and response.headers.get("Retry-After", "").isdecimal():
        return min(float(response.headers["Retry-After"]), LONGEST_WAIT_S)
    return min(8.0, 0.2 * 2**failures) * (1 + random.random())  # noqa: S311


def _soon(response: httpx.Response) -> bool:
    """Return whether the site asks to come again soon; what is used up until tomorrow is told."""
    wait = response.headers.get("Retry-After", "")
    return response.status_code == 429 and not (wait.isdecimal() and int(wait) > LONGEST_WAIT_S)


def _refusal(response: httpx.Response) -> SiteRefused:
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    kind = Gone if response.status_code in {404, 410} else SiteRefused
    return kind(response.status_code, body)
