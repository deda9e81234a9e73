"""Mail to people about what happened to their data: written as jobs, sent by workers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Model, QuerySet

from amgs.accounts.models import Lab, User
from amgs.core.base import SYSTEM, Actor
from amgs.core.jobs import Context, enqueue, job

MOST_PEOPLE = 500


def people(*, lab: Lab | None = None, roles: Iterable[str] = ()) -> QuerySet[User]:
    """Return the active members of a lab and whoever holds one of the roles, each once."""
    found = User.objects.filter(grants__role__in=list(roles), is_active=True)
    if lab is not None:
        found |= User.objects.filter(memberships__lab=lab, is_active=True)
    return found.distinct()


def tell(who: Iterable[User], *, title: str, text: str, about: Model, by: Actor = SYSTEM) -> int:
    """Ask for a mail to each of these people; call it in the transaction of what happened."""
    count = 0
    for user in list(who)[:MOST_PEOPLE]:
        enqueue(send_notice, by=by, subject=about, user=user.public_id, title=title, text=text)
        count += 1
    return count


@job("quick", limit=timedelta(minutes=2), attempts=8)
def send_notice(context: Context, user: str, title: str, text: str) -> dict[str, bool]:
    """Send one mail to one person; who left meanwhile gets none."""
    row = User.objects.filter(public_id=user, is_active=True).first()
    if row is None:
        return {"sent": False}
    # The lease is proven first: a worker that wakes late must not send the mail twice.
    context.save_progress()
    send_mail(f"[aMGS] {title}"[:200], text, settings.DEFAULT_FROM_EMAIL, [row.email])
    return {"sent": True}
