"""Make the buckets that a new S3 server lacks: the site's, and those named as arguments.

``STORAGE_URL=… python -m deploy.make_buckets mlflow`` waits for the server and is safe to repeat.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from urllib.parse import parse_qs, unquote, urlsplit

WAIT_SECONDS = 120


def make_buckets(url: str, more: Sequence[str], *, seconds: float = WAIT_SECONDS) -> list[str]:
    """Make the bucket of a STORAGE_URL and those in ``more``; return the names of the new ones.

    Raises what the last attempt raised when the server does not answer within ``seconds``.
    """
    import urllib3
    from minio import Minio
    from minio.error import MinioException

    parts = urlsplit(url)
    client = Minio(
        parts.netloc.rpartition("@")[2],
        access_key=unquote(parts.username or ""),
        secret_key=unquote(parts.password or ""),
        region=parse_qs(parts.query).get("region", ["us-east-1"])[0],
        secure=parts.scheme == "s3+https",
        http_client=urllib3.PoolManager(timeout=10, retries=False),
    )
    made: list[str] = []
    deadline = time.monotonic() + seconds
    for bucket in (parts.path.strip("/"), *more):
        while True:
            try:
                if not client.bucket_exists(bucket):
                    client.make_bucket(bucket)
                    made.append(bucket)
                break
            except (MinioException, urllib3.exceptions.HTTPError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
    return made


if __name__ == "__main__":
    address = os.environ.get("STORAGE_URL", "")
    if not address.startswith("s3+"):
        sys.exit("STORAGE_URL is not set to an s3+http:// or s3+https:// address.")
    for name in make_buckets(address, sys.argv[1:]):
        print(f"made bucket {name}")
