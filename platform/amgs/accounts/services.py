"""Make people, labs, roles and tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from amgs.accounts.holders import token_with
from amgs.accounts.models import ApiToken, Grant, Lab, Membership, User
from amgs.core import policy, vocabulary
from amgs.core.base import Actor
from amgs.core.decisions import record
from amgs.core.errors import Refused

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


@transaction.atomic
def grant_role(*, user: User, role: str, by: Actor) -> Grant:
    """Give a person a role on the whole site."""
    policy.require(by, "accounts.user.grant_role", user)
    if role not in dict(vocabulary.roles()):
        raise Refused(f"There is no role called '{role}'.", field="role")
    grant, created = Grant.objects.get_or_create(user=user, role=role)
    if created:
        record(user, "grant_role", by=by, facts={"role": role})
    _forget_cached(user)
    return grant


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
