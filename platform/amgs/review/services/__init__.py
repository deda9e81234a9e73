"""The verbs of review; one file per noun, all to be had from here."""

from amgs.review.facts import gather_facts
from amgs.review.services.audits import start_audit
from amgs.review.services.checks import answer_check, check_now
from amgs.review.services.rating import (
    discard,
    find_assignment,
    mark_seen,
    next_assignment,
    rate,
    still_address,
)

__all__ = [
    "answer_check",
    "check_now",
    "discard",
    "find_assignment",
    "gather_facts",
    "mark_seen",
    "next_assignment",
    "rate",
    "start_audit",
    "still_address",
]
