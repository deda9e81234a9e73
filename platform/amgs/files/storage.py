"""The storage contract: objects under keys, and addresses that anybody may use for a while.

Two implementations keep it, ``local.py`` (files) and ``s3.py`` (plain S3: no tags, policies or
versioning); one conformance suite runs on both. Which one serves is said by ``STORAGE_URL``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

CHUNK = 1024 * 1024
"""How many bytes are read and written at a time."""

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_LONGEST_KEY = 300


class Missing(Exception):
    """There is no object under this key."""


class Unavailable(Exception):
    """The storage does not answer; the same call may work later."""


class WrongLength(Exception):
    """Fewer bytes came than were announced; nothing was stored."""


class Damaged(Exception):
    """Other bytes came than their digest says; nothing was stored."""


class BadKey(ValueError):
    """This is no key: keys are plain names joined by slashes, none of which begins with a dot."""


@dataclass(frozen=True)
class Stat:
    """What is known of an object without reading it. ``etag`` changes when its bytes change."""

    size: int
    etag: str


class Storage(Protocol):
    """Objects under keys. An object appears whole or not at all, and replaces what was there."""

    part_digest: str
    """Which digest of what is PUT to a signed address the storage compares on arrival:
    ``sha-256`` (in the header ``Content-Digest``) or ``md5`` (in ``Content-MD5``)."""

    def put(self, key: str, data: BinaryIO | bytes, size: int = -1) -> Stat:
        """Store bytes, or ``size`` bytes of a stream (-1: all that it still holds).

        Raises ``WrongLength`` where the stream ends before.
        """

    def open(
        self, key: str, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """Return a stream of at most ``length`` bytes from ``offset``; raises ``Missing``."""

    def stat(self, key: str) -> Stat | None:
        """Return what is known of an object, or ``None`` where there is none."""

    def delete(self, key: str) -> None:
        """Remove an object; that there is none is no error."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield every key that begins with the prefix, in order."""

    def scan(self, prefix: str) -> Iterator[tuple[str, Stat]]:
        """Yield what ``list`` yields with what ``stat`` would say of each."""

    def compose(self, target: str, sources: Sequence[str], *, durable: bool = True) -> Stat:
        """Put objects together, in this order, as a new one; raises ``Missing``.

        All but the last have at least 5 MiB (a rule of S3); the sources stay. What is not asked to
        be durable may be lost with the machine's power, and is there sooner.
        """

    def wait(self, key: str) -> None:
        """Wait until an object is durable; raises ``Missing``, or what kept it from being so."""

    def download(self, key: str, path: Path) -> Path:
        """Bring an object to a local file, which must not be changed; raises ``Missing``."""

    def sign_put(self, key: str, seconds: int, size: int | None = None) -> str:
        """Return an address to which anybody may PUT the object for so many seconds.

        Where the storage can enforce it, no more than ``size`` bytes are taken.
        """

    def sign_get(
        self,
        key: str,
        seconds: int,
        filename: str | None = None,
        media_type: str | None = None,
    ) -> str:
        """Return an address from which anybody may GET the object for so many seconds.

        ``filename`` makes a browser save it under that name; without it, it is shown in place.
        """

    def sweep(self, seconds: float) -> int:
        """Remove what writes left behind that broke longer ago than this; return how many."""

    def check(self) -> None:
        """Raise ``Unavailable`` with the reason unless the storage can be written to."""


def valid_key(key: str) -> str:
    """Return the key if it is one; raises ``BadKey`` (so that no path can be smuggled in)."""
    if len(key) > _LONGEST_KEY or not _KEY.fullmatch(key):
        raise BadKey(f"{key[:80]!r} is no storage key")
    return key


def as_stream(data: BinaryIO | bytes, size: int) -> tuple[BinaryIO, int]:
    """Return data as a stream with its size (-1: unknown)."""
    if isinstance(data, bytes | bytearray | memoryview):
        return io.BytesIO(data), len(data)
    return data, size


def chunks(stream: BinaryIO, most: int = -1) -> Iterator[bytes]:
    """Yield what a stream holds (at most so many bytes; -1: all of it), a chunk at a time."""
    left = most
    while chunk := stream.read(CHUNK if most < 0 else min(CHUNK, left)):
        yield chunk
        left -= len(chunk)


def _local(url: str) -> Storage:
    from amgs.files.local import LocalStorage

    return LocalStorage(Path(urlsplit(url).path))


def _s3(url: str) -> Storage:
    from amgs.files.s3 import S3Storage

    return S3Storage.from_url(url)


# Imported when first used: no process loads the storage SDK that stores in files.
SCHEMES: dict[str, Callable[[str], Storage]] = {
    "file": _local,
    "s3+http": _s3,
    "s3+https": _s3,
}


@lru_cache(maxsize=8)
def storage_at(url: str) -> Storage:
    """Return the storage that a URL names."""
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise ImproperlyConfigured(
            f"STORAGE_URL begins with '{scheme}:'; use s3+https://, s3+http:// or leave it unset."
        )
    return SCHEMES[scheme](url)


def get_storage() -> Storage:
    """Return the storage of this installation."""
    return storage_at(settings.STORAGE_URL)
