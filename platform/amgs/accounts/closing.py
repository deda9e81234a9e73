"""Closing an account: the person goes, what they gave to their labs and to science stays.

The row stays, because ratings, decisions and recordings refer to it; nothing in it tells any more
who it was. What other apps keep of a person alone is for them to delete, before this.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from amgs.accounts.models import ApiToken, Grant, Lab, Mail, Membership, Notice, User
from amgs.accounts.rules import runs_alone
from amgs.core import policy
from amgs.core.base import Actor
from amgs.core.decisions import record
from amgs.core.errors import Refused
from curation.roles import MAINTAINER

NOWHERE = "closed.invalid"
"""A domain that no mail ever reaches (RFC 2606)."""


def refusal(user: User) -> str | None:
    """Return why this person cannot go yet, as a sentence; None where nothing holds them."""
    for lab in user.labs.order_by("name"):
        if runs_alone(user, lab) and lab.memberships.exclude(user=user).exists():
            return f"'{lab.name}' has no other head; make another member its head first."
    maintainers = Grant.objects.filter(role=MAINTAINER, user__is_active=True)
    if MAINTAINER in user.roles and not maintainers.exclude(user=user).exists():
        return "There is no other maintainer; give somebody else the role first."
    return None


@transaction.atomic
def close_account(*, user: User, by: Actor) -> None:
    """Erase who a person is, for good: name, address, ORCID iD, sign-in, tokens, roles, inbox.

    Raises ``Refused`` where a lab or the site would be left without whom it needs.
    """
    policy.require(by, "accounts.user.close", user)
    # Locked, so that of two heads, or two maintainers, one stays.
    list(Lab.objects.select_for_update().filter(memberships__user=user))
    list(Grant.objects.select_for_update().filter(role=MAINTAINER))
    if sentence := refusal(user):
        raise Refused(sentence)
    ApiToken.objects.filter(user=user).update(name="", revoked_at=timezone.now())
    for rows in (Notice, Membership, Grant):
        rows.objects.filter(user=user).delete()
    for name in ("emailaddress_set", "socialaccount_set", "authenticator_set"):
        getattr(user, name).all().delete()
    user.email = f"{user.public_id}@{NOWHERE}"
    user.full_name = ""
    user.orcid = None
    user.mail = Mail.NEVER
    user.is_active = user.is_staff = user.is_superuser = False
    user.set_unusable_password()
    user.save()
    record(user, "close_account", by=by)
