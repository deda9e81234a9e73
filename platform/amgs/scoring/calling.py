"""Call an address that a stranger gave, without being led to a machine behind our own door.

The name is resolved once, every address it has must be a public one, and the connection is made to
exactly that address, so that a name which changes its mind between the look and the call leads
nowhere. Redirects are not followed, proxies of the environment not used, and the whole call has one
deadline, however slowly the other side speaks.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import httpcore
from django.conf import settings

from amgs.core.errors import Refused

DEADLINE_S = 15.0
"""The longest that one call may take in all."""
LONGEST = 2000
_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotTaken(Exception):
    """The call did not come through; another try may."""


def is_public(address: Address) -> bool:
    """Return whether an address is one of the open internet, also where it wraps an older one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None:
            inner = address.teredo[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


def check_address(address: str) -> None:
    """Raise ``Refused`` unless this may be called: ``https``, of the open internet.

    Where ``WEBHOOK_PRIVATE`` is set, ``http`` on loopback is let through as well. A name is not
    resolved here but when it is called.
    """
    wrong = "Give the webhook as an https address, such as https://lab.example/amgs."
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Refused(wrong, field="webhook") from None
    printable = address.isascii() and address.isprintable() and " " not in address
    local = settings.WEBHOOK_PRIVATE and host in _LOOPBACK_NAMES
    if not host or not printable or parts.scheme not in ("https", "http"):
        raise Refused(wrong, field="webhook")
    if parts.scheme == "http" and not local:
        raise Refused(wrong, field="webhook")
    if len(address) > LONGEST:
        raise Refused(f"A webhook may have {LONGEST} characters; shorten it.", field="webhook")
    if parts.username is not None or parts.password is not None:
        raise Refused(
            "Leave name and password out of the webhook; its signature says who calls.",
            field="webhook",
        )
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        literal = None
    inside = host in _LOOPBACK_NAMES or (literal is not None and not is_public(literal))
    if inside and not settings.WEBHOOK_PRIVATE:
        raise _private(host)


def _private(host: str) -> Refused:
    return Refused(
        f"'{host}' leads into a private network, which this site does not call; give an address "
        "of the open internet.",
        field="webhook",
    )


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, all of them such as may be called; raises ``Refused``."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotTaken(f"The name '{host}' cannot be resolved.") from error
    names = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not settings.WEBHOOK_PRIVATE:
        for name in names:
            if not is_public(ipaddress.ip_address(name.partition("%")[0])):
                raise _private(host)
    return names


class _InTime(httpcore.NetworkStream):
    """A connection whose every step ends before the deadline of the call."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self._stream, self._end = stream, end

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise self._late()
        return left

    @staticmethod
    def _late() -> httpcore.ReadTimeout:
        return httpcore.ReadTimeout(f"no whole answer within {DEADLINE_S:.0f} s")

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._left()
        try:
            return self._stream.read(max_bytes, left)
        except httpcore.ReadTimeout:
            raise self._late() from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, self._left())
        return _InTime(inner, self._end)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class _Pinned(httpcore.SyncBackend):
    """Connects to the address that was looked at, whatever the name says a moment later."""

    def __init__(self) -> None:
        self._end = time.monotonic() + DEADLINE_S

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        problem: Exception | None = None
        for name in resolve(host, port):
            left = self._end - time.monotonic()
            if left <= 0:
                break
            try:
                stream = super().connect_tcp(name, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
            else:
                return _InTime(stream, self._end)
        raise problem or httpcore.ConnectTimeout(f"no connection within {DEADLINE_S:.0f} s")


def post(address: str, body: bytes, headers: Mapping[str, str]) -> int:
    """POST a body and return the status of the answer, which is not read further.

    Raises ``Refused`` where the address may not be called, ``NotTaken`` where nobody answers.
    """
    check_address(address)
    pool = httpcore.ConnectionPool(
        ssl_context=ssl.create_default_context(), network_backend=_Pinned(), max_connections=1
    )
    try:
        with (
            pool,
            pool.stream("POST", address, headers=list(headers.items()), content=body) as answer,
        ):
            return int(answer.status)
    except (
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.TimeoutException,
        OSError,
    ) as error:
        raise NotTaken(f"No answer: {type(error).__name__} {error}".strip()[:300]) from error
