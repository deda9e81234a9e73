"""Who has the review of a version: taken when it begins, handed over, taken over."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from amgs.accounts import notices
from amgs.accounts.models import Notice, User
from amgs.core import decisions, policy
from amgs.core.base import Actor
from amgs.core.errors import Conflict, Refused
from amgs.core.models import Decision
from amgs.repository.models import Version
from amgs.review.models import Reviewer
from curation.dataset_version import IN_REVIEW
from curation.roles import CURATOR

LONGEST_NOTE = 500


def reviewer_of(version: Version) -> Reviewer | None:
    """Return who has the review of a version, with the person."""
    return Reviewer.objects.filter(version=version).select_related("user").first()


def candidates(version: Version, but: Any = None) -> QuerySet[User]:
    """Return the curators who may be handed the review of a version: none of its lab."""
    rows = (
        User.objects.filter(grants__role=CURATOR, is_active=True)
        .exclude(memberships__lab=version.dataset.lab_id)
        .order_by("full_name", "pk")
    )
    return rows if but is None else rows.exclude(pk=but.pk)


def take_review(*, by: Actor, version: Version) -> None:
    """Give the review of a version to the curator who begins it."""
    if isinstance(by, User):
        Reviewer.objects.update_or_create(
            version=version, defaults={"user": by, "since": timezone.now(), "note": ""}
        )


@transaction.atomic
def hand_over(*, by: User, version: Version, to: User, note: str = "") -> Decision:
    """Give a review to another curator with a note, or take over one that another has.

    Whoever has it hands it to anybody; others may take it over themselves, which is told to whom
    it is taken from. Nobody is handed data of their own lab.
    """
    policy.require(by, "hand_over", version)
    if version.state != IN_REVIEW:
        raise Refused(
            f"{version.identifier} is {version.lifecycle.title(version.state)}; a review is handed "
            "over while it goes on."
        )
    note = note.strip()
    if not note:
        raise Refused("Please write a note: what is done, and what is left to do.", field="note")
    if len(note) > LONGEST_NOTE:
        raise Refused(f"Please write at most {LONGEST_NOTE} letters.", field="note")
    held = Reviewer.objects.select_for_update().filter(version=version).first()
    old = None if held is None else held.user
    if old is not None and old.pk not in (by.pk, to.pk) and by.pk != to.pk:
        raise Refused(f"{old.name} has this review; take it over yourself first.", field="to")
    if old == to:
        raise Refused(f"{to.name} has this review already.", field="to")
    if not candidates(version).filter(pk=to.pk).exists():
        raise Refused(
            f"{to.name} is no curator of another lab; choose somebody who may decide on it.",
            field="to",
        )
    values = {"user": to, "since": timezone.now(), "note": note}
    if held is None:
        Reviewer.objects.create(version=version, **values)
    elif not Reviewer.objects.filter(pk=held.pk, user=old).update(**values):
        raise Conflict("Somebody took this review at the same moment; reload the page.")
    action = "take_over" if by.pk == to.pk else "hand_over"
    decision = decisions.record(
        version,
        action,
        by=by,
        why=note,
        facts={"from": old.name if old else "", "to": to.name},
    )
    told = old if action == "take_over" else to
    if told is not None:
        taken = f"{by.name} took over the review of {version.identifier}"
        given = f"{by.name} hands you the review of {version.identifier}"
        notices.tell(
            [told],
            title=taken if action == "take_over" else given,
            text=note + "\n",
            about=version,
            by=by,
            kind=Notice.About.WAITS if action == "hand_over" else Notice.About.HAPPENED,
            key=f"decision:{decision.number}",
        )
    return decision


def not_yours(by: Actor, version: Version) -> str | None:
    """Return why somebody may not decide although they are a curator: another has the review."""
    held = reviewer_of(version)
    if held is None or not isinstance(by, User) or held.user_id == by.pk:
        return None
    return (
        f"{held.user.name} has this review; take it over first, so that no two curators decide "
        "at once."
    )
