"""The only writer of a lifecycle state, and the log of every act that matters.

``decide`` asks the lifecycle, asks the policy, changes the state only if it is still the one
the actor saw, and appends one chained row, all in one transaction.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models.functions import Now

from amgs.core import policy
from amgs.core.base import Actor
from amgs.core.errors import Conflict, Refused
from amgs.core.models import ChainHead, Decision

GENESIS = "0" * 64


def _digest(entry: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of an entry in canonical JSON."""
    text = json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _entry(row: Decision) -> dict[str, Any]:
    return {
        "number": row.number,
        "at": row.at.isoformat(),
        "subject": row.subject,
        "subject_kind": row.subject_kind,
        "action": row.action,
        "from": row.from_state,
        "to": row.to_state,
        "actor": [row.actor_id, row.actor_name],
        "why": row.why,
        "facts": row.facts,
        "previous": row.previous,
    }


def _plain(value: Any) -> Any:
    """Return a JSON value as every database gives it back.

    PostgreSQL keeps numbers as decimals and texts without NUL: it returns 1e16 as an integer and
    -0.0 as 0.0, and refuses NaN and NUL. Digesting such values as they came would break the chain.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if abs(value) >= 1e15 and value.is_integer() else value + 0.0
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def database_now() -> datetime:
    """Return the database's clock, the only one whose times are compared."""
    # A row is needed to select from; the head of the chain always exists once asked for.
    ChainHead.objects.get_or_create(pk=1)
    return ChainHead.objects.filter(pk=1).annotate(now=Now()).values_list("now", flat=True)[0]


def _lock_chain() -> tuple[ChainHead, datetime]:
    """Return the head of the chain, locked until the transaction ends, and the database's time.

    The time is asked for after the lock was got, so that times grow along the chain.
    """
    locked = ChainHead.objects.select_for_update().filter(pk=1)
    head = locked.first()
    if head is None:
        ChainHead.objects.get_or_create(pk=1)
        head = locked.get()
    return head, ChainHead.objects.annotate(now=Now()).values_list("now", flat=True).get(pk=1)


@transaction.atomic
def record(
    subject: models.Model,
    action: str,
    *,
    by: Actor,
    why: str = "",
    facts: Mapping[str, Any] | None = None,
) -> Decision:
    """Append one entry that changes no state (a remark, an administrative act)."""
    return _append(_lock_chain(), subject, action, by, why, facts or {})


def _append(
    chain: tuple[ChainHead, datetime],
    subject: models.Model,
    action: str,
    by: Actor,
    why: str,
    facts: Mapping[str, Any],
    from_state: str = "",
    to_state: str = "",
) -> Decision:
    head, at = chain
    row = Decision(
        number=head.number + 1,
        at=at,
        subject=subject.public_id,
        subject_kind=subject._meta.label_lower,
        action=action,
        from_state=from_state,
        to_state=to_state,
        actor_id=by.public_id,
        actor_name=by.name,
        why=_plain(why).strip(),
        facts=_plain(json.loads(json.dumps(dict(facts), default=str))),
        previous=head.digest,
    )
    row.digest = _digest(_entry(row))
    row.save(force_insert=True)
    ChainHead.objects.filter(pk=1).update(number=row.number, digest=row.digest)
    return row


@transaction.atomic
def decide(
    subject: models.Model,
    action: str,
    *,
    by: Actor,
    why: str = "",
    facts: Mapping[str, Any] | None = None,
) -> Decision:
    """Move a subject along its lifecycle and log it.

    The subject has ``state``, ``public_id`` and ``lifecycle``. Raises ``Refused`` where the
    lifecycle knows no such step or a reason is missing, ``NotAllowed`` where this actor may not,
    ``Conflict`` where the state is no longer the one the actor saw.
    """
    from curation.lifecycle import NotAllowed as NoSuchStep

    old = subject.state
    try:
        step = subject.lifecycle.next(old, action)
    except NoSuchStep as error:
        raise Refused(error.sentence) from error
    policy.require(by, f"{subject._meta.label_lower}.{action}", subject)
    if step.needs_reason and not why.strip():
        raise Refused(
            f"Please give a reason: '{step.title}' is never done without one.", field="why"
        )
    # The chain before the subject, in every decision: two that decide on the same two subjects
    # in another order would otherwise wait for each other.
    chain = _lock_chain()
    changed = type(subject)._base_manager.filter(pk=subject.pk, state=old).update(state=step.target)
    if not changed:
        raise Conflict("Someone decided before you; look at the page again before you decide.")
    subject.state = step.target
    return _append(chain, subject, action, by, why, facts or {}, old, step.target)


def history(subject: models.Model) -> models.QuerySet[Decision]:
    """Return all entries about a subject, oldest first."""
    return Decision.objects.filter(subject=subject.public_id).order_by("number")


def is_as_written(row: Decision) -> bool:
    """Return whether an entry still digests to what was written; the chain is not looked at."""
    return _digest(_entry(row)) == row.digest


def broken_links() -> Iterator[tuple[int, str]]:
    """Yield (number, sentence) for every entry that was changed, removed or forged."""
    previous, number = GENESIS, 0
    for row in Decision.objects.order_by("number").iterator(chunk_size=1000):
        if row.number != number + 1:
            yield row.number, f"Entry {number + 1} is missing before entry {row.number}."
        if row.previous != previous:
            yield row.number, f"Entry {row.number} does not follow from the entry before it."
        if _digest(_entry(row)) != row.digest:
            yield row.number, f"Entry {row.number} was changed after it was written."
        previous, number = row.digest, row.number
    head = ChainHead.objects.filter(pk=1).first()
    if head is not None and (head.number, head.digest) != (number, previous):
        yield head.number, f"Entries after {number} were removed; the chain ends at {head.number}."
