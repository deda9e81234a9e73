"""Submit a version, and every other step of its life."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from amgs.core import decisions, policy
from amgs.core.base import Actor
from amgs.core.errors import NotFound, Refused
from amgs.core.models import Decision
from amgs.files.models import Upload
from amgs.repository import consequences, frozen, search, steps
from amgs.repository.models import LabelImport, Permission, Version
from amgs.repository.services.recordings import pending_recordings
from curation import embargo
from curation.dataset_version import LIFECYCLE, PUBLISHED
from curation.leaving import RETRACT, WITHDRAW
from curation.sentences import listing


@steps.guard("submit")
def _everything_is_read(step: steps.Step) -> None:
    """Refuse while files are on their way: the checks would judge half a dataset."""
    version = step.version
    recordings = pending_recordings(version.dataset_id)
    sheets = (
        LabelImport.objects.filter(versions=version, status=LabelImport.Status.PENDING)
        .exclude(
            Q(upload__state__in=[Upload.State.REFUSED, Upload.State.DISCARDED]), blob__isnull=True
        )
        .count()
    )
    asked = LabelImport.objects.filter(versions=version, status=LabelImport.Status.OPEN)
    if names := [f"'{name}'" for name in asked.order_by("pk").values_list("name", flat=True)]:
        one = len(names) == 1
        raise Refused(
            f"{listing(names)} {'waits' if one else 'wait'} for your answers; confirm how "
            f"{'it is' if one else 'they are'} read, or undo {'it' if one else 'them'}, and "
            "submit then."
        )
    if recordings or sheets:
        parts = [
            f"{count} {word if count == 1 else word + 's'}"
            for count, word in ((recordings, "recording"), (sheets, "score sheet"))
            if count
        ]
        one = recordings + sheets == 1
        raise Refused(
            f"{' and '.join(parts)} {'is' if one else 'are'} still being sent or read; submit "
            f"when {'it is' if one else 'they are'} done, or remove {'it' if one else 'them'}."
        )


@steps.guard("publish")
def _embargo_is_over(step: steps.Step) -> None:
    """An embargo is a date, not a state: before it, an accepted version waits."""
    until = step.version.embargo_until
    if not embargo.is_over(until, timezone.localdate()):
        raise Refused(
            f"{step.version.identifier} is under embargo until {until:%d %B %Y}; publish it then.",
            field="embargo_until",
        )


def submit_version(*, by: Actor, version: Version, why: str = "") -> Decision:
    """Hand a draft in; the checks run by themselves and answer within minutes."""
    return decide_version(by=by, version=version, action="submit", why=why)


@steps.guard(*LIFECYCLE.actions)
def _is_not_deleted(step: steps.Step) -> None:
    if step.version.deleted_at is not None:
        raise Refused(f"{step.version.identifier} was deleted; bring it back first.")


@transaction.atomic
def decide_version(
    *,
    by: Actor,
    version: Version,
    action: str,
    why: str = "",
    without_audit: bool = False,
    facts: dict[str, Any] | None = None,
) -> Decision:
    """Take one step of a version's life, with what others add to it (``repository.steps``).

    ``without_audit``: the curator accepts although the audit is not finished; ``why`` then has
    to say why that is right. ``facts`` are kept with the decision beside those of the guards.
    """
    if action not in LIFECYCLE.actions:
        raise NotFound(f"A dataset version knows no step called '{action}'.")
    policy.require(by, f"repository.version.{action}", version)
    step = steps.Step(version, action, by, without_audit)
    try:
        kept = steps.ask(step) | dict(facts or {})
    except steps.Insist as objection:
        raise Refused(objection.sentence, field="without_audit") from objection
    if action in {WITHDRAW, RETRACT}:
        # In the numbers that were told beforehand, counted anew.
        kept["consequences"] = consequences.told(action, version)
    target = LIFECYCLE.next(version.state, action).target
    changes: dict[str, Any] = {}
    if action == "submit":
        changes = {"submitted_by": by, "submitted_at": timezone.now()}
    if target == PUBLISHED:
        # Before the state changes: the database refuses a published version without a date.
        changes = {
            "published_at": timezone.now(),
            "facts": kept.pop("version_facts", {}),
            "design": frozen.freeze(version),
        }
        if not version.permissions.filter(kind=Permission.Kind.DOWNLOAD).exists():
            changes["licence"] = ""  # nothing is given to anybody under it
    if changes:
        Version.objects.filter(pk=version.pk, state=version.state).update(**changes)
        for name, value in changes.items():
            setattr(version, name, value)
    if target == PUBLISHED:
        search.refresh(version)
    decision = decisions.decide(version, action, by=by, why=why, facts=kept)
    steps.follow(step, decision)
    return decision
