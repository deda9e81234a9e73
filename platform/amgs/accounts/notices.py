"""Telling people what happened: rows of their inbox first, and mails written from these rows.

``tell`` is the only way to tell anybody anything. How often mail comes is each person's choice:
one a day by default, at once, or never. That a notice is mailed is written before the mail leaves:
one that is lost on the way stays in the inbox, and none is sent twice.
"""

from __future__ import annotations

import smtplib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.utils import timezone

from amgs.accounts.models import Lab, Mail, Notice, User
from amgs.core.base import SYSTEM, Actor
from amgs.core.errors import NotFound
from amgs.core.ids import new_id
from amgs.core.jobs import Context, enqueue, job

MOST_PEOPLE = 500
MOST_LINES = 50
"""Notices that one daily mail spells out; of more it says how many there are."""
EVERY = timedelta(hours=24)
# A mail may leave a little before its day is over, so that it does not wander through the day.
SLACK = timedelta(minutes=30)
SALT = "amgs.mail"
# What a server answered before it took the mail; anything else may have been taken.
REFUSALS = (
    ConnectionRefusedError,
    smtplib.SMTPConnectError,
    smtplib.SMTPHeloError,
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPResponseException,
)


def people(*, lab: Lab | None = None, roles: Iterable[str] = ()) -> QuerySet[User]:
    """Return the active members of a lab and whoever holds one of the roles, each once."""
    found = User.objects.filter(grants__role__in=list(roles), is_active=True)
    if lab is not None:
        found |= User.objects.filter(memberships__lab=lab, is_active=True)
    return found.distinct()


@transaction.atomic
def tell(
    who: Iterable[User],
    *,
    title: str,
    text: str,
    about: Model,
    by: Actor = SYSTEM,
    kind: str = Notice.About.HAPPENED,
    key: str = "",
) -> int:
    """Put a line into the inbox of each of these people; call it where it happened.

    ``key`` says what it came of: the same is told to the same person once. Nobody is told of what
    they did themselves. Returns how many are told.
    """
    told = [user for user in list(who)[:MOST_PEOPLE] if user.public_id != by.public_id]
    if not told:
        return 0
    key = key or new_id()
    Notice.objects.bulk_create(
        [
            Notice(
                user=user,
                about=kind,
                title=title[:200],
                text=text,
                subject=about.public_id,
                subject_kind=about._meta.label_lower,
                key=key,
            )
            for user in told
        ],
        ignore_conflicts=True,
    )
    at_once = [user for user in told if user.mail == Mail.AT_ONCE]
    rows = Notice.objects.filter(user__in=at_once, key=key, mailed_at=None)
    for public_id in rows.values_list("public_id", flat=True) if at_once else ():
        enqueue(send_notice, by=by, subject=about, key=public_id, notice=public_id)
    return len(told)


def unread(user: User) -> int:
    """Return how many lines of an inbox are not read."""
    return Notice.objects.filter(user=user, read_at=None).count()


def find(user: User, public_id: str) -> Notice:
    """Return a line of a person's inbox; raises ``NotFound`` for anybody else's."""
    row = Notice.objects.filter(user=user, public_id=public_id).first()
    if row is None:
        raise NotFound("There is no such line in your inbox.")
    return row


def mark(*, user: User, notices: Iterable[str] = (), read: bool = True) -> int:
    """Mark some lines of an inbox as read or unread; without ``notices``, all as read."""
    rows = Notice.objects.filter(user=user)
    if chosen := list(notices):
        rows = rows.filter(public_id__in=chosen)
    if read:
        return rows.filter(read_at=None).update(read_at=timezone.now())
    return rows.update(read_at=None) if chosen else 0


def choose_mail(*, user: User, mail: str) -> None:
    """Say how often a person wants mail."""
    User.objects.filter(pk=user.pk).update(mail=Mail(mail))
    user.mail = mail


def stop_token(user: User) -> str:
    """Return what ends the mail of a person without signing in."""
    return signing.dumps(user.public_id, salt=SALT)


def user_of_stop_token(token: str) -> User:
    """Return the person whose mail a token ends; raises ``NotFound``."""
    try:
        public_id = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        public_id = ""
    row = User.objects.filter(public_id=public_id, is_active=True).first()
    if row is None:
        raise NotFound("This address is not whole; choose on your account page instead.")
    return row


