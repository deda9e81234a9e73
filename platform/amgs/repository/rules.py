"""Who may do what with datasets: ``curation`` says it, this file only asks.

A rule's subject is a ``Version`` (or a ``Lab`` where there is no version yet).
"""

from __future__ import annotations

from typing import Any

from amgs.core import policy
from amgs.core.base import Actor
from amgs.core.policy import rule
from amgs.repository.models import Permission, Version
from curation.dataset_version import IN_REVIEW, LIFECYCLE, RETRACTED, WITHDRAWN
from curation.embargo import may_be_shown
from curation.roles import ACTS, CONTRIBUTOR, CURATOR, MAINTAINER

_ACTS = (
    "create_dataset",
    "edit_draft",
    "import_labels",
    "set_permissions",
    "delete_draft",
    "new_draft",
    "set_embargo",
    "see_ratings",
    "remark",
)


def is_of_own_lab(actor: Actor, subject: Any) -> bool:
    """Return whether a version's (or dataset's) lab is one the actor belongs to."""
    if subject is None:
        return False
    if isinstance(subject, Version):
        subject = subject.dataset
    lab = getattr(subject, "lab_id", None) or subject.pk
    return lab in getattr(actor, "lab_ids", frozenset())


def _register_act(key: str) -> None:
    @rule(key)
    def allowed(actor: Actor, subject: Any) -> str | None:
        return ACTS[key].refusal(actor.roles, is_of_own_lab(actor, subject))


def _register_step(action: str) -> None:
    @rule(f"repository.version.{action}")
    def allowed(actor: Actor, version: Version) -> str | None:
        own = is_of_own_lab(actor, version)
        # Being a contributor somewhere says nothing about this lab's data.
        roles = actor.roles if own else actor.roles - {CONTRIBUTOR}
        refusal = LIFECYCLE.refusal(
            version.state, action, roles, own, why="asked for when it is decided"
        )
        if refusal and CONTRIBUTOR in actor.roles and not own:
            step = next(row for row in LIFECYCLE.transitions if row.action == action)
            if CONTRIBUTOR in step.roles:
                return f"“{step.title}” is for members of the lab that owns the dataset."
        return refusal


@rule("exclude")
def _may_exclude(actor: Actor, version: Version) -> str | None:
    """Leaving out and taking in again is part of accepting: a curator's, of another lab."""
    step = LIFECYCLE.next(IN_REVIEW, "accept")
    own = is_of_own_lab(actor, version)
    return LIFECYCLE.refusal(IN_REVIEW, step.action, actor.roles, own, why="asked for later")


@rule("see_dataset")
def _may_see(actor: Actor, version: Version) -> str | None:
    if version.state in PUBLIC_STATES:
        return None
    return ACTS["see_dataset"].refusal(actor.roles, is_of_own_lab(actor, version))


@rule("see_recordings")
def _may_see_recordings(actor: Actor, version: Version) -> str | None:
    """Ask after ``see_dataset``: what of a version that left is still shown, and to whom."""
    if version.state == WITHDRAWN:
        return f"{version.identifier} was withdrawn; its recordings are no longer here."
    insider = _is_of_the_office(actor) or is_of_own_lab(actor, version)
    if version.state == RETRACTED and not insider:
        return f"{version.identifier} was retracted as wrong; its recordings are not handed out."
    return None


@rule("see_dataset_inside")
def _may_see_inside(actor: Actor, version: Version) -> str | None:
    """What only the lab and the office see, whatever state the version is in."""
    return ACTS["see_dataset"].refusal(
        getattr(actor, "roles", frozenset()), is_of_own_lab(actor, version)
    )


def _is_of_the_office(actor: Any) -> bool:
    """Return whether somebody sees what labs have not made public; nobody who did not sign in."""
    return bool(getattr(actor, "roles", frozenset()) & {CURATOR, MAINTAINER})


def may_see_pictures(actor: Actor, version: Version) -> bool:
    """Return whether pictures of a version may be shown to somebody; one query at most."""
    if not policy.may(actor, "see_recordings", version):
        return False
    if _is_of_the_office(actor) or is_of_own_lab(actor, version):
        return True
    kinds = {row.kind for row in version.permissions.all()}
    return may_be_shown(
        version.state,
        show_frames=Permission.Kind.SHOW_FRAMES in kinds,
        download=Permission.Kind.DOWNLOAD in kinds,
    )


@rule("download_recordings")
def _may_download(actor: Actor, version: Version) -> str | None:
    if version.state == WITHDRAWN:
        return f"{version.identifier} was withdrawn; its recordings are no longer here."
    if is_of_own_lab(actor, version):
        return None
    if version.state == RETRACTED:
        return f"{version.identifier} was retracted as wrong; its recordings are not handed out."
    if version.state != "published":
        return "Recordings can be downloaded once the dataset is published."
    if not version.permissions.filter(kind=Permission.Kind.DOWNLOAD).exists():
        return "The lab did not allow others to download these recordings; please ask the lab."
    return None


@rule("see_frames")
def _may_see_frames(actor: Actor, version: Version) -> str | None:
    """Frames are seen by whoever sees the version unpublished, and by who may download it."""
    if (left := _may_see_recordings(actor, version)) is not None:
        return left
    if ACTS["see_dataset"].refusal(actor.roles, is_of_own_lab(actor, version)) is None:
        return None
    return _may_download(actor, version)


# Withdrawn and retracted versions keep a page that says so.
PUBLIC_STATES = ("published", "withdrawn", "retracted")

for _key in _ACTS:
    _register_act(_key)
for _action in LIFECYCLE.actions:
    _register_step(_action)
