"""Accept all but what is left out with a reason each; ask for changes; take in again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from amgs.accounts.models import User
from amgs.core import decisions, policy
from amgs.core.base import Actor
from amgs.core.errors import Conflict, NotFound, Refused
from amgs.core.models import Decision
from amgs.repository import steps
from amgs.repository.models import Exclusion, Recording, Version
from amgs.repository.services.decisions import decide_version
from amgs.repository.services.pins import Place, pin_remarks, places_of
from curation.dataset_version import ACCEPTED, IN_REVIEW
from curation.exclusions import MOST, refusal

ACCEPT, ASK = "accept", "request_changes"
TAKE_IN = "take_in_again"


@transaction.atomic
def accept_version(
    *,
    by: Actor,
    version: Version,
    why: str = "",
    without_audit: bool = False,
    rejected: Sequence[Mapping[str, Any]] = (),
    remarks: Sequence[Mapping[str, Any]] = (),
) -> Decision:
    """Accept a version but for some recordings and frames, all in one act.

    ``rejected``: ``{recording | frame, reason, why}`` each, ``reason`` of ``curation.exclusions``.
    They are in no consensus, snapshot or export; their lab sees them with the reasons.
    """
    policy.require(by, f"repository.version.{ACCEPT}", version)
    places = _checked(version, rejected)
    facts: dict[str, Any] = {}
    if places:
        facts = {"left_out": [place.facts() | _said(place) for place in places]}
    decision = decide_version(
        by=by,
        version=version,
        action=ACCEPT,
        why=why,
        without_audit=without_audit,
        facts=facts,
    )
    _exclude(by, version, places)
    pin_remarks(by=by, version=version, remarks=remarks)
    return decision


@transaction.atomic
def ask_for_changes(
    *, by: Actor, version: Version, why: str = "", remarks: Sequence[Mapping[str, Any]] = ()
) -> Decision:
    """Give a version back to its lab, with remarks that each name a recording or a frame."""
    policy.require(by, f"repository.version.{ASK}", version)
    pinned = pin_remarks(by=by, version=version, remarks=remarks)
    facts = {"remarks": [row.number for row in pinned]} if pinned else {}
    return decide_version(by=by, version=version, action=ASK, why=why, facts=facts)


@transaction.atomic
def take_in_again(*, by: Actor, version: Version, name: str, why: str = "") -> Decision:
    """Undo one exclusion before publication; ``name`` is the id of the recording or the frame."""
    policy.require(by, "exclude", version)
    if version.state not in {IN_REVIEW, ACCEPTED}:
        raise Refused(
            f"{version.identifier} is {version.lifecycle.title(version.state)}; what is left out "
            "can be taken in again until it is published."
        )
    row = (
        Exclusion.objects.filter(version=version, recording__public_id=name).first()
        or Exclusion.objects.filter(version=version, frame__public_id=name).first()
    )
    if row is None:
        raise NotFound("Nothing of that name is left out of this version.")
    key = "recording" if row.recording_id else "frame"
    if not Exclusion.objects.filter(pk=row.pk).delete()[0]:
        raise Conflict("Somebody took it in at the same moment; reload the page.")
    facts = {key: name, "reason": row.reason}
    decision = decisions.record(version, TAKE_IN, by=by, why=why, facts=facts)
    steps.follow(steps.Step(version, TAKE_IN, by), decision)
    return decision


def _said(place: Place) -> dict[str, str]:
    return {"reason": str(place.given["reason"]), "why": str(place.given.get("why") or "").strip()}


def _checked(version: Version, rejected: Sequence[Mapping[str, Any]]) -> list[Place]:
    """Return where the entries are, each once; refuses what has no reason, and leaving out all."""
    if len(rejected) > MOST:
        raise Refused(
            f"At most {MOST} recordings and frames are left out in one act; ask for changes "
            "instead.",
            field="rejected",
        )
    problems = []
    for number, row in enumerate(rejected):
        if sentence := refusal(str(row.get("reason") or ""), str(row.get("why") or "")):
            problems.append({"sentence": sentence, "field": f"rejected.{number}.reason"})
    if problems:
        raise Refused(problems[0]["sentence"], field="rejected", details=problems)
    once: dict[tuple[int, int], Place] = {}
    for place in places_of(version, rejected, "rejected") if rejected else ():
        once[place.recording.pk, place.frame.pk if place.frame else 0] = place
    whole = {recording for recording, frame in once if not frame}
    # A frame of a recording that is left out as a whole needs no reason of its own.
    kept = [
        place for (recording, frame), place in once.items() if not frame or recording not in whole
    ]
    if whole and not (
        Recording.objects.filter(versions=version)
        .exclude(pk__in=whole)
        .exclude(exclusions__version=version)
        .exists()
    ):
        raise Refused(
            "Nothing would be left of this version; reject it, or ask for changes.",
            field="rejected",
        )
    return kept


def _exclude(by: Actor, version: Version, places: Sequence[Place]) -> None:
    """Write the exclusions; one that was there before gets the new reason."""
    if not places:
        return
    whole = [place.recording.pk for place in places if place.frame is None]
    alone = [place.frame.pk for place in places if place.frame is not None]
    held = Exclusion.objects.filter(version=version)
    held.filter(recording__in=whole).delete()
    held.filter(frame__in=alone).delete()
    Exclusion.objects.bulk_create(
        [
            Exclusion(
                version=version,
                recording=place.recording if place.frame is None else None,
                frame=place.frame,
                by=by if isinstance(by, User) else None,
                by_name=by.name,
                **_said(place),
            )
            for place in places
        ],
        batch_size=500,
    )
