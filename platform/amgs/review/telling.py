"""Whom a step of a version's life is told to: the lab, the curators, the maintainers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from amgs.accounts import notices
from amgs.accounts.models import Notice, User
from amgs.core.base import SYSTEM
from amgs.core.models import Decision
from amgs.repository.models import Version
from amgs.repository.steps import Step, follower
from amgs.review.models import Audit
from amgs.review.services.reviewers import candidates, reviewer_of
from curation.dataset_version import ACCEPTED, LIFECYCLE
from curation.leaving import RETRACT, WITHDRAW
from curation.roles import CONTRIBUTOR, CURATOR, MAINTAINER

# What an owner decides is told by `training`, with all that hangs on it.
_ELSEWHERE = {RETRACT, WITHDRAW}


@dataclass(frozen=True)
class _Telling:
    title: str
    kind: str = Notice.About.HAPPENED


_LAB = {
    "request_changes": _Telling("{name} needs changes", Notice.About.WAITS),
    "start_review": _Telling("The review of {name} has begun"),
    "accept": _Telling("{name} is accepted"),
    "reject": _Telling("{name} is rejected"),
    "publish": _Telling("{name} is published"),
}
_OFFICE = {
    "screen": _Telling("{name} waits for a curator", Notice.About.WAITS),
    "publish": _Telling("{name} is published"),
}


@follower(*(action for action in LIFECYCLE.actions if action not in _ELSEWHERE))
def _tell(step: Step, decision: Decision) -> None:
    """Tell the roles that the lifecycle names of what was decided and why."""
    row = next(
        (
            each
            for each in LIFECYCLE.transitions
            if (each.source, each.action) == (decision.from_state, decision.action)
        ),
        None,
    )
    if row is None:
        return
    version = step.version
    if decision.from_state == ACCEPTED and decision.actor_id == SYSTEM.public_id:
        return  # the end of an embargo is told with what the checks said (`review.leaving`)
    if CONTRIBUTOR in row.tells and step.action in _LAB:
        _send(step, decision, _LAB[step.action], notices.people(lab=version.dataset.lab))
    if CURATOR in row.tells and step.action in _OFFICE:
        _send(step, decision, _OFFICE[step.action], candidates(version))
    if MAINTAINER in row.tells and step.action in _OFFICE:
        _send(step, decision, _OFFICE[step.action], notices.people(roles=[MAINTAINER]))


def _send(step: Step, decision: Decision, telling: _Telling, who: Iterable[User]) -> None:
    version = step.version
    lines = [f"{decision.actor_name}: {decision.why}" if decision.why else ""]
    if left := decision.facts.get("left_out"):
        one = len(left) == 1
        lines.append(
            f"{len(left)} recording{' or frame is' if one else 's or frames are'} left out, with "
            f"{'a reason' if one else 'a reason each'} on the page of the version."
        )
    if remarks := decision.facts.get("remarks"):
        one = len(remarks) == 1
        lines.append(
            f"{len(remarks)} remark{' is' if one else 's are'} pinned to pictures; you can reply "
            "to each."
        )
    notices.tell(
        who,
        title=telling.title.format(name=version.identifier),
        text="\n\n".join([version.title, *(line for line in lines if line)]) + "\n",
        about=version,
        by=step.by,
        kind=telling.kind,
        key=f"decision:{decision.number}",
    )


@follower("reply")
def _tell_of_reply(step: Step, decision: Decision) -> None:
    """Tell the lab and the reviewer of a reply, whichever of them did not write it."""
    version = step.version
    held = reviewer_of(version)
    who = {user.pk: user for user in notices.people(lab=version.dataset.lab)}
    if held is not None:
        who[held.user_id] = held.user
    notices.tell(
        who.values(),
        title=f"{decision.actor_name} replied on {version.identifier}",
        text=decision.why + "\n",
        about=version,
        by=step.by,
        key=f"decision:{decision.number}",
    )


def tell_of_full_audit(audit: Audit) -> None:
    """Tell whoever has the review that all ratings are in and their agreement is computed."""
    version: Version = audit.version
    held = reviewer_of(version)
    if held is None:
        return
    notices.tell(
        [held.user],
        title=f"All ratings of {version.identifier} are in",
        text="Their agreement is computed; you can decide now.\n",
        about=version,
        kind=Notice.About.WAITS,
        key=f"audit:{audit.public_id}:{audit.agreement_ratings}",
    )
