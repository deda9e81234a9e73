"""What ``manage.py check --deploy`` says of the way from browsers to the storage."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from amgs.files.storage import get_storage

_SECONDS = 10


@register("amgs", deploy=True)
def browsers_reach_the_storage(**_: Any) -> Iterable[CheckMessage]:
    """Ask the storage, as a browser would, whether pages of this site may send it parts.

    Nothing is asked where addresses point to the site's own origin.
    """
    address, site = get_storage().sign_put("preflight", 60), _origin(settings.SITE_URL)
    if not urlsplit(address).netloc or _origin(address) == site:
        return []
    where = _origin(address)
    try:
        answer = httpx.options(
            address,
            headers={
                "Origin": site,
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "content-md5,content-type",
            },
            timeout=_SECONDS,
        )
    except httpx.HTTPError as error:
        return [
            Warning(
                f"The storage does not answer under {where}, where browsers send files: {error}",
                hint="Correct `public` in STORAGE_URL, or let the reverse proxy serve the bucket.",
                id="amgs.W010",
            )
        ]
    if _allowed(answer.headers, site):
        return []
    return [
        Warning(
            f"Browsers may not send files from {site} to {where} (the preflight was answered "
            f"with {answer.status_code}).",
            hint="Let the reverse proxy serve the bucket under the site's own address, or set "
            f"this CORS rule on the bucket:\n{json.dumps(cors_rule(site), indent=2)}",
            id="amgs.W011",
        )
    ]


def cors_rule(site: str) -> dict[str, Any]:
    """Return the CORS rule of a bucket that pages of this site send parts to."""
    return {
        "CORSRules": [
            {
                "AllowedOrigins": [site],
                "AllowedMethods": ["GET", "PUT"],
                "AllowedHeaders": ["*"],
                "MaxAgeSeconds": 3600,
            }
        ]
    }


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _allowed(headers: httpx.Headers, site: str) -> bool:
    methods = headers.get("Access-Control-Allow-Methods", "")
    named = {name.strip().lower() for name in _list(headers, "Access-Control-Allow-Headers")}
    return (
        headers.get("Access-Control-Allow-Origin") in {site, "*"}
        and "PUT" in {name.strip() for name in methods.split(",")}
        and ("*" in named or "content-md5" in named)
    )


def _list(headers: httpx.Headers, name: str) -> list[str]:
    value: str = headers.get(name, "")
    return value.split(",")
