"""What pages show of the checks: the newest outcomes, and how a draft stands now."""

from __future__ import annotations

from typing import Any

from amgs.core import policy
from amgs.repository.models import Version
from amgs.review import queries as review
from amgs.review.screenings import newest_screening, refusal_page
from amgs.review.services.checks import is_being_checked, is_stale

Shown = dict[str, Any]


def screening(user: Any, version: Version) -> Shown | None:
    """Return the newest screening of a version and how many checks it passed."""
    found = review.screening_page(user, version)
    if found is None:
        return None
    return found | {"passed_count": sum(row["passed"] for row in found["results"])}


def precheck(user: Any, version: Version) -> Shown:
    """Return what the checks say of a draft that is not handed in yet, and whether it holds."""
    checking = is_being_checked(version)
    return {
        "screening": screening(user, version),
        "checking": checking,
        "stale": not checking and is_stale(version, newest_screening(version)),
        "may_answer": not checking and bool(policy.may(user, "answer_check", version)),
        "refusal": refusal_page(user, version),
    }
