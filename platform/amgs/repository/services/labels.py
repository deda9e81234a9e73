"""Label files: have them looked at and read, answer what they ask, undo and redo a reading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from amgs.accounts.models import User
from amgs.core import decisions, jobs
from amgs.core.base import Actor
from amgs.core.errors import Conflict, Refused
from amgs.files.models import Blob, Upload
from amgs.repository import search
from amgs.repository.models import Dataset, LabelImport, Version
from amgs.repository.places import Told
from amgs.repository.services.datasets import check_metadata, require_draft
from amgs.repository.services.recordings import arrived, ask_for_labels, check_upload, lock_for
from curation.labels import Declaration, UnknownFormat
from curation.labels import Mapping as Columns
from curation.metadata import BY_KEY

# What each sheet declares; the same fields may be given once for the whole dataset.
DECLARED = ("scored_from", "raters_blind", "frames_chosen", "raters_experience")
LOOK = "repository.look_at_labels"
Status = LabelImport.Status


@dataclass(frozen=True)
class Answers:
    """What a lab says about a label file; a part that is None stays as it was.

    ``mapping`` is a ``curation.labels.Mapping`` as JSON, ``places`` a ``places.Told``, ``declared``
    holds the fields of ``DECLARED``.
    """

    mapping: Mapping[str, Any] | None = None
    places: Mapping[str, Any] | None = None
    declared: Mapping[str, Any] | None = None

    def checked(self) -> dict[str, Any]:
        """Return the parts that were given as they are kept; raises ``Refused``."""
        found: dict[str, Any] = {}
        if self.mapping is not None:
            try:
                found["mapping"] = Columns.from_json(dict(self.mapping)).to_json()
            except UnknownFormat as refusal:
                raise Refused(refusal.sentence, field="mapping") from None
        if self.places is not None:
            found["places"] = Told.from_json(self.places).to_json()
        if self.declared is not None:
            found["declared"] = _declared(self.declared)
        return found


def _declared(given: Mapping[str, Any]) -> dict[str, Any]:
    declared = {key: value for key, value in given.items() if value not in ("", None)}
    unknown = sorted(set(declared) - set(DECLARED))
    if unknown:
        raise Refused(
            f"A sheet declares nothing called '{unknown[0]}'; it declares {', '.join(DECLARED)}.",
            field=f"declared.{unknown[0]}",
        )
    check_metadata("dataset", declared, "declared")
    return declared


@transaction.atomic
def import_labels(
    *,
    by: Actor,
    version: Version,
    upload: Upload,
    name: str,
    declared: Mapping[str, Any] | None = None,
    answers: Answers | None = None,
    confirmed: bool = True,
) -> tuple[LabelImport, bool]:
    """Have a label file read once the recordings of the draft are read.

    What ``declared`` leaves out is taken from the dataset. A file that is not ``confirmed`` is only
    looked at, and waits for ``confirm_labels``; so does one that asks what has no answer yet.
    Returns the import, and whether it is new: the same file under the same name, with the same
    answers, gives the import there is.
    """
    require_draft(by, "import_labels", version)
    check_upload(by, version, upload)
    given = (answers or Answers(declared=declared or {})).checked()
    name = name.strip()
    if not name:
        raise Refused("Please give the sheet a name, such as its file name.", field="name")
    lock_for(upload, version.dataset_id)
    held = (
        LabelImport.objects.select_related("blob")
        .filter(versions=version, name=name)
        .exclude(status__in=[Status.UNDONE, Status.REFUSED])
        .first()
    )
    if held is not None:
        # A file that arrived before is the same one, by whichever upload it came.
        same = upload.blob_id is not None and held.blob_id == upload.blob_id
        if held.upload_id == upload.pk or (same and not _contradicts(held, given)):
            return held, False
        raise Refused(
            f"There is already a sheet called '{name}'; undo it first, so that no grade counts "
            "twice.",
            field="name",
        )
    row = LabelImport.objects.create(
        dataset=version.dataset,
        upload=upload,
        name=name,
        status=Status.PENDING if confirmed else Status.OPEN,
        given_by=by if isinstance(by, User) else None,
        **given,
    )
    facts = {"name": name, "declared": row.declared}
    if confirmed:
        decisions.record(version, "import_labels", by=by, facts=facts)
    arrived(upload, lambda blob: start_reading(row, blob))
    row.refresh_from_db()
    return row, True


def _contradicts(held: LabelImport, given: Mapping[str, Any]) -> bool:
    """Whether answers were given that are not those by which a file was read."""
    mapping = given.get("mapping") or {}
    return any(held.mapping.get(key) != value for key, value in mapping.items()) or any(
        held.places.get(key) != value for key, value in (given.get("places") or {}).items()
    )


def start_reading(row: LabelImport, blob: Blob) -> None:
    """Give a label file its blob and ask for it to be read, or looked at where it is open."""
    LabelImport.objects.filter(pk=row.pk).update(blob=blob)
    row.blob = blob
    if row.status == Status.OPEN:
        ask_to_look(row)
    else:
        ask_for_labels(row.dataset_id)


def ask_to_look(row: LabelImport) -> None:
    """Ask for a look at a label file with the answers it has now."""
    answers = digest_of(row)
    jobs.enqueue(
        LOOK,
        subject=row,
        key=f"{row.public_id}:{answers[:20]}",
        label_import=row.public_id,
        answers=answers,
    )


def digest_of(row: LabelImport) -> str:
    """Return a digest (SHA-256, hex) of a label file and of all that was said about reading it.

    The same digest means the same rows, as long as the recordings are the same.
    """
    said = json.dumps([row.mapping, row.places], sort_keys=True)
    sha256 = row.blob.sha256 if row.blob is not None else ""
    return hashlib.sha256(f"{sha256}\n{said}".encode()).hexdigest()


def twin_of(row: LabelImport) -> LabelImport | None:
    """Return another reading of the same file (of the same worksheet) that counts in a version
    the row belongs to; what only earlier versions hold is no twin."""
    others = _beside(row).filter(blob=row.blob_id, status=Status.DONE)
    sheet = row.mapping.get("worksheet", "")
    return next((one for one in others if one.mapping.get("worksheet", "") == sheet), None)


def _beside(row: LabelImport) -> QuerySet[LabelImport]:
    """Return the other label files of the versions that a label file belongs to."""
    return LabelImport.objects.filter(
        pk__in=LabelImport.objects.filter(versions__in=row.versions.all()).values("pk")
    ).exclude(pk=row.pk)


def twin_sentence(row: LabelImport, twin: LabelImport) -> str:
    """Return the sentence that refuses to read a file twice."""
    if twin.digest == digest_of(row):
        return (
            f"'{row.name}' is the same sheet as '{twin.name}', already read with the same answers; "
            "nothing was doubled."
        )
    return (
        f"'{row.name}' is the same sheet as '{twin.name}', already read with other answers; undo "
        "that import first."
    )


@transaction.atomic
def answer_labels(
    *, by: Actor, version: Version, label_import: LabelImport, answers: Answers
) -> LabelImport:
    """Say how a label file is to be read, and have it looked at again with that.

    Only for files that are not read: undo an import before its answers are changed.
    """
    _require(by, version, label_import)
    given = answers.checked()
    _not_published(label_import)
    row = _locked(label_import)
    if row.status in (Status.PENDING, Status.DONE):
        raise Refused(
            f"'{row.name}' is {row.get_status_display()}; undo the import before you change how "
            "it is read."
        )
    _free_name(row)
    for key, value in given.items():
        setattr(row, key, value)
    row.status, row.refusal = Status.OPEN, ""
    row.save(update_fields=["status", "refusal", *given])
    if is_stale(row):
        if row.blob is not None:
            ask_to_look(row)
    elif not row.look["known"]:
        row.status, row.refusal = Status.REFUSED, row.look["refusal"][:1000]
        row.save(update_fields=["status", "refusal"])
    return row


def is_stale(row: LabelImport) -> bool:
    """Whether the newest answers of a file were not looked at yet."""
    return row.look.get("answers") != digest_of(row)


@transaction.atomic
def confirm_labels(*, by: Actor, version: Version, label_import: LabelImport) -> LabelImport:
    """Confirm what a look proposes; the file is then read by a job.

    Raises ``Refused`` where something blocking has no answer, where it is not declared how the
    scores came about, and where the same file was read before.
    """
    _require(by, version, label_import)
    row = _locked(label_import)
    if row.status in (Status.PENDING, Status.DONE):
        return row
    if row.status != Status.OPEN:
        raise Refused(row.refusal or f"'{row.name}' is undone; answer what it asks, or redo it.")
    if is_stale(row):
        raise Refused(
            f"'{row.name}' is being looked at with your newest answers; wait until its first rows "
            "are shown, and confirm then."
        )
    if row.look["refusal"]:
        raise Refused(row.look["refusal"], field="mapping", details=row.look.get("questions", []))
    declared = {key: declares(row, version.metadata, key) for key in DECLARED}
    if lacking := Declaration(**declared).problems(row.name):
        raise Refused(
            lacking[0].sentence,
            field=f"declared.{lacking[0].field}",
            details=[{"field": f"declared.{one.field}", "sentence": str(one)} for one in lacking],
        )
    row.mapping = row.look["mapping"]
    if twin := twin_of(row):
        raise Refused(twin_sentence(row, twin))
    row.status, row.refusal, row.declared = Status.PENDING, "", declared
    row.save(update_fields=["status", "refusal", "declared", "mapping"])
    _record(version, "import_labels", by, row)
    ask_for_labels(row.dataset_id)
    return row


@transaction.atomic
def undo_import(*, by: Actor, version: Version, label_import: LabelImport) -> None:
    """Undo the reading of a label file as a whole; its rows count no more from this moment.

    One that a published version holds stays as it is: the draft only leaves it out.
    """
    _require(by, version, label_import)
    if label_import.versions.exclude(pk=version.pk).exists():
        label_import.versions.remove(version)
        search.refresh(version)
        decisions.record(version, "undo_labels", by=by, facts={"name": label_import.name})
        return
    changed = (
        LabelImport.objects.filter(pk=label_import.pk)
        .exclude(status=Status.UNDONE)
        .update(status=Status.UNDONE)
    )
    if not changed:
        return
    label_import.status = Status.UNDONE
    search.refresh_dataset(version.dataset)
    decisions.record(version, "undo_labels", by=by, facts={"name": label_import.name})
    jobs.enqueue(
        "repository.clear_labels",
        by=by,
        subject=label_import,
        key=f"clear:{label_import.public_id}",
        label_import=label_import.public_id,
    )


@transaction.atomic
def redo_import(*, by: Actor, version: Version, label_import: LabelImport) -> LabelImport:
    """Read an undone label file again, with the answers it was read with."""
    _require(by, version, label_import)
    Dataset.objects.select_for_update().get(pk=version.dataset_id)
    row = _locked(label_import)
    if row.status in (Status.PENDING, Status.DONE):
        return row
    _not_published(row)
    if row.status != Status.UNDONE or not row.digest:
        raise Refused(f"'{row.name}' was not read before; look at it and confirm how it is read.")
    _free_name(row)
    if twin := twin_of(row):
        raise Refused(twin_sentence(row, twin))
    row.status = Status.PENDING
    row.save(update_fields=["status"])
    _record(version, "redo_labels", by, row)
    ask_for_labels(row.dataset_id)
    return row


def _require(by: Actor, version: Version, label_import: LabelImport) -> None:
    require_draft(by, "import_labels", version)
    if not label_import.versions.filter(pk=version.pk).exists():
        raise Refused(f"'{label_import.name}' is not a sheet of {version.identifier}.")


def _not_published(row: LabelImport) -> None:
    """Refuse to read anew what a published version holds: it is cited as it is."""
    if row.versions.filter(published_at__isnull=False).exists():
        raise Refused(
            f"A published version holds '{row.name}', and what is cited stays as it is; undo it "
            "here, and import the file again."
        )


def _locked(label_import: LabelImport) -> LabelImport:
    rows = LabelImport.objects.select_for_update(of=("self",)).select_related("blob", "given_by")
    return rows.get(pk=label_import.pk)


def _free_name(row: LabelImport) -> None:
    """Refuse to bring a file back while another one has its name."""
    others = _beside(row).filter(name=row.name)
    if others.exclude(status__in=[Status.UNDONE, Status.REFUSED]).exists():
        raise Conflict(
            f"Another sheet called '{row.name}' came meanwhile; undo that one first, so that no "
            "grade counts twice."
        )


def _record(version: Version, action: str, by: Actor, row: LabelImport) -> None:
    facts = {"name": row.name, "declared": row.declared, "mapping": row.mapping}
    decisions.record(version, action, by=by, facts=facts)


def declares(label_import: LabelImport, metadata: Mapping[str, Any], field: str) -> str:
    """Return what a sheet says of itself, or else what the dataset's ``metadata`` says."""
    if field not in BY_KEY:
        raise KeyError(field)
    return str(label_import.declared.get(field) or metadata.get(field) or "")
