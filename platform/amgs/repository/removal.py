"""Delete the files of versions that left: withdrawn, deleted for good, or rejected long ago.

Every step may be done twice: a job that was killed begins again and finds what is left. What
another living version holds stays; so does the row of a recording with its digests, because
manifests and decisions name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from amgs.accounts import notices
from amgs.core import decisions
from amgs.core.base import SYSTEM
from amgs.core.decisions import database_now
from amgs.core.jobs import Context, Finish, enqueue, job
from amgs.files.models import Blob
from amgs.files.removal import holder, release
from amgs.files.storage import get_storage
from amgs.repository import steps
from amgs.repository.consequences import (
    landmarks_to_clear,
    living,
    pictures_to_clear,
    recordings_to_clear,
    sheets_to_clear,
)
from amgs.repository.models import Dataset, Frame, LabelImport, LandmarkSet, Recording, Version
from curation.dataset_version import WITHDRAWN
from curation.leaving import FILES_GONE_WITHIN, UNDO_FOR

CHUNK = 200
_KEYS = ("poster_key", "contact_sheet_key", "likeness_key", "proxy_key")
CLEAR_WITHDRAWN = "repository.clear_withdrawn"


@holder
def _held_by_living_versions(keys: set[int]) -> Iterable[int]:
    alive = living()
    recordings = Recording.objects.filter(blob__in=keys, versions__in=alive)
    sheets = LabelImport.objects.filter(blob__in=keys, versions__in=alive)
    return {
        *recordings.values_list("blob", flat=True),
        *sheets.values_list("blob", flat=True),
    }


@steps.follower("withdraw")
def _ask(step: steps.Step, decision: Any) -> None:
    """Ask for the files to be deleted; begun at once, so that 30 days are kept with room."""
    version = step.version
    enqueue(
        CLEAR_WITHDRAWN,
        by=step.by,
        subject=version,
        key=version.public_id,
        version=version.public_id,
    )


@job("quick", limit=timedelta(minutes=10), attempts=20)
def clear_withdrawn(context: Context, version: str) -> Finish:
    """Delete every file of a withdrawn version that no other living version holds."""
    row = Version.objects.select_related("dataset__lab").get(public_id=version)
    if row.state != WITHDRAWN:
        return Finish({"state": row.state})
    done = clear_files(context, row)

    def apply() -> None:
        Version.objects.filter(pk=row.pk).update(files_deleted_at=database_now())
        decisions.record(row, "files_deleted", by=SYSTEM, facts=done)
        notices.tell(
            notices.people(lab=row.dataset.lab),
            title=f"The files of {row.identifier} are deleted",
            text=(
                f"{done['objects']} files of {row.identifier} were deleted, and "
                f"{done['originals']} originals with them. {done['kept']} originals stay, because "
                "another version or another person's upload needs the same bytes. The page of the "
                "dataset stays as a tombstone.\n"
            ),
            about=row,
        )

    return Finish(done, apply)


@job("quick", limit=timedelta(minutes=10), every=timedelta(hours=6))
def check_withdrawn(context: Context) -> Mapping[str, int]:
    """Ask again for the files of withdrawn versions that are not deleted yet; count those late."""
    waiting = late = 0
    left = Version.objects.filter(state=WITHDRAWN, files_deleted_at=None)
    for row in left.order_by("pk")[:CHUNK]:
        with transaction.atomic():
            enqueue(CLEAR_WITHDRAWN, subject=row, key=row.public_id, version=row.public_id)
        waiting += 1
        decided = decisions.history(row).filter(to_state=WITHDRAWN).last()
        late += decided is not None and timezone.now() - decided.at > FILES_GONE_WITHIN
    return {"waiting": waiting, "late": late}


def clear_files(context: Context, version: Version) -> dict[str, int]:
    """Delete files until none is left; return how many objects and originals went or stayed."""
    done = {"objects": 0, "originals": 0, "kept": 0}
    recordings = list(recordings_to_clear(version).select_related("blob").distinct().order_by("pk"))
    sheets = list(sheets_to_clear(version).select_related("blob").distinct().order_by("pk"))
    total = max(1, len(recordings) + len(sheets))
    originals: dict[int, Blob] = {}
    for number, recording in enumerate(recordings):
        context.progress(number / total, f"deleting what was made of {recording.name}")
        done["objects"] += _clear_recording(context, recording)
    done["objects"] += _clear_beside(context, version)
    for row in (*recordings, *sheets):
        if row.blob is not None and row.blob.deleted_at is None:
            originals[row.blob.pk] = row.blob
    for number, blob in enumerate(originals.values(), start=len(recordings)):
        context.progress(min(1.0, number / total), "deleting originals and score sheets")
        done["originals" if release(blob) else "kept"] += 1
    context.save_progress()
    return done


def _clear_beside(context: Context, version: Version) -> int:
    """Delete what was made of label files: landmarks, and the pictures of looks at them."""
    storage, count = get_storage(), 0
    for pk, key in list(landmarks_to_clear(version).order_by("pk").values_list("pk", "key")):
        storage.delete(key)
        LandmarkSet.objects.filter(pk=pk).update(key="")
        context.check()
        count += 1
    for row, keys in pictures_to_clear(version):
        for key in keys:
            storage.delete(key)
        lines = [
            {**line, "picture": "" if line["picture"] in keys else line["picture"]}
            for line in row.look["lines"]
        ]
        LabelImport.objects.filter(pk=row.pk).update(look={**row.look, "lines": lines})
        context.check()
        count += len(keys)
    return count


def _clear_recording(context: Context, recording: Recording) -> int:
    """Delete all that was made of a recording: copy for others, proxy, thumbnails, stills, hashes.

    An object is deleted before the row forgets its key: whoever is killed in between begins with
    the same key again.
    """
    storage, count = get_storage(), 0
    keys = [getattr(recording, name) for name in _KEYS] + [recording.public.get("key", "")]
    keys += sorted({row["key"] for row in recording.evidence.values()})
    for key in filter(None, keys):
        storage.delete(key)
        count += 1
    stills = Frame.objects.filter(recording=recording).exclude(still_key="").order_by("pk")
    while some := list(stills.values_list("pk", "still_key")[:CHUNK]):
        for _, key in some:
            storage.delete(key)
            context.check()
        count += len(some)
        Frame.objects.filter(pk__in=[pk for pk, _ in some]).update(still_key="")
        context.save_progress()
    public = {name: value for name, value in recording.public.items() if name != "key"}
    if any(keys):
        Recording.objects.filter(pk=recording.pk).update(
            public=public, evidence={}, signature={}, **dict.fromkeys(_KEYS, "")
        )
    return count


@job("quick", limit=timedelta(minutes=10), attempts=20)
def clear_deleted(context: Context, version: str) -> Finish:
    """Delete a draft for good whose time to bring it back has run out, with its files."""
    row = Version.objects.select_related("dataset").filter(public_id=version).first()
    if row is None or row.deleted_at is None:
        return Finish({"gone": True})
    if timezone.now() - row.deleted_at <= UNDO_FOR:
        # It was brought back and deleted again; the later deletion has a job of its own or gets
        # one by the next check.
        return Finish({"waits": True})
    done = clear_files(context, row)

    def apply() -> None:
        decisions.record(row, "clear_deleted", by=SYSTEM, facts=done)
        _delete_rows(row)

    return Finish(done, apply)


@job("quick", limit=timedelta(minutes=5), every=timedelta(hours=6))
def check_deleted(context: Context) -> Mapping[str, int]:
    """Ask for deleted drafts to be cleared away whose time has run out."""
    count = 0
    for row in Version.objects.filter(deleted_at__lt=timezone.now() - UNDO_FOR)[:CHUNK]:
        with transaction.atomic():
            enqueue(
                "repository.clear_deleted",
                subject=row,
                key=f"clear:{row.public_id}",
                version=row.public_id,
            )
        count += 1
    return {"asked": count}


def _delete_rows(version: Version) -> None:
    """Delete the rows of a draft; those of its dataset too where nothing else is left of it."""
    recordings = list(recordings_to_clear(version).values_list("pk", flat=True))
    sheets = list(sheets_to_clear(version).values_list("pk", flat=True))
    dataset = version.dataset
    # A withdrawn version still names its recordings by their digests.
    named = set(
        Recording.objects.filter(pk__in=recordings)
        .filter(versions__in=Version.objects.exclude(pk=version.pk))
        .values_list("pk", flat=True)
    )
    version.delete()
    LabelImport.objects.filter(pk__in=sheets, versions=None).delete()
    Recording.objects.filter(pk__in=[pk for pk in recordings if pk not in named]).delete()
    if not dataset.versions.exists():
        Dataset.objects.filter(pk=dataset.pk).delete()
