"""Who may make labs, let people in and give roles."""

from __future__ import annotations

from amgs.accounts.models import ApiToken, Lab, Membership, User
from amgs.core.base import Actor
from amgs.core.policy import rule
from curation.roles import ACTS


@rule("accounts.lab.create")
def _create_lab(actor: Actor, subject: None) -> str | None:
    if isinstance(actor, User) or "system" in actor.roles:
        return None
    return "Please sign in first; then you can make a lab."


@rule("accounts.lab.add_member")
def _add_member(actor: Actor, lab: Lab) -> str | None:
    if runs(actor, lab):
        return None
    return f"Only the head of '{lab.name}' lets people in; ask them to add you."


@rule("accounts.lab.remove_member")
def _remove_member(actor: Actor, membership: Membership) -> str | None:
    if actor == membership.user or runs(actor, membership.lab):
        return None
    return f"Only the head of '{membership.lab.name}' lets people go; everybody may leave."


@rule("accounts.lab.set_head")
def _set_head(actor: Actor, membership: Membership) -> str | None:
    if runs(actor, membership.lab):
        return None
    return f"Only the head of '{membership.lab.name}' says who else is its head."


def runs(actor: Actor, lab: Lab) -> bool:
    """Whether somebody is a head of the lab, or looks after all of them."""
    if not actor.roles.isdisjoint({"maintainer", "system"}):
        return True
    return isinstance(actor, User) and lab.memberships.filter(user=actor, is_head=True).exists()


@rule("accounts.lab.see_all")
def _see_labs(actor: Actor, subject: None) -> str | None:
    if not actor.roles.isdisjoint({"maintainer", "system"}):
        return None
    return "Only maintainers look after all labs; yours are on your account page."


@rule("accounts.user.see_all", "accounts.user.grant_role")
def _grant_role(actor: Actor, user: User | None) -> str | None:
    # The first maintainer is made by whoever runs the installation.
    if "system" in actor.roles or getattr(actor, "is_superuser", False):
        return None
    return ACTS["grant_role"].refusal(actor.roles)


def runs_alone(user: User, lab: Lab) -> bool:
    """Whether somebody is the only head of a lab."""
    return list(lab.memberships.filter(is_head=True).values_list("user_id", flat=True)) == [user.pk]


@rule("accounts.user.close")
def _close(actor: Actor, user: User) -> str | None:
    if actor == user or "system" in actor.roles or getattr(actor, "is_superuser", False):
        return None
    return "Only the person themselves may close an account."


@rule("accounts.token.revoke")
def _revoke_token(actor: Actor, token: ApiToken) -> str | None:
    if isinstance(actor, User) and token.user_id == actor.pk:
        return None
    return "Only the owner of a token may end it."
