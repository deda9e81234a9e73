"""The form in which permissions are signed: texts in full, licence, right to share, name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from amgs.core.errors import Refused
from amgs.repository import services
from amgs.repository.models import Version
from curation import permissions
from curation.licences import LICENCES


def form(held: Collection[str], signer: str, licence: str) -> dict[str, Any]:
    """Return what the form shows, with the texts that are signed now."""
    wording = permissions.current()
    return {
        "texts": [wording.text(kind) for kind in permissions.KINDS],
        "right": wording.text(permissions.RIGHT_TO_SHARE),
        "text_version": wording.key,
        "licences": [(key, row.means) for key, row in LICENCES.items()],
        "licence": licence,
        "held": list(held),
        "signer": signer,
        "right_to_share": False,
    }


def given(request: HttpRequest) -> dict[str, Any]:
    """Return what somebody filled in, as the services ask for it."""
    kinds = request.POST.getlist("kinds")
    return {
        "held": kinds,
        "signer": request.POST.get("signer", ""),
        "right_to_share": "right_to_share" in request.POST,
        "licence": request.POST.get("licence", ""),
        "text_version": request.POST.get("text_version", ""),
    }


def day(text: str) -> date | None:
    """Return the day of a date field, ``None`` where it is empty; raises ``Refused``."""
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Refused(
            f"“{text}” is no day; write it as year-month-day, such as 2027-03-31.", field="until"
        ) from None


@transaction.atomic
def sign_draft(request: HttpRequest, version: Version, form: Mapping[str, Any]) -> None:
    """Sign what was filled in and set the embargo: both, or neither."""
    until = day(form["until"])
    services.sign_permissions(
        by=request.user,
        version=version,
        kinds=form["held"],
        signer_name=form["signer"],
        right_to_share=form["right_to_share"],
        licence=form["licence"],
        text_version=form["text_version"],
    )
    ticked = form["train_under_embargo"]
    if (until, ticked) != (version.embargo_until, version.train_under_embargo):
        services.set_embargo(
            by=request.user, version=version, until=until, train_under_embargo=ticked
        )
