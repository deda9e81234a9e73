"""Embargo: data that are accepted but not yet public, until a date the owner chose."""

from __future__ import annotations

from datetime import date

from curation.dataset_version import (
    ACCEPTED,
    CHANGES_REQUESTED,
    DRAFT,
    IN_REVIEW,
    PUBLISHED,
    REJECTED,
    SCREENED,
    SUBMITTED,
)

MOST_YEARS = 5
"""An embargo that ends later is refused: what never becomes public needs no citable version."""
UNPUBLISHED = (DRAFT, SUBMITTED, SCREENED, IN_REVIEW, CHANGES_REQUESTED, ACCEPTED, REJECTED)


def is_over(until: date | None, today: date) -> bool:
    """Whether nothing is held back any more: there is no embargo, or its day has come."""
    return until is None or until <= today


def refusal(state: str, until: date | None, today: date) -> str | None:
    """Return the sentence that refuses an embargo until a day (None lifts it), or None."""
    if state not in UNPUBLISHED:
        return (
            "This version was published already, so an embargo cannot hide it any more; withdraw "
            "it if it may not be shared."
        )
    if until is None:
        return None
    if until <= today:
        return (
            "The embargo must end after today; choose a later day, or no embargo if the data may "
            "be public now."
        )
    if (until.year, until.month, until.day) > (today.year + MOST_YEARS, today.month, today.day):
        return f"An embargo lasts at most {MOST_YEARS} years; choose an earlier day."
    return None


def may_train(
    state: str, until: date | None, today: date, *, train: bool, before_the_end: bool
) -> bool:
    """Whether a version may come into a training snapshot today.

    `train` is the owner's permission, `before_the_end` the tick that it holds under embargo too.
    """
    if not train:
        return False
    if state == PUBLISHED:
        return True
    return state == ACCEPTED and not is_over(until, today) and before_the_end


def may_be_shown(state: str, *, show_frames: bool, download: bool) -> bool:
    """Whether pictures of a version may be shown to people outside its lab.

    Never before publication, whatever was ticked for training, and never after leaving.
    """
    return state == PUBLISHED and (show_frames or download)
