"""Calls for data: what is wanted that training lacks, why, and until when.

A call is open or closed. While it is open it stands on the pages where data are contributed, waits
for the curators, and raises what the queue for training thinks of matching frames
(``curation.sampling.CALLED``). It starts no training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from amgs.accounts import notices
from amgs.accounts.models import Lab, Notice
from amgs.core import decisions, policy, vocabulary
from amgs.core.base import SYSTEM, Actor
from amgs.core.errors import Conflict, NotFound, Refused
from amgs.review.models import CallForData
from curation.roles import CURATOR, MAINTAINER


def open_calls() -> QuerySet[CallForData]:
    """Return the calls that are open, newest first."""
    return CallForData.objects.filter(closed_at=None).select_related("lab").order_by("-pk")


def find(public_id: str) -> CallForData:
    """Return a call; raises ``NotFound``."""
    row = CallForData.objects.filter(public_id=public_id).first()
    if row is None:
        raise NotFound("There is no such call for data.")
    return row


@transaction.atomic
def open_call(
    *,
    by: Actor,
    reason: str,
    feature: str = "",
    coat: str = "",
    lab: Lab | None = None,
    facts: Mapping[str, Any] | None = None,
) -> CallForData | None:
    """Open a call and tell curators and maintainers; ``coat`` and ``lab`` say whose data match.

    The platform opens none where one for the same figure and coat is open, or was opened for the
    same week: then ``None``. Raises ``Refused`` for a call without a reason.
    """
    policy.require(by, "call_for_data")
    if not reason.strip():
        raise Refused("Say which data are wanted and why.", field="reason")
    if coat and coat not in dict(vocabulary.coats()):
        raise Refused("Choose a coat from the list, or none for any.", field="coat")
    told = dict(facts or {})
    if by.public_id == SYSTEM.public_id:
        same = CallForData.objects.filter(feature=feature, coat=coat)
        week = told.get("week", "")
        if same.filter(closed_at=None).exists() or same.filter(facts__week=week).exists():
            return None
    row = CallForData.objects.create(
        reason=reason.strip()[:600],
        feature=feature,
        coat=coat,
        lab=lab,
        facts=told,
        opened_by=by.name[:200],
    )
    decisions.record(row, "open_call", by=by, why=row.reason, facts=told)
    notices.tell(
        notices.people(roles=[CURATOR, MAINTAINER]),
        title="Data are called for",
        text=row.reason,
        about=row,
        by=by,
        kind=Notice.About.WAITS,
        key=f"call-{row.public_id}",
    )
    return row


@transaction.atomic
def close_call(*, by: Actor, call: CallForData, why: str) -> None:
    """Close a call with a reason: enough came, or it was no drift."""
    policy.require(by, "call_for_data", call)
    if not why.strip():
        raise Refused("Say why the call is closed.", field="why")
    closed = CallForData.objects.filter(pk=call.pk, closed_at=None).update(
        closed_at=timezone.now(), closed_by=by.name[:200], closed_why=why.strip()[:600]
    )
    if not closed:
        raise Conflict("Somebody has closed this call before you.")
    decisions.record(call, "close_call", by=by, why=why)


def is_called(calls: list[CallForData], lab: int, coat: str) -> bool:
    """Whether any of these calls asks for frames of a lab (primary key) and coat.

    A call without coat and lab asks for nothing in particular and raises nothing.
    """
    return any(
        bool(call.coat or call.lab_id) and call.coat in {"", coat} and call.lab_id in {None, lab}
        for call in calls
    )


def call_json(row: CallForData) -> dict[str, Any]:
    """Return a call as pages and the API show it."""
    return {
        "id": row.public_id,
        "state": row.state,
        "opened_at": row.created_at,
        "opened_by": row.opened_by,
        "reason": row.reason,
        "figure": row.feature,
        "coat": row.coat,
        "lab": row.lab.name if row.lab else "",
        "closed_at": row.closed_at,
        "closed_by": row.closed_by,
        "closed_why": row.closed_why,
    }
