"""DOIs at DataCite: one call that makes a DOI or brings it up to date.

Documentation of the service: https://support.datacite.org/docs/api-create-dois.
"""

from __future__ import annotations

from typing import Any

import httpx
from django.conf import settings

from amgs.core.errors import Refused

SECONDS = 20.0
_JSON = "application/vnd.api+json"


class Unavailable(Exception):
    """DataCite did not answer or has a fault of its own; the same call may work later."""


def put_doi(doi: str, body: dict[str, Any], *, known: bool) -> None:
    """Make the DOI, or change what is said of it; doing so twice leaves the same.

    ``known``: it was registered before. Where it was but we were not told (the answer was lost),
    DataCite says that it is taken, and it is changed instead. Raises ``Refused`` with DataCite's
    reason where trying again would not help, and ``Unavailable`` where it may.
    """
    place = settings.DATACITE
    with httpx.Client(
        base_url=place["api"],
        auth=(place["repository"], place["password"]),
        timeout=SECONDS,
        headers={"Content-Type": _JSON, "Accept": _JSON},
    ) as http:
        answer = None
        if not known:
            answer = _send(http, "POST", "/dois", body)
        if known or (answer is not None and _is_taken(answer)):
            answer = _send(http, "PUT", f"/dois/{doi}", body)
        if answer is not None and answer.is_error:
            raise Refused(f"DataCite refused the DOI {doi}: {_reason(answer)}")


def _send(http: httpx.Client, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
    try:
        answer = http.request(method, path, json=body)
    except httpx.TransportError as error:
        raise Unavailable(f"DataCite did not answer ({type(error).__name__}).") from error
    if answer.status_code >= 500 or answer.status_code in {408, 429}:
        raise Unavailable(f"DataCite answered with status {answer.status_code}.")
    return answer


def _errors(answer: httpx.Response) -> list[dict[str, Any]]:
    try:
        found = answer.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return []
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _is_taken(answer: httpx.Response) -> bool:
    return answer.status_code == 422 and any(
        "taken" in str(row.get("title", "")) for row in _errors(answer)
    )


def _reason(answer: httpx.Response) -> str:
    if answer.status_code in {401, 403}:
        return "it does not know this repository or password; DATACITE_URL has to be corrected."
    told = "; ".join(
        " ".join(str(row[key]) for key in ("source", "title") if row.get(key))
        for row in _errors(answer)
    )
    return f"{told or f'status {answer.status_code}'}."
