"""The verbs of review; one file per noun, all to be had from here."""

from amgs.review.facts import gather_facts
from amgs.review.services.adjudicating import adjudicate
from amgs.review.services.audits import start_audit
from amgs.review.services.blindness import mark_seen
from amgs.review.services.checks import answer_check, check_now, newest_result
from amgs.review.services.gold import feedback, retire_gold, set_gold
from amgs.review.services.queue import (
    clip_address,
    find_assignment,
    next_assignment,
    still_address,
)
from amgs.review.services.rating import discard, rate, take_back
from amgs.review.services.reviewers import candidates, hand_over, reviewer_of

__all__ = [
    "adjudicate",
    "answer_check",
    "candidates",
    "check_now",
    "clip_address",
    "discard",
    "feedback",
    "find_assignment",
    "gather_facts",
    "hand_over",
    "mark_seen",
    "newest_result",
    "next_assignment",
    "rate",
    "retire_gold",
    "reviewer_of",
    "set_gold",
    "start_audit",
    "still_address",
    "take_back",
]
