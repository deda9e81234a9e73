"""Rejected versions: their files are kept for a while, their lab is warned, then they go.

Until then the version can be opened as a draft again and keeps everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from amgs.accounts import notices
from amgs.core import decisions
from amgs.core.base import SYSTEM
from amgs.core.decisions import database_now
from amgs.core.errors import Refused
from amgs.core.jobs import Context, Finish, enqueue, job
from amgs.repository import steps
from amgs.repository.models import Version
from amgs.repository.removal import CHUNK, clear_files
from curation.dataset_version import REJECTED
from curation.leaving import REJECTED_KEPT_FOR, WARNED_BEFORE, reopen_refusal

CLEAR_REJECTED = "repository.clear_rejected"
WARNED = "files_go_soon"


@steps.follower("reject")
def _keep(step: steps.Step, decision: Any) -> None:
    until = timezone.now() + REJECTED_KEPT_FOR
    Version.objects.filter(pk=step.version.pk).update(files_kept_until=until)
    step.version.files_kept_until = until


@steps.guard("reopen")
def _files_are_there(step: steps.Step) -> None:
    """Refuse to open a rejected version whose files are deleted or about to be."""
    version = step.version
    if version.state != REJECTED:
        return
    if sentence := reopen_refusal(version.files_kept_until, timezone.now()):
        raise Refused(sentence)


@steps.follower("reopen")
def _keep_for_good(step: steps.Step, decision: Any) -> None:
    Version.objects.filter(pk=step.version.pk).update(files_kept_until=None)
    step.version.files_kept_until = None


@job("quick", limit=timedelta(minutes=10), every=timedelta(hours=6))
def check_rejected(context: Context) -> Mapping[str, int]:
    """Warn labs whose rejected versions lose their files soon; ask for those to go that are due."""
    now = timezone.now()
    waiting = Version.objects.filter(state=REJECTED, deleted_at=None, files_deleted_at=None)
    # Rejected before a time was kept: nobody was told, so the time begins now.
    begun = waiting.filter(files_kept_until=None).update(files_kept_until=now + REJECTED_KEPT_FOR)
    asked = warned = 0
    soon = waiting.filter(files_kept_until__lt=now + WARNED_BEFORE)
    for row in soon.select_related("dataset__lab").order_by("files_kept_until")[:CHUNK]:
        context.check()
        if row.files_kept_until < now:
            with transaction.atomic():
                enqueue(CLEAR_REJECTED, subject=row, key=row.public_id, version=row.public_id)
            asked += 1
        else:
            warned += _warn(row)
    return {"begun": begun, "warned": warned, "asked": asked}


@transaction.atomic
def _warn(version: Version) -> bool:
    """Warn the lab of a rejected version once; return whether that was done now."""
    held = Version.objects.select_for_update().get(pk=version.pk)
    until = held.files_kept_until
    if held.state != REJECTED or until is None:
        return False
    last = decisions.history(held).filter(to_state=REJECTED).last()
    after = last.number if last is not None else 0
    if decisions.history(held).filter(action=WARNED, number__gt=after).exists():
        return False
    decisions.record(held, WARNED, by=SYSTEM, facts={"kept_until": until.isoformat()})
    notices.tell(
        notices.people(lab=version.dataset.lab),
        title=f"The files of {version.identifier} are deleted on {until:%d %B %Y}",
        text=(
            f"{version.identifier} was rejected. Its files are kept until {until:%d %B %Y} and "
            "deleted after that. Open it as a draft again before then if you want to mend it and "
            "hand it in once more: everything is kept as it is.\n"
        ),
        about=held,
    )
    return True


@job("quick", limit=timedelta(minutes=10), attempts=20)
def clear_rejected(context: Context, version: str) -> Finish:
    """Delete the files of a version that stayed rejected; what another one holds stays."""
    row = Version.objects.select_related("dataset__lab").filter(public_id=version).first()
    if row is None or not _is_due(row):
        return Finish({"waits": True})
    done = clear_files(context, row)

    def apply() -> None:
        Version.objects.filter(pk=row.pk).update(files_deleted_at=database_now())
        decisions.record(row, "files_deleted", by=SYSTEM, facts=done)
        notices.tell(
            notices.people(lab=row.dataset.lab),
            title=f"The files of {row.identifier} are deleted",
            text=(
                f"{row.identifier} stayed rejected for {REJECTED_KEPT_FOR.days} days. "
                f"{done['objects']} files that were made of its recordings were deleted, and "
                f"{done['originals']} originals with them; {done['kept']} originals stay, because "
                "another version or another person's upload needs the same bytes.\n"
            ),
            about=row,
        )

    return Finish(done, apply)


def _is_due(version: Version) -> bool:
    until = version.files_kept_until
    return (
        version.state == REJECTED
        and version.deleted_at is None
        and version.files_deleted_at is None
        and until is not None
        and until < timezone.now()
    )
