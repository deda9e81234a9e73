"""What happens when a score is over, however it ended: its program and its person are told."""

from __future__ import annotations

from amgs.accounts import notices
from amgs.core.models import Job
from amgs.files.models import Upload
from amgs.scoring import messages, webhooks
from amgs.scoring.models import ToolRun

NOTIFY = "notify"
"""The parameter of a run whose person wants a line in the inbox, and mail as they chose."""
_ENDED = {"done": "is scored", "failed": "could not be scored", "cancelled": "was cancelled"}


def score_ended(run: int, state: str, sentence: str) -> None:
    """Tell whoever waits that the score of this primary key is done, failed or cancelled.

    Call it in the transaction that ends the score, when the row holds what is to be told.
    """
    row = ToolRun.objects.select_related("user").filter(pk=run).first()
    if row is None:
        return
    webhooks.tell(row, state, sentence)
    messages.ask_message(row)
    if row.parameters.get(NOTIFY) and row.user is not None:
        title = f"{row.name or 'Your recording'} {_ENDED[state]}"
        notices.tell(
            [row.user], title=title, text=sentence, about=row, key=f"{row.public_id}:{state}"
        )


def job_ended(row: Job, sentence: str) -> None:
    """Tell that a score ended undone; the ``on_failure`` of its job."""
    for run in ToolRun.objects.filter(job=row).values_list("pk", flat=True):
        score_ended(run, "cancelled" if row.cancel_asked else "failed", sentence)


def upload_given_up(upload: Upload, sentence: str) -> None:
    """Tell that scores ended before they began, since their file never comes."""
    for run in ToolRun.objects.filter(upload=upload, job=None).values_list("pk", flat=True):
        score_ended(run, "failed", sentence)
