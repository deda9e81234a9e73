"""What is told of versions that left or can be brought back, and of the texts that are signed."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from amgs.core import policy
from amgs.core.base import Actor
from amgs.core.decisions import history
from amgs.repository import consequences
from amgs.repository.models import Version
from curation import permissions
from curation.dataset_version import RETRACTED, WITHDRAWN
from curation.leaving import ACTS, DELETE, UNDO_FOR
from curation.licences import LICENCES
from curation.lifecycle import NotAllowed as NoSuchStep

Json = dict[str, Any]
LEFT = (WITHDRAWN, RETRACTED)


def tombstone(version: Version) -> Json | None:
    """Return who made a version leave, when and why; ``None`` of one that has not left."""
    if version.state not in LEFT:
        return None
    decided = history(version).filter(to_state=version.state).last()
    return {
        "state": version.state,
        "by": decided.actor_name if decided else "",
        "at": decided.at if decided else None,
        "why": decided.why if decided else "",
        "files_deleted_at": version.files_deleted_at,
        "consequences": decided.facts.get("consequences", []) if decided else [],
        "others": [
            {"identifier": row.identifier, "state": row.state}
            for row in Version.objects.filter(
                dataset=version.dataset_id, state="published", deleted_at=None
            )
            .select_related("dataset")
            .order_by("-number")
        ],
    }


def consequences_page(by: Actor, act: str, version: Version) -> Json:
    """Return what an act would do, in numbers, and whether this person may do it.

    Asked beforehand; the same numbers, counted anew, are kept with the decision.
    """
    if act not in ACTS:
        raise KeyError(act)
    answer = _may(by, act, version)
    return {
        "act": act,
        "allowed": bool(answer),
        "reason": answer.reason,
        "consequences": consequences.told(act, version),
    }


def _may(by: Actor, act: str, version: Version) -> policy.Answer:
    if act == DELETE:
        return policy.may(by, "delete_draft", version)
    if act.startswith("take_back_"):
        return policy.may(by, "set_permissions", version)
    try:
        version.lifecycle.next(version.state, act)
    except NoSuchStep as refused:
        return policy.Answer(False, refused.sentence)
    return policy.may(by, f"repository.version.{act}", version)


def deleted_drafts(user: Any) -> QuerySet[Version]:
    """Return the deleted versions of a person's labs that can be brought back, newest first."""
    return (
        Version.objects.filter(deleted_at__isnull=False, dataset__lab__in=user.lab_ids)
        .select_related("dataset__lab")
        .order_by("-deleted_at")
    )


def deleted_row(version: Version) -> Json:
    """Return a deleted version as its lab's list shows it."""
    deleted_at = version.deleted_at
    return {
        "id": version.public_id,
        "identifier": version.identifier,
        "title": version.title,
        "lab": {"id": version.dataset.lab.public_id, "name": version.dataset.lab.name},
        "state": version.state,
        "deleted_at": deleted_at,
        "until": deleted_at + UNDO_FOR if deleted_at else None,
    }


def texts_json(wording: permissions.Wording) -> Json:
    """Return one version of the permission texts, in full, with their digests."""
    return {
        "version": wording.key,
        "since": wording.since,
        "current": wording == permissions.current(),
        "texts": [
            {"kind": row.kind, "title": row.title, "text": row.text, "sha256": row.digest}
            for row in wording.texts
        ],
        "licences": [{"key": key, "title": row.means} for key, row in LICENCES.items()],
    }
