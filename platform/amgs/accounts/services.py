"""Make people, labs, roles and tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from amgs.accounts.holders import token_with
from amgs.accounts.models import ApiToken, Grant, Lab, Membership, User
from amgs.accounts.notices import tell
from amgs.accounts.rules import runs_alone
from amgs.core import policy
from amgs.core.base import Actor
from amgs.core.decisions import record
from amgs.core.errors import NotFound, Refused
from curation.roles import GIVEN, MAINTAINER, ROLES

SCOPES = {
    "read": "see what you may see",
    "contribute": "make datasets, upload, submit",
    "rate": "rate frames",
    "curate": "decide on datasets",
    "maintain": "train and promote models",
    "score": "score videos",
}
# How stale "last used" may be; a write for every request would be a write for every read.
LAST_USED_STEP = timedelta(minutes=5)
MOST_WORDS = 8


@transaction.atomic
def create_lab(*, name: str, by: User, institution: str = "") -> Lab:
    """Make a lab with its first member as head."""
    policy.require(by, "accounts.lab.create")
    name = name.strip()
    if not name:
        raise Refused("Please name the lab.", field="name")
    if Lab.objects.filter(name__iexact=name).exists():
        raise Refused(
            f"There is already a lab called '{name}'; ask its head to add you.", field="name"
        )
    lab = Lab.objects.create(name=name, institution=institution.strip())
    Membership.objects.create(user=by, lab=lab, is_head=True)
    record(lab, "create_lab", by=by, facts={"name": name})
    _forget_cached(by)
    return lab


@transaction.atomic
def add_member(*, lab: Lab, user: User, by: Actor) -> tuple[Membership, bool]:
    """Let a person belong to a lab; return the membership, and whether it is new."""
    policy.require(by, "accounts.lab.add_member", lab)
    membership, created = Membership.objects.get_or_create(user=user, lab=lab)
    if created:
        record(lab, "add_member", by=by, facts={"user": user.public_id, "name": user.name})
    _forget_cached(user)
    return membership, created


def add_by_address(*, lab: Lab, email: str, by: Actor) -> tuple[User, bool]:
    """Add the person with this address to a lab; return them, and whether they are new there.

    Whoever may not let people in does not learn either who has an account.
    """
    policy.require(by, "accounts.lab.add_member", lab)
    user = User.objects.filter(email__iexact=email.strip()).first()
    if user is None:
        raise Refused(
            "Nobody has an account with this address; ask them to make one first.", field="email"
        )
    return user, add_member(lab=lab, user=user, by=by)[1]


@transaction.atomic
def remove_member(*, lab: Lab, user: User, by: Actor) -> None:
    """End a membership, one's own or that of somebody one is head of; the lab keeps its data."""
    membership = _membership(lab, user)
    policy.require(by, "accounts.lab.remove_member", membership)
    _needs_other_head(membership)
    membership.delete()
    record(lab, "remove_member", by=by, facts={"user": user.public_id, "name": user.name})
    tell(
        [user],
        title=f"You no longer belong to {lab.name}",
        text="Its drafts and private data are closed to you; what you contributed stays with it.",
        about=lab,
        by=by,
    )
    _forget_cached(user)


@transaction.atomic
def set_head(*, lab: Lab, user: User, head: bool, by: Actor) -> None:
    """Make a member a head of the lab, or no longer one; a lab may have several."""
    membership = _membership(lab, user)
    policy.require(by, "accounts.lab.set_head", membership)
    if membership.is_head == head:
        return
    if not head:
        _needs_other_head(membership)
    membership.is_head = head
    membership.save(update_fields=["is_head"])
    record(
        lab,
        "make_head" if head else "end_head",
        by=by,
        facts={"user": user.public_id, "name": user.name},
    )
    tell(
        [user],
        title=f"You are {'now' if head else 'no longer'} a head of {lab.name}",
        text="A head lets people in and lets them go." if head else "You still belong to it.",
        about=lab,
        by=by,
    )


def _membership(lab: Lab, user: User) -> Membership:
    """Return a membership; the lab is locked, so that of two heads one stays."""
    Lab.objects.select_for_update().get(pk=lab.pk)
    found = Membership.objects.select_related("lab", "user").filter(lab=lab, user=user).first()
    if found is None:
        raise NotFound(f"{user.name} does not belong to '{lab.name}'.")
    return found


def _needs_other_head(membership: Membership) -> None:
    if runs_alone(membership.user, membership.lab):
        raise Refused(
            f"'{membership.lab.name}' has no other head; make another member its head first."
        )


def labs(*, by: Actor, words: str = "") -> QuerySet[Lab]:
    """Return all labs whose name or institution holds these words."""
    policy.require(by, "accounts.lab.see_all")
    found = Lab.objects.all()
    for word in words.split()[:MOST_WORDS]:
        found = found.filter(Q(name__icontains=word) | Q(institution__icontains=word))
    return found.prefetch_related("memberships__user")


