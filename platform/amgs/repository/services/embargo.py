"""Embargo: hold accepted data back until a day; extend it, or lift it early."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.utils import timezone

from amgs.core import decisions, jobs, policy
from amgs.core.base import Actor
from amgs.core.errors import Conflict, Refused
from amgs.repository.models import Version
from curation import embargo
from curation.dataset_version import ACCEPTED

LIFT = "review.lift_embargo"


@transaction.atomic
def set_embargo(
    *,
    by: Actor,
    version: Version,
    until: date | None,
    why: str = "",
    train_under_embargo: bool | None = None,
) -> Version:
    """Hold a version back until a day, or lift its embargo (``until=None``).

    Of an accepted version that is lifted early, the checks run at once and it is published by
    itself when they pass. ``train_under_embargo``: training may use it before the day; its
    frames are shown to nobody all the same.
    """
    policy.require(by, "set_embargo", version)
    if version.deleted_at is not None:
        raise Refused(f"{version.identifier} was deleted; bring it back first.")
    if sentence := embargo.refusal(version.state, until, timezone.localdate()):
        raise Refused(sentence, field="until")
    held_back = not embargo.is_over(version.embargo_until, timezone.localdate())
    lifted = version.state == ACCEPTED and until is None and held_back
    if lifted:
        until = timezone.localdate()  # it ends today; without a day it would wait for a curator
    ticked = version.train_under_embargo if train_under_embargo is None else train_under_embargo
    before = {"until": version.embargo_until, "train": version.train_under_embargo}
    if not Version.objects.filter(pk=version.pk, state=version.state).update(
        embargo_until=until, train_under_embargo=ticked
    ):
        raise Conflict("The version moved on meanwhile; look at its page again.")
    version.embargo_until, version.train_under_embargo = until, ticked
    decisions.record(
        version,
        "set_embargo",
        by=by,
        why=why,
        facts={"before": before, "until": until, "train": ticked},
    )
    if lifted:
        ask_to_lift(version, by)
    return version


def ask_to_lift(version: Version, by: Actor) -> None:
    """Ask for the checks that end an embargo."""
    jobs.enqueue(LIFT, by=by, subject=version, key=version.public_id, version=version.public_id)


def ended_today() -> list[Version]:
    """Return accepted versions whose embargo has come to its day; those without one wait for a
    curator."""
    return list(
        Version.objects.filter(
            state=ACCEPTED, deleted_at=None, embargo_until__lte=timezone.localdate()
        ).select_related("dataset__lab")
    )
