"""One message when a score is over, for those who asked for it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email

from amgs.core import jobs
from amgs.core.errors import Refused
from amgs.core.jobs import Context, job
from amgs.core.models import Job
from amgs.scoring.models import ToolRun

DISCLAIMER = (
    "A research measure, not a welfare, veterinary or humane-endpoint decision; a low score does "
    "not mean no pain."
)


def tell_when_over(*, run: ToolRun, address: str) -> None:
    """Keep an address for one message about this score; raises ``Refused``."""
    address = address.strip()
    try:
        validate_email(address)
    except ValidationError:
        raise Refused(
            "This is no e-mail address; write it as name@example.org.", field="mail"
        ) from None
    ToolRun.objects.filter(pk=run.pk).update(mail_to=address)
    fresh = ToolRun.objects.select_related("job").get(pk=run.pk)
    if fresh.job is not None and fresh.job.is_over:  # it ended while the address was typed
        ask_message(fresh)


def ask_message(run: ToolRun) -> None:
    """Enqueue the message of a run that is over, in the caller's transaction."""
    if ToolRun.objects.filter(pk=run.pk).exclude(mail_to="").exists():
        jobs.enqueue(send_score_message, subject=run, key=run.public_id, run=run.public_id)


@job("quick", limit=timedelta(minutes=2))
def send_score_message(context: Context, run: str) -> dict[str, int]:
    """Write to whoever asked that a score is over; the address is forgotten before it leaves."""
    row = ToolRun.objects.select_related("job").filter(public_id=run).first()
    if row is None or not row.mail_to:
        return {"sent": 0}
    address = row.mail_to
    # Forgotten first: a message that is lost is not sent twice, and no address stays.
    if not ToolRun.objects.filter(pk=row.pk, mail_to=address).update(mail_to=""):
        return {"sent": 0}
    site = settings.SITE_URL.rstrip("/")
    done = row.job is not None and row.job.state == Job.State.DONE
    what = "is ready" if done else "could not be finished"
    # No name of the file and no figure: a message travels openly.
    EmailMessage(
        f"[aMGS] Your score {what}",
        f"The score you asked for {what}:\n\n{site}/score/{row.token}/\n\n{DISCLAIMER}\n\n"
        "-- \nThis address was kept for this one message and is forgotten now.\n",
        settings.DEFAULT_FROM_EMAIL,
        [address],
        headers={"Auto-Submitted": "auto-generated"},
    ).send()
    return {"sent": 1}