@job("quick", limit=timedelta(minutes=2), attempts=8)
def send_notice(context: Context, notice: str) -> dict[str, bool]:
    """Mail one line of an inbox to a person who wants that at once."""
    row = Notice.objects.select_related("user").filter(public_id=notice).first()
    if row is None or not row.user.is_active or row.user.mail != Mail.AT_ONCE:
        return {"sent": False}
    return {"sent": bool(_mail(context, row.user, [row], row.title))}


@job("quick", limit=timedelta(minutes=5), every=timedelta(minutes=15))
def ask_for_digests(context: Context) -> Mapping[str, int]:
    """Ask for the daily mail of everybody who has something new and had none for a day."""
    now = timezone.now()
    waits = Notice.objects.filter(
        user=OuterRef("pk"), mailed_at=None, read_at=None, created_at__gt=now - 7 * EVERY
    )
    due = User.objects.filter(
        Q(digest_at=None) | Q(digest_at__lte=now - EVERY + SLACK),
        Exists(waits),
        is_active=True,
        mail=Mail.DAILY,
    )
    count = 0
    for public_id in due.order_by("pk").values_list("public_id", flat=True)[:5000]:
        enqueue(send_digest, key=public_id, user=public_id)
        count += 1
    return {"people": count}


@job("quick", limit=timedelta(minutes=2), attempts=8)
def send_digest(context: Context, user: str) -> dict[str, int]:
    """Mail one person what their inbox holds that is neither read nor mailed."""
    row = User.objects.filter(public_id=user, is_active=True, mail=Mail.DAILY).first()
    if row is None or (row.digest_at and row.digest_at > timezone.now() - EVERY + SLACK):
        return {"notices": 0}
    rows = list(Notice.objects.filter(user=row, mailed_at=None, read_at=None).order_by("pk")[:1000])
    if not rows:
        return {"notices": 0}
    title = rows[0].title if len(rows) == 1 else f"{len(rows)} things happened"
    return {"notices": _mail(context, row, rows, title)}


def _mail(context: Context, user: User, rows: list[Notice], title: str) -> int:
    """Send some lines of an inbox as one mail; return how many of them it holds.

    The server is reached first; then the lines are marked, if they still are to be sent, and only
    then the mail leaves.
    """
    link = get_connection()
    link.open()
    now = timezone.now()
    try:
        with transaction.atomic():
            # Locked, so that of two workers one finds nothing left to mark.
            User.objects.select_for_update().get(pk=user.pk)
            context.save_progress()
            keys = [row.pk for row in rows]
            mine = list(
                Notice.objects.filter(pk__in=keys, mailed_at=None).values_list("pk", flat=True)
            )
            Notice.objects.filter(pk__in=mine).update(mailed_at=now)
            if mine and user.mail == Mail.DAILY:
                User.objects.filter(pk=user.pk).update(digest_at=now)
        if not mine:
            return 0
        kept = [row for row in rows if row.pk in set(mine)]
        try:
            _message(user, kept, title, link).send()
        except REFUSALS:
            Notice.objects.filter(pk__in=mine, mailed_at=now).update(mailed_at=None)
            User.objects.filter(pk=user.pk, digest_at=now).update(digest_at=user.digest_at)
            raise
        return len(mine)
    finally:
        link.close()


def _message(user: User, rows: list[Notice], title: str, link: Any) -> EmailMessage:
    site = settings.SITE_URL.rstrip("/")
    parts = []
    for row in rows[:MOST_LINES]:
        text = row.text.strip()
        lines = [] if len(rows) == 1 else [row.title, ""]
        lines += [text, ""] if text else []
        parts.append("\n".join([*lines, f"{site}/inbox/{row.public_id}/"]))
    if len(rows) > MOST_LINES:
        parts.append(f"And {len(rows) - MOST_LINES} more: {site}/inbox/")
    stop = f"{site}/mail/stop/{stop_token(user)}/"
    often = "once a day, if something happened" if user.mail == Mail.DAILY else "at once"
    parts.append(
        f"-- \nYou get this {often}. To get it at another pace, choose on {site}/account/#mail; to "
        f"end it without signing in, open {stop}"
    )
    return EmailMessage(
        f"[aMGS] {title}"[:200],
        "\n\n".join(parts) + "\n",
        settings.DEFAULT_FROM_EMAIL,
        [user.email],
        connection=link,
        headers={"List-Unsubscribe": f"<{stop}>", "Auto-Submitted": "auto-generated"},
    )
