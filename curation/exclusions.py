"""Why a curator leaves a recording or a single frame out of a version that is accepted."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_WHY = 500
MOST = 1000
"""Recordings and frames that one act may leave out."""


@dataclass(frozen=True)
class Reason:
    """A controlled reason; `needs_words` where it says nothing by itself."""

    key: str
    title: str
    needs_words: bool = False


REASONS: dict[str, Reason] = {
    row.key: row
    for row in (
        Reason("people", "People, badges or cage cards are to be seen"),
        Reason("no_face", "No face of a mouse is to be seen"),
        Reason("several_animals", "More than one animal is to be seen"),
        Reason("blurred", "Blurred, too dark or too bright"),
        Reason("too_small", "The face is too small"),
        Reason("not_awake", "Asleep or anaesthetised"),
        Reason("wrong_place", "Belongs to another animal or time point"),
        Reason("duplicate", "Shows what another one shows"),
        Reason("damaged", "Damaged, or cut off"),
        Reason("other", "Another reason", needs_words=True),
    )
}


def title(key: str) -> str:
    """Return a reason as words; rows of before the list keep their own words."""
    return REASONS[key].title if key in REASONS else key


def refusal(reason: str, why: str) -> str | None:
    """Return the sentence that refuses a reason, or None when it says enough."""
    known = REASONS.get(reason)
    if known is None:
        return f"Choose a reason: {', '.join(REASONS)}."
    if known.needs_words and not why.strip():
        return f"“{known.title}” needs words: write what is wrong with it."
    if len(why) > LONGEST_WHY:
        return f"Please write at most {LONGEST_WHY} letters."
    return None
