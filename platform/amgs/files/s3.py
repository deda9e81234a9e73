"""The storage contract on plain S3, through the public API of the ``minio`` package."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import parse_qs, quote, unquote, urlsplit

import certifi
import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource
from minio.error import MinioException, S3Error

from amgs.files.storage import (
    CHUNK,
    Missing,
    Stat,
    Unavailable,
    WrongLength,
    as_stream,
    valid_key,
)

_GONE = {"NoSuchKey", "NoSuchObject", "ResourceNotFound"}
_UNKNOWN_SIZE_PART = 16 * CHUNK


class S3Storage:
    """Objects in one bucket.

    A second client signs addresses for the host that browsers reach. Both know the region:
    without it, signing would ask the server.
    """

    part_digest = "md5"

    def __init__(self, client: Minio, signer: Minio, bucket: str) -> None:
        self.client = client
        self.signer = signer
        self.bucket = bucket

    @classmethod
    def from_url(cls, url: str) -> S3Storage:
        """Make the storage of ``s3+https://key:secret@host/bucket?region=…&public=https://…``."""
        parts = urlsplit(url)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        region = query.get("region", "us-east-1")
        key, secret = unquote(parts.username or ""), unquote(parts.password or "")
        secure = parts.scheme == "s3+https"
        host = parts.netloc.rpartition("@")[2]
        public = urlsplit(query.get("public") or f"{'https' if secure else 'http'}://{host}")

        def client(endpoint: str, tls: bool) -> Minio:
            return Minio(
                endpoint,
                access_key=key,
                secret_key=secret,
                region=region,
                secure=tls,
                http_client=_pool(),
            )

        return cls(
            client(host, secure),
            client(public.netloc, public.scheme == "https"),
            parts.path.strip("/"),
        )

    def put(self, key: str, data: BinaryIO | bytes, size: int = -1) -> Stat:
        """Store bytes, or so many bytes of a stream (-1: all that it still holds)."""
        stream, size = as_stream(data, size)
        counted = _Counted(stream)
        part = _UNKNOWN_SIZE_PART if size < 0 else 0
        try:
            with _plain(key):
                written = self.client.put_object(
                    self.bucket, valid_key(key), cast(BinaryIO, counted), size, part_size=part
                )
        except OSError as error:
            if counted.came < size:
                raise WrongLength(f"{counted.came} of {size} bytes came") from error
            raise
        return Stat(counted.came if size < 0 else size, written.etag or "")

    @contextlib.contextmanager
    def open(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[BinaryIO]:
        """Open a stretch of an object for reading."""
        if length == 0:  # the SDK reads "length 0" as "all"
            if self.stat(key) is None:
                raise Missing(key)
            yield io.BytesIO()
            return
        try:
            with _plain(key):
                response = self.client.get_object(
                    self.bucket, valid_key(key), offset=offset, length=length or 0
                )
        except _BeyondTheEnd:
            yield io.BytesIO()
            return
        try:
            yield cast(BinaryIO, io.BufferedReader(_Body(response, key), CHUNK))
        finally:
            response.close()
            response.release_conn()

    def stat(self, key: str) -> Stat | None:
        """Return size and entity tag of an object, or ``None``."""
        try:
            with _plain(key):
                found = self.client.stat_object(self.bucket, valid_key(key))
        except Missing:
            return None
        return Stat(found.size or 0, found.etag or "")

    def delete(self, key: str) -> None:
        """Remove an object; that there is none is no error."""
        with contextlib.suppress(Missing), _plain(key):
            self.client.remove_object(self.bucket, valid_key(key))

    def list(self, prefix: str) -> Iterator[str]:
        """Yield every key that begins with the prefix, in order."""
        for key, _ in self.scan(prefix):
            yield key

    def scan(self, prefix: str) -> Iterator[tuple[str, Stat]]:
        """Yield every key that begins with the prefix, in order, with its facts."""
        if prefix:
            valid_key(prefix.rstrip("/"))
        with _plain(prefix):
            for found in self.client.list_objects(self.bucket, prefix=prefix, recursive=True):
                etag = (found.etag or "").strip('"')
                yield found.object_name or "", Stat(found.size or 0, etag)

    def compose(self, target: str, sources: Sequence[str], *, durable: bool = True) -> Stat:
        """Put objects together inside the server, which makes all durable."""
        parts = [ComposeSource(self.bucket, valid_key(source)) for source in sources]
        with _plain(target):
            self.client.compose_object(self.bucket, valid_key(target), parts)
        return cast(Stat, self.stat(target))

    def wait(self, key: str) -> None:
        """Nothing to wait for: what the server took is durable."""

    def download(self, key: str, path: Path) -> Path:
        """Bring an object to a local file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            with self.open(key) as stream, draft.open("xb") as file:
                while chunk := stream.read(CHUNK):
                    file.write(chunk)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return path

    def sign_put(self, key: str, seconds: int, size: int | None = None) -> str:
        """Return an address to which the object may be PUT (S3 cannot limit the size here)."""
        return self.signer.presigned_put_object(
            self.bucket, valid_key(key), expires=timedelta(seconds=seconds)
        )

    def sign_get(
        self,
        key: str,
        seconds: int,
        filename: str | None = None,
        media_type: str | None = None,
    ) -> str:
        """Return an address from which the object may be had."""
        headers: dict[str, str | list[str] | tuple[str]] = {
            "response-content-type": media_type or "application/octet-stream",
        }
        if filename:
            headers["response-content-disposition"] = (
                f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
            )
        return self.signer.presigned_get_object(
            self.bucket,
            valid_key(key),
            expires=timedelta(seconds=seconds),
            response_headers=headers,
        )

    def sweep(self, seconds: float) -> int:
        """Remove nothing: an S3 server stores no object of a write that broke."""
        return 0

    def check(self) -> None:
        """Raise ``Unavailable`` unless the server answers and the bucket exists."""
        with _plain(self.bucket):
            if not self.client.bucket_exists(self.bucket):
                raise Unavailable(f"There is no bucket '{self.bucket}'.")


def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5, read=60),
        maxsize=10,
        cert_reqs="CERT_REQUIRED",
        ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
        retries=urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
    )


class _BeyondTheEnd(Exception):
    """The stretch asked for begins where the object has ended."""


class _Counted:
    """A stream that knows how many bytes were read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.came = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.came += len(data)
        return data


class _Body(io.RawIOBase):
    """The body of an answer, which is an error where it ends before its announced length."""

    def __init__(self, response: urllib3.BaseHTTPResponse, key: str) -> None:
        self._response = response
        self._key = key
        self._left = int(response.headers["Content-Length"])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with _plain(self._key):
            data = self._response.read(min(len(buffer), self._left)) if self._left else b""
        if self._left and not data:
            raise Unavailable(f"{self._key}: the storage stopped in the middle of the object")
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


@contextlib.contextmanager
def _plain(key: str) -> Iterator[None]:
    """Turn the SDK's and the network's errors into the contract's two."""
    try:
        yield
    except S3Error as error:
        if error.code in _GONE:
            raise Missing(key) from None
        if error.code == "InvalidRange":
            raise _BeyondTheEnd(key) from None
        raise Unavailable(f"{key}: {error.code} {error.message}") from error
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise Unavailable(f"{key}: {type(error).__name__}: {error}") from error
