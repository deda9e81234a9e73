"""How a version is cited, on its page: the sentence, the files, what search engines read."""

from __future__ import annotations

from typing import Any

from amgs.core import policy
from amgs.core.base import Actor
from amgs.repository.citing import cited, doi_state
from amgs.repository.models import Version
from amgs.repository.rules import PUBLIC_STATES
from curation.citing import left_note, schema_org, sentence
from curation.licences import described


def card(person: Actor, version: Version) -> dict[str, Any]:
    """Return what the page of a version says of citing and taking it home."""
    about = cited(version)
    public = version.state in PUBLIC_STATES
    licence = described(version.licence)
    doi = doi_state(version)
    return {
        "sentence": sentence(about),
        "public": public,
        "doi": doi,
        "link": about.link,
        "licence": {"identifier": version.licence, "title": licence.title, "url": licence.url},
        "left": left_note(about)
        if about.left or version.state in ("withdrawn", "retracted")
        else "",
        "phantom": about.phantom,
        "json_ld": schema_org(about) if public else None,
        "download": policy.may(person, "download_recordings", version),
        "retry": doi["state"] == "failed" and "maintainer" in person.roles,
    }