def lab(*, by: User, public_id: str) -> Lab:
    """Return a lab that somebody belongs to or looks after; raises ``NotFound``."""
    seen = Lab.objects.all() if MAINTAINER in by.roles else by.labs.all()
    found = seen.filter(public_id=public_id).prefetch_related("memberships__user").first()
    if found is None:
        raise NotFound("You belong to no such lab.")
    return found


def member(*, by: User, lab_id: str, person_id: str) -> tuple[Lab, User]:
    """Return such a lab and somebody who belongs to it; raises ``NotFound``."""
    found = lab(by=by, public_id=lab_id)
    user = found.members.filter(public_id=person_id).first()
    if user is None:
        raise NotFound("This person does not belong to the lab.")
    return found, user


@transaction.atomic
def grant_role(*, user: User, role: str, by: Actor) -> Grant:
    """Give a person a role on the whole site."""
    policy.require(by, "accounts.user.grant_role", user)
    if role not in GIVEN:
        raise Refused(
            f"A role that can be given is one of {', '.join(GIVEN)}, not '{role}'.", field="role"
        )
    grant, created = Grant.objects.get_or_create(user=user, role=role)
    if created:
        record(user, "grant_role", by=by, facts={"role": role})
        if isinstance(by, User):
            tell([user], title=f"You are a {role} now", text=f"{ROLES[role]}.", about=user, by=by)
    _forget_cached(user)
    return grant


@transaction.atomic
def take_role(*, user: User, role: str, by: Actor) -> None:
    """Take a role from a person; what they did while they held it stays."""
    policy.require(by, "accounts.user.grant_role", user)
    # All of them are locked, so that of two maintainers one stays.
    holders = list(Grant.objects.select_for_update().filter(role=role).select_related("user"))
    mine = [grant for grant in holders if grant.user_id == user.pk]
    if not mine:
        raise NotFound(f"{user.name} does not hold the role '{role}'.")
    others = [grant for grant in holders if grant.user_id != user.pk and grant.user.is_active]
    if role == MAINTAINER and not others:
        raise Refused("There is no other maintainer; give somebody else the role first.")
    mine[0].delete()
    record(user, "take_role", by=by, facts={"role": role})
    title = f"You are no longer a {role}"
    tell([user], title=title, text="What you did as one stays.", about=user, by=by)
    _forget_cached(user)


def people(*, by: Actor, words: str = "") -> QuerySet[User]:
    """Return everybody with an account whose name or address holds these words."""
    policy.require(by, "accounts.user.see_all")
    found = User.objects.filter(is_active=True)
    for word in words.split()[:MOST_WORDS]:
        found = found.filter(Q(full_name__icontains=word) | Q(email__icontains=word))
    return found.prefetch_related("grants", "labs")


def person(*, by: Actor, public_id: str) -> User:
    """Return one of `people`; raises ``NotFound``."""
    found = people(by=by).filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such person.")
    return found


def _forget_cached(user: User) -> None:
    for name in ("roles", "lab_ids"):
        user.__dict__.pop(name, None)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def create_token(
    *,
    user: User,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token; the second value is the secret, which cannot be had again."""
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise Refused(
            "Please choose what the token may do: " + ", ".join(SCOPES) + ".", field="scopes"
        )
    if not name.strip():
        raise Refused("Please name the token after the program that will use it.", field="name")
    prefix = secrets.token_hex(4)
    secret = f"amgs_{prefix}_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        user=user,
        name=name.strip(),
        prefix=prefix,
        digest=_digest(secret),
        scopes=wanted,
        expires_at=expires_at,
    )
    record(token, "create_token", by=user, facts={"scopes": wanted})
    return token, secret


@transaction.atomic
def revoke_token(*, token: ApiToken, by: User) -> None:
    """End a token at once."""
    policy.require(by, "accounts.token.revoke", token)
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
    record(token, "revoke_token", by=by)


def user_of_token(secret: str) -> ApiToken | None:
    """Return the valid token with this secret (its user with it), or ``None``."""
    parts = secret.split("_", 2)
    if len(parts) != 3 or parts[0] != "amgs":
        return None
    token = token_with(parts[1])
    if token is None or not hmac.compare_digest(token.digest, _digest(secret)):
        return None
    now = timezone.now()
    if token.revoked_at or (token.expires_at and token.expires_at <= now):
        return None
    if not token.user.is_active:
        return None
    if token.last_used_at is None or token.last_used_at < now - LAST_USED_STEP:
        ApiToken.objects.filter(
            Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USED_STEP), pk=token.pk
        ).update(last_used_at=now)
    return token
