"""Check what was sent and make blobs of it; remove what nothing names any more."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import groupby

import structlog
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from amgs.core import jobs
from amgs.core.errors import Refused
from amgs.core.jobs import Context, Finish, job
from amgs.core.models import Job
from amgs.files.models import Blob, Upload
from amgs.files.queries import held_parts, part_bytes
from amgs.files.removal import forget_released
from amgs.files.services import (
    blob_key,
    blob_of,
    part_key,
    purposes,
    tell_given_up,
)
from amgs.files.storage import CHUNK, Missing, get_storage

log = structlog.get_logger(__name__)

UPLOADS_KEPT = timedelta(days=7)
"""How long an unfinished upload may be resumed after somebody last sent parts of it."""
OUTPUTS_KEPT = timedelta(days=1)
"""How long the outputs of an attempt that led to nothing are kept."""


def _let_go(row: Job, sentence: str) -> None:
    """Refuse the upload with the sentence, or open it again where only the check broke."""
    broke = bool(row.trace) or row.cancel_asked
    values = (
        {
            "state": Upload.State.OPEN,
            "refusal": "The check could not be finished; complete the upload again.",
        }
        if broke
        else {"state": Upload.State.REFUSED, "refusal": sentence[:1000], "finished_at": Now()}
    )
    changed = Upload.objects.filter(
        public_id=row.args["upload"], state=Upload.State.CHECKING
    ).update(**values)
    if changed and not broke:
        tell_given_up(Upload.objects.get(public_id=row.args["upload"]), sentence)
        jobs.enqueue(drop_parts, key=row.args["upload"], upload=row.args["upload"])


@job("ingest", limit=timedelta(minutes=5), attempts=5, on_failure=_let_go)
def check_upload(
    context: Context, upload: str, digests: dict[str, str], sha256: str = ""
) -> Finish:
    """Put the parts together, check size and digests, and only then make the blob.

    What is digested is the assembled object, to which no address was ever signed: a part that
    is sent again while the check runs changes nothing.
    """
    row = Upload.objects.get(public_id=upload)
    if row.state != Upload.State.CHECKING:
        return Finish({"state": row.state})
    storage = get_storage()
    if len(held_parts(row)) != row.part_count:
        raise Refused(f"Parts of '{row.name}' are no longer there; send the file again.")
    whole = context.key("whole")
    context.progress(0.0, "putting the parts together")
    parts = [part_key(row, part) for part in range(1, row.part_count + 1)]
    size = storage.compose(whole, parts, durable=False).size
    if size != row.size:
        raise Refused(
            f"'{row.name}' was announced with {row.size} bytes, but {size} came; send it again."
        )
    expected = row.sha256 or sha256
    # Without a digest of the whole, the parts are compared while it is made; with one they are
    # looked at only where it differs.
    with ThreadPoolExecutor(1) as pool:  # it is read while the disk still takes it
        durable = pool.submit(storage.wait, whole)
        found, changed = _digest(context, row, whole, {} if expected else digests)
        durable.result()
    if expected and found != expected:
        changed = _digest(context, row, whole, digests)[1] if digests else []
        if not changed:
            raise Refused(
                f"What came of '{row.name}' is not what was announced (its SHA-256 differs); the "
                "file was changed or damaged on the way, so send it again."
            )
    if changed:
        for part in changed:
            storage.delete(part_key(row, part))
        return Finish({"resend": changed}, lambda: _reopen(row, changed))
    key = blob_key(found)
    if storage.stat(key) is None:
        storage.compose(key, [whole])
    return Finish({"sha256": found, "size": size}, lambda: _store(row, found))


def _digest(
    context: Context, row: Upload, key: str, digests: dict[str, str]
) -> tuple[str, list[int]]:
    """Return the SHA-256 of the whole, and the numbers of parts that differ from theirs."""
    whole, changed, read = hashlib.sha256(), [], 0
    with get_storage().open(key) as stream:
        for number in range(1, row.part_count + 1):
            part, left = hashlib.sha256(), part_bytes(row, number)
            expected = digests.get(str(number))
            while left:
                chunk = stream.read(min(CHUNK, left))
                if not chunk:
                    raise EOFError(f"{key} ended after {read} of {row.size} bytes")
                whole.update(chunk)
                if expected:
                    part.update(chunk)
                left -= len(chunk)
                read += len(chunk)
            if expected and part.hexdigest() != expected:
                changed.append(number)
            context.progress(read / row.size, "checking what came")
    return whole.hexdigest(), changed


def _reopen(row: Upload, changed: list[int]) -> None:
    shown = ", ".join(map(str, changed[:10]))
    Upload.objects.filter(pk=row.pk, state=Upload.State.CHECKING).update(
        state=Upload.State.OPEN,
        refusal=f"Changed on the way: part {shown} of '{row.name}'. Send it again.",
    )


def _store(row: Upload, sha256: str) -> None:
    """Make the blob visible and hand it on; runs in the transaction that ends the check."""
    blob = blob_of(sha256, row.size, mimetypes.guess_type(row.name)[0] or "")
    # Asked again under the row's lock: these bytes may just have been removed with a version
    # that was withdrawn. The check then begins anew and stores them again.
    Blob.objects.select_for_update().get(pk=blob.pk)
    if get_storage().stat(blob.key) is None:
        raise Missing(f"{blob.key} was removed while '{row.name}' was being checked")
    changed = Upload.objects.filter(pk=row.pk, state=Upload.State.CHECKING).update(
        state=Upload.State.DONE, blob=blob, sha256=sha256, finished_at=Now()
    )
    if changed:
        row.refresh_from_db()
        purposes()[row.purpose].arrived(row, blob)
        jobs.enqueue(drop_parts, key=row.public_id, upload=row.public_id)


@job("quick", limit=timedelta(minutes=5))
def drop_parts(context: Context, upload: str) -> dict[str, int]:
    """Remove the parts of an upload that is over, and what its checks put together."""
    row = Upload.objects.filter(public_id=upload).first()
    if row is not None and row.state in {Upload.State.OPEN, Upload.State.CHECKING}:
        return {"objects_deleted": 0}
    storage, count = get_storage(), 0
    checks = Job.objects.filter(subject=upload, kind=check_upload.kind)
    prefixes = [f"uploads/{upload}/"]
    prefixes += [f"jobs/{public_id}/" for public_id in checks.values_list("public_id", flat=True)]
    for prefix in prefixes:
        for key in list(storage.list(prefix)):
            storage.delete(key)
            count += 1
            context.progress(0.5, f"{count} removed")
    return {"objects_deleted": count}


@job("quick", limit=timedelta(minutes=10), every=timedelta(hours=1))
def collect_orphans(context: Context) -> dict[str, int]:
    """Discard uploads nobody resumed; remove parts, outputs and drafts that nothing names.

    An output is an orphan when its job is over and it was not made by the attempt that
    finished it; a part is one when its upload is over or unknown (an address outlives the
    upload by some minutes). The result counts what was done.
    """
    now = timezone.now()
    given_up = 0
    quiet_since = now - UPLOADS_KEPT
    for row in Upload.objects.filter(
        Q(active_at__lt=quiet_since) | Q(active_at=None, created_at__lt=quiet_since),
        state=Upload.State.OPEN,
    ).order_by("pk")[:1000]:
        with transaction.atomic():
            if Upload.objects.filter(pk=row.pk, state=Upload.State.OPEN).update(
                state=Upload.State.DISCARDED,
                refusal=f"Nobody resumed it within {UPLOADS_KEPT.days} days.",
                finished_at=Now(),
            ):
                tell_given_up(row, f"Nobody resumed the upload within {UPLOADS_KEPT.days} days.")
                jobs.enqueue(drop_parts, key=row.public_id, upload=row.public_id)
                given_up += 1
    done = {"uploads_discarded": given_up, "parts_deleted": 0, "outputs_deleted": 0}
    storage = get_storage()
    for name, keys in (
        ("parts_deleted", _lost_parts()),
        ("outputs_deleted", _lost_outputs(now - OUTPUTS_KEPT)),
    ):
        for key in keys:
            storage.delete(key)
            done[name] += 1
            context.progress(0.5, f"{done[name]} {name.replace('_', ' ')}")
    done["drafts_deleted"] = storage.sweep(OUTPUTS_KEPT.total_seconds())
    log.info("orphans were collected", **done)
    return done


@job("quick", limit=timedelta(minutes=10), every=timedelta(hours=1))
def clean_caches(context: Context) -> dict[str, int]:
    """Remove from this machine's caches what was deleted in storage."""
    return {"files_deleted": forget_released()}


