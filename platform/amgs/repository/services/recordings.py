"""Recordings: add them while their file is still on its way, take them out of a draft again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q

from amgs.core import decisions, jobs, policy
from amgs.core.base import SYSTEM, Actor
from amgs.core.errors import Refused
from amgs.files.models import Blob, Upload
from amgs.repository.frozen import held_by_published
from amgs.repository.models import (
    Dataset,
    FaceBox,
    LabelImport,
    LandmarkSet,
    Observation,
    PictureClass,
    ProgramScore,
    Rating,
    Recording,
    Version,
)
from amgs.repository.services.datasets import require_draft

INGEST = "repository.ingest_recording"
READ_LABELS = "repository.read_labels"


def arrived(upload: Upload, start: Callable[[Blob], None]) -> None:
    """Call ``start`` with the blob if the upload is done; otherwise the arrival will do it.

    The row is locked, so that an upload that finishes at this very moment either is seen as done
    here or sees the row that names it.
    """
    fresh = Upload.objects.select_for_update().get(pk=upload.pk)
    if fresh.state in {Upload.State.REFUSED, Upload.State.DISCARDED}:
        raise Refused(
            fresh.refusal or "This upload was discarded; please send the file again.",
            field="upload",
        )
    if fresh.state == Upload.State.DONE and fresh.blob is not None:
        # Locked: bytes that are being removed with a withdrawn version must come again.
        blob = Blob.objects.select_for_update().get(pk=fresh.blob_id)
        if blob.deleted_at is not None:
            raise Refused(
                f"The bytes of '{fresh.name}' were removed meanwhile; please send the file again.",
                field="upload",
            )
        start(blob)


def lock_for(upload: Upload, dataset_id: int) -> None:
    """Lock an upload, the bytes that came with it and the dataset they are for, in this order.

    Of two that add the same file at once, the second then sees what the first added.
    """
    fresh = Upload.objects.select_for_update().get(pk=upload.pk)
    if fresh.blob_id is not None:
        Blob.objects.select_for_update().get(pk=fresh.blob_id)
    Dataset.objects.select_for_update().get(pk=dataset_id)


def check_upload(by: Actor, version: Version, upload: Upload) -> None:
    """Refuse an upload that belongs to somebody else: its id must not open a door."""
    if not policy.may(by, "files.upload.use", upload):
        raise Refused("There is no such upload of yours; please send the file.", field="upload")
    if upload.lab_id is not None and upload.lab_id != version.dataset.lab_id:
        raise Refused("This file was sent for another lab; send it for this one.", field="upload")


def _observation(version: Version, animal: str | None, name: str | None) -> Observation | None:
    if not animal and not name:
        return None
    found = Observation.objects.filter(
        animal__dataset=version.dataset_id,
        animal__name=animal or "",
        name=name or "",
        dropped=False,
    ).first()
    if found is None:
        raise Refused(
            f"The design has no observation '{name or ''}' of an animal '{animal or ''}'; add it "
            "to the design first or correct the name.",
            field="observation",
        )
    return found


@transaction.atomic
def add_recording(
    *,
    by: Actor,
    version: Version,
    upload: Upload,
    name: str,
    animal: str | None = None,
    observation: str | None = None,
) -> tuple[Recording, bool]:
    """Add a recording to a draft, which is read as soon as its upload is done.

    ``animal`` and ``observation`` are names of the design. Returns the recording, and whether it
    was added: the same upload under the same name again gives the recording there is.
    """
    require_draft(by, "edit_draft", version)
    check_upload(by, version, upload)
    name = name.strip()
    if not name:
        raise Refused("Please give the recording a name, such as its file name.", field="name")
    where = _observation(version, animal, observation)
    lock_for(upload, version.dataset_id)
    held = Recording.objects.filter(dataset=version.dataset_id, name=name).first()
    if held is not None:
        if held.upload_id == upload.pk or (held.blob_id and held.blob_id == upload.blob_id):
            is_new = not held.versions.filter(pk=version.pk).exists()
            if is_new:
                Recording.objects.filter(pk=held.pk).update(observation=where)
                held.versions.add(version)
            return held, is_new
        if not held.versions.filter(pk=version.pk).exists():
            raise Refused(
                f"A published version holds another recording called '{name}', and what is cited "
                "keeps its name; give the new file another one.",
                field="name",
            )
        raise Refused(
            f"There is already a recording called '{name}'; remove it first or choose another "
            "name.",
            field="name",
        )
    recording = Recording.objects.create(
        dataset=version.dataset, observation=where, name=name, upload=upload
    )
    recording.versions.add(version)
    decisions.record(version, "add_recording", by=by, facts={"name": name})
    arrived(upload, lambda blob: start_ingest(recording, blob))
    return recording, True


def start_ingest(recording: Recording, blob: Blob) -> None:
    """Give a recording its blob and ask for it to be read."""
    Recording.objects.filter(pk=recording.pk).update(blob=blob)
    recording.blob = blob
    jobs.enqueue(
        INGEST, by=SYSTEM, subject=recording, key=recording.public_id, recording=recording.public_id
    )


def settle_copies(recording: Recording, public: Mapping[str, Any], proxy_key: str) -> None:
    """Write which copy others may have of a recording, and what browsers play."""
    Recording.objects.filter(pk=recording.pk).update(public=dict(public), proxy_key=proxy_key)


@transaction.atomic
def remove_recording(*, by: Actor, version: Version, recording: Recording) -> None:
    """Take a recording out of a draft; it is deleted where no other version holds it.

    Score sheets that named its frames are read again, so that what they say of the recording
    shows as not matched.
    """
    require_draft(by, "edit_draft", version)
    if not recording.versions.filter(pk=version.pk).exists():
        raise Refused(f"'{recording.name}' is not in {version.identifier}.")
    # One query for each kind: joined in one, every rating would meet every box.
    touched: set[int] = set()
    for rows in (
        Rating.objects.filter(frame__recording=recording, label_import__isnull=False),
        FaceBox.objects.filter(frame__recording=recording),
        PictureClass.objects.filter(frame__recording=recording),
        ProgramScore.objects.filter(recording=recording),
        LandmarkSet.objects.filter(recording=recording),
    ):
        touched.update(rows.order_by().values_list("label_import", flat=True).distinct())
    recording.versions.remove(version)
    if not recording.versions.exists():
        recording.delete()
    decisions.record(version, "remove_recording", by=by, facts={"name": recording.name})
    _read_again(version.dataset_id, Q(pk__in=touched))
    ask_for_labels(version.dataset_id)


def ask_for_labels(dataset_id: int) -> None:
    """Ask for every sheet that waits to be read, unless a recording is still being read.

    Called in the transaction that may have settled the last recording. The dataset's row is
    locked, so that of two that settle at once the second sees the first.
    """
    Dataset.objects.select_for_update().get(pk=dataset_id)
    if pending_recordings(dataset_id):
        return
    # A sheet that named unknown frames or animals may know them now.
    _read_again(dataset_id, Q(frames_unmatched__gt=0) | Q(observations_unmatched__gt=0))
    _read_waiting(dataset_id)


def read_scores_again(dataset_id: int) -> None:
    """Have sheets with scores of observations read again, because the design was changed."""
    _read_again(dataset_id, Q(observations_matched__gt=0) | Q(observations_unmatched__gt=0))
    if not pending_recordings(dataset_id):
        _read_waiting(dataset_id)


def _read_again(dataset_id: int, which: Q) -> None:
    """Mark sheets that were read as waiting, but for those a published version holds."""
    LabelImport.objects.filter(which, dataset=dataset_id, status=LabelImport.Status.DONE).exclude(
        pk__in=LabelImport.objects.filter(held_by_published()).values("pk")
    ).update(status=LabelImport.Status.PENDING)


def _read_waiting(dataset_id: int) -> None:
    for row in LabelImport.objects.filter(
        dataset=dataset_id, status=LabelImport.Status.PENDING, blob__isnull=False
    ):
        jobs.enqueue(READ_LABELS, subject=row, key=row.public_id, label_import=row.public_id)


def pending_recordings(dataset_id: int) -> int:
    """Count recordings whose file is being sent or read."""
    return (
        Recording.objects.filter(dataset=dataset_id, status=Recording.Status.PENDING)
        .exclude(upload__state__in=[Upload.State.REFUSED, Upload.State.DISCARDED], blob=None)
        .count()
    )
