"""How long scores are kept, and what their owner may do with them: new link, delete, undo.

The owner of a score is the account it was asked with; without one it is the browser that holds
its key. What is deleted leaves one sentence at its address.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from amgs.core import jobs
from amgs.core.errors import NotAllowed, Refused
from amgs.core.jobs import ACTIVE, Context, job
from amgs.files.models import Blob
from amgs.files.removal import release
from amgs.files.storage import get_storage
from amgs.repository.consequences import living
from amgs.repository.models import Recording
from amgs.scoring.models import Batch, ScoreUse, StudyEntry, ToolRun, new_token
from amgs.scoring.quota import KEPT as USE_KEPT

UNDO = timedelta(minutes=10)
"""How long a deletion that somebody asked for can be taken back for certain."""


COOKIE = "amgs_scores"
"""The cookie with the key of a browser without an account."""
_KEY = re.compile(r"[\w-]{20,60}")


def key_in(cookies: Mapping[str, str]) -> str:
    """Return the key of a browser among its cookies; empty where it has none."""
    found = cookies.get(COOKIE, "")
    return found if _KEY.fullmatch(found) else ""


def digest_of(key: str) -> str:
    """Return what is kept of the key in a browser; empty for none."""
    return hashlib.sha256(f"amgs.score:{key}".encode()).hexdigest() if key else ""


def owns(thing: ToolRun | Batch, *, user: Any, key: str) -> bool:
    """Whether a score or batch belongs to this person, or to the browser with this key."""
    if thing.user_id is not None:
        return user is not None and thing.user_id == user.pk
    return bool(thing.owner and key and constant_time_compare(thing.owner, digest_of(key)))


def _require(thing: ToolRun, user: Any, key: str) -> None:
    if not owns(thing, user=user, key=key):
        raise NotAllowed(
            "Only whoever asked for this score may do this: sign in, or use the browser it was "
            "asked with."
        )


def new_link(*, run: ToolRun, user: Any, key: str) -> ToolRun:
    """Give a score another address; the one it had leads nowhere from now on."""
    _require(run, user, key)
    run.token = new_token()
    run.save(update_fields=["token"])
    return run


@transaction.atomic
def ask_deletion(*, run: ToolRun, user: Any, key: str) -> None:
    """Let the sweep delete file and result; nobody sees them from now on."""
    _require(run, user, key)
    run = ToolRun.objects.select_for_update().get(pk=run.pk)
    if run.deleted_at is not None:
        raise Refused("This score is deleted already.")
    if run.job is not None and run.job.state in ACTIVE:
        jobs.cancel(run.job)
    ToolRun.objects.filter(pk=run.pk).update(delete_asked_at=timezone.now())


def take_back(*, run: ToolRun, user: Any, key: str) -> None:
    """Take the wish to delete back; raises ``Refused`` where the sweep was faster."""
    _require(run, user, key)
    if not ToolRun.objects.filter(pk=run.pk, deleted_at=None).update(delete_asked_at=None):
        raise Refused("This score is deleted already; upload the file again to score it anew.")


def goes_at(run: ToolRun) -> datetime:
    """Return when a score is deleted unless its recording is contributed."""
    return run.created_at + timedelta(days=settings.SCORE_KEPT_DAYS)


def contributed_blobs() -> QuerySet[Any]:
    """Return the files (keys of blobs) that recordings of datasets hold.

    What a withdrawn version held is no reason to keep a file: all of it is to go.
    """
    held = Recording.objects.exclude(blob=None).filter(versions__in=living())
    return held.values("blob")


def due() -> QuerySet[ToolRun]:
    """Return the runs whose file and result are to go now."""
    now = timezone.now()
    old = Q(created_at__lt=now - timedelta(days=settings.SCORE_KEPT_DAYS))
    contributed = contributed_blobs()
    # A study rests on its scores for as long as it is there, or can be brought back.
    studied = Q(study_entries__isnull=False) | Q(pk__in=StudyEntry.objects.values("replacement"))
    kept = (Q(blob__in=contributed) | studied) & Q(delete_asked_at=None)
    asked = Q(delete_asked_at__lt=now - UNDO)
    return (
        ToolRun.objects.filter(old | asked, deleted_at=None)
        .exclude(pk__in=ToolRun.objects.filter(kept).values("pk"))
        .exclude(job__state__in=ACTIVE)
        .order_by("pk")
    )


@job("quick", limit=timedelta(minutes=5), every=timedelta(minutes=10))
def delete_old_scores(context: Context) -> dict[str, int]:
    """Delete file and result of scores whose time is over or whose owner asked for it."""
    count = 0
    for run in due()[:500]:
        _delete(run)
        count += 1
        context.progress(0.5, f"{count} deleted")
    ScoreUse.objects.filter(day__lt=timezone.now().date() - USE_KEPT).delete()
    return {"deleted": count}


def _delete(run: ToolRun) -> None:
    # Storage first: should this end here, the next sweep finds the row and goes on.
    extras = run.extras.all()
    for key in [*run.outputs.values(), *(key for one in extras for key in one.outputs.values())]:
        get_storage().delete(key)
    extras.delete()
    run.corrections.all().delete()
    blob: Blob | None = run.blob
    ToolRun.objects.filter(pk=run.pk).update(
        deleted_at=timezone.now(),
        delete_asked_at=None,
        blob=None,
        upload=None,
        name="",
        mail_to="",
        result={},
        outputs={},
        parameters={},
        provenance={key: run.provenance[key] for key in ("model",) if key in run.provenance},
    )
    if blob is not None:
        release(blob)


def gone_sentence(run: ToolRun) -> str:
    """Return what stands at the address of a score that is deleted, or about to be."""
    if run.deleted_at is None:
        return "This score is about to be deleted, because its owner asked for it."
    return (
        f"The result at this address was deleted with its file on {run.deleted_at:%-d %B %Y}: "
        f"results are kept for {settings.SCORE_KEPT_DAYS} days, or until their owner deletes them."
    )