def _lost_parts() -> Iterator[str]:
    """Yield keys ``uploads/<upload>/<part>`` of uploads that are over or unknown.

    The row of an upload is older than any address of its parts.
    """
    keys = get_storage().list("uploads/")
    for upload, parts in groupby(keys, key=lambda key: key.split("/")[1]):
        alive = [Upload.State.OPEN, Upload.State.CHECKING]
        if not Upload.objects.filter(public_id=upload, state__in=alive).exists():
            yield from list(parts)


def _lost_outputs(before: object) -> Iterator[str]:
    """Yield keys ``jobs/<job>/<attempt>/…`` of attempts that led to nothing."""
    batch: list[tuple[str, str, str]] = []
    for key in get_storage().list("jobs/"):
        parts = key.split("/", 3)
        if len(parts) == 4 and parts[2].isdecimal():
            batch.append((key, parts[1], parts[2]))
        if len(batch) == 500:
            yield from _lost(batch, before)
            batch = []
    yield from _lost(batch, before)


def _lost(batch: list[tuple[str, str, str]], before: object) -> Iterator[str]:
    rows = {
        row.public_id: row
        for row in Job.objects.filter(
            public_id__in={public_id for _, public_id, _ in batch}, finished_at__lt=before
        ).only("public_id", "state", "attempt")
    }
    for key, public_id, attempt in batch:
        row = rows.get(public_id)
        if row is None or not row.is_over:
            continue
        if row.state != Job.State.DONE or int(attempt) != row.attempt:
            yield key
