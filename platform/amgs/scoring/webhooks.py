"""Tell a program that a score is over: one signed message, tried again until it is taken.

The form is that of standard webhooks: the headers ``webhook-id``, ``webhook-timestamp`` (seconds
since 1970) and ``webhook-signature``, which is ``v1,`` and the base64 of the HMAC-SHA256 over
``id.timestamp.body`` with the bytes of the secret. The message is the job that sends it: its id
stays the same however often it is tried, so that a receiver knows what it has seen.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from amgs.accounts.models import User
from amgs.core import jobs
from amgs.core.base import SYSTEM
from amgs.core.decisions import record
from amgs.core.errors import NotFound, Refused
from amgs.core.jobs import Context, job
from amgs.core.models import Job
from amgs.scoring import calling
from amgs.scoring.models import Delivery, ToolRun, Webhook, WebhookSecret
from amgs.scoring.sealing import needs_sealing_anew, opened

PREFIX = "whsec_"
OLD_SECRET_GOOD = timedelta(hours=24)
"""How long messages are also signed with the secret before, so that receivers can change theirs."""
LOST = (
    "The secret of this webhook cannot be read any more, so nothing is sent unsigned: the key of "
    "this site was changed. Make a new secret on your account page under “your webhooks”; a score "
    "without an account is asked for again."
)
TRIES = 12
"""Pauses double from ``JOB_LEASE`` to 32 times it: about two hours in all."""


def new_secret() -> str:
    """Return a secret that nobody guesses."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(secret: str, message: str, timestamp: int, body: bytes) -> str:
    """Return ``v1,`` and the signature of a body, sent as this message at this time."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{message}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


# Secrets of accounts --------------------------------------------------------------------------


def known_secret(user: User) -> WebhookSecret | None:
    """Return what the webhooks of a person are signed with, if they have it already."""
    return WebhookSecret.objects.filter(user=user).first()


def secret_of(user: User) -> WebhookSecret:
    """Return what the webhooks of a person are signed with, made when it is first asked for.

    Raises ``Refused`` where no key of this site opens it any more.
    """
    found = known_secret(user)
    if found is not None:
        if not found.secret:
            raise Refused(LOST)
        return found
    try:
        with transaction.atomic():
            return WebhookSecret.objects.create(
                user=user, secret=new_secret(), made_at=timezone.now()
            )
    except IntegrityError:  # asked for twice at once
        return WebhookSecret.objects.get(user=user)


@transaction.atomic
def rotate_secret(*, user: User) -> WebhookSecret:
    """Give a person another secret; the old one, if any, signs beside it for a day more."""
    record(user, "rotate_webhook_secret", by=user)
    row = WebhookSecret.objects.select_for_update().filter(user=user).first()
    if row is None:
        return secret_of(user)
    row.previous, row.secret, row.made_at = row.secret, new_secret(), timezone.now()
    row.save()
    return row


def old_secret_until(row: WebhookSecret) -> Any:
    """Return until when the secret before signs as well; ``None`` where it does not any more."""
    end = row.made_at + OLD_SECRET_GOOD
    return end if row.previous and end > timezone.now() else None


def _secrets(hook: Webhook) -> list[str]:
    user = hook.run.user
    if hook.secret or user is None:
        return [hook.secret] if hook.secret else []
    row = secret_of(user)
    return [row.secret, *([row.previous] if old_secret_until(row) else [])]


@job("quick", limit=timedelta(minutes=5), every=timedelta(hours=6))
def seal_secrets_anew(context: Context) -> dict[str, int]:
    """Seal with the key of now what was sealed with one of ``SECRET_KEY_FALLBACKS``."""
    count = 0
    for model, name in (
        (WebhookSecret, "secret"),
        (WebhookSecret, "previous"),
        (Webhook, "secret"),
    ):
        if not settings.SECRET_KEY_FALLBACKS:
            break
        rows = model._default_manager.annotate(sealed=Cast(name, TextField())).exclude(sealed="")
        for pk, sealed in rows.order_by("pk").values_list("pk", "sealed").iterator():
            if needs_sealing_anew(sealed):
                # Only if nobody gave it another secret meanwhile.
                count += rows.filter(pk=pk, sealed=sealed).update(**{name: opened(sealed)})
                context.progress(0.5, f"{count} sealed anew")
    return {"sealed": count}


# Asking and telling ---------------------------------------------------------------------------


def listen(*, run: ToolRun, address: str) -> Webhook:
    """Have an address told when a score is over; call it in the transaction that asks for it.

    Raises ``Refused`` where the address may not be called.
    """
    calling.check_address(address)
    if run.user is not None:
        secret_of(run.user)  # a lost one is told now, not when the score is over
    return Webhook.objects.create(run=run, address=address, secret="" if run.user else new_secret())


def own_secret(run: ToolRun) -> str:
    """Return the secret of a score's own webhook; empty where it has none, or an account's."""
    return Webhook.objects.filter(run=run).values_list("secret", flat=True).first() or ""


def tell(run: ToolRun, state: str, sentence: str) -> Job | None:
    """Send the message that a score ended like this; in the transaction that ends it."""
    hook = Webhook.objects.filter(run=run).first()
    if hook is None:
        return None
    return jobs.enqueue(
        call_webhook,
        by=run.user or SYSTEM,
        subject=hook,
        webhook=hook.public_id,
        state=state,
        sentence=sentence[:1000],
        at=timezone.now().isoformat(timespec="seconds"),
    )


def message_body(run: ToolRun, state: str, sentence: str, at: str) -> dict[str, Any]:
    """Return what a program is told: enough to decide whether to fetch the whole."""
    from models.result import DISCLAIMER

    site = settings.SITE_URL.rstrip("/")
    result, version = run.result if state == "done" else {}, run.provenance
    return {
        "type": f"score.{state}",
        "timestamp": at,
        "token": run.token,
        "name": run.name,
        "state": state,
        "sentence": sentence,
        "outcome": result.get("outcome"),
        "score": result.get("score"),
        "coverage": result.get("coverage"),
        "model": version.get("model") if state == "done" else None,
        "phantom": result.get("phantom"),
        "independent": (result.get("independence") or {}).get("independent"),
        "address": f"{site}/api/scores/{run.token}",
        "page": f"{site}/score/{run.token}/",
        "disclaimer": DISCLAIMER,
    }


@job("quick", limit=timedelta(minutes=2), attempts=TRIES)
def call_webhook(
    context: Context, webhook: str, state: str, sentence: str, at: str
) -> dict[str, Any]:
    """Tell a program that a score is over; a receiver that does not take it is tried again."""
    hook = Webhook.objects.select_related("run__user").filter(public_id=webhook).first()
    if hook is None:
        return {"told": False}
    body = json.dumps(message_body(hook.run, state, sentence, at)).encode()
    message, now = context.job.public_id, int(time.time())
    headers = {
        "content-type": "application/json",
        "user-agent": "aMGS-webhook/2",
        "webhook-id": message,
        "webhook-timestamp": str(now),
    }
    context.save_progress()  # no call by a worker that lost its lease

    def keep(status: int | None, told: str) -> None:
        Delivery.objects.create(
            webhook=hook,
            message=message,
            state=state,
            attempt=context.attempt,
            status=status,
            sentence=told[:400],
        )

    try:
        signed = [signature(secret, message, now, body) for secret in _secrets(hook)]
        if not signed:
            raise Refused(LOST)
        headers["webhook-signature"] = " ".join(signed)
        status = calling.post(hook.address, body, headers)
    except (Refused, calling.NotTaken) as problem:
        keep(None, problem.sentence if isinstance(problem, Refused) else str(problem))
        raise
    if 200 <= status < 300:
        keep(status, "Taken.")
        return {"told": True, "status": status}
    if status == 410:
        gone = "The receiver answered 410, that it is gone; nothing more is sent to it."
        keep(status, gone)
        raise Refused(gone)
    told = f"The receiver answered {status}"
    told += ", a redirect, which is not followed." if 300 <= status < 400 else "."
    keep(status, told)
    raise calling.NotTaken(told)


# Looking --------------------------------------------------------------------------------------


def log_of(run: ToolRun) -> dict[str, Any]:
    """Return where a score's program is told, how far that is, and every try; ``NotFound``: none.

    Only scheme and host are shown, since whoever has the link of the score may read this.
    """
    hook = Webhook.objects.filter(run=run).prefetch_related("deliveries").first()
    if hook is None:
        raise NotFound("This score has no webhook; name one when you ask for the score.")
    last = Job.objects.filter(subject=hook.public_id).order_by("-pk").first()
    parts = urlsplit(hook.address)
    waits = last is not None and not last.is_over
    return {
        "host": f"{parts.scheme}://{parts.hostname}",
        "state": "not_due" if last is None else last.state,
        "next_try_at": last.due_at if last and waits and last.state == "queued" else None,
        "deliveries": [
            {
                "message": one.message,
                "state": one.state,
                "at": one.at,
                "attempt": one.attempt,
                "status": one.status,
                "sentence": one.sentence,
            }
            for one in hook.deliveries.all()
        ],
    }
