"""Ask for the checks, and answer what they warn of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from amgs.core import decisions, policy
from amgs.core.base import SYSTEM, Actor
from amgs.core.errors import NotFound, Refused
from amgs.core.jobs import ACTIVE, enqueue
from amgs.core.models import Job
from amgs.repository.inputs import on_change
from amgs.repository.models import Version
from amgs.review.facts import gather_facts
from amgs.review.models import CheckResult, Screening
from curation.dataset_version import CHANGES_REQUESTED, DRAFT, IN_REVIEW, SCREENED, SUBMITTED

SCREEN = "review.screen_version"
CHECKED_STATES = (DRAFT, SUBMITTED, SCREENED, IN_REVIEW, CHANGES_REQUESTED)
"""States in which the checks may be asked for; a decided version keeps what it was decided on."""
WAITING_STATES = (SUBMITTED, SCREENED, IN_REVIEW)
"""States in which they run by themselves when something they rest on changes."""
MOST_ANSWER = 4000


def facts_digest(facts: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of facts in canonical JSON."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def is_stale(version: Version, screening: Screening | None) -> bool:
    """Return whether the facts of a version are others than those it was screened on."""
    if screening is None:
        return True
    return facts_digest(gather_facts(version).to_json()) != screening.facts_sha256


def is_being_checked(version: Version) -> bool:
    """Return whether the checks of a version wait or run."""
    return Job.objects.filter(kind=SCREEN, subject=version.public_id, state__in=ACTIVE).exists()


@transaction.atomic
def check_now(*, by: Actor, version: Version) -> Job:
    """Ask for the checks to run on a version as it is now; they decide nothing about a draft."""
    policy.require(by, "check_now", version)
    if version.state not in CHECKED_STATES or version.deleted_at is not None:
        raise Refused(
            f"{version.identifier} is {version.lifecycle.title(version.state)}; what it was "
            "decided on is not checked anew."
        )
    return ask_for_checks(version, by)


def ask_for_checks(version: Version, by: Actor) -> Job:
    """Write the job that runs the checks, or return the one that waits or runs."""
    return enqueue(SCREEN, by=by, subject=version, key=version.public_id, version=version.public_id)


@on_change
def _check_again(versions: list[Version]) -> None:
    """Run the checks again where a version waits for a decision and its inputs changed."""
    for version in versions:
        if version.state in WAITING_STATES:
            ask_for_checks(version, SYSTEM)


@transaction.atomic
def newest_result(version: Version, check: str) -> CheckResult:
    """Return what a check said last of a version, to its lab; raises ``NotFound``."""
    found = (
        CheckResult.objects.filter(screening__version=version, check_name=check, audience="all")
        .select_related("screening__version__dataset")
        .order_by("-screening__pk")
        .first()
    )
    if found is None:
        raise NotFound("The checks of this version say nothing of that name.")
    return found


def answer_check(
    *, by: Actor, result: CheckResult, answer: str, draft: bool = False
) -> CheckResult:
    """Answer a warning with a reason; the curator reads both.

    ``draft`` keeps what is being typed without an entry in the log; the answers that a version is
    decided with are kept with the decision. An empty answer takes an earlier one back.
    """
    version = result.screening.version
    policy.require(by, "answer_check", version)
    if result.passed or result.severity != "warns" or result.audience != "all":
        raise Refused("Only a warning can be answered; what blocks has to be mended.")
    answer = answer.strip()
    if len(answer) > MOST_ANSWER:
        raise Refused(f"An answer has at most {MOST_ANSWER:,} characters.", field="answer")
    if not answer and not draft and not result.answer:
        raise Refused("Please write the reason why the warning is no fault.", field="answer")
    result.answer, result.answered_by, result.answered_at = answer, by.name, timezone.now()
    result.save(update_fields=["answer", "answered_by", "answered_at"])
    if not draft:
        decisions.record(
            version, "answer_check", by=by, why=answer, facts={"check": result.check_name}
        )
    return result
