"""What pages and the API read of screenings: outcomes, pictures, refusals, what changed since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from django.conf import settings

from amgs.core.base import SYSTEM
from amgs.core.decisions import history
from amgs.core.models import Decision
from amgs.files.storage import get_storage
from amgs.repository.models import Recording, Version
from amgs.repository.rules import may_see_pictures
from amgs.review.models import CheckResult, Screening
from curation.checks import registry
from curation.dataset_version import CHANGES_REQUESTED, REJECTED
from curation.facts import VersionFacts
from curation.leaving import REJECTED_KEPT_FOR
from curation.roles import CURATOR, MAINTAINER
from curation.screening import Said, changes

Json = dict[str, Any]
MOST_PICTURES = 4
REFUSALS = ("request_changes", "reject")


def newest_screening(version: Version) -> Screening | None:
    """Return the newest screening of a version with its results."""
    rows = Screening.objects.filter(version=version).prefetch_related("results")
    return rows.order_by("-pk").first()


def screening_page(user: Any, version: Version, pictures: bool = True) -> Json | None:
    """Return the newest screening of a version with every check's outcome, or ``None``.

    What only the office may know is left out for everybody else, as if it had not been asked.
    Without ``pictures`` the answer is the same as long as nothing changes.
    """
    screening = newest_screening(version)
    return None if screening is None else _page(user, version, screening, pictures)


def _page(user: Any, version: Version, screening: Screening, pictures: bool = True) -> Json:
    results = told_to(user, screening.results.all())
    beside = _pictures(user, version, results) if pictures else {}
    return {
        "id": screening.public_id,
        "at": screening.created_at,
        "passed": screening.passed,
        "state": screening.state,
        "results": [
            {
                "check": row.check_name,
                "title": row.title,
                "severity": row.severity,
                "passed": row.passed,
                "sentence": row.sentence,
                "where": row.where,
                "audience": row.audience,
                "help": _help().get(row.check_name, ""),
                "answer": row.answer,
                "answered_by": row.answered_by,
                "answered_at": row.answered_at,
                "pictures": beside.get(row.pk, []),
                "more_pictures": len(row.shown) - MOST_PICTURES
                if row.pk in beside and len(row.shown) > MOST_PICTURES
                else 0,
            }
            for row in results
        ],
        "blocking": [
            row.sentence for row in results if not row.passed and row.severity == "blocks"
        ],
    }


@cache
def _help() -> dict[str, str]:
    """Return by check what it looks at: the first sentence of its function."""
    return {one.key: (one.examine.__doc__ or "").strip().splitlines()[0] for one in registry()}


def told_to(user: Any, results: Iterable[CheckResult]) -> list[CheckResult]:
    """Return the results that somebody may read."""
    office = bool(getattr(user, "roles", frozenset()) & {CURATOR, MAINTAINER})
    return [row for row in results if office or row.audience == "all"]


def _pictures(user: Any, version: Version, results: list[CheckResult]) -> dict[int, list[Json]]:
    """Return the first pictures beside each failed check, where they may be shown: one query."""
    asked = {row.pk: row.shown[:MOST_PICTURES] for row in results if not row.passed and row.shown}
    if not asked or not may_see_pictures(user, version):
        return {}
    keys = {key for shown in asked.values() for key, _ in shown}
    rows = {
        row.public_id: row for row in Recording.objects.filter(public_id__in=keys, versions=version)
    }
    found: dict[int, list[Json]] = {}
    for pk, shown in asked.items():
        pictures = [_picture(rows[key], reason) for key, reason in shown if key in rows]
        found[pk] = [one for one in pictures if one is not None]
    return found


def _picture(row: Recording, reason: str) -> Json | None:
    """Return the picture of a recording that shows a reason best, or its poster."""
    shown: Mapping[str, Any] = row.evidence.get(reason) or {}
    key = shown.get("key") or row.poster_key
    if not key:
        return None
    address = get_storage().sign_get(key, settings.STORAGE_ADDRESS_SECONDS, media_type="image/jpeg")
    return {
        "recording": row.public_id,
        "file": row.name,
        "frame": shown.get("frame"),
        "time_s": shown.get("time_s"),
        "url": address,
    }


# What was refused, and what changed since ---------------------------------------------------


def last_refusal(version: Version) -> Decision | None:
    """Return the newest decision that sent a version back to its lab, or ``None``."""
    return history(version).filter(action__in=REFUSALS).last()


def refused_in_short(version: Version) -> Json | None:
    """Return who sent a version back and until when its files are kept, while it is so."""
    if version.state not in (CHANGES_REQUESTED, REJECTED):
        return None
    decision = last_refusal(version)
    return {
        "by": decision.actor_name if decision else "",
        "rejected": version.state == REJECTED,
        "kept_until": version.files_kept_until,
        "files_deleted_at": version.files_deleted_at,
    }


def refusal_page(user: Any, version: Version) -> Json | None:
    """Return why a version came back, whom to ask and what changed since; ``None`` if it never did.

    Sentences and pictures are those of the screening that the refusal rested on.
    """
    decision = last_refusal(version)
    if decision is None:
        return None
    screening = _of_decision(version, decision)
    page = None if screening is None else _page(user, version, screening)
    newest = newest_screening(version)
    by_person = decision.actor_id != SYSTEM.public_id
    open_ones = [row for row in page["results"] if not row["passed"]] if page else []
    return {
        "at": decision.at,
        "rejected": decision.to_state == REJECTED,
        "by": decision.actor_name,
        "by_person": by_person,
        "why": decision.why if by_person else "",
        "current": version.state in (CHANGES_REQUESTED, REJECTED),
        "blocking": [row for row in open_ones if row["severity"] == "blocks"],
        "warnings": [row for row in open_ones if row["severity"] == "warns"],
        "kept_until": version.files_kept_until,
        "kept_days": REJECTED_KEPT_FOR.days,
        "files_deleted_at": version.files_deleted_at,
        "since": _since(user, screening, newest),
    }


def _of_decision(version: Version, decision: Decision) -> Screening | None:
    """Return the screening that a decision names, else the last one before it."""
    rows = Screening.objects.filter(version=version).prefetch_related("results")
    named = rows.filter(public_id=str(decision.facts.get("screening", ""))).first()
    return named or rows.filter(created_at__lte=decision.at).order_by("-pk").first()


def _since(user: Any, before: Screening | None, after: Screening | None) -> Json | None:
    """Return what changed from one screening to a later one; ``None`` where there is no later."""
    if before is None or after is None or after.pk <= before.pk:
        return None
    found = changes(
        _said(user, before),
        _said(user, after),
        VersionFacts.from_json(before.facts),
        VersionFacts.from_json(after.facts),
    )
    return asdict(found) | {"at": after.created_at, "any": found.any}


def _said(user: Any, screening: Screening) -> list[Said]:
    return [
        Said(row.check_name, row.title, row.severity, row.passed, row.sentence)
        for row in told_to(user, screening.results.all())
    ]
